//! A number of bytes that all browsers share. Nobody waits for it: who does not get any decides what to give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that may be held in all.
#[derive(Debug)]
pub(super) struct Budget {
    held: AtomicUsize,
    max: usize,
    /// What each holder has beside.
    free: usize,
}

/// What one browser has of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

/// What is held for one browser.
#[derive(Debug)]
pub(super) struct Shares {
    /// Of what it says, and of what its handshake showed.
    pub(super) inward: Share,
    /// Of what it is told.
    pub(super) outward: Share,
}

impl Budget {
    /// A budget of `max` bytes, and `free` for each holder beside.
    pub(super) fn new(max: usize, free: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max, free })
    }

    /// How many of them are held, beside what is free.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Leaves nothing here; what it was is the caller's.
    pub(super) fn take(&mut self) -> Self {
        let rest = Self::of(&self.budget);
        std::mem::replace(self, rest)
    }

    /// A share of nothing yet.
    pub(super) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Makes the share enough for `bytes`. Whether that is within the budget; a share can always be made smaller.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        let (bytes, held) = (bytes.saturating_sub(self.budget.free), &self.budget.held);
        if bytes == self.bytes {
            // As nearly always: nobody else is met.
            return true;
        }
        if bytes < self.bytes {
            held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
            return true;
        }
        let more = bytes - self.bytes;
        if held.fetch_add(more, Ordering::Relaxed).saturating_add(more) > self.budget.max {
            held.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_stay_within_the_budget_beside_what_is_free() {
        let budget = Budget::new(100, 10);
        let (mut one, mut two) = (Share::of(&budget), Share::of(&budget));
        assert!(one.resize(70) && two.resize(50));
        assert!(!one.resize(71) && !two.resize(51), "nothing is left");
        assert!(one.resize(69) && two.resize(51));
        let elsewhere = two.take();
        assert!(!one.resize(70), "it is held all the same");
        drop((two, elsewhere));
        assert!(one.resize(110));
        assert!(!one.resize(111));
    }
}
