//! The listeners of a run: each reads its session, checks every delivery and counts it. They publish nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use callboard_protocol::codec::decode_server;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::dialer::{Session, unexpected};
use super::line::{Inward, Outward};
use super::stamp::Form;
use super::verify::{Tally, Verifier};

/// Without a delivery for this long, those that are missing will not come.
const STALL: Duration = Duration::from_secs(10);

/// The longest latency that is told apart, in nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// The first byte of a body (PROTOCOL.md, "From broker to client").
const PING: u8 = 2;
const OK: u8 = 3;
const MESSAGE: u8 = 6;

/// The first byte of a message that was left as JSON; no body begins with it.
const MESSAGE_AS_JSON: u8 = b'{';

/// The clock that a run's stamps are of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since it was started.
    pub(super) fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// How long deliveries took, in nanoseconds.
#[derive(Debug)]
pub(super) struct Latencies(Mutex<Histogram<u64>>);

impl Latencies {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3);
        Self(Mutex::new(histogram.expect("a lower bound below the upper and three digits make a histogram")))
    }

    pub(super) fn record(&self, nanoseconds: u64) {
        self.0.lock().saturating_record(nanoseconds);
    }

    /// Forgets what was recorded.
    pub(super) fn reset(&self) {
        self.0.lock().reset();
    }

    /// What was recorded.
    pub(super) fn histogram(&self) -> Histogram<u64> {
        self.0.lock().clone()
    }
}

/// What went wrong first; it ends the run.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    why: Mutex<Option<String>>,
    news: Notify,
}

impl Trouble {
    fn tell(&self, why: &anyhow::Error) {
        self.why.lock().get_or_insert_with(|| format!("{why:#}"));
        self.news.notify_one();
    }

    /// Waits for it.
    pub(super) async fn comes(&self) -> anyhow::Error {
        loop {
            if let Some(why) = &*self.why.lock() {
                return anyhow!("{why}");
            }
            self.news.notified().await;
        }
    }
}

/// What some listeners have heard, together.
#[derive(Debug, Default)]
pub(super) struct Heard {
    messages: AtomicU64,
    target: AtomicU64,
    reached: Notify,
}

impl Heard {
    /// How many messages came in their place.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Waits until this many came. One at a time may wait.
    ///
    /// # Errors
    ///
    /// If none comes for [`STALL`].
    pub(super) async fn reach(&self, target: u64) -> anyhow::Result<()> {
        self.target.store(target, Ordering::SeqCst);
        loop {
            let before = self.messages();
            if before >= target {
                return Ok(());
            }
            if timeout(STALL, self.reached.notified()).await.is_err() && self.messages() == before {
                return Err(anyhow!(
                    "{} deliveries are missing after {} s without one",
                    target - before,
                    STALL.as_secs()
                ));
            }
        }
    }

    fn add(&self, messages: u64) {
        let before = self.messages.fetch_add(messages, Ordering::SeqCst);
        if before + messages >= self.target.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }
}

/// What a listener checks and where it counts.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) verifier: Mutex<Verifier>,
    pub(super) heard: Arc<Heard>,
    pub(super) form: Form,
    /// Where it records how long each delivery took, and by which clock.
    pub(super) latencies: Option<(Arc<Latencies>, Clock)>,
}

impl Ear {
    /// Reads until the session ends, which is for the caller to bring about.
    async fn listen(&self, mut inward: Inward) -> anyhow::Result<Infallible> {
        loop {
            let (mut messages, mut fault) = (0, None);
            let read = inward.read(|body| match self.hear(body) {
                Ok(heard) => messages += u64::from(heard),
                Err(error) => fault = Some(error),
            });
            let ended = read.await.err().or(fault);
            if messages > 0 {
                self.heard.add(messages);
            }
            if let Some(error) = ended {
                return Err(error);
            }
        }
    }

    /// Takes a body that somebody else read, and counts it. Whether it was a message in its place.
    pub(super) fn take(&self, body: &[u8]) -> anyhow::Result<bool> {
        let is_message = self.hear(body)?;
        if is_message {
            self.heard.add(1);
        }
        Ok(is_message)
    }

