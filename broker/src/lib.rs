//! Callboard's broker: a real-time message bus built of actors. Each connection is one, and each channel.
//!
//! [`Broker::start`] runs one in this process; the binary `callboard` is a command line around it. ARCHITECTURE.md
//! describes the structure, PROTOCOL.md what goes over the wire.

mod broker;
mod builder;
mod chance;
mod channel;
mod clock;
pub mod config;
mod connection;
mod data_dir;
pub mod defaults;
pub mod demo;
mod directory;
mod door;
mod faults;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hooks;
pub mod identity;
mod interior;
mod limit;
mod metrics;
mod observe;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
pub mod tls;

pub use broker::{Broker, StartError};
pub use builder::Builder;
pub use callboard_bridge_ws::Resource;
pub use config::Config;
pub use door::{BindError, tuning};
#[cfg(feature = "faults")]
pub use faults::Sabotage;
pub use hooks::{Hooks, Incoming};
pub use observe::Server as MetricsServer;
