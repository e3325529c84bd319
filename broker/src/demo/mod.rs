//! A small program that the page at `/` shows at work: a client of the bus like any other, with no right that others lack.
//! The broker itself never runs it, and knows nothing of it.

mod box_office;
mod job;
mod program;
mod request;

pub use box_office::BoxOffice;
pub use program::{JOBS, Options, Program, SALES, SOLD, TALK};
