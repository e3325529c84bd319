//! The inlet of one session: typed frames in, never awaiting a channel; what a full channel does not take is held.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending, Return};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{ClientFrame, Start};
use callboard_protocol::{ChannelName, ConnectionId, Refusal};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::arrival::Arrival;
use super::messages::Command;
use super::outbox::Outbox;
use super::state::{Rules, State};
use crate::channel::{Input, Replay, Slot};
use crate::config::Limits;
use crate::defaults::{COMMANDS_BYTES, FILL_BYTES, REPLAYS_MAX, SAMPLED_ONE_IN, SLOTS_MAX, STRIKES_MAX};
use crate::directory::{Directory, Full};
use crate::identity::KeyBinding;
use crate::limit::{Bucket, Inbox, Stall};

mod shares;

pub(crate) use shares::Shares;

/// What a command of its own takes, and what a publish takes that joins a batch; near enough to know when to stop.
const COMMAND_BYTES: usize = 1024;
const PUBLISH_BYTES: usize = 192;

/// One session's way into the broker. Dropping it takes the session out of every channel.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    directory: Arc<Directory>,
    outbox: Arc<Outbox>,
    slots: HashMap<ChannelName, Arc<Slot>>,
    /// Filled by the frames of one read and emptied behind it.
    commands: Vec<Command>,
    held: VecDeque<(Arc<Slot>, Input)>,
    /// Why the first held input is held.
    held_by: Option<HeldBy>,
    /// The rights to replay, once one was asked for.
    replays: Option<Arc<Semaphore>>,
    limits: Limits,
    /// Channels that this session may still bring into being.
    births: Bucket,
    /// Births that were refused since the last one.
    strikes: u32,
    /// What it has of what is counted over all sessions.
    shares: Shares,
    /// Memory of what the last read brought.
    read_bytes: usize,
    /// Memory that the commands take.
    commands_bytes: usize,
    /// Memory of what waits for this session's own reading.
    unread_bytes: usize,
    /// Memory of the frame that has not come whole, beyond what is free.
    partial_bytes: usize,
    /// Whether a frame has come whole, or was handed over, since the share was looked at.
    gets_on: bool,
    /// Batches of publishes so far.
    batches: u32,
    /// Bytes that were published since the others had their turn.
    bytes_since_yield: usize,
    /// Whether the peer said goodbye for good.
    is_done: bool,
}

/// Why an input is held.
#[derive(Debug, Clone)]
enum HeldBy {
    /// Its channel's mailbox is full; this notifies when there is room.
    Channel(Arc<Notify>),
    /// The session replays as many channels as it may; this has a permit when one of them is over.
    Replays(Arc<Semaphore>),
}

impl Session {
    /// A session that has not said hello.
    pub(crate) fn open(
        connection: ConnectionId,
        rules: Arc<Rules>,
        directory: Arc<Directory>,
        outbox: Outbox,
        arrival: Arrival,
        shares: Shares,
    ) -> Self {
        let (outbox, limits, now) = (Arc::new(outbox), rules.limits, directory.now());
        Self {
            state: State::new(rules, connection, Arc::clone(&outbox), arrival, now),
            births: Bucket::full(limits.births, now),
            strikes: 0,
            limits,
            shares,
            read_bytes: 0,
            commands_bytes: 0,
            unread_bytes: 0,
            partial_bytes: 0,
            gets_on: false,
            directory,
            outbox,
            slots: HashMap::new(),
            commands: Vec::new(),
            held: VecDeque::new(),
            held_by: None,
            replays: None,
            batches: 0,
            bytes_since_yield: 0,
            is_done: false,
        }
    }

    /// The queue out.
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Whether the session has said hello and was let in.
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// The key that its peer relies on.
    pub(crate) fn key_binding(&self) -> &Arc<KeyBinding> {
        self.state.key_binding()
    }

    /// Since when it has held room without getting on.
    pub(crate) fn stall(&self) -> &Arc<Stall> {
        &self.shares.stall
    }

    /// Whether its peer may open sessions for others.
    pub(crate) fn may_bridge(&self) -> bool {
        self.state.may_bridge()
    }

