//! The browser's door: it translates WebSocket traffic into the bus's frames, and never names the broker.
//!
//! [`Door::open`] binds an HTTP listener. What asks for an upgrade, and may by the [`rules`], becomes a WebSocket owned by
//! one actor; a [`Dialect`] turns its messages into bodies, and an [`upstream::Session`] takes their frames and gives what
//! is to be written, encoded already. The bridge asks for an [`upstream::Upstream`] and knows nothing else of the bus, so
//! that it runs inside the broker's process and alone at the edge.

mod accept;
mod address_group;
mod address_limit;
mod bridge;
mod config;
mod counter;
pub mod defaults;
mod denial;
mod dialect;
mod door;
pub mod edge;
mod farewell;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hint;
mod http;
mod messages;
mod outgoing;
mod present;
pub mod progress;
mod reader;
mod resource;
pub mod rules;
mod socket;
pub mod upstream;
mod wheel;

pub use accept::next_connection;
pub use address_group::AddressGroup;
pub use config::{Config, Heartbeat, Limits};
pub use counter::{Closes, Counter, HttpRefusals};
pub use dialect::{Dialect, Incoming, JSON_DEPTH_MAX, Outgoing, Refused, TranscodeError};
pub use door::{BindError, Door};
pub use resource::Resource;
