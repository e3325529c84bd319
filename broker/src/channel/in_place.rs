//! A publish to a quiet channel, done by the publisher where the channel lies: no actor runs for it, and nothing here waits.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use callboard_protocol::Millis;
use tokio::time::Instant;

use super::answers::Answers;
use super::chunk::Open;
use super::edition::Editions;
use super::messages::Batch;
use super::state::State;
use crate::config;
use crate::defaults::MEMBERS_IN_PLACE;
use crate::directory::Directory;
use crate::faults::{self, Site};

/// Whether this publish to a sleeping channel is done in place. A channel with many members has an actor, which takes
/// together what several publishers bring before it goes round them; so has one whose members do not keep up, because
/// its mailbox makes publishers wait. So has one that nothing would keep in the directory: its actor holds it there until
/// it is idle.
pub(super) fn is_quiet(state: &State, batch: &Batch, bounds: &config::History) -> bool {
    let is_kept = state.has_members() || bounds.messages > 0 && bounds.bytes > 0;
    is_kept && state.is_light(MEMBERS_IN_PLACE, batch.publications.len(), batch.bytes)
}

/// Takes a batch as the channel's actor would: hands it out, then remembers it, then answers whoever published it. Under
/// the slot's lock, so it is bounded: what one read brought, to a few members. A panic is the channel's, not the
/// publisher's; the guard that is dropped with the batch then tells that session to come back.
pub(super) fn publish(state: &mut State, batch: Batch, bounds: &config::History, directory: &Directory) {
    let taken = catch_unwind(AssertUnwindSafe(|| take(state, batch, bounds, directory)));
    if let Err(panic) = taken {
        state.fail(sentence_of(&*panic), directory.draw_epoch());
    }
}

fn take(state: &mut State, batch: Batch, bounds: &config::History, directory: &Directory) {
    let Batch { from, publications, bytes, mut read } = batch;
    let now = directory.now();
    let (mut open, mut answers) = (Open::expecting(bytes, publications.len()), Answers::default());
    for publication in &publications {
        faults::strike(Site::Channel, state.name().as_str(), publication.payload.bytes());
        state.publish(from.requester(), publication, now, &mut open, &mut answers);
        if open.is_full() {
            hand_out(state, &mut open, &mut read, now, bounds);
        }
    }
    hand_out(state, &mut open, &mut read, now, bounds);
    state.answer(&mut answers);
    from.settle();
}

fn hand_out(state: &mut State, open: &mut Open, read: &mut Option<Instant>, now: Millis, bounds: &config::History) {
    let Some(mut editions) = open.seal().map(Editions::of) else { return };
    state.deliver(&mut editions, 0, usize::MAX);
    if let Some(read) = read.take() {
        state.sample_latency(read);
    }
    state.remember(editions.into_chunk(), now, bounds);
}

fn sentence_of(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("a panic without a sentence")
}
