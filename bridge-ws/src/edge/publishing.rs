//! Publishes of HTTP requests at the edge: a session of its own for each, introduced with what the request showed. The
//! broker judges everything.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use callboard_client::raw::{End, Session};
use callboard_protocol::close::{Code, Return};
use callboard_protocol::codec::decode_server;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, ClientFrame, Goodbye, Hello, Publish, ServerFrame};
use callboard_protocol::{Position, Refusal, RequestId, Sequence};
use tokio::time::timeout;

use super::limits::SAID_BYTES;
use super::pool::{Opened, Pool};
use super::tally::{Lack, Tally};
use crate::defaults::COME_AGAIN;
use crate::upstream::Parcel;

type Outcome = Result<Position, Refusal>;

const AWAY: &str = "the broker behind this bridge is away; this was not published";
const FULL: &str =
    "the broker behind this bridge has no place for one more; this was not published, try again in a moment";
const LATE: &str = "the broker behind this bridge did not answer in time; this was not published";
const IN_DOUBT: &str = "the broker went away before it answered; this may have been published";

/// Publishes `messages` in a session that begins with `introduction` and is let in within `patience`.
pub(super) async fn publish(
    pool: &Arc<Pool>,
    introduction: &Bytes,
    messages: Vec<Parcel>,
    patience: Duration,
) -> Result<Vec<Outcome>, Refusal> {
    let mut order = Order::new(messages, pool.tally());
    let opening = async {
        let (seat, mut session) = open(pool, introduction)?;
        while !order.is_welcome {
            order.go_on(&mut session).await?;
        }
        Ok((seat, session))
    };
    let late = |_| Refusal::new(Class::Unavailable, LATE);
    let (_seat, mut session) = timeout(patience, opening).await.map_err(late)??;
    while order.outcomes.iter().any(Option::is_none) {
        order.go_on(&mut session).await?;
    }
    session.close(Code::Finished);
    Ok(order.outcomes.into_iter().flatten().collect())
}

/// Opens a session, and says what stands before everything else.
fn open(pool: &Arc<Pool>, introduction: &Bytes) -> Result<Opened, Refusal> {
    let (seat, mut session) = pool.open().map_err(|lack| {
        pool.tally().refused(lack).add(1);
        lacking(lack)
    })?;
    let too_long = |error| Refusal::new(Class::PayloadTooLarge, format!("{error}"));
    session.send_body(introduction).map_err(too_long)?;
    session.send(&hello()).map_err(too_long)?;
    Ok((seat, session))
}

fn hello() -> ClientFrame<'static> {
    let mut instance = [0; 16];
    getrandom::fill(&mut instance).expect("the system has randomness");
    ClientFrame::Hello(Hello { agent: "http", instance, capabilities: 0, credential: None })
}

/// One request on its way: what is to be said, and what the broker answered so far.
struct Order<'a> {
    /// Counts each answer as it comes, for whoever asked may leave before the last one.
    tally: &'a Tally,
    messages: Vec<Parcel>,
    /// How many of them were said.
    said: usize,
    is_welcome: bool,
    /// By message, from the first on; the request's number is one more than its place.
    outcomes: Vec<Option<Outcome>>,
}

impl<'a> Order<'a> {
    fn new(messages: Vec<Parcel>, tally: &'a Tally) -> Self {
        let outcomes = vec![None; messages.len()];
        Self { tally, messages, said: 0, is_welcome: false, outcomes }
    }

    /// Hears what has come, or else says more, or waits for either.
    async fn go_on(&mut self, session: &mut Session) -> Result<(), Refusal> {
        let ended = match session.next_body() {
            Ok(Some(body)) => return self.hear(&body),
            Ok(None) => {
                // What is said waits in memory, and one payload may go to many channels: so it is said as it is written.
                if self.is_welcome && session.unwritten_bytes() == 0 {
                    self.say_some(|publish| session.send(publish).map_err(|error| error.to_string()));
                }
                let has_more = self.is_welcome && self.said < self.messages.len();
                poll_fn(|cx| poll_both(session, cx, has_more)).await
            }
            Err(fault) => Err(fault),
        };
        let Err(end) = ended else { return Ok(()) };
        tracing::debug!(%end, "a publish over HTTP was not answered");
        self.give_up(match end {
            End::Code(number) => u16::try_from(number).ok().and_then(Code::from_number).map_or_else(away, refusal),
            End::Finished | End::Lost(_) | End::Fault(_) | _ => away(),
        })
    }

