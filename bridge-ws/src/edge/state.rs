//! What the edge knows of one browser: bodies in, effects out. It has no socket, no clock and no judgement of its own but
//! whether a session may begin; everything else the broker judges.

use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_server;
use callboard_protocol::frame::{ClientFrame, Goodbye, ServerFrame};
use callboard_protocol::session::Violation;
use callboard_protocol::{Millis, Nonce};

/// The edge's own nonces begin here, so that a pong says by itself whether it is for the edge: a broker counts from 1.
const NONCES: u64 = 1 << 52;

/// One browser.
#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    /// How many nonces were given out.
    nonces: u64,
    /// Turns of the heartbeat since the phase began.
    ticks: u32,
    patience: Patience,
}

/// For how many turns of the heartbeat something is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until `Hello` must have come behind `Resumed`.
    pub(super) hello: u32,
    /// Until the broker must have answered `Hello`, and the browser `Suspended`.
    pub(super) answer: u32,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// `Hello` has not come: at first, and once more behind each `Resumed`.
    New {
        is_first: bool,
    },
    /// `Hello` came, and the broker has not answered it.
    Opening,
    Open,
    /// The browser was told that the broker is away.
    Suspended {
        nonce: Nonce,
        is_acknowledged: bool,
    },
    Over,
}

/// What becomes of something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// The body goes on as it is.
    Pass,
    /// It goes no further.
    Drop,
    /// A session is to be opened with the broker; then the body goes on.
    Open,
    /// The session with the broker is over: the browser is to be told so, and to be kept.
    Suspend(Away),
    /// The browser knows that it waits: as soon as there is a broker, it may be told so.
    Await,
    /// The browser's session is over.
    End(Ending),
}

/// What a browser is told while the broker is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Away {
    /// What its pong has.
    pub(super) nonce: Nonce,
    /// In how long the broker wants to be back.
    pub(super) retry_after: Option<Millis>,
}

/// What a turn of the heartbeat asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beat {
    /// A sign of life.
    Ping(Nonce),
    /// Nothing may be said now.
    Nothing,
    /// It was waited for in vain.
    End(Ending),
}

impl State {
    /// A browser that has said nothing.
    pub(super) fn new(patience: Patience) -> Self {
        Self { phase: Phase::New { is_first: true }, nonces: 0, ticks: 0, patience }
    }

