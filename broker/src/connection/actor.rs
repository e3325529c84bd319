//! The owner of one QUIC session's socket: reads frames into the session, writes the outbox to the stream, ends both.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_bridge_ws::upstream::Interest;
use callboard_protocol::ConnectionId;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::deframe::Deframer;
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, PanicError};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use kameo::message::{Context as Turn, Message};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::bridge::BridgeUpgrade;
use super::ending::goodbye_frame;
use super::messages::Drain;
use super::outbox::Outbox;
use super::registry::Registry;
use super::session::Session;
use super::socket::{Gone, Socket};
use super::writer::Writer;
use crate::defaults::{CHUNKS_A_READ, CONNECTION_MAILBOX, LINGER, READ_ON_BYTES};
use crate::limit::Inbox;
use crate::metrics::{Metrics, Present};

mod reading;

/// How long a session waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// When `Hello` must have come.
    pub(crate) hello: Instant,
    /// Until everything is out after the broker began to drain.
    pub(crate) drain: Duration,
}

/// What a connection begins with.
pub(crate) struct Opening {
    /// Its number.
    pub(crate) id: ConnectionId,
    /// Its session, which has not said hello.
    pub(crate) session: Session,
    /// What it owns from here on.
    pub(crate) socket: Socket,
    /// What was read of it already.
    pub(crate) deframer: Deframer,
    /// The connections.
    pub(crate) registry: Arc<Registry>,
    /// How long it waits.
    pub(crate) patience: Patience,
    /// What makes it a bridge's own session, should it be one.
    pub(crate) upgrade: Option<Box<BridgeUpgrade>>,
}

/// One session at the QUIC door.
pub(crate) struct Actor {
    id: ConnectionId,
    session: Session,
    outbox: Arc<Outbox>,
    socket: Socket,
    registry: Arc<Registry>,
    patience: Patience,
    deframer: Deframer,
    writer: Writer,
    inbox: Arc<Inbox>,
    /// Whether the stream is still read.
    reading: bool,
    /// Whether there is more in what was read than was decoded.
    more: bool,
    /// Whether the stream's end was read before what came ahead of it was decoded.
    finished: bool,
    /// Set when the session is to end: nothing is read any more, and what is left goes out.
    ending: bool,
    /// Whether a frame may be out in part: nothing more can be said on the stream then.
    mid_frame: bool,
    /// When to give up waiting: for `Hello` first, for the end of the writing last.
    timer: Option<Pin<Box<Sleep>>>,
    /// Dropped when all that was read is handed over.
    draining: Option<mpsc::Sender<()>>,
    /// Counts the session once it is open.
    present: Option<Present>,
    /// Until it is welcomed, and longer only if it is a bridge's own session.
    upgrade: Option<Box<BridgeUpgrade>>,
}

/// What woke a connection.
enum News {
    Signal(Option<Signal<Box<Actor>>>),
    Written(Result<usize, Gone>),
    Outbox,
    Room,
    More,
    /// `None`: too much that was read waits for channels.
    Read(Option<Result<Option<usize>, Gone>>),
    Timer,
}

impl Actor {
    /// Starts a connection.
    pub(crate) fn start(opening: Opening) {
        let Opening { id, mut session, socket, deframer, registry, patience, upgrade } = opening;
        let (outbox, inbox) = (Arc::clone(session.outbox()), Arc::clone(session.inbox()));
        session.begin_read(deframer.buffered_bytes());
        let prepared = Box::<Self>::prepare_with_mailbox(mailbox::bounded(CONNECTION_MAILBOX));
        // Before it runs, so that it cannot be over before it is known.
        registry.insert(id, Some(prepared.actor_ref().clone()), &session);
        let actor = Self {
            id,
            outbox,
            session,
            socket,
            registry,
            patience,
            more: deframer.buffered_bytes() > 0,
            deframer,
            writer: Writer::default(),
            inbox,
            reading: true,
            finished: false,
            ending: false,
            mid_frame: false,
            timer: Some(Box::pin(sleep_until(patience.hello))),
            draining: None,
            present: None,
            upgrade,
        };
        prepared.spawn(Box::new(actor));
    }

