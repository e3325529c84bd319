//! A broker without sockets, on a clock and a chance of its own, for simulations and fuzzing; no part of a broker that serves.

mod census;
mod pipe;
mod world;

pub use census::{Asleep, Census, Channel, Queue};
pub(crate) use pipe::Pipe;
pub use world::{Over, Wire, World};
