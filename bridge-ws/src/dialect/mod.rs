//! What is spoken inside the WebSocket door: pure translators between browser messages and frames.

mod binary;
mod json;
mod translate;

pub use json::JSON_DEPTH_MAX;
pub use translate::{Dialect, Incoming, Outgoing, Refused, TranscodeError};
