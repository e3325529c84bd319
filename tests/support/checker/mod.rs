//! The one checker: reads what every client of a trial asked, was answered and saw, and judges it; it takes no part itself.

mod client;
mod clock;
mod end;
mod faults;
mod hear;
mod judge;
mod log;
mod places;
mod publishes;
mod roll;
mod seen;
mod subscriptions;
#[cfg(test)]
mod tests;
mod trial;

pub use client::Noted;
pub use clock::now_ms;
pub use faults::{Fault, Faults, Rule};
pub use hear::Ear;
pub use judge::judge;
pub use log::{Fact, Log};
pub use seen::{BACK_WITHIN_MS, Seen, settle, settle_at_rest};
pub use trial::{End, Sample, Trial};
