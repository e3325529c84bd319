//! The one place that reads the wall clock; everything else is handed a time, so that tests may pause it.

use std::time::{SystemTime, UNIX_EPOCH};

use callboard_protocol::Millis;
use tokio::time::Instant;

/// Wall time that never runs backwards: read once at the start, then carried on by tokio's own clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> Millis {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Millis::saturating(self.start_ms.saturating_add(passed))
    }
}
