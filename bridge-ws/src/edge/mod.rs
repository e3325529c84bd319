//! The browser's door alone, where browsers are and the broker is not: sessions go to it over a few QUIC connections.

mod browser;
mod budget;
mod introduction;
mod inward_room;
mod lifecycle;
mod limits;
mod metrics;
mod observer;
mod outage_log;
mod outward_room;
#[cfg(test)]
mod outward_room_tests;
mod pool;
mod publishing;
mod queue;
mod registry;
mod remote;
mod session;
mod state;
#[cfg(test)]
mod state_tests;
mod stream;
mod transcode;

pub use lifecycle::{Edge, OpenError};
pub use limits::{INBOX_BYTES_FREE, Limits, OUTBOX_BYTES_FREE};
pub use observer::{Browsers, Observer, Refused, Stats};
pub use remote::Remote;
pub use session::{News, Session, Ticket};
