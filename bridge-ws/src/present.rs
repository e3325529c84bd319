//! How many browsers are in: counted by tokens that count themselves out when they are dropped.

use std::sync::Arc;

use tokio::sync::watch;

/// The count.
#[derive(Debug, Clone)]
pub(crate) struct Count(Arc<watch::Sender<usize>>);

/// One that is counted.
#[derive(Debug)]
pub(crate) struct Present(Count);

impl Count {
    /// Nobody is in.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Counts one more.
    pub(crate) fn enter(&self) -> Present {
        self.0.send_modify(|count| *count += 1);
        Present(self.clone())
    }

    /// How many are in.
    pub(crate) fn now(&self) -> usize {
        *self.0.borrow()
    }

    /// Ready when nobody is in.
    pub(crate) async fn wait_empty(&self) {
        // The sender lives as long as this, so the wait ends by the count alone.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
