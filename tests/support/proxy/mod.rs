//! Proxies between clients and a broker that do to traffic what bad networks do, by chance from a seed; they never read it.

mod dice;
mod faults;
mod late;
mod pipe;
mod tcp;
#[cfg(test)]
mod tcp_tests;
mod udp;
#[cfg(test)]
mod udp_tests;

pub use dice::Dice;
pub use faults::{Count, Counts, Faults, Way};
pub use pipe::{Pipe, Trickle};
pub use tcp::TcpProxy;
pub use udp::Proxy;
