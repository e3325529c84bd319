//! Browsers that wait for the broker: one after the other, in their order, and not all at once. It opens nothing for
//! them.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use super::limits::RESUMED_PER_SECOND;

/// How much of the time that a turn came too late, as timers do, the next ones make up for.
const MADE_UP_MAX: Duration = Duration::from_millis(10);

/// The waiting browsers; it knows when the next turn is.
#[derive(Debug)]
pub(super) struct Queue(Mutex<Instant>);

impl Queue {
    /// A queue of nobody.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Ready when all who came before are through or have left, and it is time for one more. Everybody behind waits until
    /// what it gives is dropped.
    pub(super) async fn turn(&self) -> MutexGuard<'_, Instant> {
        let mut next = self.0.lock().await;
        sleep_until(*next).await;
        let now = Instant::now();
        *next =
            now - now.saturating_duration_since(*next).min(MADE_UP_MAX) + Duration::from_secs(1) / RESUMED_PER_SECOND;
        next
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream::FuturesUnordered;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn behind_one_who_waits_for_long_all_come_in_their_order_and_a_thousand_a_second() {
        const LONG: Duration = Duration::from_secs(60);
        let (queue, began) = (Queue::new(), Instant::now());
        let comes = async |number: u32| {
            let _first = queue.turn().await;
            if number == 0 {
                sleep(LONG).await;
            }
            (number, began.elapsed())
        };
        let came: Vec<_> = (0..3000).map(comes).collect::<FuturesUnordered<_>>().collect().await;
        assert!(came.is_sorted(), "in their order");
        assert_eq!(came[0], (0, LONG));
        for (number, at) in came {
            let due = LONG + Duration::from_millis(number.into());
            let early = due.saturating_sub(at);
            assert!(early <= MADE_UP_MAX + Duration::from_millis(1) && at <= due, "{number} came after {at:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_keeps_nobody_waiting() {
        let queue = Queue::new();
        let first = queue.turn().await;
        let mut left = Box::pin(queue.turn());
        assert!(futures_util::poll!(&mut left).is_pending());
        let mut next = Box::pin(queue.turn());
        assert!(futures_util::poll!(&mut next).is_pending());
        drop((left, first));
        drop(next.await);
    }
}
