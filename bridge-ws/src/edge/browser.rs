//! One browser at the edge: its state, its stream to the broker while there is one, and what waits for its socket. There is
//! no task in it: whoever owns the socket polls it, and reads of the stream only what the socket can take.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use callboard_client::raw;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::{ClientFrame, Ping, Resumed, ServerFrame, Suspended};

use super::budget::Shares;
use super::inward_room::InwardRoom;
use super::limits::WAITING_MAX;
use super::metrics::RefusalReason;
use super::outward_room::OutwardRoom;
use super::pool::Pool;
use super::state::{Away, Beat, Effect, State};
use super::stream::BrokerStream;
use crate::dialect::Dialect;
use crate::upstream::Interest;

mod outgoing;

/// What a browser is told that waits for the broker.
const AWAY: &str = "the broker behind this bridge is away; this connection waits for it";

/// What a browser is told that waits until the broker takes this bridge again.
const REFUSED: &str = "the broker refuses this bridge; this connection waits until its operator has mended that";

/// What a browser is told that waits for room at the broker.
const FULL: &str = "the broker behind this bridge has no place for one more; this connection waits for one";

/// Why one is sent away that holds what others need. With the code's own sentence it fits the close of a WebSocket.
const STALLED: &str = "it did not end what it began while others had no room";

/// One browser.
pub(super) struct Browser {
    state: State,
    dialect: Dialect,
    /// The `Introduce` that stands before each of its sessions.
    introduction: Bytes,
    pool: Arc<Pool>,
    stream: BrokerStream,
    /// Read of the stream, and next to be transcoded.
    next: Option<Bytes>,
    /// Whole messages for the socket.
    out: VecDeque<Bytes>,
    ending: Option<Ending>,
    /// Of what it says, and of what its handshake showed.
    inward: InwardRoom,
    /// For what it is told.
    room: OutwardRoom,
    /// Bytes that the socket was given last, and may not have written.
    given: usize,
    /// Bytes of a message that has not come whole.
    begun: usize,
    /// Woken when something happens that no stream tells of.
    waker: Option<Waker>,
}

