//! A small bus behind the door: it echoes publishes to their session and keeps what the door told it; it checks no names.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::upstream::{
    CredentialSource, Interest, News, PublishItem, Publisher, Session, Upstream, Visitor,
};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, ClientFrame, Message, Ping, ServerFrame, Welcome};
use callboard_protocol::session::FromClient;
use callboard_protocol::{ChannelId, ConnectionId, Epoch, Millis, Nonce, Offset, Position, Refusal};

/// What a session may have waiting, as at the broker.
const OUTBOX_BYTES: usize = 1 << 20;

/// The bus.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    /// Refuses everybody with this.
    pub(crate) refusal: Mutex<Option<Refusal>>,
    /// The sessions so far.
    pub(crate) sessions: Mutex<Vec<Arc<Outlet>>>,
    /// Who came: address, origin, and what was shown where.
    pub(crate) visitors: Mutex<Vec<Came>>,
    /// What was published over HTTP, and with which secret.
    pub(crate) published: Mutex<Vec<(String, PublishItem)>>,
    /// The statuses of requests that were refused.
    pub(crate) refused: Mutex<Vec<u16>>,
    /// Whether new sessions hold everything that they are handed.
    pub(crate) holds: Mutex<bool>,
}

/// Who came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) address: IpAddr,
    pub(crate) origin: Option<String>,
    pub(crate) shown: Option<(CredentialSource, String)>,
    pub(crate) is_private: bool,
}

/// One session's queue out and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    ending: Option<Ending>,
    closed: Option<Code>,
    is_held: bool,
    hellos: usize,
    pings: u64,
    wakers: Vec<Waker>,
}

impl State {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl Outlet {
    /// Queues a message, as a channel would.
    pub(crate) fn say(&self, message: Bytes) {
        let mut state = self.state.lock().unwrap();
        if state.ending.is_some() {
            return;
        }
        state.bytes += message.len();
        if state.bytes > OUTBOX_BYTES {
            state.queue.clear();
            state.ending = Some(Ending::plain(Code::TooSlow));
        } else {
            state.queue.push_back(message);
        }
        state.wake();
    }

    /// Whether everything was taken.
    pub(crate) fn is_taken(&self) -> bool {
        self.state.lock().unwrap().queue.is_empty()
    }

    /// Ends the session from the bus.
    pub(crate) fn end(&self, ending: Ending) {
        let mut state = self.state.lock().unwrap();
        state.ending.get_or_insert(ending);
        state.wake();
    }

    /// Takes what was held.
    pub(crate) fn make_room(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_held = false;
        state.wake();
    }

    /// Whether something is held.
    pub(crate) fn is_held(&self) -> bool {
        self.state.lock().unwrap().is_held
    }