    /// What all sessions have read and channels have not taken: while it is full, nothing should be read.
    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.shares.inbox
    }

    /// Notes that frames were read, so that what they may cost is counted by the time since the last ones. They lie in
    /// `bytes` of memory.
    pub(crate) fn begin_read(&mut self, bytes: usize) {
        self.read_bytes = bytes;
        let now = self.directory.now();
        self.state.begin_read(now);
        self.births.fill(self.limits.births, now);
    }

    /// Notes that more was read while something is held; it is decoded when that is taken.
    pub(crate) fn read_on(&mut self, bytes: usize) {
        self.begin_read(self.read_bytes + bytes);
        if self.awaits_its_peer() {
            self.count_as_unread();
        }
    }

    /// Takes a frame that was decoded from `body`, or from a part of it.
    ///
    /// # Errors
    ///
    /// How the session ends, if it does.
    pub(crate) fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        if let ClientFrame::Goodbye(goodbye) = frame {
            self.is_done = Return::of(goodbye.code) == Return::Unasked;
        }
        self.gets_on = true;
        let before = self.commands.len();
        self.state.handle(frame, body, &mut self.commands)?;
        // A publish that joins another's batch takes no more than its own frame leads to.
        self.commands_bytes += if self.commands.len() > before { COMMAND_BYTES } else { PUBLISH_BYTES };
        Ok(())
    }

    /// Whether the commands so far take as much memory as those of one call of [`Session::hand_over`] may.
    pub(crate) fn commands_are_full(&self) -> bool {
        self.commands_bytes >= COMMANDS_BYTES
    }

    /// Hands the channels what the frames since the last call told them to do. What is not taken is held: no more frames
    /// should be read until [`Session::is_clear`].
    pub(crate) fn hand_over(&mut self) {
        self.commands_bytes = 0;
        let commands = std::mem::take(&mut self.commands);
        let load = self.load(&commands);
        for Command { channel, input } in commands {
            let mut input = self.sampled(input);
            input.set_load(load.as_ref());
            match self.slot_for(&channel, &input) {
                Ok(slot) => self.held.push_back((slot, input)),
                Err(refusal) => {
                    self.state.refuse_command(Command { channel, input }, &refusal);
                    // PROTOCOL.md, "Failures": a session that goes on all the same is ended.
                    self.strikes += 1;
                    if self.strikes > STRIKES_MAX {
                        self.outbox.end(Ending::plain(Code::RateExceeded));
                    }
                }
            }
        }
        self.hand_over_held();
    }

    /// Notes the time in one batch of publishes in [`SAMPLED_ONE_IN`], the first one among them, and counts its bytes.
    fn sampled(&mut self, mut input: Input) -> Input {
        if let Input::Publish(batch) = &mut input {
            if self.batches.is_multiple_of(SAMPLED_ONE_IN) {
                batch.read = Some(Instant::now());
            }
            self.batches = self.batches.wrapping_add(1);
            self.bytes_since_yield += batch.bytes;
        }
        input
    }

    /// Asks for what comes behind a replay that was read to its end. It goes before everything held: what is held may be
    /// a subscription that waits for this very replay to be over.
    pub(crate) fn finish(&mut self, replay: Replay) {
        if let Some((channel, pull)) = replay.finish() {
            let slot = self.directory.slot(&channel);
            self.held.push_front((slot, pull));
            self.hand_over_held();
        }
    }

    /// Whether so much was published that the others should have their turn now: the subscribers that were woken may be
    /// waiting for this very thread. Then begins to count anew.
    pub(crate) fn should_yield(&mut self) -> bool {
        let should_yield = self.bytes_since_yield >= FILL_BYTES;
        if should_yield {
            self.bytes_since_yield = 0;
        }
        should_yield
    }

    /// Whether nothing is held.
    pub(crate) fn is_clear(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether what is held waits until the peer has read what it asked for. A channel that is full waits for nobody.
    pub(crate) fn awaits_its_peer(&self) -> bool {
        matches!(self.held_by, Some(HeldBy::Replays(_)))
    }

    fn hand_over_held(&mut self) {
        let is_held_already = matches!(self.held_by.take(), Some(HeldBy::Channel(_)));
        while let Some((mut slot, mut input)) = self.held.pop_front() {
            if let Some(replays) = self.lacks_permit(&mut input) {
                self.held.push_front((slot, input));
                self.held_by = Some(HeldBy::Replays(replays));
                self.count_as_unread();
                return;
            }
            if !input.is_counted() {
                input.set_load(Some(&self.shares.inbox.take(input.memory())));
            }
            let before = Arc::as_ptr(&slot);
            if let Err(Full { input, room }) = self.directory.send(&mut slot, input) {
                self.held.push_front((slot, input));
                if !is_held_already {
                    self.directory.metrics().held.add(1);
                }
                self.held_by = Some(HeldBy::Channel(room));
                return;
            }
            if Arc::as_ptr(&slot) != before {
                // The remembered slot was retired; the next batch looks the channel up again.
                self.slots.remove(slot.name());
            }
            self.gets_on = true;
        }
        if is_held_already || self.unread_bytes > 0 {
            self.unread_bytes = 0;
            // What shrinks always fits.
            let _ = self.resize_share();
        }
    }

    /// Gives a subscription that may begin with history the right to replay. What there is to wait for, if all rights
    /// are given out.
    fn lacks_permit(&mut self, input: &mut Input) -> Option<Arc<Semaphore>> {
        let Input::Join(join) = input else { return None };
        if join.start == Start::Live || join.permit.is_some() {
            return None;
        }
        let replays = self.replays.get_or_insert_with(|| Arc::new(Semaphore::new(REPLAYS_MAX)));
        join.permit = Arc::clone(replays).try_acquire_owned().ok();
        join.permit.is_none().then(|| Arc::clone(replays))
    }

    /// Ready when some of what is held may have been taken; never while nothing is held. May be dropped and called again.
    pub(crate) async fn room(&mut self) {
        match self.held_by.clone() {
            None => std::future::pending().await,
            Some(HeldBy::Replays(replays)) => drop(replays.acquire().await),
            Some(HeldBy::Channel(room)) => {
                let mut notified = pin!(room.notified());
                // Listens before it tries again, so that room made in between is not missed.
                notified.as_mut().enable();
                self.hand_over_held();
                if matches!(&self.held_by, Some(HeldBy::Channel(now)) if Arc::ptr_eq(&room, now)) {
                    notified.await;
                }
            }
        }
        self.hand_over_held();
    }

    fn slot_for(&mut self, channel: &ChannelName, input: &Input) -> Result<Arc<Slot>, Refusal> {
        if let Some(slot) = self.slots.get(channel) {
            return Ok(Arc::clone(slot));
        }
        let slot = match self.directory.find(channel) {
            Some(slot) => slot,
            // Its subscription was refused just before. The channel answers the end of it, and is gone again.
            None if matches!(input, Input::Leave(_)) => self.directory.slot(channel),
            None => self.give_birth(channel)?,
        };
        if matches!(input, Input::Publish(_)) {
            if self.slots.len() >= SLOTS_MAX {
                self.slots.clear();
            }
            self.slots.insert(channel.clone(), Arc::clone(&slot));
        }
        Ok(slot)
    }

    fn give_birth(&mut self, channel: &ChannelName) -> Result<Arc<Slot>, Refusal> {
        if self.directory.is_full() {
            return Err(Refusal::new(
                Class::Unavailable,
                "this broker has reached its limit of channels; try again later",
            ));
        }
        let own = self.births.take(self.limits.births);
        own.and_then(|()| self.shares.ticket.birth(self.directory.now()))
            .map_err(|wait| Refusal::too_fast("this session begins new channels", wait))?;
        self.strikes = 0;
        Ok(self.directory.slot(channel))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.outbox.abandon(Ending::plain(Code::Finished));
        // A channel that was left already, and did not hear of it because something before that is held, must hear it too.
        let left = std::mem::take(&mut self.held).into_iter().filter(|(_, input)| matches!(input, Input::Leave(_)));
        // Whoever went without a word, or was sent away, may be on the way back.
        let leaving = self.state.leave_all(!self.is_done);
        let leaving = leaving.map(|Command { channel, input }| (self.directory.slot(&channel), input));
        for (mut slot, input) in left.chain(leaving) {
            // A channel whose mailbox is full removes a member whose outbox has ended: at its next delivery, or when it is
            // put to sleep.
            let _ = self.directory.send(&mut slot, input);
        }
    }
}
