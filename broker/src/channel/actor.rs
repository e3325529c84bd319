//! One run of a channel: a thin shell that coalesces what waits in the mailbox, hands it out, and puts the channel to sleep when idle.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use callboard_protocol::Millis;
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, PanicError};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use kameo::message::{BoxMessage, Context as Turn, Message};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

use super::answers::Answers;
use super::chunk::Open;
use super::edition::Editions;
use super::messages::{Batch, Input};
use super::slot::Slot;
use super::state::State;
use crate::config;
use crate::defaults::{CHANNEL_MAILBOX, MEMBERS_A_TURN};
use crate::directory::Directory;
use crate::faults::{self, Site};
use crate::limit::Load;
use crate::metrics::Present;

/// A channel that is awake.
pub(crate) struct Actor {
    slot: Arc<Slot>,
    directory: Arc<Directory>,
    bounds: config::History,
    /// Taken only when the channel is put to sleep, which is the last thing a run does.
    state: Option<State>,
    open: Open,
    answers: Answers,
    /// What was read with the messages that are not handed out yet.
    loads: Vec<Arc<Load>>,
    now: Millis,
    room: Arc<Notify>,
    idle: Pin<Box<Sleep>>,
    /// Whether anything came since the idle timer was set.
    busy: bool,
    /// When the batch was read whose latency is sampled, until it is handed out.
    sampled: Option<Instant>,
    /// Counts the channel while it is awake.
    _present: Present,
}

impl Actor {
    /// Starts a run of the channel.
    pub(super) fn wake(
        slot: Arc<Slot>,
        state: State,
        directory: Arc<Directory>,
        room: Arc<Notify>,
    ) -> ActorRef<Box<Self>> {
        let actor = Self {
            bounds: directory.history_of(slot.name()),
            idle: Box::pin(sleep(directory.channel_idle())),
            now: directory.now(),
            slot,
            _present: Present::new(directory.metrics(), |metrics| &metrics.channels_awake),
            directory,
            state: Some(state),
            open: Open::default(),
            answers: Answers::default(),
            loads: Vec::new(),
            room,
            busy: true,
            sampled: None,
        };
        Box::spawn_with_mailbox(Box::new(actor), mailbox::bounded(CHANNEL_MAILBOX))
    }

    fn state(&mut self) -> &mut State {
        self.state.as_mut().expect("a run has its state until it puts the channel to sleep, and then it ends")
    }

    async fn handle_input(&mut self, input: Input) {
        self.now = self.directory.now();
        if !matches!(input, Input::Publish(_)) {
            // Whoever joins, leaves or pulls does so between messages, so what was taken goes out first.
            self.flush().await;
        }
        let (now, bounds) = (self.now, self.bounds);
        match input {
            Input::Publish(batch) => self.publish(batch).await,
            Input::Join(join) => self.state().join(join, now, &bounds),
            Input::Leave(leave) => self.state().leave(leave, now),
            Input::Pull(pull) => self.state().pull(pull),
            Input::Quiesce(done) => {
                self.state().flush_replays();
                drop(done);
            }
        }
    }

    async fn publish(&mut self, batch: Batch) {
        let Batch { mut from, publications, read, .. } = batch;
        self.sampled = self.sampled.or(read);
        for publication in &publications {
            faults::strike(Site::Channel, self.slot.name().as_str(), publication.payload.bytes());
            let Self { state, open, answers, now, .. } = self;
            let state = state.as_mut().expect("a run has its state until it puts the channel to sleep");
            state.publish(from.requester(), publication, *now, open, answers);
            if self.open.is_full() {
                self.flush().await;
                // The subscribers that were woken may be waiting for this very thread.
                tokio::task::yield_now().await;
            }
        }
        self.loads.extend(from.take_load());
        from.settle();
    }