    /// Whether it was a message in its place.
    fn hear(&self, body: &[u8]) -> anyhow::Result<bool> {
        match body[0] {
            MESSAGE | MESSAGE_AS_JSON => {
                let stamp = self.verifier.lock().handle(self.form.stamp_of(body));
                if let (Some(stamp), Some((latencies, clock))) = (stamp, &self.latencies) {
                    latencies.record(clock.now_ns().saturating_sub(stamp.time_ns));
                }
                Ok(stamp.is_some())
            }
            OK | PING => Ok(false),
            _ => Err(unexpected(&decode_server(body)?)),
        }
    }
}

/// The listeners. Dropping it stops them; their sessions end when what is left of them is dropped too.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    listening: JoinSet<()>,
    ears: Vec<Arc<Ear>>,
    trouble: Arc<Trouble>,
}

impl Crowd {
    /// Lets somebody who reads a session himself have an ear that is asked for what it found.
    pub(super) fn watch(&mut self, ear: Ear) -> Arc<Ear> {
        let ear = Arc::new(ear);
        self.ears.push(Arc::clone(&ear));
        ear
    }

    /// Runs something that has no end but trouble.
    pub(super) fn run(&mut self, endless: impl Future<Output = anyhow::Result<Infallible>> + Send + 'static) {
        let trouble = Arc::clone(&self.trouble);
        self.listening.spawn(async move {
            let Err(why) = endless.await;
            trouble.tell(&why);
        });
    }

    /// Lets a session listen. Gives its other half, which is to be kept: a session without it is over.
    pub(super) fn seat(&mut self, session: Session, ear: Ear) -> Outward {
        let ear = self.watch(ear);
        let Session { send, inward, .. } = session;
        self.run(async move { ear.listen(inward).await });
        send
    }

    pub(super) fn trouble(&self) -> Arc<Trouble> {
        Arc::clone(&self.trouble)
    }

    /// What all of them found, if each publisher published as many as `published` says.
    pub(super) fn tally(&self, published: impl Fn(u32) -> u64) -> Tally {
        let tallies = self.ears.iter().map(|ear| ear.verifier.lock().finish(&published));
        tallies.fold(Tally::default(), Tally::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Stamp;
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_last_delivery() {
        let heard = Arc::new(Heard::default());
        let waiting = tokio::spawn({
            let heard = Arc::clone(&heard);
            async move { heard.reach(3).await }
        });
        for _ in 0..3 {
            heard.add(1);
        }
        assert!(waiting.await.expect("no panic").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_ends_the_waiting() {
        let error = Heard::default().reach(2).await.expect_err("nothing comes").to_string();
        assert!(error.contains("2 deliveries are missing"), "{error}");
    }

    #[test]
    fn a_message_is_known_by_its_end() {
        let ear = ear(Form { bytes: 24, is_text: false });
        let mut body = vec![MESSAGE, 12, 1, 0, 0, 2, 24];
        body.extend(Stamp { time_ns: 0, run: 1, publisher: 0, sequence: 0 }.encode());
        assert!(ear.hear(&body).expect("a frame"));
        assert!(!ear.hear(&body).expect("a frame"), "it came before");
        assert!(ear.hear(&[1, 0]).is_err());
    }

    #[test]
    fn a_message_in_json_is_known_by_its_end_too() {
        let ear = ear(Form { bytes: 50, is_text: true });
        let mut json = br#"{"kind":"Message","payload":{"kind":"text","text":""#.to_vec();
        let first = json.len();
        json.extend([b'a'; 48]);
        json.extend(b"..");
        // Sequence 0 of publisher 0 in run 1.
        json[first + 17] = b'b';
        assert!(ear.hear(&json).expect("a frame"));
        json[first + 17] = b'c';
        assert!(!ear.hear(&json).expect("a frame"), "of another run");
        json[first + 17] = b'.';
        assert!(!ear.hear(&json).expect("a frame"), "no stamp");
    }

    fn ear(form: Form) -> Ear {
        Ear { verifier: Mutex::new(Verifier::new(1, 0, 1)), heard: Arc::default(), form, latencies: None }
    }
}
