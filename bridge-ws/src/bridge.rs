//! The owner of one browser's socket: messages in, the session's messages out; it judges no frame and keeps no queue.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use callboard_protocol::close::{Code, Ending};
use callboard_protocol::limits::HELLO_BYTES_MAX;
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, PanicError};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use kameo::message::{Context as Turn, Message};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::defaults::{LINGER, MAILBOX};
use crate::dialect::Dialect;
use crate::farewell::{Farewell, hang_up};
use crate::messages::{Drain, Tick};
use crate::outgoing::Outgoing;
use crate::present::Present;
use crate::reader::Reader;
use crate::socket::Socket;
use crate::upstream::{Interest, News as _, Session};
use crate::wheel::{Seat, Wheel};

mod reading;

/// How long a socket waits for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// When `Hello` must have come.
    pub(crate) hello: Instant,
    /// Until everything is out after the upstream began to drain.
    pub(crate) drain: Duration,
    /// Ticks of the heartbeat without a sign of life, until the browser is given up.
    pub(crate) ticks: u32,
}

/// One browser.
pub(crate) struct Bridge<S: Session> {
    session: S,
    news: S::News,
    dialect: Dialect,
    socket: Socket,
    reader: Reader,
    out: Outgoing,
    patience: Patience,
    /// How many bytes came behind the upgrade and wait in the reader.
    unheard: Option<usize>,
    /// Whether the socket is still read.
    reading: bool,
    /// Set when the session is to end: nothing is read any more, and what is left goes out.
    ending: bool,
    /// Set when what is left did not go out in time: nothing is waited for any more.
    hopeless: bool,
    /// What the socket closes with, where that is not what the session ends with.
    farewell: Option<Box<Farewell>>,
    /// Ticks since something was heard.
    silence: u32,
    /// Control frames since the last tick.
    controls: u32,
    /// When to give up waiting: for `Hello` first, for the end of the writing last.
    timer: Option<Pin<Box<Sleep>>>,
    /// Dropped when all that was read is handed over.
    draining: Option<mpsc::Sender<()>>,
    /// Counted among the open ones until it is dropped.
    _present: Present,
    /// On the wheel, from the start on.
    seat: Option<Seat<Box<Self>>>,
}

/// What woke a bridge.
enum News<S: Session> {
    Signal(Option<Signal<Box<Bridge<S>>>>),
    Written(io::Result<usize>),
    Session,
    Room,
    Read(io::Result<usize>),
    Timer,
}

impl<S: Session> Bridge<S> {
    /// A bridge between `socket` and `session`. `rest` was read behind the upgrade.
    pub(crate) fn new(
        session: S,
        dialect: Dialect,
        socket: Socket,
        rest: &[u8],
        patience: Patience,
        present: Present,
    ) -> Self {
        let mut reader = Reader::new(HELLO_BYTES_MAX);
        reader.handle_bytes(rest);
        let unheard = (!rest.is_empty()).then_some(rest.len());
        Self {
            news: session.news(),
            session,
            dialect,
            socket,
            reader,
            out: Outgoing::default(),
            patience,
            unheard,
            reading: true,
            ending: false,
            hopeless: false,
            farewell: None,
            silence: 0,
            controls: 0,
            timer: Some(Box::pin(sleep_until(patience.hello))),
            draining: None,
            _present: present,
            seat: None,
        }
    }

    /// Starts it on the wheel.
    pub(crate) fn start(mut self, wheel: &Arc<Wheel<Box<Self>>>) {
        let prepared = Box::<Self>::prepare_with_mailbox(mailbox::bounded(MAILBOX));
        self.seat = Some(wheel.join(prepared.actor_ref().clone()));
        prepared.spawn(Box::new(self));
    }

    fn is_writing(&self) -> bool {
        self.out.is_pending() || self.socket.is_unflushed()
    }

