//! What the broker knows of one session and how it takes its frames: frame in, commands and answers out; never waits.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{
    Answer, ClientFrame, Failed, Publish, ServerFrame, Subscribe, SubscribeOptions, Unsubscribe,
};
use callboard_protocol::limits::LABEL_BYTES_MAX;
use callboard_protocol::session::{FromClient, Violation, request_of};
use callboard_protocol::{ChannelName, ConnectionId, Millis, PayloadRef, Refusal, RequestId};

use super::arrival::Arrival;
use super::gate::Gate;
use super::messages::Command;
use super::outbox::Outbox;
use super::size;
use super::subscriptions::Subscriptions;
use crate::channel::{AnswerGuard, Batch, Input, Instance, Join, Leave, Publication, Requester};
use crate::config::Limits;
use crate::defaults::{BATCHES_SEARCHED, GRANTS_MAX, STRIKES_MAX};
use crate::faults::{self, Site};
use crate::hooks::{Hooks, Incoming};
use crate::identity::{self, Anonymous, Identity, KeyBinding, KeyStore};
use crate::limit::{Bucket, Budget, KeyRates};

mod greeting;

/// What holds for every session.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Who has which API key.
    pub(crate) keys: KeyStore,
    /// Which anonymous peers may publish.
    pub(crate) anonymous_publish: Anonymous,
    /// Largest payload, in bytes.
    pub(crate) payload_bytes_max: usize,
    /// Subscriptions a session may have at once.
    pub(crate) subscriptions_max: usize,
    /// Subscriptions that all sessions may have together.
    pub(crate) subscriptions: Arc<Budget>,
    /// What a session may do in a second, among others.
    pub(crate) limits: Limits,
    /// What each key may publish over HTTP.
    pub(crate) key_rates: KeyRates,
    /// What is done to messages on their way in.
    pub(crate) hooks: Hooks,
}

/// One session.
#[derive(Debug)]
pub(crate) struct State {
    rules: Arc<Rules>,
    arrival: Arrival,
    frame_order: FromClient,
    requester: Arc<Requester>,
    identity: Option<Identity>,
    /// The key that the identity relies on, for whoever ends the sessions of a revoked one.
    key_binding: Arc<KeyBinding>,
    subscriptions: Subscriptions,
    /// Channels that this identity was found to be allowed to publish to.
    grants: HashSet<ChannelName>,
    open: bool,
    frames: Bucket,
    publishes: Bucket,
    /// When the last read was.
    now: Millis,
    /// Frames in a row that came too fast.
    strikes: u32,
    /// How many publications the last batch had, which is a good guess at the next one's.
    batch_expected: usize,
}

impl State {
    /// A session that has not said hello.
    pub(crate) fn new(
        rules: Arc<Rules>,
        connection: ConnectionId,
        outbox: Arc<Outbox>,
        arrival: Arrival,
        now: Millis,
    ) -> Self {
        Self {
            frames: Bucket::full(rules.limits.frames, now),
            publishes: Bucket::full(rules.limits.publishes, now),
            now,
            strikes: 0,
            batch_expected: 1,
            subscriptions: Subscriptions::new(rules.subscriptions_max, &rules.subscriptions),
            rules,
            arrival,
            frame_order: FromClient::default(),
            requester: Arc::new(Requester { connection, instance: Instance([0; 16]), key: None, outbox }),
            identity: None,
            key_binding: Arc::default(),
            grants: HashSet::new(),
            open: false,
        }
    }

    /// Whether the session has said hello and was let in.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// The key that the peer relies on.
    pub(crate) fn key_binding(&self) -> &Arc<KeyBinding> {
        &self.key_binding
    }

