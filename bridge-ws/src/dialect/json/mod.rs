//! The dialect `callboard.v1.json`: a text message is one frame as JSON (PROTOCOL.md, "JSON"), for people and for any tool.

mod client;
mod object;
mod part;
mod server;
mod value;
mod write;

pub(super) use client::read_client;
pub(super) use server::read_server;
pub use value::JSON_DEPTH_MAX;
pub(super) use write::{NAMES_BYTES, write_client, write_server};