    /// Waits for the next thing to do. Whatever is not chosen loses nothing by being dropped.
    async fn news(&mut self, mailbox: &mut MailboxReceiver<Box<Self>>, chunks: &mut [Bytes]) -> News {
        let is_idle = !self.writer.is_pending() && !self.writer.is_replaying();
        let interest = Interest { output: is_idle, ending: !self.ending };
        let clear = self.session.is_clear();
        let (takes, reads_on, full) = (clear && (self.more || self.reading), self.reads_on(), self.inbox.is_full());
        let reads = (takes && !self.more) || reads_on;
        tokio::select! {
            biased;
            signal = mailbox.recv() => News::Signal(signal),
            written = self.socket.outward.write(self.writer.chunks()), if self.writer.is_pending() => {
                News::Written(written)
            }
            () = poll_fn(|cx| self.outbox.poll_news(cx, interest)) => News::Outbox,
            () = std::future::ready(()), if !self.writer.is_pending() && self.writer.is_replaying() => News::Outbox,
            () = self.session.room(), if !clear => News::Room,
            () = self.inbox.room(), if (takes || reads_on) && full => News::Room,
            () = std::future::ready(()), if takes && !full && self.more => News::More,
            read = self.socket.inward.read(chunks, &self.inbox), if reads && !full => News::Read(read),
            () = expired(&mut self.timer) => News::Timer,
        }
    }

    /// Takes what the outbox has, once the socket took what came before. Gives the ending when everything is out.
    fn fill(&mut self) -> Option<Ending> {
        if !self.writer.is_pending() && !self.mid_frame {
            self.observe_latency();
            self.writer.fill(&self.outbox);
            if self.writer.is_pending() {
                self.socket.before_write(self.writer.bytes());
            }
            self.observe_latency();
            for replay in self.writer.take_finished() {
                self.session.finish(replay);
            }
        }
        let (ending, taken) = self.outbox.ending()?;
        if !self.ending {
            self.begin_ending(&ending);
        }
        // A peer that says goodbye behind its publishes wants them taken.
        let heard = ending.code != Code::Finished || self.session.is_clear() || self.timer.is_none();
        (heard && (taken || self.mid_frame) && !self.writer.is_pending()).then_some(ending)
    }

    /// Observes the latency of what is sampled, once it is written.
    fn observe_latency(&mut self) {
        for read in self.writer.take_latency_marks() {
            self.metrics().latency.observe(read.elapsed());
        }
    }

    fn metrics(&self) -> &Arc<Metrics> {
        self.registry.metrics()
    }

    fn begin_ending(&mut self, ending: &Ending) {
        self.ending = true;
        (self.reading, self.more) = (false, false);
        self.draining = None;
        self.socket.read_no_more(ending.code);
        if self.cuts(ending) {
            self.drop_unwritten();
            self.outbox.abandon(ending.clone());
        }
        let patience = if ending.code == Code::ShuttingDown { self.patience.drain } else { LINGER };
        self.timer = Some(Box::pin(sleep(patience)));
    }

    /// Whether the connection is closed without waiting for the peer, who hears the code and its sentence all the same. Who is
    /// too slow has no room for a goodbye. While a bridge that lost the right were waited for, its visitors would go on.
    fn cuts(&self, ending: &Ending) -> bool {
        let is_bridge = self.upgrade.as_ref().is_some_and(|upgrade| upgrade.is_bridge());
        ending.code == Code::TooSlow || ending.code == Code::BadCredential && is_bridge
    }

    /// Nothing that was read is left to hand over: a draining broker is told.
    fn note_clear(&mut self) {
        if self.session.is_clear() && !self.more {
            self.draining = None;
        }
    }

    /// Whether something is said behind what waits for the peer's own reading, and is read all the same: little of it takes
    /// less here than a window does that is left to it.
    fn reads_on(&self) -> bool {
        self.waits_unread() && self.deframer.buffered_bytes() < READ_ON_BYTES
    }

    /// A session that is read no further must not keep others of its connection from being read. A full channel keeps them
    /// for moments at most, and waits for no peer.
    fn note_stuck(&mut self) {
        let is_stuck = self.waits_unread() && !self.reads_on();
        if let Err(ending) = self.socket.note_stuck(is_stuck) {
            self.outbox.end(ending);
        }
    }

