//! The cases: the door to what each of them lets happen. It holds no logic.

mod channels;
mod idle;
mod latency;
mod ping;
mod stage;
mod windowed;

pub(super) use channels::channels;
pub(super) use idle::idle;
pub(super) use latency::latency;
pub(super) use ping::ping;
pub(super) use stage::{Stage, warm_up};
pub(super) use windowed::windowed;
