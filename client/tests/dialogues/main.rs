//! The client speaks with a broker that follows a script: one test is one dialogue.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not due fails a dialogue, whatever it is")]

mod broker;
mod credentials;
mod hostile;
mod publishing;
mod raw;
mod receipts;
mod reconnection;
mod recovery;
mod subscribing;
mod trusting;