    /// How the socket was closed, once it is.
    pub(crate) async fn closed(&self) -> Code {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap();
            state.wakers.push(cx.waker().clone());
            state.closed.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// A session of the fake.
pub(crate) struct FakeSession {
    outlet: Arc<Outlet>,
    dialect: Dialect,
    frame_order: FromClient,
    holds: bool,
    published: u64,
}

impl FakeSession {
    fn say(&self, frame: &ServerFrame<'_>) {
        let mut message = BytesMut::new();
        self.dialect.encode(frame, &mut message).unwrap();
        self.outlet.say(message.freeze());
    }
}

/// A session's news.
pub(crate) struct FakeNews(Arc<Outlet>);

impl News for FakeNews {
    fn poll(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        let mut state = self.0.state.lock().unwrap();
        state.wakers.push(cx.waker().clone());
        let news = interest.output && !state.queue.is_empty() || interest.ending && state.ending.is_some();
        if news { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Upstream for Fake {
    type Ticket = ();
    type Session = FakeSession;

    fn admit(&self, _: IpAddr) -> Result<(), Refusal> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn open(&self, (): (), visitor: Visitor, dialect: Dialect) -> FakeSession {
        self.visitors.lock().unwrap().push(Came {
            address: visitor.address,
            origin: visitor.origin,
            shown: visitor.credential.map(|shown| (shown.source, shown.secret.expose().to_owned())),
            is_private: visitor.is_private,
        });
        let outlet = Arc::new(Outlet::default());
        self.sessions.lock().unwrap().push(Arc::clone(&outlet));
        let holds = *self.holds.lock().unwrap();
        FakeSession { outlet, dialect, frame_order: FromClient::default(), holds, published: 0 }
    }

    fn authenticate(&self, publisher: &Publisher) -> Result<(), Refusal> {
        match publisher.secret.expose() {
            "good" | "busy" => Ok(()),
            _ => Err(Refusal::new(Class::NotAuthenticated, "this key is not known")),
        }
    }

    async fn publish(
        &self,
        publisher: Publisher,
        messages: Vec<PublishItem>,
    ) -> Result<Vec<Result<Position, Refusal>>, Refusal> {
        match publisher.secret.expose() {
            "good" => {}
            "busy" => {
                let refusal = Refusal::new(Class::TooManyRequests, "wait a moment");
                return Err(Refusal { retry_after: Some(Millis::saturating(1500)), ..refusal });
            }
            _ => unreachable!("it was not recognised"),
        }
        let mut published = self.published.lock().unwrap();
        let publish = |item: PublishItem| {
            if item.channel.contains("//") {
                return Err(Refusal::new(Class::BadChannelName, "there is an empty segment"));
            }
            published.push((publisher.secret.expose().to_owned(), item));
            Ok(position(published.len() as u64))
        };
        Ok(messages.into_iter().map(publish).collect())
    }

    fn note_refused(&self, status: u16) {
        self.refused.lock().unwrap().push(status);
    }
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::saturating(7), offset: Offset::saturating(offset) }
}

impl Session for FakeSession {
    type News = FakeNews;

    fn news(&self) -> FakeNews {
        FakeNews(Arc::clone(&self.outlet))
    }

    fn begin_read(&mut self, _: usize) {}

    fn handle(&mut self, frame: &ClientFrame<'_>, _: &Bytes) -> Result<(), Ending> {
        self.frame_order.handle(frame).map_err(|violation| Ending::because(Code::OutOfOrder, violation))?;
        match frame {
            ClientFrame::Hello(_) => {
                self.outlet.state.lock().unwrap().hellos += 1;
                self.say(&ServerFrame::Welcome(Welcome {
                    agent: "fake",
                    connection: ConnectionId::saturating(1),
                    capabilities: 0,
                    payload_bytes_max: 1 << 19,
                    subscriptions_max: 1,
                    ping_interval: Millis::saturating(10_000),
                    identity: None,
                }));
            }
            ClientFrame::Publish(publish) => {
                assert_ne!(publish.channel, "panic", "a panic was asked for");
                self.published += 1;
                self.say(&ServerFrame::Message(Message {
                    channel: ChannelId::saturating(1),
                    offset: Offset::saturating(self.published),
                    published: Millis::ZERO,
                    publisher: None,
                    key: publish.key,
                    payload: publish.payload,
                }));
                let answer = Answer::Published(position(self.published));
                self.say(&ServerFrame::Ok { request: publish.request, answer });
                self.outlet.state.lock().unwrap().is_held = self.holds;
            }
            ClientFrame::Goodbye(_) => return Err(Ending::plain(Code::Finished)),
            ClientFrame::Pong(_)
            | ClientFrame::Authenticate(_)
            | ClientFrame::Logout(_)
            | ClientFrame::Subscribe(_)
            | ClientFrame::Unsubscribe(_)
            | ClientFrame::Call(_)
            | ClientFrame::Provide(_)
            | ClientFrame::Withdraw(_)
            | ClientFrame::Return(_)
            | ClientFrame::Emit(_)
            | ClientFrame::Introduce(_) => {}
        }
        Ok(())
    }

    fn hold_begun(&mut self, _: usize) -> Result<(), Ending> {
        Ok(())
    }

    fn hand_over(&mut self) {}

    fn is_clear(&self) -> bool {
        !self.outlet.is_held()
    }

    async fn room(&mut self) {
        poll_fn(|cx| {
            let mut state = self.outlet.state.lock().unwrap();
            state.wakers.push(cx.waker().clone());
            if state.is_held { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    fn is_open(&self) -> bool {
        self.outlet.state.lock().unwrap().hellos > 0
    }

    fn fill(&mut self, out: &mut VecDeque<Bytes>) {
        let mut state = self.outlet.state.lock().unwrap();
        let mut moved = 0;
        while moved < 64 << 10
            && let Some(piece) = state.queue.pop_front()
        {
            moved += piece.len();
            out.push_back(piece);
        }
        state.bytes -= moved.min(state.bytes);
    }

    fn has_more(&self) -> bool {
        false
    }

    fn note_written(&mut self, _: usize) {}

    fn ping(&mut self) {
        let nonce = {
            let mut state = self.outlet.state.lock().unwrap();
            state.pings += 1;
            Nonce::saturating(state.pings)
        };
        self.say(&ServerFrame::Ping(Ping { nonce }));
    }

    fn ending(&self) -> Option<(Ending, bool)> {
        let state = self.outlet.state.lock().unwrap();
        state.ending.clone().map(|ending| (ending, state.queue.is_empty()))
    }

    fn end(&mut self, ending: Ending) {
        self.outlet.end(ending);
    }

    fn abandon(&mut self, ending: Ending) {
        self.outlet.state.lock().unwrap().queue.clear();
        self.outlet.end(ending);
    }

    fn note_closed(&mut self, code: Code) {
        let mut state = self.outlet.state.lock().unwrap();
        state.closed = Some(code);
        state.wake();
    }

    fn note_panic(&mut self) {}
}
