//! What the door says in HTTP/1.1: the upgrade, pages, health, and publishing for backends.

mod pages;
mod patient;
mod places;
mod publish;
mod server;
mod service;

pub(crate) use server::{Doorway, serve};
