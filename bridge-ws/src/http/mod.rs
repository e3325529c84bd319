//! What the door says in HTTP/1.1: the upgrade, pages, health, and publishing for backends.

mod body;
mod pages;
mod publish;
mod publish_budget;
mod refusal_filter;
mod server;
mod service;
mod unparsed;
mod write_timeout;

pub(crate) use server::{DoorState, serve};
