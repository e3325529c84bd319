//! The browser's door: it translates WebSocket traffic into the bus's frames, and never names the broker.
//!
//! So far the translators stand: a [`Dialect`] turns browser messages into bodies and the broker's frames into messages,
//! and [`dress`] writes what RFC 6455 wants around them. What will come: an HTTP listener that takes the socket back after
//! the upgrade, one actor a browser, and the pages. It will ask for an *upstream* (`open(peer, format) -> session`), so
//! that the same bridge runs inside the broker's process and alone at the edge.

mod dialect;
pub mod dress;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use dialect::{Dialect, Incoming, JSON_DEPTH_MAX, Outgoing, RedressError, Refused};
