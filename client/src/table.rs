//! The table of subscriptions: which channels are wanted, asked for and live on the wire, and who reads them here.
//! A pure state; it writes frames into a buffer and never waits.

mod delivery;
mod entry;
mod named;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use callboard_protocol::codec;
use callboard_protocol::frame::{Answer, ClientFrame, Start, Subscribe, Subscribed, Unsubscribe};
use callboard_protocol::{ChannelId, ChannelName, RequestId};

pub(crate) use self::delivery::Delivery;
use self::entry::{Entry, Member, Phase};
use self::named::Named;
use crate::end::End;
use crate::error::{Failure, SubscribeError};
use crate::event::Ended;
use crate::state::Reason;
use crate::subscription::{Reader, Subscribing};

const ONE_NUMBER: &str = "the broker gave one number to two channels";

/// All subscriptions of a client.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<usize>,
    by_name: HashMap<ChannelName, usize>,
    /// The channels that may deliver in this session.
    by_id: HashMap<ChannelId, usize>,
    /// Those that may deliver without a subscription.
    named: Named,
    /// The requests of this session that wait for their answers.
    requests: HashMap<RequestId, usize>,
    /// The slots that have something to ask. Each is in it once at most.
    to_ask: VecDeque<usize>,
    /// The slots that were refused for a passing reason, and have not begun since.
    refused: BTreeSet<usize>,
    retries: bool,
    /// The readers to be woken once the caller holds no lock.
    wakers: Vec<Waker>,
}

#[derive(Debug, Default)]
struct Slot {
    entry: Option<Entry>,
    is_queued: bool,
}

impl Table {
    /// Takes a new reader of a channel.
    pub(crate) fn add_reader(&mut self, subscribing: Subscribing) {
        if subscribing.is_over() {
            return;
        }
        let Some(&slot) = self.by_name.get(&subscribing.channel) else {
            let slot = self.insert(Entry::new(subscribing));
            self.queue(slot);
            return;
        };
        if let Some(entry) = &mut self.slots[slot].entry {
            entry.add_reader(subscribing);
        }
    }

    /// Removes a reader; without its last one a channel is unsubscribed.
    pub(crate) fn remove_reader(&mut self, channel: &ChannelName, reader: &Arc<Reader>) {
        let Some(&slot) = self.by_name.get(channel) else { return };
        let Some(entry) = &mut self.slots[slot].entry else { return };
        if !entry.remove_reader(reader) {
            return;
        }
        match entry.phase {
            Phase::Wanted | Phase::Refused => self.remove(slot),
            Phase::Unwanted { .. } => self.queue(slot),
            Phase::Asking { .. } | Phase::Live { .. } | Phase::Unsubscribing { .. } => {}
        }
    }

    /// A session is open: everything is to be asked for.
    pub(crate) fn connected(&mut self) {
        for slot in 0..self.slots.len() {
            if self.slots[slot].entry.is_some() {
                self.queue(slot);
            }
        }
    }

    /// The session is over. What is still wanted will be asked for in the next one.
    pub(crate) fn disconnected(&mut self) {
        self.by_id.clear();
        self.named.clear();
        self.requests.clear();
        self.to_ask.clear();
        self.refused.clear();
        self.retries = false;
        for slot in 0..self.slots.len() {
            self.slots[slot].is_queued = false;
            let Some(entry) = &mut self.slots[slot].entry else { continue };
            entry.phase = Phase::Wanted;
            if entry.members.is_empty() {
                self.remove(slot);
            }
        }
    }

    /// Encodes the next request under the number that `ask` gives. `false` if there is none.
    pub(crate) fn write_next(&mut self, ask: impl FnOnce() -> RequestId, out: &mut BytesMut) -> bool {
        while let Some(slot) = self.to_ask.pop_front() {
            self.slots[slot].is_queued = false;
            let Some(entry) = &mut self.slots[slot].entry else { continue };
            let request = match entry.phase {
                Phase::Wanted => {
                    let (request, start) = (ask(), entry.next_start());
                    entry.phase = Phase::Asking { start, stale: false };
                    let (channel, options) = (entry.name.as_str(), entry.options());
                    write(&ClientFrame::Subscribe(Subscribe { request, channel, start, options }), out);
                    request
                }
                Phase::Unwanted { channel } => {
                    let request = ask();
                    entry.phase = Phase::Unsubscribing { channel };
                    write(&ClientFrame::Unsubscribe(Unsubscribe { request, channel: entry.name.as_str() }), out);
                    request
                }
                Phase::Asking { .. } | Phase::Live { .. } | Phase::Unsubscribing { .. } | Phase::Refused => continue,
            };
            self.requests.insert(request, slot);
            return true;
        }
        false
    }

    /// Takes the answer to a request that went well. `false` if the request is none of the table's.
    pub(crate) fn handle_ok(&mut self, request: RequestId, answer: &Answer<'_>) -> Result<bool, End> {
        let Some(slot) = self.requests.remove(&request) else { return Ok(false) };
        let Some(entry) = &self.slots[slot].entry else { return Ok(true) };
        match (entry.phase, answer) {
            (Phase::Asking { start, stale }, Answer::Subscribed(answer)) => {
                self.subscribed(slot, start, stale, answer)?
            }
            (Phase::Unsubscribing { .. }, Answer::Done) => self.unsubscribed(slot),
            _ => return Err(End::out_of_order("the broker answered a request with what it did not ask for")),
        }
        Ok(true)
    }

