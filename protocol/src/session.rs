//! The order of a session's frames: which may follow which. One state for each direction; both end at the first violation.

use crate::frame::{ClientFrame, ServerFrame};
use crate::integer::{Nonce, RequestId};

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
    /// `Introduce` came where nobody is introduced. A door reads the one of a visitor itself, before the session.
    #[error("only a bridge introduces, as the first frame of a visitor's stream")]
    Introduced,
    /// `Resumed` came without a `Suspended` before it, or with the nonce of another.
    #[error("Resumed follows Suspended, with the nonce of the last")]
    NotSuspended,
    /// Something else than a suspended session may hear.
    #[error("a suspended session hears nothing but Ping, Suspended, Resumed and Goodbye")]
    WhileSuspended,
}

/// Where a session stands; its client's side is never suspended, for each session begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Open,
    Over,
}

/// Where a session stands as its client sees it: behind a bridge, one connection has one session after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    New,
    Open,
    /// The nonce of the last `Suspended`.
    Suspended(Nonce),
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
            // PROTOCOL.md, "Visitors": anywhere but in front of a visitor's session, `Introduce` is a forged identity.
            (_, ClientFrame::Introduce(_)) => return Err(Violation::Introduced),
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
        ClientFrame::Hello(_)
        | ClientFrame::Goodbye(_)
        | ClientFrame::Pong(_)
        | ClientFrame::Return(_)
        | ClientFrame::Introduce(_) => None,
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
    phase: Heard,
    last_asked: RequestId,
}

impl Default for FromServer {
    fn default() -> Self {
        Self { phase: Heard::New, last_asked: RequestId::ZERO }
    }
}

impl FromServer {
    /// Notes that a request was sent under this number.
    pub fn asked(&mut self, request: RequestId) {
        self.last_asked = self.last_asked.max(request);
    }

    /// Judges the next frame. Behind `Resumed` a new session begins, in which nothing was asked.
    ///
    /// # Errors
    ///
    /// The rule of PROTOCOL.md, "Session" or "Suspended sessions", that it breaks. Every later frame breaks one too.
    pub fn handle(&mut self, frame: &ServerFrame<'_>) -> Result<(), Violation> {
        let verdict = self.judge(frame);
        if verdict.is_err() {
            self.phase = Heard::Over;
        }
        verdict
    }

    fn judge(&mut self, frame: &ServerFrame<'_>) -> Result<(), Violation> {
        match (self.phase, frame) {
            (Heard::Over, _) => return Err(Violation::AfterGoodbye),
            (_, ServerFrame::Goodbye(_)) => self.phase = Heard::Over,
            // It may come at any time: whether the broker is away has nothing to do with what is said.
            (_, ServerFrame::Suspended(suspended)) => self.phase = Heard::Suspended(suspended.nonce),
            (Heard::Suspended(nonce), ServerFrame::Resumed(resumed)) if resumed.nonce == nonce => {
                *self = Self::default();
            }
            (_, ServerFrame::Resumed(_)) => return Err(Violation::NotSuspended),
            (Heard::Suspended(_), ServerFrame::Ping(_)) => {}
            (Heard::Suspended(_), _) => return Err(Violation::WhileSuspended),
            (Heard::New, ServerFrame::Welcome(_)) => self.phase = Heard::Open,
            (Heard::New, _) => return Err(Violation::NotOpen),
            (Heard::Open, ServerFrame::Welcome(_)) => return Err(Violation::OpenedTwice),
            (Heard::Open, _) => {}
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
            | ServerFrame::Invoke(_)
            | ServerFrame::Suspended(_)
            | ServerFrame::Resumed(_) => return Ok(()),
        };
        if answered > self.last_asked { Err(Violation::AnswerToNobody { request: answered }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Answer, Goodbye, Hello, Introduce, Logout, Ping, Pong, Publish, Resumed, Suspended, Welcome};
    use crate::integer::{ConnectionId, Millis, Nonce, Sequence};
    use crate::payload::PayloadRef;

    const HELLO: ClientFrame<'static> =
        ClientFrame::Hello(Hello { agent: "", instance: [0; 16], capabilities: 0, credential: None });
    const GOODBYE: Goodbye<'static> = Goodbye { code: 4000, sentence: "", retry_after: None };
    const WELCOME: ServerFrame<'static> = ServerFrame::Welcome(Welcome {
        agent: "",
        connection: ConnectionId::ZERO,
        capabilities: 0,
        payload_bytes_max: 0,
        subscriptions_max: 0,
        ping_interval: Millis::ZERO,
        identity: None,
    });

