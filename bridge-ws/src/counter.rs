//! Numbers for whoever operates this. Who counts adds up and comes here once a batch; nothing here waits.

use std::sync::atomic::{AtomicU64, Ordering};

use callboard_protocol::close::Code;

/// A number that grows; or, for what is present, one that goes back too.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds what was counted. Nothing is ordered by it, so it is the cheapest addition that there is.
    pub fn add(&self, count: u64) {
        if count > 0 {
            self.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Takes back what is no longer present, which was added before.
    pub fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// What it has come to.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many connections were closed with each code.
#[derive(Debug, Default)]
pub struct Closes([Counter; Code::ALL.len()]);

impl Closes {
    /// Notes that one was closed with this code.
    pub fn note(&self, code: Code) {
        if let Some(place) = Code::ALL.iter().position(|known| *known == code) {
            self.0[place].add(1);
        }
    }

    /// Every code, and how many were closed with it.
    pub fn read(&self) -> impl Iterator<Item = (Code, u64)> {
        Code::ALL.iter().zip(&self.0).map(|(code, count)| (*code, count.value()))
    }
}

/// The statuses that a request may be refused with.
const STATUSES: [u16; 17] = [400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 421, 426, 429, 431, 500, 501, 503];

/// How many requests over HTTP were refused with each status.
#[derive(Debug, Default)]
pub struct HttpRefusals([Counter; STATUSES.len()]);

impl HttpRefusals {
    /// Notes that one was refused with this status.
    pub fn note(&self, status: u16) {
        if let Ok(place) = STATUSES.binary_search(&status) {
            self.0[place].add(1);
        }
    }

    /// Every status, and how many were refused with it.
    pub fn read(&self) -> impl Iterator<Item = (u16, u64)> {
        STATUSES.iter().zip(&self.0).map(|(status, count)| (*status, count.value()))
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::error::Class;

    use super::*;

    #[test]
    fn the_status_of_every_class_has_its_count() {
        let refusals = HttpRefusals::default();
        let mut codes: Vec<u16> = Class::ALL.iter().map(|class| class.code()).collect();
        codes.dedup();
        codes.iter().for_each(|code| refusals.note(*code));
        assert_eq!(refusals.read().filter(|(_, count)| *count == 1).count(), codes.len());
        assert!(STATUSES.is_sorted());
    }

    #[test]
    fn every_code_has_its_count() {
        let closes = Closes::default();
        for code in Code::ALL {
            closes.note(*code);
        }
        assert!(closes.read().all(|(_, count)| count == 1));
    }
}
