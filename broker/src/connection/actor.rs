//! The owner of one QUIC session's socket: reads frames into the session, writes the outbox to the stream, ends both.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_protocol::ConnectionId;
use callboard_protocol::close::Code;
use callboard_protocol::codec::{decode_client, encode_stream};
use callboard_protocol::deframe::{DeframeError, Deframer};
use callboard_protocol::frame::{Goodbye, ServerFrame};
use callboard_protocol::limits::{BODY_BYTES_MAX, HELLO_BYTES_MAX};
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, PanicError};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use kameo::message::{Context as Turn, Message};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::ending::Ending;
use super::messages::Drain;
use super::outbox::Outbox;
use super::registry::Registry;
use super::session::Session;
use super::socket::{Gone, Socket};
use super::writer::Writer;
use crate::defaults::{CHUNKS_A_READ, CONNECTION_MAILBOX, LINGER};
use crate::limit::Inbox;
use crate::metrics::{Metrics, Present};

/// How long a session waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// When `Hello` must have come.
    pub(crate) hello: Instant,
    /// Until everything is out after the broker began to drain.
    pub(crate) drain: Duration,
}

/// One connection at the QUIC door.
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
    /// Set when the session is to end: nothing is read any more, and what is left goes out.
    ending: bool,
    /// Whether a frame may be out in part: nothing more can be said on the stream then.
    torn: bool,
    /// When to give up waiting: for `Hello` first, for the end of the writing last.
    timer: Option<Pin<Box<Sleep>>>,
    /// Dropped when all that was read is handed over.
    draining: Option<mpsc::Sender<()>>,
    /// Counts the session once it is open.
    present: Option<Present>,
}

/// What woke a connection.
enum News {
    Signal(Option<Signal<Actor>>),
    Written(Result<usize, Gone>),
    Outbox,
    Room,
    More,
    /// `None`: too much that was read waits for channels.
    Read(Option<Result<Option<usize>, Gone>>),
    Timer,
}

impl Actor {
    /// Starts a connection that owns `socket`.
    pub(crate) fn start(
        id: ConnectionId,
        session: Session,
        socket: Socket,
        registry: Arc<Registry>,
        patience: Patience,
    ) {
        let (outbox, inbox) = (Arc::clone(session.outbox()), Arc::clone(session.inbox()));
        let actor = Self {
            id,
            outbox: Arc::clone(&outbox),
            session,
            socket,
            registry: Arc::clone(&registry),
            patience,
            deframer: Deframer::new(HELLO_BYTES_MAX),
            writer: Writer::default(),
            inbox,
            reading: true,
            more: false,
            ending: false,
            torn: false,
            timer: Some(Box::pin(sleep_until(patience.hello))),
            draining: None,
            present: None,
        };
        let prepared = Self::prepare_with_mailbox(mailbox::bounded(CONNECTION_MAILBOX));
        // Before it runs, so that it cannot be over before it is known.
        registry.insert(id, Some(prepared.actor_ref().clone()), outbox);
        prepared.spawn(actor);
    }

    /// Waits for the next thing to do. Whatever is not chosen loses nothing by being dropped.
    async fn news(&mut self, mailbox: &mut MailboxReceiver<Self>, chunks: &mut [Bytes]) -> News {
        let (hungry, unaware) = (!self.writer.is_pending() && !self.writer.is_replaying(), !self.ending);
        let clear = self.session.is_clear();
        let (takes, full) = (clear && (self.more || self.reading), self.inbox.is_full());
        tokio::select! {
            biased;
            signal = mailbox.recv() => News::Signal(signal),
            written = self.socket.outward.write(self.writer.chunks()), if self.writer.is_pending() => {
                News::Written(written)
            }
            () = poll_fn(|cx| self.outbox.poll_news(cx, hungry, unaware)) => News::Outbox,
            () = std::future::ready(()), if !self.writer.is_pending() && self.writer.is_replaying() => News::Outbox,
            () = self.session.room(), if !clear => News::Room,
            () = self.inbox.room(), if takes && full => News::Room,
            () = std::future::ready(()), if takes && !full && self.more => News::More,
            read = self.socket.inward.read(chunks, &self.inbox), if takes && !full && !self.more => News::Read(read),
            () = ring(&mut self.timer) => News::Timer,
        }
    }

