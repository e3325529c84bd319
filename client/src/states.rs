//! A view of a client's state that tells of changes; it never changes anything.

use std::sync::Arc;

use tokio::sync::watch;

use crate::state::{Online, State};

/// A view of a client's state that tells of changes.
#[derive(Debug, Clone)]
pub struct States(watch::Receiver<State>);

impl States {
    pub(crate) fn new(receiver: watch::Receiver<State>) -> Self {
        Self(receiver)
    }

    /// The state now.
    #[must_use]
    pub fn current(&self) -> State {
        self.0.borrow().clone()
    }

    /// The next state that was not seen through this view. States that came and went meanwhile are left out; the last
    /// one never is. `None` once the client has closed and that was seen.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<State> {
        // The channel of states lives as long as a handle does, longer than the client is open: the last state ends it.
        if is_closed(&self.0.borrow()) && !self.0.has_changed().unwrap_or(true) {
            return None;
        }
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// The first state from now on that `fits`; `None` if the client closed without one.
    ///
    /// Cancel-safe.
    pub async fn wait_for(&mut self, mut fits: impl FnMut(&State) -> bool) -> Option<State> {
        let mut fitted = false;
        let decides = |state: &State| {
            fitted = fits(state);
            fitted || is_closed(state)
        };
        let state = self.0.wait_for(decides).await.ok()?.clone();
        fitted.then_some(state)
    }

    /// Waits until a session is open; `None` if the client closed instead.
    ///
    /// Cancel-safe.
    pub async fn online(&mut self) -> Option<Arc<Online>> {
        match self.wait_for(|state| matches!(state, State::Online(_) | State::Closed { .. })).await? {
            State::Online(online) => Some(online),
            State::Connecting | State::Waiting { .. } | State::Closed { .. } => None,
        }
    }
}

fn is_closed(state: &State) -> bool {
    matches!(state, State::Closed { .. })
}
