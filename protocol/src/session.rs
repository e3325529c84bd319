//! The gatekeeper of a session: which frame may follow which. One judge for each direction; both end at the first violation.

use crate::frame::{ClientFrame, ServerFrame};
use crate::integer::RequestId;

/// A frame stood where it may not stand. The peer is at fault; the session ends with
/// [`crate::close::Code::OutOfOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The session began with another frame than `Hello` or `Welcome`.
    #[error("a session begins with Hello and its answer Welcome")]
    NotOpen,
    /// `Hello` or `Welcome` came a second time.
    #[error("a session is opened once")]
    OpenedTwice,
    /// A frame came behind `Goodbye`.
    #[error("nothing follows Goodbye")]
    AfterGoodbye,
    /// A request's number is not above those before it.
    #[error("request numbers ascend from 1: {request} came after {last}")]
    RequestNotAscending {
        /// The number that came.
        request: RequestId,
        /// The highest before it.
        last: RequestId,
    },
    /// An answer names a request that was not made.
    #[error("request {request} was answered and never made")]
    AnswerToNobody {
        /// The number in the answer.
        request: RequestId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Open,
    Over,
}

/// Judges what a client sends: the broker's side of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromClient {
    phase: Phase,
    last: RequestId,
}

impl Default for FromClient {
    fn default() -> Self {
        Self { phase: Phase::New, last: RequestId::ZERO }
    }
}

impl FromClient {
    /// Judges the next frame.
    ///
    /// # Errors
    ///
    /// The rule of PROTOCOL.md, "Session", that it breaks. Every later frame breaks one too.
    pub fn handle(&mut self, frame: &ClientFrame<'_>) -> Result<(), Violation> {
        let verdict = self.judge(frame);
        if verdict.is_err() {
            self.phase = Phase::Over;
        }
        verdict
    }

    fn judge(&mut self, frame: &ClientFrame<'_>) -> Result<(), Violation> {
        match (self.phase, frame) {
            (Phase::Over, _) => return Err(Violation::AfterGoodbye),
            // A client may leave before it was let in.
            (_, ClientFrame::Goodbye(_)) => self.phase = Phase::Over,
            (Phase::New, ClientFrame::Hello(_)) => self.phase = Phase::Open,
            (Phase::New, _) => return Err(Violation::NotOpen),
            (Phase::Open, ClientFrame::Hello(_)) => return Err(Violation::OpenedTwice),
            (Phase::Open, _) => {}
        }
        match request_of(frame) {
            Some(request) if request <= self.last => Err(Violation::RequestNotAscending { request, last: self.last }),
            Some(request) => {
                self.last = request;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The number of the request that a frame makes; `None` for a frame that is answered by nothing.
#[must_use]
pub fn request_of(frame: &ClientFrame<'_>) -> Option<RequestId> {
    match frame {
        ClientFrame::Hello(_) | ClientFrame::Goodbye(_) | ClientFrame::Pong(_) | ClientFrame::Return(_) => None,
        ClientFrame::Authenticate(frame) => Some(frame.request),
        ClientFrame::Logout(frame) => Some(frame.request),
        ClientFrame::Subscribe(frame) => Some(frame.request),
        ClientFrame::Unsubscribe(frame) => Some(frame.request),
        ClientFrame::Publish(frame) => (frame.request != RequestId::ZERO).then_some(frame.request),
        ClientFrame::Call(frame) => Some(frame.request),
        ClientFrame::Provide(frame) => Some(frame.request),
        ClientFrame::Withdraw(frame) => Some(frame.request),
        ClientFrame::Emit(frame) => Some(frame.request),
    }
}

/// Judges what a broker sends: the client's side of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromServer {
    phase: Phase,
    last_asked: RequestId,
}

impl Default for FromServer {
    fn default() -> Self {
        Self { phase: Phase::New, last_asked: RequestId::ZERO }
    }
}

impl FromServer {
    /// Notes that a request was sent under this number.
    pub fn asked(&mut self, request: RequestId) {
        self.last_asked = self.last_asked.max(request);
    }

    /// Judges the next frame.
    ///
    /// # Errors
    ///
    /// The rule of PROTOCOL.md, "Session", that it breaks. Every later frame breaks one too.
    pub fn handle(&mut self, frame: &ServerFrame<'_>) -> Result<(), Violation> {
        let verdict = self.judge(frame);
        if verdict.is_err() {
            self.phase = Phase::Over;
        }
        verdict
    }

    fn judge(&mut self, frame: &ServerFrame<'_>) -> Result<(), Violation> {
        match (self.phase, frame) {
            (Phase::Over, _) => return Err(Violation::AfterGoodbye),
            (_, ServerFrame::Goodbye(_)) => self.phase = Phase::Over,
            (Phase::New, ServerFrame::Welcome(_)) => self.phase = Phase::Open,
            (Phase::New, _) => return Err(Violation::NotOpen),
            (Phase::Open, ServerFrame::Welcome(_)) => return Err(Violation::OpenedTwice),
            (Phase::Open, _) => {}
        }
        let answered = match frame {
            ServerFrame::Ok { request, .. } => {
                if *request == RequestId::ZERO {
                    return Err(Violation::AnswerToNobody { request: *request });
                }
                *request
            }
            // A publish that wants no answer is still told when it failed, as request 0.
            ServerFrame::Failed(failed) => failed.request,
            ServerFrame::Welcome(_)
            | ServerFrame::Goodbye(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Named(_)
            | ServerFrame::Message(_)
            | ServerFrame::Skipped(_)
            | ServerFrame::Reset(_)
            | ServerFrame::Membership(_)
            | ServerFrame::Event(_)
            | ServerFrame::Invoke(_) => return Ok(()),
        };
        if answered > self.last_asked { Err(Violation::AnswerToNobody { request: answered }) } else { Ok(()) }
    }
}