    /// Says the next messages, and stops behind the one that makes it much.
    fn say_some(&mut self, mut say: impl FnMut(&ClientFrame<'_>) -> Result<(), String>) {
        let mut bytes = 0;
        while bytes < SAID_BYTES
            && let Some(parcel) = self.messages.get(self.said)
        {
            let publish = Publish {
                request: RequestId::saturating(self.said as u64 + 1),
                sequence: Sequence::ZERO,
                channel: &parcel.channel,
                key: parcel.key.as_deref(),
                payload: parcel.payload.borrowed(),
            };
            if let Err(too_long) = say(&ClientFrame::Publish(publish)) {
                self.outcomes[self.said] = Some(Err(Refusal::new(Class::PayloadTooLarge, too_long)));
            }
            bytes += parcel.channel.len() + parcel.payload.bytes().len();
            self.said += 1;
        }
    }

    fn hear(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (request, outcome) = match decode_server(body) {
            Ok(ServerFrame::Welcome(_)) => {
                self.is_welcome = true;
                return Ok(());
            }
            Ok(ServerFrame::Ok { request, answer: Answer::Published(position) }) => {
                self.tally.http_published.add(1);
                (request, Ok(position))
            }
            Ok(ServerFrame::Failed(failed)) => {
                let class = Class::from_name(failed.class).unwrap_or(Class::GeneralError);
                (failed.request, Err(Refusal::new(class, failed.sentence.to_owned())))
            }
            Ok(ServerFrame::Goodbye(Goodbye { code, sentence, retry_after })) => {
                let refusal = Refusal::new(class_of(code), sentence.to_owned());
                return self.give_up(Refusal { retry_after, ..refusal });
            }
            Ok(_) | Err(_) => return Ok(()),
        };
        let place = usize::try_from(request.value()).unwrap_or_default().checked_sub(1);
        if let Some(slot) = place.and_then(|place| self.outcomes.get_mut(place)) {
            *slot = Some(outcome);
        }
        Ok(())
    }

    /// The session is over. What was not said did nothing; what was said may have done all of it.
    fn give_up(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if !self.is_welcome {
            return Err(refusal);
        }
        let in_doubt = Refusal { class: refusal.class, retry_after: refusal.retry_after, sentence: IN_DOUBT.into() };
        for (place, outcome) in self.outcomes.iter_mut().enumerate() {
            let why = if place < self.said { &in_doubt } else { &refusal };
            outcome.get_or_insert_with(|| Err(why.clone()));
        }
        Ok(())
    }
}

fn lacking(lack: Lack) -> Refusal {
    match lack {
        Lack::Place => Refusal { retry_after: Some(COME_AGAIN), ..Refusal::new(Class::Unavailable, FULL) },
        Lack::Broker | Lack::Connections | Lack::Address => away(),
    }
}

fn away() -> Refusal {
    Refusal::new(Class::Unavailable, AWAY)
}

fn refusal(code: Code) -> Refusal {
    Refusal::new(class_of(code.number()), code.sentence())
}

/// What a session that ended with this number means for what it was to publish.
fn class_of(code: u16) -> Class {
    if code == Code::RateExceeded.number() {
        return Class::TooManyRequests;
    }
    match Return::of(code) {
        Return::WithNewCredential => Class::NotAuthenticated,
        Return::Unasked | Return::AtOnce | Return::Later | Return::Never => Class::Unavailable,
    }
}

/// Writes, and reads meanwhile: a broker that waits for its answers to be read takes nothing more. Ready, too, when all
/// is written and there is more to say.
fn poll_both(session: &mut Session, cx: &mut Context<'_>, has_more: bool) -> Poll<Result<(), End>> {
    match session.poll_write(cx) {
        Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
        Poll::Ready(Ok(())) if has_more => return Poll::Ready(Ok(())),
        Poll::Ready(Ok(())) | Poll::Pending => {}
    }
    session.poll_read(cx)
}

#[cfg(test)]
mod tests {
    use callboard_protocol::codec::encode;
    use callboard_protocol::frame::Failed;
    use callboard_protocol::{Epoch, Offset, Payload};

    use super::*;

