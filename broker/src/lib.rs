//! Callboard broker.
pub mod config;
pub mod defaults;