    /// Waits for the next thing to do. Whatever is not chosen loses nothing by being dropped.
    async fn news(&mut self, mailbox: &mut MailboxReceiver<Box<Self>>) -> News<S> {
        let (writing, more, clear) = (self.is_writing(), self.session.has_more(), self.session.is_clear());
        let interest = Interest { output: !writing && !more, ending: !self.ending };
        let Self { session, news, socket, reader, out, timer, reading, .. } = self;
        let hears = *reading && clear;
        let mut both = |cx: &mut Context<'_>| {
            if writing && let Poll::Ready(written) = socket.poll_write_from(cx, out) {
                return Poll::Ready(News::Written(written));
            }
            if hears && let Poll::Ready(read) = socket.poll_read_to(cx, |bytes| reader.handle_bytes(bytes)) {
                return Poll::Ready(News::Read(read));
            }
            Poll::Pending
        };
        tokio::select! {
            biased;
            signal = mailbox.recv() => News::Signal(signal),
            news = poll_fn(&mut both), if writing || hears => news,
            () = poll_fn(|cx| news.poll(cx, interest)) => News::Session,
            () = std::future::ready(()), if !writing && more => News::Session,
            () = session.room(), if !clear => News::Room,
            () = expired(timer) => News::Timer,
        }
    }

    /// Takes what the session has, once the socket took what came before. Gives the ending when everything is out.
    fn fill(&mut self) -> Option<Ending> {
        if !self.is_writing() && !self.hopeless {
            self.session.fill(self.out.pieces());
        }
        let (ending, taken) = self.session.ending()?;
        if !self.ending {
            self.begin_ending(&ending);
        }
        // A browser that says goodbye behind its publishes wants them taken.
        let heard = ending.code != Code::Finished || self.session.is_clear() || self.timer.is_none();
        let is_out = taken && !self.is_writing() || ending.code == Code::TooSlow;
        (self.hopeless || heard && is_out).then_some(ending)
    }

    fn begin_ending(&mut self, ending: &Ending) {
        self.ending = true;
        self.reading = false;
        self.draining = None;
        if ending.code == Code::TooSlow {
            // What it does not read is dropped; the close comes behind the message that was begun.
            self.out.drop_unbegun();
            self.session.abandon(ending.clone());
        }
        let patience = if ending.code == Code::ShuttingDown { self.patience.drain } else { LINGER };
        self.timer = Some(Box::pin(sleep(patience)));
    }

    /// The browser is gone, one way or another.
    fn stop_reading(&mut self, is_broken: bool) {
        self.reading = false;
        let ending = Ending::plain(Code::Finished);
        if is_broken { self.session.abandon(ending) } else { self.session.end(ending) }
    }

    /// Nothing that was read is left to hand over: a draining door is told.
    fn note_clear(&mut self) {
        if self.session.is_clear() {
            self.draining = None;
        }
    }

    /// When the timer expires: the session was not opened in time, or what was left did not go out in time.
    fn run_out_of_patience(&mut self) {
        self.timer = None;
        if self.ending {
            self.hopeless = true;
            self.out.drop_unbegun();
            self.session.abandon(Ending::plain(Code::TooSlow));
        } else {
            self.session.end(Ending::plain(Code::HandshakeTimeout));
        }
    }

    /// Says goodbye and closes. What the browser does not take in time is lost with the socket.
    async fn close(&mut self, ending: &Ending) {
        if !self.hopeless || !self.is_writing() {
            let farewell = self.farewell.take().map_or_else(|| Farewell::Goodbye(ending.clone()), |farewell| *farewell);
            self.out.push(farewell.encoded(self.dialect));
            Box::pin(hang_up(&mut self.socket, &mut self.out)).await;
        }
        self.session.note_closed(ending.code);
        tracing::debug!(code = ending.code.number(), "a browser's session ended");
    }
}

/// Ready when the timer expires; never without one.
async fn expired(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

// In a box: kameo's futures have several places for an actor, and an idle browser would pay for each.
impl<S: Session> kameo::Actor for Box<Bridge<S>> {
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
        loop {
            let news = match self.unheard.take() {
                Some(bytes) => News::Read(Ok(bytes)),
                None => self.news(mailbox).await,
            };
            match news {
                News::Signal(signal) => return Ok(signal),
                News::Written(Ok(bytes)) => self.session.note_written(bytes),
                News::Written(Err(_)) => {
                    self.hopeless = true;
                    self.out.clear();
                    self.stop_reading(true);
                }
                News::Session | News::Room => {}
                News::Read(Ok(0)) => self.stop_reading(false),
                News::Read(Ok(bytes)) => self.take_messages(bytes),
                News::Read(Err(_)) => self.stop_reading(true),
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
        self.session.note_panic();
        tracing::error!(%fault, "a browser's bridge panicked; its session ends");
        self.out.drop_unbegun();
        self.close(&Ending::plain(Code::Internal)).await;
        Ok(ControlFlow::Break(ActorStopReason::Panicked(fault)))
    }

    async fn on_stop(&mut self, _: WeakActorRef<Self>, _: ActorStopReason) -> Result<(), Infallible> {
        self.session.abandon(Ending::plain(Code::Finished));
        Ok(())
    }
}

impl<S: Session> Message<Tick> for Box<Bridge<S>> {
    type Reply = ();

    async fn handle(&mut self, _: Tick, _: &mut Turn<Self, ()>) {
        self.controls = 0;
        if self.ending || !self.session.is_open() {
            return;
        }
        self.silence += 1;
        if self.silence > self.patience.ticks {
            self.session.end(Ending::plain(Code::Idle));
        } else {
            self.session.ping();
        }
    }
}

impl<S: Session> Message<Drain> for Box<Bridge<S>> {
    type Reply = ();

    async fn handle(&mut self, drain: Drain, _: &mut Turn<Self, ()>) {
        self.reading = false;
        self.draining = Some(drain.done);
        self.note_clear();
    }
}
