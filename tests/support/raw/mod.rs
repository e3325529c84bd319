//! A raw peer at any door: it says frames and any other bytes by hand, and hears what the broker says, as a dialogue.

mod body;
mod bridge;
mod certificate;
mod dialer;
mod dialogue;
mod door;
mod farewell;
mod first;
mod peer;
mod publishes;
mod quic;
mod socket;

pub use body::{Body, Ending, Failure, Message};
pub use bridge::{Bridge, Parting, introduction};
pub use dialer::{Dialer, Options};
pub use door::Door;
pub use first::first_datagrams;
pub use peer::Peer;
pub use socket::Wire;
