//! Bytes of memory that all publishes over HTTP share; no request waits for them: who gets none is told to come again.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::present::{Count, Present};

/// What there is in all, and how many requests are under way.
#[derive(Debug)]
pub(crate) struct PublishBudget {
    all: Arc<Semaphore>,
    requests: Count,
}

impl PublishBudget {
    /// So many bytes, and nobody who takes of them.
    pub(super) fn new(bytes: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))), requests: Count::new() }
    }

    /// Begins a request, which has taken nothing yet.
    pub(super) fn enter(&self) -> Reservation {
        Reservation { all: Arc::clone(&self.all), taken: None, _request: self.requests.enter() }
    }

    /// Ready when no request is under way.
    pub(crate) async fn wait_empty(&self) {
        self.requests.wait_empty().await;
    }
}

/// What one request has taken. It is given back when this, and what was made from it, is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    all: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    _request: Present,
}

impl Reservation {
    /// Takes so many bytes more, if there are as many.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.all).try_acquire_many_owned(bytes) else { return false };
        match &mut self.taken {
            None => self.taken = Some(more),
            Some(taken) => taken.merge(more),
        }
        true
    }

    /// Keeps what was taken for as long as `text` lives.
    pub(super) fn around(self, text: Vec<u8>) -> Bytes {
        Bytes::from_owner(Kept { text, _reservation: self })
    }
}

/// A text and the bytes reserved for it.
struct Kept {
    text: Vec<u8>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_with_the_last_of_what_needs_it() {
        let budget = PublishBudget::new(100);
        let (mut one, mut two) = (budget.enter(), budget.enter());
        assert!(one.take(60) && !two.take(41) && two.take(40) && !one.take(1));
        let answer = one.around(b"an answer".to_vec());
        let begun = answer.slice(3..);
        drop(answer);
        assert!(!two.take(60));
        drop(begun);
        assert!(two.take(60));
        assert_eq!(budget.requests.now(), 1);
        drop(two);
        assert_eq!((budget.all.available_permits(), budget.requests.now()), (100, 0));
    }
}