    /// How far it has come.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it has ever said hello.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::New { is_first: true } | Phase::Over)
    }

    /// Whether its next frame should be `Hello`.
    pub(super) fn awaits_hello(&self) -> bool {
        matches!(self.phase, Phase::New { .. })
    }

    /// Takes what the browser says. `is_up` says whether there is a broker now.
    pub(super) fn handle_client(&mut self, frame: &ClientFrame<'_>, is_up: bool) -> Effect {
        if self.phase == Phase::Over {
            return Effect::Drop;
        }
        if let ClientFrame::Goodbye(_) = frame {
            return self.end(Ending::plain(Code::Finished));
        }
        if let ClientFrame::Pong(pong) = frame
            && self.is_own(pong.nonce)
        {
            return self.acknowledge(pong.nonce);
        }
        match (self.phase, frame) {
            (Phase::New { .. }, ClientFrame::Hello(_)) if is_up => {
                self.enter(Phase::Opening);
                Effect::Open
            }
            (Phase::New { .. }, ClientFrame::Hello(_)) => self.suspend(None),
            // The sentence is the broker's, for nobody could tell who judged.
            (Phase::New { .. }, ClientFrame::Introduce(_)) => self.refuse(Violation::Introduced),
            (Phase::New { .. }, _) => self.refuse(Violation::NotOpen),
            (Phase::Opening | Phase::Open, _) => Effect::Pass,
            // PROTOCOL.md, "Suspended sessions": what came before the `Pong` is part of no later session.
            (Phase::Suspended { .. } | Phase::Over, _) => Effect::Drop,
        }
    }

    /// Takes a body that the broker says to this browser.
    pub(super) fn handle_broker(&mut self, body: &[u8]) -> Effect {
        match self.phase {
            Phase::Opening => self.enter(Phase::Open),
            Phase::Open => {}
            // Of the session before.
            Phase::New { .. } | Phase::Suspended { .. } | Phase::Over => return Effect::Drop,
        }
        if body.first() != Some(&GOODBYE) {
            return Effect::Pass;
        }
        let Ok(ServerFrame::Goodbye(goodbye)) = decode_server(body) else {
            return self.fail("bytes that are no frame");
        };
        let Goodbye { code, sentence, retry_after } = goodbye;
        match Code::from_number(code) {
            // It restarts, or what stands before it does: nothing that a browser could do better elsewhere.
            Some(Code::ShuttingDown) => self.suspend(retry_after),
            Some(code) => self.end(Ending { code, sentence: sentence.to_owned().into(), retry_after }),
            None => self.end(Ending { code: Code::Internal, sentence: sentence.to_owned().into(), retry_after }),
        }
    }

    /// The connection with the broker is gone.
    pub(super) fn handle_lost(&mut self) -> Effect {
        match self.phase {
            Phase::Opening | Phase::Open => self.suspend(None),
            Phase::New { .. } | Phase::Suspended { .. } | Phase::Over => Effect::Drop,
        }
    }

    /// The broker broke this one session off, with a code.
    pub(super) fn handle_reset(&mut self, number: u64) -> Effect {
        let code = u16::try_from(number).ok().and_then(Code::from_number);
        match (self.phase, code) {
            (Phase::New { .. } | Phase::Suspended { .. } | Phase::Over, _) => Effect::Drop,
            (Phase::Opening | Phase::Open, Some(Code::ShuttingDown)) => self.suspend(None),
            (Phase::Opening | Phase::Open, Some(code)) => self.end(Ending::plain(code)),
            (Phase::Opening | Phase::Open, None) => self.fail("a session without an end that means anything"),
        }
    }

    /// What the broker says cannot be understood.
    pub(super) fn fail(&mut self, why: &str) -> Effect {
        self.end(Ending::because(Code::Internal, format_args!("the bridge heard {why}")))
    }

    /// There is a broker again. The nonce for `Resumed`, if the browser knows that it was away.
    pub(super) fn resume(&mut self) -> Option<Nonce> {
        let Phase::Suspended { nonce, is_acknowledged: true } = self.phase else { return None };
        self.enter(Phase::New { is_first: false });
        Some(nonce)
    }

    /// The heartbeat's turn.
    pub(super) fn tick(&mut self) -> Beat {
        self.ticks = self.ticks.saturating_add(1);
        let late = |patience: u32| self.ticks > patience;
        match self.phase {
            Phase::New { is_first: false } if late(self.patience.hello) => self.give_up(Code::HandshakeTimeout),
            Phase::Opening if late(self.patience.answer) => self.give_up(Code::Overloaded),
            Phase::Suspended { is_acknowledged: false, .. } if late(self.patience.answer) => self.give_up(Code::Idle),
            // PROTOCOL.md, "Session": nothing stands before `Welcome` but what says that there is no broker.
            Phase::New { .. } | Phase::Opening | Phase::Over => Beat::Nothing,
            Phase::Open | Phase::Suspended { .. } => Beat::Ping(self.next_nonce()),
        }
    }

    /// Nothing counts any more.
    pub(super) fn close(&mut self) {
        self.enter(Phase::Over);
    }

    fn enter(&mut self, phase: Phase) {
        (self.phase, self.ticks) = (phase, 0);
    }

    fn is_own(&self, nonce: Nonce) -> bool {
        nonce.value() > NONCES && nonce.value() <= NONCES + self.nonces
    }

    fn next_nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce::saturating(NONCES + self.nonces)
    }

    fn acknowledge(&mut self, answered: Nonce) -> Effect {
        match &mut self.phase {
            Phase::Suspended { nonce, is_acknowledged } if *nonce == answered && !*is_acknowledged => {
                *is_acknowledged = true;
                self.ticks = 0;
                Effect::Await
            }
            Phase::New { .. } | Phase::Opening | Phase::Open | Phase::Suspended { .. } | Phase::Over => Effect::Drop,
        }
    }

    fn suspend(&mut self, retry_after: Option<Millis>) -> Effect {
        let nonce = self.next_nonce();
        self.enter(Phase::Suspended { nonce, is_acknowledged: false });
        Effect::Suspend(Away { nonce, retry_after })
    }

    fn refuse(&mut self, violation: Violation) -> Effect {
        self.end(Ending::because(Code::OutOfOrder, violation))
    }

    fn end(&mut self, ending: Ending) -> Effect {
        self.close();
        Effect::End(ending)
    }

    fn give_up(&mut self, code: Code) -> Beat {
        self.close();
        Beat::End(Ending::plain(code))
    }
}

/// The first byte of a broker's `Goodbye`: PROTOCOL.md, "Frames". Other bodies are not looked into.
const GOODBYE: u8 = 1;
