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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_count() {
        let closes = Closes::default();
        for code in Code::ALL {
            closes.note(*code);
        }
        assert!(closes.read().all(|(_, count)| count == 1));
    }
}
