//! Clients under load that keep the checker's logs: they publish, read, come and go; what they saw is judged elsewhere.

mod company;
mod notes;
mod presence;
mod publisher;
mod subscriber;

pub use company::Company;
pub use subscriber::Habit;
