//! The frames of RFC 6455: what a server writes around its messages, and the headers that it reads; never what is inside.

mod read;
mod write;

pub(crate) use read::Header;
pub(crate) use write::{CONTROL_BYTES_MAX, Opcode, close, header, header_of, message_of_unknown_length, pong};
