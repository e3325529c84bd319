//! A number of bytes that all browsers share. Who gets none decides whether to wait; those who wait are served in their
//! order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// The bytes that may be held in all.
#[derive(Debug)]
pub(super) struct WaitingBudget {
    left: Arc<Semaphore>,
    max: usize,
    /// What each holder has beside.
    free: usize,
    refusals: AtomicUsize,
}

/// What one browser has of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<WaitingBudget>,
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

impl WaitingBudget {
    /// A budget of `max` bytes, and `free` for each holder beside.
    pub(super) fn new(max: usize, free: usize) -> Arc<Self> {
        let max = max.min(Semaphore::MAX_PERMITS);
        Arc::new(Self { left: Arc::new(Semaphore::new(max)), max, free, refusals: AtomicUsize::new(0) })
    }

    /// How many of them are held, beside what is free.
    pub(super) fn held(&self) -> usize {
        self.max - self.left.available_permits()
    }
}

impl Share {
    /// Leaves nothing here; what it was is the caller's.
    pub(super) fn take(&mut self) -> Self {
        let rest = Self::of(&self.budget);
        std::mem::replace(self, rest)
    }

    /// A share of nothing yet.
    pub(super) fn of(budget: &Arc<WaitingBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Whether the share is enough for `bytes`.
    pub(super) fn is_enough(&self, bytes: usize) -> bool {
        self.beyond_free(bytes) <= self.bytes
    }

    /// Makes the share enough for `bytes`. Whether that is within the budget; a share can always be made smaller.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        let (bytes, left) = (self.beyond_free(bytes), &self.budget.left);
        // As nearly always, it is neither: nobody else is met.
        if bytes < self.bytes {
            left.add_permits(self.bytes - bytes);
        }
        if bytes > self.bytes {
            let more = u32::try_from(bytes - self.bytes).ok().and_then(|more| left.try_acquire_many(more).ok());
            let Some(more) = more else {
                self.budget.refusals.fetch_add(1, Ordering::Relaxed);
                return false;
            };
            more.forget();
        }
        self.bytes = bytes;
        true
    }

    /// Whether any of the budget is held.
    pub(super) fn is_any(&self) -> bool {
        self.bytes > 0
    }

    /// How often somebody was refused more of the budget.
    pub(super) fn refusals(&self) -> usize {
        self.budget.refusals.load(Ordering::Relaxed)
    }

    /// The largest that a share can be enough for.
    pub(super) fn max(&self) -> usize {
        self.budget.free.saturating_add(self.budget.max)
    }

    /// A share that is enough for `bytes`, once those who asked before have theirs.
    pub(super) fn enough(&self, bytes: usize) -> impl Future<Output = Self> + Send + use<> {
        let budget = Arc::clone(&self.budget);
        let bytes = u32::try_from(self.beyond_free(bytes)).expect("a body is shorter");
        async move {
            budget.left.acquire_many(bytes).await.expect("nobody closes this semaphore").forget();
            Self { budget, bytes: bytes as usize }
        }
    }

    /// Whether it has anything that another one could have.
    pub(super) fn is_missed(&self) -> bool {
        // Whoever waits has all that is left put by for it.
        self.bytes > 0 && self.budget.left.available_permits() == 0
    }

    fn beyond_free(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.budget.free)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.add_permits(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_stay_within_the_budget_beside_what_is_free() {
        let budget = WaitingBudget::new(100, 10);
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
