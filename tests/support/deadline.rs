//! Deadlines in place of sleeps: a test waits for what it wants, and says what did not come in time.

use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

/// Longer than anything on loopback takes on a busy machine, short enough that a test that hangs is no mystery.
pub const SOON: Duration = Duration::from_secs(10);

/// How often [`eventually`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for `future`.
///
/// # Panics
///
/// When it has not come within `limit`; the message names the line that waited.
#[track_caller]
pub fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    expected(limit, "what was waited for", future, Location::caller())
}

/// Waits for `future` as long as anything on loopback may take ([`SOON`]).
///
/// # Panics
///
/// When it has not come by then; the message says `what` did not.
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    expected(SOON, what, future, Location::caller())
}

async fn expected<F: Future>(limit: Duration, what: &str, future: F, at: &Location<'_>) -> F::Output {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not come within {limit:?}, at {at}"),
    }
}

/// Waits until `probe` finds what it looks for. For what tells nobody that it happened; whatever can be awaited is.
///
/// # Panics
///
/// When it has found nothing within [`SOON`].
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    eventually_within(SOON, what, probe)
}

/// The same for what takes longer by its nature.
///
/// # Panics
///
/// When it has found nothing within `limit`.
#[track_caller]
pub fn eventually_within<T>(
    limit: Duration,
    what: &str,
    probe: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    expected(limit, what, found(probe), Location::caller())
}

async fn found<T>(mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if let Some(found) = pin!(probe()).await {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the answer did not come within 10s, at ")]
    async fn what_does_not_come_is_named() {
        soon("the answer", std::future::pending::<()>()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_asked_until_it_finds() {
        let mut left = 3;
        let found = eventually("the third look", async || {
            left -= 1;
            (left == 0).then_some("here")
        });
        assert_eq!(found.await, "here");
    }
}