/// What waits here are browsers' secrets and messages, which nothing shows by accident.
impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Browser {
    pub(super) fn new(state: State, dialect: Dialect, introduction: Bytes, pool: Arc<Pool>, shares: Shares) -> Self {
        Self {
            state,
            dialect,
            introduction,
            pool,
            stream: BrokerStream::None,
            next: None,
            out: VecDeque::new(),
            ending: None,
            inward: InwardRoom::new(shares.inward),
            room: OutwardRoom::new(shares.outward),
            given: 0,
            begun: 0,
            waker: None,
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Takes what the browser says.
    pub(super) fn handle_client(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        self.inward.note_progress();
        if let ClientFrame::Goodbye(_) = frame {
            self.say(body)?;
        }
        match self.state.handle_client(frame, self.pool.is_up()) {
            Effect::Pass => self.say(body)?,
            Effect::Drop => {}
            Effect::Open => {
                let opened = self.stream.take_kept().map_or_else(|| self.pool.open(), Ok);
                match opened {
                    Ok((seat, session)) => {
                        self.pool.metrics().opened.add(1);
                        self.stream = BrokerStream::Open(seat, session);
                        self.say(&self.introduction.clone())?;
                        self.say(body)?;
                    }
                    Err(reason) => {
                        self.pool.metrics().refused(reason).add(1);
                        if let Effect::Suspend(away) = self.state.handle_lost() {
                            self.suspend(away, if reason == RefusalReason::Place { FULL } else { self.away() });
                        }
                    }
                }
            }
            Effect::Await => self.stream = BrokerStream::Awaited(self.pool.turn()),
            Effect::End(ending) => return Err(ending),
            suspend @ Effect::Suspend(_) => {
                self.pool.metrics().refused(RefusalReason::Broker).add(1);
                self.take(suspend);
            }
        }
        self.hold(self.begun)
    }

    fn say(&mut self, body: &Bytes) -> Result<(), Ending> {
        // Without one the stream broke, which is told in a moment.
        if let Some(session) = self.stream.session() {
            session.send_body(body).map_err(|error| Ending::because(Code::FrameTooLong, error))?;
        }
        Ok(())
    }

    /// Holds what was said and not written, and so many bytes of a message that has not come whole.
    pub(super) fn hold(&mut self, begun: usize) -> Result<(), Ending> {
        self.begun = begun;
        if self.hold_inward() {
            return Ok(());
        }
        Err(Ending::because(Code::Overloaded, "too much that browsers sent waits here for the broker"))
    }

    fn hold_inward(&mut self) -> bool {
        let held = self.introduction.len() + self.begun + self.stream.unwritten_bytes();
        self.inward.resize(held)
    }

    pub(super) fn is_clear(&self) -> bool {
        self.stream.unwritten_bytes() == 0
    }

    /// Does what does not wait, behind all that was read at once.
    pub(super) fn hand_over(&mut self) {
        // What the transport does not take now, it takes in `poll_clear`.
        let _ = self.poll_clear(&mut Context::from_waker(Waker::noop()));
        // Who owns the socket reads before it asks for news, and others wait behind one that says much.
        if let Some(waker) = self.waker.clone() {
            let _ = self.poll_turn(&mut Context::from_waker(&waker));
        }
    }

    /// Ready when it is this browser's turn to come back to the broker.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let BrokerStream::Awaited(turn) = &mut self.stream else { return Poll::Pending };
        let (seat, session) = ready!(turn.as_mut().poll(cx));
        self.stream = BrokerStream::Kept(seat, session);
        if let Some(nonce) = self.state.resume() {
            self.push(&ServerFrame::Resumed(Resumed { nonce }));
        }
        Poll::Ready(())
    }

    /// Ready when everything that the browser said is with the transport.
    pub(super) fn poll_clear(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(session) = self.stream.session() {
            let before = session.unwritten_bytes();
            // That the connection is lost is found by whoever waits for news.
            let written = session.poll_write(cx);
            if session.unwritten_bytes() < before {
                self.inward.note_progress();
            }
            let _ = ready!(written);
        }
        let _ = self.hold_inward();
        Poll::Ready(())
    }

    /// Ready when there is something that `interest` asks for.
    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        if !interest.output {
            self.room.note_busy();
        }
        loop {
            if interest.output && !self.out.is_empty() || interest.ending && self.ending.is_some() {
                return Poll::Ready(());
            }
            let has_room = interest.output && self.room.poll(cx, self.wanted()).is_ready();
            if has_room && self.next.is_some() {
                return Poll::Ready(());
            }
            let end = match &mut self.stream {
                BrokerStream::None | BrokerStream::Kept(..) => return Poll::Pending,
                BrokerStream::Awaited(_) => {
                    ready!(self.poll_turn(cx));
                    continue;
                }
                BrokerStream::Open(_, session) if has_room => match ready!(session.poll_read(cx)) {
                    Ok(()) => {
                        self.look_ahead();
                        continue;
                    }
                    Err(end) => end,
                },
                BrokerStream::Open(_, session) => ready!(session.poll_broken(cx)),
            };
            self.take_end(&end);
        }
    }

    fn take_end(&mut self, end: &raw::End) {
        let effect = match end {
            raw::End::Lost(_) => self.state.handle_lost(),
            raw::End::Code(number) => self.state.handle_reset(*number),
            raw::End::Finished | raw::End::Fault(_) | _ => self.state.fail(&end.to_string()),
        };
        self.take(effect);
    }

    /// Does what the state wants of this side.
    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Suspend(away) => self.suspend(away, self.away()),
            Effect::End(ending) => {
                (self.stream, self.next) = (BrokerStream::None, None);
                self.room.settle(self.given);
                self.ending.get_or_insert(ending);
            }
            Effect::Pass | Effect::Drop | Effect::Open | Effect::Await => {}
        }
    }

    /// Tells the browser that it waits, and drops what the session had.
    fn suspend(&mut self, Away { nonce, retry_after }: Away, sentence: &'static str) {
        (self.stream, self.next) = (BrokerStream::None, None);
        self.room.settle(self.given);
        let _ = self.hold_inward();
        self.push(&ServerFrame::Suspended(Suspended { nonce, sentence, retry_after }));
    }

    /// Why it waits while no connection is up.
    fn away(&self) -> &'static str {
        if self.pool.is_refused() { REFUSED } else { AWAY }
    }

    pub(super) fn ending(&self) -> Option<(Ending, bool)> {
        self.ending.clone().map(|ending| (ending, self.out.is_empty()))
    }

    /// The heartbeat's turn.
    pub(super) fn tick(&mut self, has_written: bool) {
        if self.room.tick(has_written) {
            return self.end(Ending::plain(Code::TooSlow));
        }
        if self.inward.tick() {
            return self.end(Ending::because(Code::Overloaded, STALLED));
        }
        match self.state.tick() {
            Beat::Ping(nonce) if self.out.len() < WAITING_MAX => self.push(&ServerFrame::Ping(Ping { nonce })),
            Beat::Ping(_) | Beat::Nothing => {}
            Beat::End(ending) => self.end(ending),
        }
    }

    /// Ends the session. What the browser said before goes to the broker all the same.
    pub(super) fn end(&mut self, ending: Ending) {
        self.state.close();
        self.next = None;
        self.room.settle(self.given);
        if let BrokerStream::Open(_seat, mut session) = std::mem::replace(&mut self.stream, BrokerStream::None) {
            // Until it is written it takes what it took.
            session.hold_until_closed(self.inward.take());
            // PROTOCOL.md, "Recovery": channels wait for a browser that is gone without a goodbye. One that said it has
            // had it passed on.
            if ending.code == Code::Finished {
                session.close_silently();
            } else {
                session.close(ending.code);
            }
        }
        let _ = self.hold_inward();
        self.ending.get_or_insert(ending);
    }

    /// Ends the browser from the edge itself: the socket's owner is woken.
    pub(super) fn send_away(&mut self, ending: Ending) {
        self.end(ending);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
#[path = "browser_tests.rs"]
mod tests;
