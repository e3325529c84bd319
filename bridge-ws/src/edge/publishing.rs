//! Publishes of HTTP requests at the edge: a session of its own for each, introduced with what the request showed. The
//! broker judges everything.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use callboard_client::raw::{End, Session};
use callboard_protocol::Refusal;
use callboard_protocol::close::Code;
use callboard_protocol::codec::decode_server;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{ClientFrame, Goodbye, Hello, ServerFrame};
use tokio::time::timeout;

use super::metrics::{Metrics, RefusalReason};
use super::pool::{Opened, Pool};
use crate::defaults::COME_AGAIN;
use crate::progress::{Outcome, Progress, in_doubt, refused};

const AWAY: &str = "the broker behind this bridge is away; this was not published";
const FULL: &str =
    "the broker behind this bridge has no place for one more; this was not published, try again in a moment";
const LATE: &str = "the broker behind this bridge did not answer in time; this was not published";
const IN_DOUBT: &str = "the broker went away before it answered; this may have been published";

/// Publishes in a session that begins with `introduction` and is let in within `patience`.
pub(super) async fn publish(
    pool: &Arc<Pool>,
    introduction: &Bytes,
    progress: Progress,
    patience: Duration,
) -> Result<Vec<Outcome>, Refusal> {
    let mut publishing = PublishRequest { metrics: pool.metrics(), progress, is_welcome: false };
    let opening = async {
        let (seat, mut session) = open(pool, introduction)?;
        while !publishing.is_welcome {
            publishing.go_on(&mut session).await?;
        }
        Ok((seat, session))
    };
    let late = |_| Refusal::new(Class::Unavailable, LATE);
    let (_seat, mut session) = timeout(patience, opening).await.map_err(late)??;
    while !publishing.progress.is_done() {
        publishing.go_on(&mut session).await?;
    }
    session.close(Code::Finished);
    Ok(publishing.progress.into_outcomes())
}

/// Opens a session, and says what stands before everything else.
fn open(pool: &Arc<Pool>, introduction: &Bytes) -> Result<Opened, Refusal> {
    let (seat, mut session) = pool.open().map_err(|reason| {
        pool.metrics().refused(reason).add(1);
        no_session(reason)
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

/// One request on its way.
struct PublishRequest<'a> {
    /// Counts each answer as it comes, for whoever asked may leave before the last one.
    metrics: &'a Metrics,
    progress: Progress,
    is_welcome: bool,
}

impl PublishRequest<'_> {
    /// Hears what has come, or else says more, or waits for either.
    async fn go_on(&mut self, session: &mut Session) -> Result<(), Refusal> {
        let ended = match session.next_body() {
            Ok(Some(body)) => return self.hear(&body),
            Ok(None) => {
                // What is said waits in memory, so it is said as it is written.
                if self.is_welcome && session.unwritten_bytes() == 0 {
                    self.progress.say_some(|publish, _| {
                        let said = session.send(&ClientFrame::Publish(*publish));
                        said.map_err(|error| Refusal::new(Class::PayloadTooLarge, error.to_string()))
                    });
                }
                let has_more = self.is_welcome && self.progress.has_more();
                poll_fn(|cx| poll_both(session, cx, has_more)).await
            }
            Err(fault) => Err(fault),
        };
        let Err(end) = ended else { return Ok(()) };
        tracing::debug!(%end, "a publish over HTTP was not answered");
        if let End::Code(number) = end
            && let Some(code) = u16::try_from(number).ok().and_then(Code::from_number)
        {
            let refused = refused(code.number(), code.sentence(), None);
            return self.give_up(refused.clone(), &in_doubt(&refused));
        }
        self.give_up(away(), &Refusal::new(Class::Unavailable, IN_DOUBT))
    }

    fn hear(&mut self, body: &[u8]) -> Result<(), Refusal> {
        match decode_server(body) {
            Ok(ServerFrame::Welcome(_)) => self.is_welcome = true,
            Ok(ServerFrame::Goodbye(Goodbye { code, sentence, retry_after })) => {
                let refused = refused(code, sentence, retry_after);
                return self.give_up(refused.clone(), &in_doubt(&refused));
            }
            Ok(answer) if self.progress.hear(&answer) => self.metrics.http_published.add(1),
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }

    /// The session is over. What was not said did nothing; what was said may have done all of it.
    fn give_up(&mut self, done_nothing: Refusal, in_doubt: &Refusal) -> Result<(), Refusal> {
        if !self.is_welcome {
            return Err(done_nothing);
        }
        let said = self.progress.said() as u64;
        self.progress.give_up(&done_nothing, in_doubt, |request| request.value() <= said);
        Ok(())
    }
}

fn no_session(reason: RefusalReason) -> Refusal {
    match reason {
        RefusalReason::Place => Refusal { retry_after: Some(COME_AGAIN), ..Refusal::new(Class::Unavailable, FULL) },
        RefusalReason::Broker | RefusalReason::Connections | RefusalReason::Address => away(),
    }
}

fn away() -> Refusal {
    Refusal::new(Class::Unavailable, AWAY)
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
    use callboard_protocol::frame::Answer;
    use callboard_protocol::{Epoch, Offset, Payload, Position, RequestId};

    use super::*;
    use crate::upstream::PublishItem;

    fn publishing(messages: usize, metrics: &Metrics) -> PublishRequest<'_> {
        let item = |number| PublishItem { channel: format!("c/{number}"), key: None, payload: Payload::text("x") };
        PublishRequest { metrics, progress: Progress::new((0..messages).map(item).collect()), is_welcome: false }
    }

    fn hear(publishing: &mut PublishRequest<'_>, frame: &ServerFrame<'_>) -> Result<(), Refusal> {
        let mut body = bytes::BytesMut::new();
        encode(frame, &mut body).expect("it is short");
        publishing.hear(&body)
    }

    #[test]
    fn an_end_before_welcome_refuses_the_request_and_one_behind_it_each_message() {
        let metrics = Metrics::default();
        let code = Code::BadCredential.number();
        let goodbye = ServerFrame::Goodbye(Goodbye { code, sentence: "it was revoked", retry_after: None });
        let refused = hear(&mut publishing(1, &metrics), &goodbye).expect_err("nothing was let in");
        assert_eq!((refused.class, &*refused.sentence), (Class::NotAuthenticated, "it was revoked"));
        let mut welcome = PublishRequest { is_welcome: true, ..publishing(2, &metrics) };
        hear(&mut welcome, &goodbye).expect("each has its outcome");
        assert_eq!(welcome.progress.into_outcomes(), [Err(refused.clone()), Err(refused)], "nothing of it was said");
    }

    #[test]
    fn what_was_published_counts_though_nobody_waits_for_the_rest() {
        let metrics = Metrics::default();
        let mut publishing = PublishRequest { is_welcome: true, ..publishing(3, &metrics) };
        let position = Position { epoch: Epoch::saturating(1), offset: Offset::saturating(1) };
        let request = RequestId::saturating(1);
        hear(&mut publishing, &ServerFrame::Ok { request, answer: Answer::Published(position) }).expect("it goes on");
        drop(publishing);
        assert_eq!(metrics.http_published.value(), 1);
    }
}
