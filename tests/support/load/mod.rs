//! Clients under load that keep the checker's logs: they publish, read, come and go; what they saw is judged elsewhere.

mod clients;
mod notes;
mod presence;
mod publisher;
mod subscriber;

pub use clients::Clients;
pub use subscriber::Habit;
