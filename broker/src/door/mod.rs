//! The ways in. Every door opens its sessions at the local door, so that limits and access are the same for all.

mod browser;
mod local;
mod publishing;
mod quic;
mod reset;
pub mod tuning;
mod visitors;

pub(crate) use browser::InProcess;
pub(crate) use local::Local;
pub use quic::BindError;
pub(crate) use quic::Quic;
pub(crate) use reset::ResetSecret;
#[cfg(feature = "simulation")]
pub(crate) use visitors::introduced;