    /// Hands out what was taken, then remembers it, then answers those who published it.
    async fn flush(&mut self) {
        if let Some(mut editions) = self.open.seal().map(Editions::of) {
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.state().deliver(&mut editions, from, MEMBERS_A_TURN);
                if next.is_some() {
                    tokio::task::yield_now().await;
                }
            }
            let (now, bounds) = (self.now, self.bounds);
            if let Some(read) = self.sampled.take() {
                self.state().sample_latency(read);
            }
            self.state().remember(editions.into_chunk(), now, &bounds);
        }
        if !self.answers.is_empty() {
            let Self { state, answers, .. } = self;
            state.as_ref().expect("a run has its state until it puts the channel to sleep").answer(answers);
        }
        self.loads.clear();
    }

    /// When the idle timer expires: puts the channel to sleep if nothing came since it was set.
    fn put_to_sleep_if_idle(&mut self, mailbox: &MailboxReceiver<Box<Self>>) -> bool {
        if self.busy {
            self.busy = false;
            let again = Instant::now() + self.directory.channel_idle();
            self.idle.as_mut().reset(again);
            return false;
        }
        let is_asleep = self.slot.put_to_sleep(&mut self.state, self.directory.now(), || mailbox.is_empty());
        if is_asleep {
            self.directory.retire_if_empty(&self.slot);
        }
        is_asleep
    }
}

// In a box: kameo's futures have several places for an actor, and a channel that is awake would pay for each.
impl kameo::Actor for Box<Actor> {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(args)
    }

    /// The next input; before it waits for one, what was taken is handed out.
    async fn next(
        &mut self,
        _: WeakActorRef<Self>,
        mailbox: &mut MailboxReceiver<Self>,
    ) -> Result<Option<Signal<Self>>, Infallible> {
        if let Ok(signal) = mailbox.try_recv() {
            if mailbox.len() == CHANNEL_MAILBOX / 2 {
                self.room.notify_waiters();
            }
            self.busy = true;
            return Ok(Some(signal));
        }
        self.flush().await;
        self.room.notify_waiters();
        loop {
            tokio::select! {
                biased;
                signal = mailbox.recv() => {
                    self.busy = true;
                    return Ok(signal);
                }
                () = &mut self.idle => {
                    if self.put_to_sleep_if_idle(mailbox) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// A fault leaves this epoch in doubt: the members are kept and told, and the next publish starts another run.
    async fn on_panic(
        &mut self,
        _: WeakActorRef<Self>,
        fault: PanicError,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        self.answers.abandon();
        if let Some(state) = &mut self.state {
            state.fail(&fault, self.directory.draw_epoch());
        }
        self.slot.put_to_sleep(&mut self.state, self.directory.now(), || true);
        Ok(ControlFlow::Break(ActorStopReason::Panicked(fault)))
    }

    /// What a run that panicked did not handle is routed again, to the next run. Publishes are not: by now that run may
    /// have newer ones of the same session. Dropped, they end their sessions, which publish again when they come back.
    async fn on_undelivered(
        &mut self,
        reason: ActorStopReason,
        undelivered: Vec<BoxMessage<Self>>,
    ) -> Result<(), Infallible> {
        if !matches!(reason, ActorStopReason::Panicked(_)) {
            return Ok(());
        }
        for message in undelivered {
            if let Ok(input) = message.as_any().downcast::<Input>()
                && !matches!(*input, Input::Publish(_))
            {
                self.directory.send_when_there_is_room(&mut self.slot, *input).await;
            }
        }
        Ok(())
    }

    async fn on_stop(&mut self, _: WeakActorRef<Self>, _: ActorStopReason) -> Result<(), Infallible> {
        // A run that could not put its channel to sleep takes the members with it, rather than leave them waiting.
        if let Some(state) = &mut self.state {
            state.abandon();
        }
        // Whoever waited for room in this run finds the next one.
        self.room.notify_waiters();
        Ok(())
    }
}

impl Message<Input> for Box<Actor> {
    type Reply = ();

    async fn handle(&mut self, input: Input, _: &mut Turn<Self, ()>) {
        self.handle_input(input).await;
    }
}
