//! What can be seen of a broker, or of a bridge, from outside: metrics and health, over HTTP on a listener of their own.

mod broker;
mod edge;
mod exposition;
mod process;
mod scope;
mod server;

pub(crate) use scope::Scope;
pub use server::Server;