    /// Whether the peer may open sessions for others.
    pub(crate) fn may_bridge(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.rights.bridge)
    }

    /// Notes the time of a read: what the frames of it may cost is counted by it.
    pub(crate) fn begin_read(&mut self, now: Millis) {
        self.frames.fill(self.rules.limits.frames, now);
        self.publishes.fill(self.rules.limits.publishes, now);
        self.now = now;
    }

    /// Takes a frame that was decoded from `body`, or from a part of it. What channels have to do is appended to `commands`;
    /// answers that need no channel are in the outbox.
    ///
    /// # Errors
    ///
    /// How the session ends, if it does.
    pub(crate) fn handle(
        &mut self,
        frame: &ClientFrame<'_>,
        body: &Bytes,
        commands: &mut Vec<Command>,
    ) -> Result<(), Ending> {
        self.frame_order.handle(frame).map_err(|violation| Ending::because(Code::OutOfOrder, violation))?;
        if let Err(wait) = self.frames.take(self.rules.limits.frames) {
            return self.come_too_fast(request_of(frame), "this session sends frames", wait);
        }
        match frame {
            ClientFrame::Hello(hello) => self.hello(hello)?,
            ClientFrame::Goodbye(_) => return Err(Ending::plain(Code::Finished)),
            // Only a door that pings waits for a pong.
            ClientFrame::Pong(_) => {}
            ClientFrame::Authenticate(frame) => self.authenticate(frame),
            ClientFrame::Logout(frame) => self.log_out(*frame),
            ClientFrame::Subscribe(frame) => self.subscribe(frame, commands),
            ClientFrame::Unsubscribe(frame) => self.unsubscribe(frame, commands),
            ClientFrame::Publish(frame) => self.publish(frame, body, commands)?,
            ClientFrame::Call(frame) => self.not_here(frame.request, &[frame.service, frame.method]),
            ClientFrame::Provide(frame) => self.not_here(frame.request, &[frame.service]),
            ClientFrame::Withdraw(frame) => self.not_here(frame.request, &[frame.service]),
            ClientFrame::Emit(frame) => self.not_here(frame.request, &[frame.service, frame.event]),
            // PROTOCOL.md, "Session": a provider returns only calls that it was handed.
            ClientFrame::Return(_) => {
                return Err(Ending::because(Code::OutOfOrder, "no call was handed to this session"));
            }
            ClientFrame::Introduce(_) => return Err(Ending::because(Code::OutOfOrder, Violation::Introduced)),
        }
        Ok(())
    }

    fn subscribe(&mut self, frame: &Subscribe<'_>, commands: &mut Vec<Command>) {
        let (name, gate) = match self.take_subscription(frame) {
            Ok(taken) => taken,
            Err(refusal) => return self.refuse(frame.request, &refusal),
        };
        let join = Join {
            from: AnswerGuard::of(&self.requester),
            request: frame.request,
            start: frame.start,
            options: frame.options,
            gate,
            permit: None,
        };
        commands.push(Command { channel: name, input: Input::Join(join) });
    }

    fn take_subscription(&mut self, frame: &Subscribe<'_>) -> Result<(ChannelName, Arc<Gate>), Refusal> {
        let name = parse(frame.channel)?;
        // PROTOCOL.md, "Subscribe": what has no meaning yet must not pass for done.
        if frame.options.unknown() != SubscribeOptions::NONE {
            let sentence =
                format!("this broker knows no subscribe option {:#x}; leave it out", frame.options.unknown().0);
            return Err(Refusal::new(Class::BadRequest, sentence));
        }
        identity::may_subscribe(self.identity.as_ref(), &name)?;
        let gate = self.subscriptions.insert(&name)?;
        Ok((name, gate))
    }

    fn unsubscribe(&mut self, frame: &Unsubscribe<'_>, commands: &mut Vec<Command>) {
        let name = match parse(frame.channel) {
            Ok(name) => name,
            Err(refusal) => return self.refuse(frame.request, &refusal),
        };
        let Some(gate) = self.subscriptions.remove(&name) else {
            let sentence = format!("this session is not subscribed to `{name}`");
            return self.refuse(frame.request, &Refusal::new(Class::NotSubscribed, sentence));
        };
        gate.shut();
        let request = Some((frame.request, AnswerGuard::of(&self.requester)));
        let leave = Leave { connection: self.requester.connection, gate, request, may_return: false };
        commands.push(Command { channel: name, input: Input::Leave(leave) });
    }

    fn publish(&mut self, frame: &Publish<'_>, body: &Bytes, commands: &mut Vec<Command>) -> Result<(), Ending> {
        // PROTOCOL.md, "Visitors": a request publishes no more than was taken for it.
        if let Some(left) = &mut self.arrival.publishes {
            let more = || Ending::because(Code::OutOfOrder, "it publishes more than it was introduced with");
            *left = left.checked_sub(1).ok_or_else(more)?;
        }
        if let Err(wait) = self.publishes.take(self.rules.limits.publishes) {
            return self.come_too_fast(Some(frame.request), "this session publishes", wait);
        }
        self.strikes = 0;
        if let Err(refusal) = self.take(frame, body, commands) {
            self.refuse(frame.request, &refusal);
        }
        Ok(())
    }

    fn take(&mut self, frame: &Publish<'_>, body: &Bytes, commands: &mut Vec<Command>) -> Result<(), Refusal> {
        size::check(frame.payload.bytes().len(), frame.key, self.rules.payload_bytes_max)?;
        faults::strike(Site::Connection, frame.channel, frame.payload.bytes());
        // Publishes to one channel are handed over as one, as long as nothing but publishes lies between them. That this
        // requester may publish there was asked for the first of them.
        for command in commands.iter_mut().rev().take(BATCHES_SEARCHED) {
            let Input::Publish(batch) = &mut command.input else { break };
            if command.channel.as_str() == frame.channel && Arc::ptr_eq(batch.from.requester(), &self.requester) {
                batch.push(self.publication(frame, body)?);
                self.batch_expected = batch.publications.len();
                return Ok(());
            }
        }
        let channel = self.publishable(frame.channel)?;
        let publication = self.publication(frame, body)?;
        let expected = std::mem::replace(&mut self.batch_expected, 1);
        let mut batch = Batch::with_room(AnswerGuard::of(&self.requester), expected);
        batch.push(publication);
        commands.push(Command { channel, input: Input::Publish(batch) });
        Ok(())
    }

    /// PROTOCOL.md, "Failures": what comes too fast is told how long to wait; a session that does not is ended.
    fn come_too_fast(&mut self, request: Option<RequestId>, what: &str, wait: Millis) -> Result<(), Ending> {
        self.strikes += 1;
        if self.strikes > STRIKES_MAX {
            return Err(Ending::plain(Code::RateExceeded));
        }
        if let Some(request) = request {
            self.refuse(request, &Refusal::too_fast(what, wait));
        }
        Ok(())
    }

    /// Answers a command that no channel is asked, and undoes what it promised.
    pub(crate) fn refuse_command(&mut self, command: Command, refusal: &Refusal) {
        match command.input {
            Input::Publish(batch) => {
                for publication in &batch.publications {
                    self.refuse(publication.request, refusal);
                }
                batch.from.settle();
            }
            Input::Join(join) => {
                // By now there may be another subscription to this channel, which waits for its own answer.
                if self.subscriptions.get(&command.channel).is_some_and(|gate| Arc::ptr_eq(gate, &join.gate)) {
                    self.subscriptions.remove(&command.channel);
                }
                self.refuse(join.request, refusal);
                join.from.settle();
            }
            Input::Leave(_) | Input::Pull(_) | Input::Quiesce(_) => {}
        }
    }

    /// What is published, once the hooks of the program that embeds the broker have seen it.
    fn publication(&self, frame: &Publish<'_>, body: &Bytes) -> Result<Publication, Refusal> {
        let mut publication = Publication::of(frame, body);
        if !self.rules.hooks.is_empty() {
            let (channel, publisher) = (frame.channel, self.requester.key.as_deref());
            let Publication { key, payload, .. } = &mut publication;
            self.rules.hooks.apply(&mut Incoming { channel, publisher, key, payload })?;
            size::check(payload.bytes().len(), key.as_deref(), self.rules.payload_bytes_max)?;
        }
        Ok(publication)
    }

    fn publishable(&mut self, channel: &str) -> Result<ChannelName, Refusal> {
        if let Some(name) = self.grants.get(channel) {
            return Ok(name.clone());
        }
        let name = parse(channel)?;
        let anonymous = self.rules.anonymous_publish.has(self.arrival.is_local);
        identity::may_publish(self.identity.as_ref(), &name, anonymous)?;
        if self.grants.len() >= GRANTS_MAX {
            self.grants.clear();
        }
        self.grants.insert(name.clone());
        Ok(name)
    }

    /// The commands that take the session out of every channel. Nothing is delivered from here on.
    pub(crate) fn leave_all(&mut self, may_return: bool) -> impl Iterator<Item = Command> {
        let connection = self.requester.connection;
        self.subscriptions.drain().map(move |(channel, gate)| {
            gate.shut();
            Command { channel, input: Input::Leave(Leave { connection, gate, request: None, may_return }) }
        })
    }

    /// PROTOCOL.md, "Limits": "A request with a text over its limit fails with `bad-request`", whatever it asks for.
    fn not_here(&self, request: RequestId, labels: &[&str]) {
        let refusal = if labels.iter().any(|label| label.len() > LABEL_BYTES_MAX) {
            let sentence = format!("the name of a service, method or event has at most {LABEL_BYTES_MAX} bytes");
            Refusal::new(Class::BadRequest, sentence)
        } else {
            Refusal::new(Class::NotImplemented, "this broker has no services")
        };
        self.refuse(request, &refusal);
    }

    fn refuse(&self, request: RequestId, refusal: &Refusal) {
        let data = refusal.retry_after.map(|wait| format!("{{\"retry_after_ms\":{wait}}}"));
        self.say(&ServerFrame::Failed(Failed {
            request,
            code: refusal.class.code(),
            class: refusal.class.name(),
            sentence: &refusal.sentence,
            data: data.as_deref().map(PayloadRef::json),
        }));
    }

    fn answer(&self, request: RequestId, answer: Answer<'_>) {
        self.say(&ServerFrame::Ok { request, answer });
    }

    fn say(&self, frame: &ServerFrame<'_>) {
        // A session that is over is found by whoever reads its socket.
        let _ = self.requester.outbox.say(frame);
    }
}

fn parse(name: &str) -> Result<ChannelName, Refusal> {
    ChannelName::parse(name).map_err(|error| Refusal::new(Class::BadChannelName, error.to_string()))
}

#[cfg(test)]
#[path = "state_tests.rs"]
#[expect(clippy::wildcard_enum_match_arm, reason = "any other frame fails the test")]
mod tests;