    /// Takes what the outbox has, once the socket took what came before. Gives the ending when everything is out.
    fn fill(&mut self) -> Option<Ending> {
        if !self.writer.is_pending() && !self.torn {
            self.note_written();
            self.writer.fill(&self.outbox);
            if self.writer.is_pending() {
                self.socket.before_write(self.writer.bytes());
            }
            self.note_written();
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
        (heard && (taken || self.torn) && !self.writer.is_pending()).then_some(ending)
    }

    /// Counts how long that took which is measured, once it is written.
    fn note_written(&mut self) {
        for read in self.writer.take_stamps() {
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
        if ending.code == Code::TooSlow {
            // It does not read what it has: only the close itself can reach it.
            self.drop_unwritten();
            self.outbox.abandon(ending.clone());
        }
        let patience = if ending.code == Code::ShuttingDown { self.patience.drain } else { LINGER };
        self.timer = Some(Box::pin(sleep(patience)));
    }

    /// Takes the frames out of what was read and hands them over.
    fn take_frames(&mut self, chunks: &mut [Bytes]) {
        let bytes: usize = chunks.iter().map(Bytes::len).sum();
        self.metrics().bytes_read.add(bytes as u64);
        self.socket.after_read(bytes);
        // One copy: a publish that waits keeps what was read with it, and would keep the datagrams that came together with
        // it from whomever.
        let mut copied = Vec::with_capacity(bytes);
        for chunk in chunks {
            copied.extend_from_slice(&std::mem::take(chunk));
        }
        self.deframer.handle_bytes(copied.into());
        self.session.begin_read(bytes);
        self.take_more();
    }

    /// Takes frames out of what was read and hands them over.
    fn take_more(&mut self) {
        let verdict = self.take_bodies();
        self.session.hand_over();
        match verdict
            .and_then(|()| if self.more { Ok(()) } else { self.session.hold_partial(self.deframer.buffered_bytes()) })
        {
            Ok(()) => {}
            Err(ending) => {
                (self.reading, self.more) = (false, false);
                self.outbox.end(ending);
            }
        }
        if self.session.is_open() && !self.ending {
            self.timer = None;
            if self.present.is_none() {
                self.present = Some(Present::new(self.metrics(), |metrics| &metrics.sessions));
            }
        }
    }

    fn take_bodies(&mut self) -> Result<(), Ending> {
        self.more = true;
        while !self.session.is_laden() {
            let Some(body) = self.deframer.poll_body().map_err(|error| {
                let too_long = matches!(error, DeframeError::TooLong { .. } | DeframeError::LengthTooLong);
                Ending::because(if too_long { Code::FrameTooLong } else { Code::Malformed }, error)
            })?
            else {
                self.more = false;
                return Ok(());
            };
            let frame = decode_client(&body).map_err(|error| Ending::because(Code::Malformed, error))?;
            self.session.handle(&frame, &body)?;
            // PROTOCOL.md, "Stream": the first body has a limit of its own, before the peer is known.
            self.deframer.set_body_bytes_max(BODY_BYTES_MAX);
        }
        Ok(())
    }

    /// The peer's half of the stream ended, one way or another.
    fn stop_reading(&mut self, ended: Result<(), Gone>) {
        self.reading = false;
        match ended {
            // A client that ends its half without a word is done as well.
            Ok(()) if !self.deframer.is_mid_frame() => self.outbox.end(Ending::plain(Code::Finished)),
            Ok(()) => self.outbox.end(Ending::because(Code::Malformed, "the stream ended within a frame")),
            Err(_) => self.outbox.abandon(Ending::plain(Code::Finished)),
        }
    }

    /// Nothing that was read is left to hand over: a draining broker is told.
    fn note_clear(&mut self) {
        if self.session.is_clear() && !self.more {
            self.draining = None;
        }
    }

    /// When the timer rings: the session was not opened in time, or what was left did not go out in time.
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
        self.torn |= self.writer.is_pending();
        self.writer.clear();
    }

    /// Says goodbye and closes. What the peer does not take in time is lost with the connection.
    async fn close(&mut self, ending: &Ending) {
        // Behind a part of a frame a goodbye would be read as the rest of it.
        let torn = self.torn || self.writer.is_pending();
        let mut frame = BytesMut::new();
        let goodbye = ServerFrame::Goodbye(Goodbye {
            code: ending.code.number(),
            sentence: &ending.sentence,
            retry_after: ending.retry_after,
        });
        encode_stream(&goodbye, &mut frame).expect("a sentence fits a body");
        // A reader that is too slow has no room for a goodbye either; it hears the code all the same.
        let linger = if ending.code == Code::TooSlow { Duration::ZERO } else { LINGER };
        if !torn {
            let _ = timeout(linger, self.socket.outward.finish(frame.freeze())).await;
        }
        self.socket.close(ending.code, &ending.sentence);
        self.registry.metrics().closed(ending.code);
        tracing::debug!(connection = %self.id, code = ending.code.number(), "session ended");
    }
}

/// Ready when the timer rings; never without one.
async fn ring(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

impl kameo::Actor for Actor {
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
                    if self.session.has_run_on() {
                        yield_now().await;
                    }
                }
                News::Read(Some(Ok(None))) => self.stop_reading(Ok(())),
                News::Read(Some(Err(error))) => self.stop_reading(Err(error)),
                News::Timer => self.run_out_of_patience(),
            }
            let over = self.fill();
            self.note_clear();
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

impl Message<Drain> for Actor {
    type Reply = ();

    async fn handle(&mut self, drain: Drain, _: &mut Turn<Self, ()>) {
        self.reading = false;
        self.draining = Some(drain.done);
        self.note_clear();
    }
}