    /// Whether others share the connection on which the peer still talks, and does not read.
    fn waits_unread(&self) -> bool {
        self.reading && self.socket.is_shared() && self.session.awaits_its_peer()
    }

    /// When the timer expires: the session was not opened in time, or what was left did not go out in time.
    fn run_out_of_patience(&mut self) {
        self.timer = None;
        if self.ending {
            self.drop_unwritten();
            self.outbox.abandon(Ending::plain(Code::TooSlow));
        } else {
            self.outbox.end(Ending::plain(Code::HandshakeTimeout));
        }
    }

    fn drop_unwritten(&mut self) {
        self.mid_frame |= self.writer.is_pending();
        self.writer.clear();
    }

    /// Says goodbye and closes. What the peer does not take in time is lost with the connection.
    async fn close(&mut self, ending: &Ending) {
        // Behind a part of a frame a goodbye would be read as the rest of it.
        let mid_frame = self.mid_frame || self.writer.is_pending();
        let linger = if self.cuts(ending) { Duration::ZERO } else { LINGER };
        if !mid_frame {
            let _ = timeout(linger, self.socket.outward.finish(goodbye_frame(ending))).await;
        }
        if let Some(upgrade) = self.upgrade.as_mut().filter(|_| ending.code == Code::ShuttingDown) {
            // Its visitors hear their own goodbyes before the connection under them is closed.
            let _ = timeout(self.patience.drain, upgrade.visitors_gone()).await;
        }
        self.socket.close(ending.code, &ending.sentence);
        self.registry.metrics().closed(ending.code);
        tracing::debug!(connection = %self.id, code = ending.code.number(), "session ended");
    }
}

/// Ready when the timer expires; never without one.
async fn expired(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

// In a box: kameo's futures have several places for an actor, and an idle connection would pay for each.
impl kameo::Actor for Box<Actor> {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(args)
    }

    /// Serves the socket until a signal comes or the session is over.
    async fn next(
        &mut self,
        _: WeakActorRef<Self>,
        mailbox: &mut MailboxReceiver<Self>,
    ) -> Result<Option<Signal<Self>>, Infallible> {
        let mut chunks: [Bytes; CHUNKS_A_READ] = std::array::from_fn(|_| Bytes::new());
        loop {
            match self.news(mailbox, &mut chunks).await {
                News::Signal(signal) => return Ok(signal),
                News::Written(Ok(bytes)) => self.metrics().bytes_written.add(bytes as u64),
                News::Outbox => {}
                News::Written(Err(_)) => {
                    self.writer.clear();
                    self.outbox.abandon(Ending::plain(Code::Finished));
                }
                News::Room | News::Read(None) => {}
                News::More => self.take_more(),
                News::Read(Some(Ok(Some(count)))) => {
                    self.take_frames(&mut chunks[..count]);
                    if self.session.should_yield() {
                        yield_now().await;
                    }
                }
                News::Read(Some(Ok(None))) => self.stop_reading(Ok(())),
                News::Read(Some(Err(error))) => self.stop_reading(Err(error)),
                News::Timer => self.run_out_of_patience(),
            }
            let over = self.fill();
            self.note_clear();
            self.note_stuck();
            if let Some(ending) = over {
                self.close(&ending).await;
                return Ok(None);
            }
        }
    }

    async fn on_panic(
        &mut self,
        _: WeakActorRef<Self>,
        fault: PanicError,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        self.metrics().panics.add(1);
        tracing::error!(connection = %self.id, %fault, "a connection panicked; its session ends");
        self.close(&Ending::plain(Code::Internal)).await;
        Ok(ControlFlow::Break(ActorStopReason::Panicked(fault)))
    }

    async fn on_stop(&mut self, _: WeakActorRef<Self>, _: ActorStopReason) -> Result<(), Infallible> {
        self.outbox.abandon(Ending::plain(Code::Finished));
        self.writer.clear();
        self.registry.remove(self.id);
        Ok(())
    }
}

impl Message<Drain> for Box<Actor> {
    type Reply = ();

    async fn handle(&mut self, drain: Drain, _: &mut Turn<Self, ()>) {
        self.reading = false;
        self.draining = Some(drain.done);
        self.note_clear();
    }
}