    fn order<'a>(messages: usize, payload: &Payload, tally: &'a Tally) -> Order<'a> {
        let parcel = |number| Parcel { channel: format!("c/{number}"), key: None, payload: payload.clone() };
        Order::new((0..messages).map(parcel).collect(), tally)
    }

    fn welcomed(messages: usize, tally: &Tally) -> Order<'_> {
        Order { is_welcome: true, ..order(messages, &Payload::text("x"), tally) }
    }

    /// Says once; the requests' numbers, and how many bytes they took.
    fn say_once(order: &mut Order<'_>) -> (Vec<u64>, usize) {
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        order.say_some(|frame| {
            let ClientFrame::Publish(publish) = frame else { panic!("only publishes are said: {frame:?}") };
            numbers.push(publish.request.value());
            bytes += publish.payload.bytes().len();
            Ok(())
        });
        (numbers, bytes)
    }

    #[test]
    fn a_payload_for_many_channels_is_copied_for_a_few_of_them_at_a_time() {
        let payload = Payload::text("x".repeat(50_000));
        let tally = Tally::default();
        let mut order = order(1000, &payload, &tally);
        let mut all = Vec::new();
        while order.said < 1000 {
            let (numbers, bytes) = say_once(&mut order);
            assert!(bytes <= SAID_BYTES + payload.bytes().len(), "{bytes} bytes at once");
            all.extend(numbers);
        }
        assert_eq!(all, (1..=1000).collect::<Vec<u64>>());
        assert!(say_once(&mut order).0.is_empty());
    }

    #[test]
    fn what_no_broker_would_read_fails_alone() {
        let tally = Tally::default();
        let mut order = welcomed(2, &tally);
        let mut is_first = true;
        order.say_some(|_| if std::mem::take(&mut is_first) { Err("too long".to_owned()) } else { Ok(()) });
        let classes: Vec<_> = order.outcomes.iter().map(|outcome| outcome.as_ref().map(class)).collect();
        assert_eq!(classes, [Some(Some(Class::PayloadTooLarge)), None]);
    }

    fn class(outcome: &Outcome) -> Option<Class> {
        outcome.as_ref().err().map(|refusal| refusal.class)
    }

    #[test]
    fn an_end_before_welcome_refuses_the_request_with_what_its_code_means() {
        let codes = [
            (Code::BadCredential, Class::NotAuthenticated),
            (Code::RateExceeded, Class::TooManyRequests),
            (Code::Overloaded, Class::Unavailable),
        ];
        for (code, class) in codes {
            let refused = order(1, &Payload::text("x"), &Tally::default())
                .give_up(refusal(code))
                .expect_err("nothing was let in");
            assert_eq!((refused.class, &*refused.sentence), (class, code.sentence()));
        }
    }

    #[test]
    fn only_what_was_said_and_not_answered_is_in_doubt() {
        let tally = Tally::default();
        let mut order = Order { said: 2, ..welcomed(3, &tally) };
        let (request, class) = (RequestId::saturating(1), Class::Forbidden);
        let failed = Failed { request, code: class.code(), class: class.name(), sentence: "no", data: None };
        let mut body = bytes::BytesMut::new();
        encode(&ServerFrame::Failed(failed), &mut body).expect("it is short");
        order.hear(&body).expect("the session goes on");
        order.give_up(refusal(Code::RateExceeded)).expect("each has its outcome");
        let told: Vec<_> = order.outcomes.iter().flatten().flat_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(
            told.iter().map(|told| &*told.sentence).collect::<Vec<_>>(),
            ["no", IN_DOUBT, Code::RateExceeded.sentence()]
        );
        assert_eq!(told[2].class, Class::TooManyRequests);
    }

    #[test]
    fn what_was_published_counts_though_nobody_waits_for_the_rest() {
        let tally = Tally::default();
        let mut order = Order { said: 2, ..welcomed(3, &tally) };
        let position = Position { epoch: Epoch::saturating(1), offset: Offset::saturating(1) };
        let request = RequestId::saturating(1);
        let mut body = bytes::BytesMut::new();
        encode(&ServerFrame::Ok { request, answer: Answer::Published(position) }, &mut body).expect("it is short");
        order.hear(&body).expect("the session goes on");
        drop(order);
        assert_eq!(tally.http_published.value(), 1);
    }
}