    fn request(number: u64) -> RequestId {
        RequestId::saturating(number)
    }

    fn logout(number: u64) -> ClientFrame<'static> {
        ClientFrame::Logout(Logout { request: request(number) })
    }

    fn publish(number: u64) -> ClientFrame<'static> {
        ClientFrame::Publish(Publish {
            request: request(number),
            sequence: Sequence::ZERO,
            channel: "a",
            key: None,
            payload: PayloadRef::text(""),
        })
    }

    fn ok(number: u64) -> ServerFrame<'static> {
        ServerFrame::Ok { request: request(number), answer: Answer::Done }
    }

    fn failed(number: u64) -> ServerFrame<'static> {
        let failed = crate::frame::Failed { request: request(number), code: 500, class: "", sentence: "", data: None };
        ServerFrame::Failed(failed)
    }

    fn suspended(nonce: u64) -> ServerFrame<'static> {
        ServerFrame::Suspended(Suspended { nonce: Nonce::saturating(nonce), sentence: "", retry_after: None })
    }

    fn resumed(nonce: u64) -> ServerFrame<'static> {
        ServerFrame::Resumed(Resumed { nonce: Nonce::saturating(nonce) })
    }

    /// The verdicts about what a client says.
    fn heard_from_client(frames: &[ClientFrame<'_>]) -> Vec<Result<(), Violation>> {
        let mut order = FromClient::default();
        frames.iter().map(|frame| order.handle(frame)).collect()
    }

    /// The verdicts about what a broker says after request `asked` was made.
    fn heard_from_server(asked: u64, frames: &[ServerFrame<'_>]) -> Vec<Result<(), Violation>> {
        let mut order = FromServer::default();
        order.asked(request(asked));
        frames.iter().map(|frame| order.handle(frame)).collect()
    }

    #[test]
    fn a_session_opens_with_hello_and_welcome() {
        let pong = ClientFrame::Pong(Pong { nonce: Nonce::ZERO });
        assert_eq!(heard_from_client(&[pong]), [Err(Violation::NotOpen)]);
        assert_eq!(heard_from_client(&[HELLO, pong]), [Ok(()), Ok(())]);
        let ping = ServerFrame::Ping(Ping { nonce: Nonce::ZERO });
        assert_eq!(heard_from_server(0, &[ping]), [Err(Violation::NotOpen)]);
        assert_eq!(heard_from_server(0, &[WELCOME, ping]), [Ok(()), Ok(())]);
    }

    #[test]
    fn a_session_opens_once() {
        assert_eq!(heard_from_client(&[HELLO, HELLO]), [Ok(()), Err(Violation::OpenedTwice)]);
        assert_eq!(heard_from_server(0, &[WELCOME, WELCOME]), [Ok(()), Err(Violation::OpenedTwice)]);
    }

    #[test]
    fn nothing_follows_goodbye_which_may_come_first() {
        let goodbye = ClientFrame::Goodbye(GOODBYE);
        assert_eq!(heard_from_client(&[goodbye, HELLO]), [Ok(()), Err(Violation::AfterGoodbye)]);
        assert_eq!(heard_from_client(&[HELLO, goodbye, goodbye])[2], Err(Violation::AfterGoodbye));
        let goodbye = ServerFrame::Goodbye(GOODBYE);
        assert_eq!(heard_from_server(0, &[goodbye, WELCOME]), [Ok(()), Err(Violation::AfterGoodbye)]);
    }

    #[test]
    fn request_numbers_ascend_from_one_with_gaps_where_the_client_likes() {
        assert_eq!(heard_from_client(&[HELLO, logout(1), publish(7), logout(900)]), [Ok(()); 4]);
        for (second, last) in [(7, 7), (6, 7), (0, 7)] {
            let error = Violation::RequestNotAscending { request: request(second), last: request(last) };
            assert_eq!(heard_from_client(&[HELLO, logout(last), logout(second)])[2], Err(error));
        }
        let error = Violation::RequestNotAscending { request: request(0), last: request(0) };
        assert_eq!(heard_from_client(&[HELLO, logout(0)])[1], Err(error), "0 is no request's number");
    }

    #[test]
    fn a_publish_that_wants_no_answer_does_not_count_as_a_request() {
        assert_eq!(heard_from_client(&[HELLO, logout(3), publish(0), publish(0), logout(4)]), [Ok(()); 5]);
        assert_eq!(request_of(&publish(0)), None);
        assert_eq!(request_of(&publish(4)), Some(request(4)));
    }

    #[test]
    fn only_requests_that_were_made_are_answered() {
        assert_eq!(heard_from_server(2, &[WELCOME, ok(2), failed(1), failed(0)]), [Ok(()); 4]);
        for (answer, number) in [(ok(3), 3), (failed(3), 3), (ok(0), 0)] {
            let error = Violation::AnswerToNobody { request: request(number) };
            assert_eq!(heard_from_server(2, &[WELCOME, answer])[1], Err(error));
        }
    }

    #[test]
    fn nobody_is_introduced_within_a_session() {
        let introduce = ClientFrame::Introduce(Introduce {
            address: [0; 16],
            origin: None,
            credential: None,
            private: true,
            ping_interval: Millis::ZERO,
            publishes: 0,
        });
        assert_eq!(heard_from_client(&[introduce, HELLO]), [Err(Violation::Introduced), Err(Violation::AfterGoodbye)]);
        assert_eq!(heard_from_client(&[HELLO, introduce])[1], Err(Violation::Introduced));
        let goodbye = ClientFrame::Goodbye(GOODBYE);
        assert_eq!(heard_from_client(&[goodbye, introduce])[1], Err(Violation::AfterGoodbye));
    }

    #[test]
    fn a_suspended_session_goes_on_as_a_new_one() {
        let ping = ServerFrame::Ping(Ping { nonce: Nonce::ZERO });
        let goodbye = ServerFrame::Goodbye(GOODBYE);
        let whole = [WELCOME, ok(2), suspended(7), ping, suspended(8), resumed(8), suspended(9), resumed(9), WELCOME];
        assert_eq!(heard_from_server(2, &whole), [Ok(()); 9]);
        assert_eq!(
            heard_from_server(0, &[suspended(7), goodbye, suspended(8)])[1..],
            [Ok(()), Err(Violation::AfterGoodbye)]
        );
        let answered = heard_from_server(2, &[WELCOME, suspended(7), resumed(7), WELCOME, ok(2)]);
        assert_eq!(
            answered[4],
            Err(Violation::AnswerToNobody { request: request(2) }),
            "the new session asked nothing"
        );
        assert_eq!(heard_from_server(0, &[suspended(7), resumed(7), ping])[2], Err(Violation::NotOpen));
    }

    #[test]
    fn only_the_last_suspended_is_resumed_and_nothing_else_comes_meanwhile() {
        for before in [&[][..], &[WELCOME], &[suspended(6)], &[WELCOME, suspended(6), suspended(8)]] {
            let frames = [before, &[resumed(7)]].concat();
            assert_eq!(heard_from_server(0, &frames).last(), Some(&Err(Violation::NotSuspended)), "{before:?}");
        }
        for frame in [WELCOME, ok(1), failed(1), failed(0)] {
            assert_eq!(heard_from_server(1, &[WELCOME, suspended(7), frame])[2], Err(Violation::WhileSuspended));
        }
    }

    #[test]
    fn a_session_that_was_violated_takes_nothing_more() {
        assert_eq!(heard_from_client(&[logout(1), HELLO])[1], Err(Violation::AfterGoodbye));
        assert_eq!(heard_from_server(0, &[WELCOME, ok(1), failed(0)])[2], Err(Violation::AfterGoodbye));
    }
}
