//! What can be seen of the broker from outside: metrics and health, over HTTP on a listener of their own.

mod exposition;
mod process;
mod scope;
mod server;

pub(crate) use scope::Scope;
pub(crate) use server::Server;
