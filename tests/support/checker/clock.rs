//! The one clock of all logs that this process keeps; it only tells the time.

use std::sync::OnceLock;

use tokio::time::Instant;

/// Milliseconds since somebody first asked.
#[must_use]
pub fn now_ms() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let since = Instant::now().saturating_duration_since(*ORIGIN.get_or_init(Instant::now));
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
