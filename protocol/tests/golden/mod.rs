//! The golden vectors' Rust side: frames built by hand, their JSON description, and the files they are compared with.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod any;
mod client;
mod describe;
mod files;
mod server;

pub(crate) use any::{Fields, any_fields};
pub(crate) use client::client_frames;
pub(crate) use describe::{describe_client, describe_server};
pub(crate) use files::{
    Line, Malformed, Speaker, bytes_of, hex_of, json_file, line_of, malformed_vectors, named_vectors, names_file,
};
pub(crate) use server::server_frames;
