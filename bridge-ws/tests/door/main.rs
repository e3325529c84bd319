//! What the browser's door promises, told by a browser made of bytes to a small bus behind it.

#![expect(clippy::unwrap_used, reason = "what a test relies on and is not there fails the test")]

mod autobahn;
mod ends;
mod fake;
mod floods;
mod handshakes;
mod heartbeat;
mod house;
mod pages;
mod peer;
mod publish;
