//! Publishes of HTTP requests at the edge: a session of its own for each, introduced with what the request showed. The
//! broker judges everything.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use callboard_client::raw::{End, Session};
use callboard_protocol::close::{Code, Return};
use callboard_protocol::codec::decode_server;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, ClientFrame, Hello, Publish, ServerFrame};
use callboard_protocol::{Position, RequestId, Sequence};

use super::pool::Pool;
use crate::upstream::{Parcel, Refusal};

type Outcome = Result<Position, Refusal>;

const AWAY: &str = "the broker behind this bridge is away";
const IN_DOUBT: &str = "the broker went away before it answered; this may have been published";

/// Publishes `messages` in a session that begins with `introduction`.
pub(super) async fn publish(
    pool: &Arc<Pool>,
    introduction: &Bytes,
    messages: &[Parcel],
) -> Result<Vec<Outcome>, Refusal> {
    let away = || Refusal::new(Class::Unavailable, AWAY);
    let (_seat, opening) = pool.open().ok_or_else(away)?;
    let mut session = opening.await.map_err(|_| away())?;
    let too_long = |error| Refusal::new(Class::PayloadTooLarge, format!("{error}"));
    session.say_body(introduction).map_err(too_long)?;
    session.say(&hello()).map_err(too_long)?;
    for (request, parcel) in (1..).zip(messages) {
        let publish = Publish {
            request: RequestId::saturating(request),
            sequence: Sequence::ZERO,
            channel: &parcel.channel,
            key: parcel.key.as_deref(),
            payload: parcel.payload.borrowed(),
        };
        session.say(&ClientFrame::Publish(publish)).map_err(too_long)?;
    }
    let mut answers = Answers { is_welcome: false, outcomes: vec![None; messages.len()] };
    let outcomes = answers.hear_all(&mut session).await;
    session.leave(Code::Finished);
    outcomes.map(|()| answers.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(in_doubt)).collect())
}

fn in_doubt() -> Outcome {
    Err(Refusal::new(Class::Unavailable, IN_DOUBT))
}

fn hello() -> ClientFrame<'static> {
    let mut instance = [0; 16];
    getrandom::fill(&mut instance).expect("the system has randomness");
    ClientFrame::Hello(Hello { agent: "http", instance, capabilities: 0, credential: None })
}

/// What the broker answered so far.
struct Answers {
    is_welcome: bool,
    /// By message, from the first on; the request's number is one more than its place.
    outcomes: Vec<Option<Outcome>>,
}

impl Answers {
    /// Hears until every message has its outcome, or the session ends.
    async fn hear_all(&mut self, session: &mut Session) -> Result<(), Refusal> {
        while self.outcomes.iter().any(Option::is_none) {
            let ended = match session.next_body() {
                Ok(Some(body)) => {
                    self.hear(&body)?;
                    continue;
                }
                Ok(None) => poll_fn(|cx| poll_both(session, cx)).await,
                Err(fault) => Err(fault),
            };
            if let Err(end) = ended {
                tracing::debug!(%end, "a publish over HTTP was not answered");
                return self.give_up(Refusal::new(Class::Unavailable, AWAY));
            }
        }
        Ok(())
    }

    fn hear(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (request, outcome) = match decode_server(body) {
            Ok(ServerFrame::Welcome(_)) => {
                self.is_welcome = true;
                return Ok(());
            }
            Ok(ServerFrame::Ok { request, answer: Answer::Published(position) }) => (request, Ok(position)),
            Ok(ServerFrame::Failed(failed)) => {
                let class = Class::from_name(failed.class).unwrap_or(Class::GeneralError);
                (failed.request, Err(Refusal::new(class, failed.sentence.to_owned())))
            }
            Ok(ServerFrame::Goodbye(goodbye)) => {
                let class = match Return::of(goodbye.code) {
                    Return::WithNewCredential => Class::NotAuthenticated,
                    Return::Unasked | Return::AtOnce | Return::Later | Return::Never => Class::Unavailable,
                };
                let refusal = Refusal::new(class, goodbye.sentence.to_owned());
                return self.give_up(Refusal { retry_after: goodbye.retry_after, ..refusal });
            }
            Ok(_) | Err(_) => return Ok(()),
        };
        let place = usize::try_from(request.value()).unwrap_or_default().checked_sub(1);
        if let Some(slot) = place.and_then(|place| self.outcomes.get_mut(place)) {
            *slot = Some(outcome);
        }
        Ok(())
    }

    /// The session is over. What was not let in did nothing; what was let in may have done all of it.
    fn give_up(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if !self.is_welcome {
            return Err(refusal);
        }
        self.outcomes.iter_mut().filter(|outcome| outcome.is_none()).for_each(|outcome| *outcome = Some(in_doubt()));
        Ok(())
    }
}

/// Reads, and writes meanwhile: a broker that waits for its answers to be read takes nothing more.
fn poll_both(session: &mut Session, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
    if let Poll::Ready(Err(end)) = session.poll_write(cx) {
        return Poll::Ready(Err(end));
    }
    session.poll_read(cx)
}
