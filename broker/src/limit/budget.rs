//! A number of bytes that many holders share. Nobody waits for it: who does not get any decides what to give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that may be held in all.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicUsize,
    max: usize,
    refusals: AtomicUsize,
}

impl Budget {
    /// A budget of `max` bytes, none of them held.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max, refusals: AtomicUsize::new(0) })
    }

    /// How much of it is held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How often somebody was refused more of it.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }
}

/// What one holder has of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// A share of nothing yet.
    pub(crate) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Another share of the same budget, of nothing yet.
    pub(crate) fn sibling(&self) -> Self {
        Self::of(&self.budget)
    }

    /// Makes the share `bytes` large. Whether that is within the budget; a share can always be made smaller.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let held = &self.budget.held;
        if bytes <= self.bytes {
            held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
            return true;
        }
        let more = bytes - self.bytes;
        if held.fetch_add(more, Ordering::Relaxed).saturating_add(more) > self.budget.max {
            held.fetch_sub(more, Ordering::Relaxed);
            self.budget.refusals.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// How large it is.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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
    fn shares_together_stay_within_the_budget_and_come_back() {
        let budget = Budget::new(100);
        let (mut one, mut two) = (Share::of(&budget), Share::of(&budget));
        assert!(one.resize(60));
        assert!(!two.resize(41));
        assert!(two.resize(40));
        assert!(one.resize(10) && two.resize(90));
        drop(one);
        assert_eq!((budget.held(), two.bytes()), (90, 90));
        drop(two);
        assert_eq!(budget.held(), 0);
    }
}
