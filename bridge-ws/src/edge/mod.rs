//! The browser's door alone, where browsers are and the broker is not: sessions go to it over a few QUIC connections.

mod browser;
mod budget;
mod limits;
mod outage_log;
mod outward_room;
#[cfg(test)]
mod outward_room_tests;
mod pool;
mod publishing;
mod queue;
mod remote;
mod session;
mod sight;
mod state;
#[cfg(test)]
mod state_tests;
mod station;
mod stream;
mod tally;
mod transcode;

pub use limits::{INBOX_BYTES_FREE, Limits, OUTBOX_BYTES_FREE};
pub use remote::{Remote, Ticket};
pub use session::{News, Session};
pub use sight::{Browsers, Figures, Refused, Sight};
pub use station::{Edge, OpenError};
