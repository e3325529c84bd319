//! The architecture as a test: what ARCHITECTURE.md draws and the house style asks for stays true; never how the bus behaves.
//!
//! Each rule is a pure function from sources to faults, and the test that holds the house to it first shows it an
//! example that it must find fault with.

#[path = "house/crates.rs"]
mod crates;
#[path = "house/entries.rs"]
mod entries;
#[path = "house/fuzz.rs"]
mod fuzz;
#[path = "house/quotes.rs"]
mod quotes;
#[path = "house/shape.rs"]
mod shape;
#[path = "house/source.rs"]
mod source;
#[path = "house/words.rs"]
mod words;
