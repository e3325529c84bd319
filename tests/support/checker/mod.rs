//! The one checker: reads what every client of a trial asked, was answered and saw, and judges it; it takes no part itself.

mod end;
mod faults;
mod judge;
mod log;
mod places;
mod publishes;
mod roll;
mod subscriptions;
#[cfg(test)]
mod tests;
mod trial;

pub use faults::{Fault, Faults, Rule};
pub use judge::judge;
pub use log::{Fact, Log};
pub use trial::{End, Sample, Trial};
