//! Sessions for others: the connections of a bridge, and on each the streams of its visitors, as bodies in and out.

mod closing;
mod driver;
mod session;
mod silence;
mod trunk;

pub use session::{End, Session};
pub use trunk::{Opening, Trunk};
