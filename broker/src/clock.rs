//! The one place that reads the wall clock; everything else is handed a time, so that tests may pause it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use callboard_protocol::Millis;
use tokio::time::Instant;

/// Wall time that never runs backwards: carried on by tokio's own clock, and moved forward where that stood still.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// What the wall clock shows, or would have shown, at `start`.
    start_ms: AtomicU64,
    /// Whether there is no wall clock to catch up with.
    #[cfg(feature = "simulation")]
    alone: bool,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            start_ms: AtomicU64::new(wall_ms()),
            #[cfg(feature = "simulation")]
            alone: false,
        }
    }

    /// A clock that starts at `start_ms` and follows tokio's alone.
    #[cfg(feature = "simulation")]
    pub(crate) fn simulated(start_ms: u64) -> Self {
        Self { start: Instant::now(), start_ms: AtomicU64::new(start_ms), alone: true }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> Millis {
        Millis::saturating(self.start_ms.load(Ordering::Relaxed).saturating_add(self.passed_ms()))
    }

    /// Moves forward to the wall clock if that is ahead: the other one stands still while the machine sleeps.
    pub(crate) fn catch_up(&self) {
        #[cfg(feature = "simulation")]
        if self.alone {
            return;
        }
        self.start_ms.fetch_max(wall_ms().saturating_sub(self.passed_ms()), Ordering::Relaxed);
    }

    fn passed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
