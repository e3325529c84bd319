//! What the door says in HTTP/1.1: the upgrade, pages, health, and publishing for backends.

mod body;
mod door_state;
mod pages;
mod publish;
mod publish_budget;
mod refusal_filter;
mod server;
mod service;
mod unparsed;
mod write_timeout;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use body::parse as parse_publish;
pub(crate) use door_state::DoorState;
pub(crate) use server::serve;