    fn subscribed(&mut self, slot: usize, start: Start, stale: bool, answer: &Subscribed) -> Result<(), End> {
        let Some(entry) = &mut self.slots[slot].entry else { return Ok(()) };
        if self.named.is_anothers(answer.channel, entry.name.as_str())
            || *self.by_id.entry(answer.channel).or_insert(slot) != slot
        {
            return Err(End::out_of_order(ONE_NUMBER));
        }
        self.named.remove(entry.name.as_str());
        self.refused.remove(&slot);
        // Its last reader left while it was asked for; who came since wants it from another place.
        if stale {
            entry.phase = Phase::Unwanted { channel: answer.channel };
            self.queue(slot);
            return Ok(());
        }
        entry.begin(start, answer, &mut self.wakers).map_err(End::out_of_order)
    }

    /// Takes the answer to a request that did not go well. `false` if the request is none of the table's.
    pub(crate) fn handle_failed(&mut self, request: RequestId, failure: &Failure) -> bool {
        let Some(slot) = self.requests.remove(&request) else { return false };
        let Some(entry) = &mut self.slots[slot].entry else { return true };
        match entry.phase {
            Phase::Asking { stale: true, .. } => self.ask_again(slot),
            Phase::Asking { stale: false, .. } => {
                entry.refuse(failure, &mut self.wakers);
                if entry.members.is_empty() {
                    self.remove(slot);
                } else {
                    entry.phase = Phase::Refused;
                    self.refused.insert(slot);
                    self.retries = true;
                }
            }
            // What cannot be unsubscribed is not subscribed.
            Phase::Unsubscribing { .. } => self.unsubscribed(slot),
            Phase::Wanted | Phase::Live { .. } | Phase::Unwanted { .. } | Phase::Refused => {}
        }
        true
    }

    fn unsubscribed(&mut self, slot: usize) {
        let Some(entry) = &self.slots[slot].entry else { return };
        if let Phase::Unsubscribing { channel } = entry.phase {
            self.by_id.remove(&channel);
        }
        self.ask_again(slot);
    }

    /// Asks for the channel if somebody came since it was left, and else forgets it.
    fn ask_again(&mut self, slot: usize) {
        let Some(entry) = &mut self.slots[slot].entry else { return };
        if entry.members.is_empty() {
            self.remove(slot);
        } else {
            entry.phase = Phase::Wanted;
            self.refused.remove(&slot);
            self.queue(slot);
        }
    }

    /// Whether some channels were refused for a passing reason and wait for [`retry`](Self::retry).
    pub(crate) fn has_retries(&self) -> bool {
        self.retries
    }

    /// Whether no channel is refused for a passing reason, or asked for again after that.
    pub(crate) fn is_well(&self) -> bool {
        self.refused.is_empty()
    }

    /// Asks again for what was refused for a passing reason.
    pub(crate) fn retry(&mut self) {
        self.retries = false;
        for slot in self.refused.clone() {
            if let Some(entry) = &mut self.slots[slot].entry
                && entry.phase == Phase::Refused
            {
                entry.phase = Phase::Wanted;
                self.queue(slot);
            }
        }
    }

    /// Ends every subscription.
    pub(crate) fn end(&mut self, why: &Reason) {
        for slot in &mut self.slots {
            for member in slot.entry.iter_mut().flat_map(|entry| entry.members.drain(..)) {
                end(member, || SubscribeError::Closed(why.clone()), || Ended::Closed(why.clone()), &mut self.wakers);
            }
        }
        let wakers = std::mem::take(&mut self.wakers);
        *self = Self { wakers, ..Self::default() };
    }

    /// Wakes the readers that have something to read.
    pub(crate) fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn insert(&mut self, entry: Entry) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.by_name.insert(entry.name.clone(), slot);
        self.slots[slot].entry = Some(entry);
        slot
    }

    fn remove(&mut self, slot: usize) {
        if let Some(entry) = self.slots[slot].entry.take() {
            self.refused.remove(&slot);
            self.by_name.remove(&entry.name);
            self.free.push(slot);
        }
    }

    fn queue(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slots[slot].is_queued, true) {
            self.to_ask.push_back(slot);
        }
    }
}

fn write(frame: &ClientFrame<'_>, out: &mut BytesMut) {
    codec::encode_stream(frame, out).expect("a channel's name fits a body");
}

/// Ends one reader: who still waits for the answer is refused, who reads finds why at the end of what came before.
fn end(
    member: Member,
    refusal: impl FnOnce() -> SubscribeError,
    ended: impl FnOnce() -> Ended,
    wakers: &mut Vec<Waker>,
) {
    match member.waiting {
        Some(waiting) => {
            let _ = waiting.send(Err(refusal()));
        }
        None => {
            let mut inbox = member.reader.inbox.lock();
            inbox.end(ended());
            wakers.extend(inbox.take_reader());
        }
    }
}
