//! Publishes from their callers to their answers, as pure states: the bounded queue, who waits for room in it, and what is
//! written and not yet acknowledged.

mod draft;
mod queue;
mod unacknowledged;
mod waiters;

pub(crate) use draft::{Acked, Draft};
pub(crate) use queue::{Queue, Refusal, Run};
pub(crate) use unacknowledged::Unacknowledged;
pub(crate) use waiters::{Kind, Ticket};

#[cfg(test)]
mod tests;
