//! The task of a trunk: it dials, keeps the trunk's own session, and dials again. It gives up only when it is told to.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::{Code, Return};
use callboard_protocol::frame::{ClientFrame, Goodbye, Pong, ServerFrame};
use quinn::{ConnectionError, RecvStream, SendStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::silence;
use super::trunk::Shared;
use crate::backoff::{Backoff, Ending, Next};
use crate::connect::{Dialer, Failed};
use crate::defaults::{FAREWELL, STREAMS_WITHIN, WRITE_BYTES};
use crate::end::{End, end_of_write};
use crate::options::Options;
use crate::random;
use crate::state::{Reason, State};
use crate::wire::Session;

/// What a broker is asked for that gives a connection one stream only.
const NO_RIGHT: &str = "this key may not open sessions for others; make one with `callboard token new NAME --bridge`";

/// One trunk's task.
#[derive(Debug)]
pub(super) struct Driver {
    dialer: Dialer,
    /// No pause is longer.
    pause_max: Duration,
    /// A connection on which nothing comes for so long is given up.
    idle_timeout: Duration,
    backoff: Backoff,
    shared: Arc<Shared>,
    closing: oneshot::Receiver<()>,
}

impl Driver {
    pub(super) fn new(dialer: Dialer, options: &Options, shared: Arc<Shared>, closing: oneshot::Receiver<()>) -> Self {
        let backoff = Backoff::new(options.backoff_base, options.backoff_cap);
        let (pause_max, idle_timeout) = (options.backoff_cap, options.idle_timeout);
        Self { dialer, pause_max, idle_timeout, backoff, shared, closing }
    }

    /// Keeps the trunk going until it is told to close.
    pub(super) async fn run(mut self) {
        loop {
            self.tell(State::Connecting);
            let dialed = tokio::select! {
                dialed = self.dialer.dial() => dialed,
                _ = &mut self.closing => break,
            };
            let (why, ending) = match dialed {
                Ok((session, online)) => {
                    let began = Instant::now();
                    let end = self.serve(session, online).await;
                    self.shared.lower();
                    if end == End::Asked {
                        break;
                    }
                    ended(&end, began.elapsed(), self.pause_max)
                }
                Err(Failed::At(end)) => ended(&end, Duration::ZERO, self.pause_max),
                Err(Failed::Before(why)) => {
                    (why, Ending { advice: Return::Later, retry_after: None, lived: Duration::ZERO, renewable: true })
                }
            };
            let pause = match self.backoff.after(ending, random::jitter()) {
                Next::Wait(pause) => pause,
                // Those who depend on this wait for whoever mends it.
                Next::Stop => self.pause_max,
            };
            tracing::debug!(%why, pause_ms = pause.as_millis(), "a connection for others is down");
            let until = Instant::now() + pause;
            self.tell(State::Waiting { until, why });
            tokio::select! {
                () = sleep_until(until) => {}
                _ = &mut self.closing => break,
            }
        }
        self.tell(State::Closed { why: Reason::Asked });
    }

    fn tell(&self, state: State) {
        self.shared.state.send_replace(state);
    }

    /// Keeps a session of the trunk's own going to its end.
    async fn serve(&mut self, mut session: Session, online: Arc<crate::state::Online>) -> End {
        let proving = tokio::select! {
            proving = timeout(STREAMS_WITHIN, session.connection.open_bi()) => proving,
            _ = &mut self.closing => return say_goodbye(session, &self.dialer).await,
        };
        let first = match proving {
            Ok(Ok(first)) => first,
            Ok(Err(error)) => return error.into(),
            Err(_) => {
                say_goodbye(session, &self.dialer).await;
                return no_right();
            }
        };
        self.raise(&session, first, online);
        let connection = session.connection.clone();
        let mut silent = pin!(silence::of(&connection, self.idle_timeout));
        let end = loop {
            let served = tokio::select! {
                served = attend(&mut session) => served,
                () = &mut silent => Err(ConnectionError::TimedOut.into()),
                _ = &mut self.closing => return say_goodbye(session, &self.dialer).await,
            };
            if let Err(end) = served {
                break end;
            }
        };
        match &end {
            // The visitors' streams keep the connection, so that they hear what the broker says to each.
            End::Goodbye { .. } => {}
            End::Lost(_) | End::Fault { .. } | End::Asked => session.close(end.parting_code()),
        }
        end
    }

    fn raise(&self, session: &Session, first: (SendStream, RecvStream), online: Arc<crate::state::Online>) {
        self.shared.raise(session.connection.clone(), first);
        self.tell(State::Online(online));
    }
}

/// One turn of the trunk's own session: it answers pings and waits for the end. Cancel-safe.
async fn attend(session: &mut Session) -> Result<(), End> {
    let Session { inward, outward, dialogue, .. } = session;
    // First, because something may have come together with Welcome.
    while let Some(body) = inward.poll_body()? {
        let frame = dialogue.decode(&body)?;
        if let ServerFrame::Ping(ping) = &frame {
            dialogue.push(&ClientFrame::Pong(Pong { nonce: ping.nonce }));
        } else if let ServerFrame::Goodbye(goodbye) = &frame {
            return Err(End::goodbye(goodbye));
        }
    }
    let writes = !outward.is_empty() || !dialogue.gathering.is_empty();
    // A broker that takes no answers is asked no further questions.
    let reads = dialogue.gathering.len() < WRITE_BYTES;
    tokio::select! {
        written = outward.write(&mut dialogue.gathering), if writes => written.map_err(end_of_write),
        read = inward.read(), if reads => read,
    }
}

/// What the broker advises is for one client of many; everybody behind a trunk waits for it, so it has the trunk's bound.
fn ended(end: &End, lived: Duration, pause_max: Duration) -> (Reason, Ending) {
    let retry_after = match end {
        End::Goodbye { retry_after, .. } => {
            retry_after.map(|millis| Duration::from_millis(millis.value()).min(pause_max))
        }
        End::Lost(_) | End::Fault { .. } | End::Asked => None,
    };
    (end.reason(), Ending { advice: end.advice(), retry_after, lived, renewable: true })
}

fn no_right() -> End {
    End::Goodbye { code: Code::Forbidden.number(), sentence: NO_RIGHT.to_owned(), retry_after: None }
}

async fn say_goodbye(mut session: Session, dialer: &Dialer) -> End {
    let (code, sentence) = (Code::Finished.number(), Code::Finished.sentence());
    session.dialogue.push(&ClientFrame::Goodbye(Goodbye { code, sentence, retry_after: None }));
    let _ = timeout(FAREWELL, session.finish()).await;
    session.close(Code::Finished);
    let _ = timeout(FAREWELL, dialer.idle()).await;
    End::Asked
}

#[cfg(test)]
mod tests {
    use callboard_protocol::Millis;

    use super::*;

    #[test]
    fn a_brokers_advice_counts_up_to_the_longest_pause() {
        let pause_max = Duration::from_secs(30);
        let advised = |millis: u64| {
            let (code, sentence) = (Code::ShuttingDown.number(), String::new());
            let end = End::Goodbye { code, sentence, retry_after: Some(Millis::saturating(millis)) };
            ended(&end, Duration::ZERO, pause_max).1.retry_after
        };
        assert_eq!(advised(4_000), Some(Duration::from_secs(4)));
        assert_eq!(advised(300_000), Some(pause_max));
    }
}
