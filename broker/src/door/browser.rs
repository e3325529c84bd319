//! The browser's door: the bridge's upstream in this process. It owns no socket, and judges nothing that another door would not.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::upstream::{self, Interest, PublishItem, Publisher, Visitor};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{ClientFrame, Ping, ServerFrame};
use callboard_protocol::{ConnectionId, Millis, Nonce, Position, Refusal};

use super::local::Local;
use super::publishing;
use crate::connection::{Arrival, Outbox, Registry, Session, Shown, Writer};
use crate::format::Format;
use crate::identity::APIKEY;
use crate::limit::{Inbox, Ticket};
use crate::metrics::Present;

/// The upstream in the broker's own process.
#[derive(Debug)]
pub(crate) struct InProcess {
    local: Arc<Local>,
    /// What `Welcome` promises.
    ping_interval: Millis,
}

impl InProcess {
    /// The bus behind `local`.
    pub(crate) fn new(local: Arc<Local>, ping_interval: Millis) -> Self {
        Self { local, ping_interval }
    }
}

impl upstream::Upstream for InProcess {
    type Ticket = Ticket;
    type Session = Browser;

    fn admit(&self, address: IpAddr) -> Result<Ticket, Refusal> {
        self.local.admit(address).map_err(|refused| {
            self.local.registry.metrics().closed(Code::Overloaded);
            Refusal::new(Class::Unavailable, format!("{}: {refused}", Code::Overloaded.sentence()))
        })
    }

    fn open(&self, ticket: Ticket, visitor: Visitor, dialect: Dialect) -> Browser {
        let Visitor { address, origin, credential, is_private } = visitor;
        let shown = credential.map(|credential| Shown::new(APIKEY, credential.secret.expose()));
        let is_local = address.to_canonical().is_loopback();
        let arrival = Arrival { shown, is_private, is_local, ping_interval: self.ping_interval, publishes: None };
        let (id, session) = self.local.open(ticket, Format::Message(dialect), arrival);
        tracing::debug!(connection = %id, %address, origin, "a browser's session opened");
        Browser::new(id, session, &self.local.registry)
    }

    fn authenticate(&self, publisher: &Publisher) -> Result<(), Refusal> {
        publishing::authenticate(&self.local, publisher)
    }

    async fn publish(
        &self,
        publisher: Publisher,
        messages: Vec<PublishItem>,
    ) -> Result<Vec<Result<Position, Refusal>>, Refusal> {
        let ticket = self.admit(publisher.address)?;
        publishing::publish(&self.local, ticket, &publisher, messages).await
    }

    fn note_refused(&self, status: u16) {
        self.local.registry.metrics().http_refused.note(status);
    }
}

/// One browser's session, as its bridge sees it.
#[derive(Debug)]
pub(crate) struct Browser {
    id: ConnectionId,
    session: Session,
    outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    writer: Writer,
    registry: Arc<Registry>,
    /// Pings so far.
    pings: u64,
    /// Whether others should have their turn before it is read again.
    should_yield: bool,
    /// Counts the session once it is open.
    present: Option<Present>,
}

impl Browser {
    fn new(id: ConnectionId, session: Session, registry: &Arc<Registry>) -> Self {
        let outbox = Arc::clone(session.outbox());
        registry.insert(id, None, &session);
        Self {
            id,
            inbox: Arc::clone(session.inbox()),
            session,
            outbox,
            writer: Writer::default(),
            registry: Arc::clone(registry),
            pings: 0,
            should_yield: false,
            present: None,
        }
    }

    /// Observes the latency of what is sampled, once it is written.
    fn observe_latency(&mut self) {
        for read in self.writer.take_latency_marks() {
            self.registry.metrics().latency.observe(read.elapsed());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.registry.remove(self.id);
    }
}

impl upstream::Session for Browser {
    type News = News;

    fn news(&self) -> News {
        News(Arc::clone(&self.outbox))
    }

    fn begin_read(&mut self, bytes: usize) {
        self.registry.metrics().bytes_read.add(bytes as u64);
        self.session.begin_read(bytes);
    }

    fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        if self.session.commands_are_full() {
            self.session.hand_over();
        }
        self.session.handle(frame, body)?;
        if self.present.is_none() && self.session.is_open() {
            self.present = Some(Present::new(self.registry.metrics(), |metrics| &metrics.sessions));
        }
        Ok(())
    }

    fn hold_begun(&mut self, bytes: usize) -> Result<(), Ending> {
        self.session.hold_partial(bytes)
    }

    fn hand_over(&mut self) {
        self.session.hand_over();
        self.should_yield |= self.session.should_yield();
    }

    fn is_clear(&self) -> bool {
        self.session.is_clear() && !self.should_yield && !self.inbox.is_full()
    }

    async fn room(&mut self) {
        if self.should_yield {
            self.should_yield = false;
            tokio::task::yield_now().await;
        } else if self.session.is_clear() {
            self.inbox.room().await;
        } else {
            self.session.room().await;
        }
    }

    fn is_open(&self) -> bool {
        self.session.is_open()
    }

    fn fill(&mut self, out: &mut VecDeque<Bytes>) {
        self.observe_latency();
        self.writer.fill(&self.outbox);
        self.observe_latency();
        out.extend(self.writer.chunks().drain(..));
        for replay in self.writer.take_finished() {
            self.session.finish(replay);
        }
    }

    fn has_more(&self) -> bool {
        self.writer.is_replaying()
    }

    fn note_written(&mut self, bytes: usize) {
        self.registry.metrics().bytes_written.add(bytes as u64);
    }

    fn ping(&mut self) {
        self.pings += 1;
        // A session that is over is found by whoever reads its socket.
        let _ = self.outbox.say(&ServerFrame::Ping(Ping { nonce: Nonce::saturating(self.pings) }));
    }

    fn ending(&self) -> Option<(Ending, bool)> {
        self.outbox.ending().map(|(ending, taken)| (ending, taken && !self.writer.is_pending()))
    }

    fn end(&mut self, ending: Ending) {
        self.outbox.end(ending);
    }

    fn abandon(&mut self, ending: Ending) {
        self.writer.clear();
        self.outbox.abandon(ending);
    }

    fn note_closed(&mut self, code: Code) {
        self.registry.metrics().closed(code);
    }

    fn note_panic(&mut self) {
        self.registry.metrics().panics.add(1);
    }
}

/// Wakes a browser's bridge.
#[derive(Debug)]
pub(crate) struct News(Arc<Outbox>);

impl upstream::News for News {
    fn poll(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        self.0.poll_news(cx, interest)
    }
}
