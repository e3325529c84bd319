//! What promises are written with: brokers to break, peers that say anything, deadlines, witnesses; never a promise itself.

mod broker;
pub mod checker;
mod client;
mod deadline;
mod edge;
pub mod http;
mod listener;
pub mod load;
mod memory;
mod metrics;
mod neighbour;
pub mod process;
pub mod proxy;
pub mod raw;
mod reader;
mod temp;
pub mod tls;
pub mod vectors;

pub use broker::Broker;
pub use checker::Seen;
pub use deadline::{SOON, eventually, eventually_within, soon, within};
pub use edge::Edge;
pub use listener::{Farewell, Listener};
pub use memory::Growth;
pub use metrics::Metrics;
pub use neighbour::Neighbour;
pub use process::Process;
pub use proxy::{Proxy, Way};
pub use raw::Peer;
pub use reader::Reader;
pub use rustix::process::Signal;

/// The examples of the README, which compile with this crate's documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
