//! The frames: one enum a direction, so that a frame that travels the wrong way cannot be typed.
//!
//! Frames borrow: a decoded one points into its body, one to be encoded into whatever its sender holds. The order of
//! variants and of fields is the wire's (PROTOCOL.md, "Frames").

mod client;
mod part;
mod server;

pub use client::{
    Authenticate, Call, ClientFrame, Emit, Hello, Introduce, Logout, Pong, Provide, Publish, Return, Subscribe,
    Unsubscribe, Withdraw,
};
pub use part::{Answer, Credential, Goodbye, Identity, Outcome, Start, SubscribeOptions, Subscribed};
pub use server::{
    Event, Failed, Invoke, Membership, Message, Named, Ping, Reset, Resumed, ServerFrame, Skipped, Suspended, Welcome,
};
