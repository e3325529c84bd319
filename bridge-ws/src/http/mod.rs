//! What the door says in HTTP/1.1: the upgrade, pages, health, and publishing for backends.

mod body;
mod hushed;
mod pages;
mod patient;
mod publish;
mod room;
mod server;
mod service;
mod unread;

pub(crate) use server::{Doorway, serve};
