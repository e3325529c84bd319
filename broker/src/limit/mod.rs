//! The bounds that keep a clumsy or hostile peer from hurting anybody else. Each is configured in [`crate::config::Limits`].

mod admission;
mod bucket;
mod budget;
mod handshakes;
mod inbox;
mod key_rates;
mod stall;

pub(crate) use admission::{Admission, Refused, Ticket};
pub(crate) use bucket::Bucket;
pub(crate) use budget::{Budget, Share};
pub(crate) use handshakes::{Begun, Greeting, Handshakes};
pub(crate) use inbox::{Inbox, Load};
pub(crate) use key_rates::KeyRates;
pub(crate) use stall::{Stall, StallWatch};
