//! A channel: an actor while much happens to it, a slot in the directory while it sleeps.
//!
//! [`State`](state::State) is what lives as long as the channel; [`Slot`] is the only way to it; [`Actor`](actor) is
//! one run of it. Everything that one session is told of a channel goes into that session's outbox.

mod actor;
mod answers;
mod chunk;
mod edition;
mod history;
mod in_place;
mod member;
mod messages;
mod replay;
mod slot;
mod state;
mod window;

pub(crate) use messages::{AnswerGuard, Batch, Input, Instance, Join, Leave, Publication, Requester};
pub(crate) use replay::Replay;
pub(crate) use slot::{Sent, Slot};
