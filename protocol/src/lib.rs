//! Callboard's wire protocol: what the bytes mean. No I/O, no clock, no randomness; PROTOCOL.md is its text for readers.
//!
//! A *body* is one postcard-encoded frame ([`codec`]). A QUIC session is a stream of `length ‖ body` ([`deframe`]); a
//! binary WebSocket message is one body. [`session`] judges which frame may follow which.

pub mod close;
pub mod codec;
pub mod deframe;
pub mod error;
pub mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod integer;
pub mod limits;
mod name;
mod payload;
mod refusal;
pub mod sentence;
pub mod session;
pub mod version;

pub use integer::{
    CallId, ChannelId, ConnectionId, Epoch, EventId, Millis, Nonce, Offset, Position, RequestId, Sequence, TooLarge,
};
pub use name::{ChannelName, NameError};
pub use payload::{Kind, Payload, PayloadRef};
pub use refusal::Refusal;
