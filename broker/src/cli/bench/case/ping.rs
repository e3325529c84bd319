//! `ping`: two sessions answer each other, one message at a time; a round trip is one message each way.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::super::crowd::{Clock, Ear, Heard, Latencies};
use super::super::dialer::Session;
use super::super::figures::{Figures, Percentile};
use super::super::stamp::Pen;
use super::super::verify::Verifier;
use super::stage::{Cast, Published, Stage, Timing};

/// An answer that has not come by now will not come.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const ROUND_TRIP_US: [Percentile; 5] = [
    Percentile { key: "p50_us", label: "round trip p50, µs", percentile: 50.0 },
    Percentile { key: "p90_us", label: "round trip p90, µs", percentile: 90.0 },
    Percentile { key: "p99_us", label: "round trip p99, µs", percentile: 99.0 },
    Percentile { key: "p999_us", label: "round trip p99.9, µs", percentile: 99.9 },
    Percentile { key: "max_us", label: "round trip at most, µs", percentile: 100.0 },
];

/// Publishers 0, who begins, and 1, who answers.
pub(in crate::cli::bench) async fn ping(stage: &Stage<'_>) -> anyhow::Result<Figures> {
    let resident_before = stage.resident_bytes();
    let channels = [stage.channel("ping", 0), stage.channel("ping", 1)];
    // Each listens to the other's channel.
    let mut sessions = stage.open(2, |number| vec![channels[1 - number].clone()]).await?.into_iter();
    let heard = Arc::new(Heard::default());
    let mut cast = Cast { resident_before, sessions: 2, ..Cast::default() };
    cast.heard = vec![Arc::clone(&heard)];
    let mut half = |publisher: u32, channel: &String| {
        let ear = cast.crowd.watch(Ear {
            verifier: Mutex::new(Verifier::new(stage.run, 1 - publisher, 1)),
            heard: Arc::clone(&heard),
            form: stage.form,
            latencies: None,
        });
        let pen = Pen::new(channel, stage.form, stage.run, publisher);
        let session = sessions.next().context("a session for each")?;
        anyhow::Ok(Half { session, ear, pen, clock: stage.clock, frame: BytesMut::new() })
    };
    let (first, second) = (half(0, &channels[0])?, half(1, &channels[1])?);
    let round_trips = Arc::new(Latencies::new());
    cast.latencies = Some(Timing { latencies: Arc::clone(&round_trips), names: &ROUND_TRIP_US, unit_ns: 1e3 });
    cast.players.spawn(first.begin(round_trips, Arc::clone(&cast.stop)));
    cast.crowd.run(second.answer());
    stage.play(cast).await
}

/// One of the two.
struct Half {
    session: Session,
    ear: Arc<Ear>,
    pen: Pen,
    clock: Clock,
    frame: BytesMut,
}

impl Half {
    /// Goes on until it is told to stop. As each of its messages was answered, the other has published as many.
    async fn begin(mut self, round_trips: Arc<Latencies>, stop: Arc<AtomicBool>) -> anyhow::Result<Published> {
        while !stop.load(Ordering::Relaxed) {
            let begun_ns = self.say().await?;
            self.hear().await?;
            round_trips.record(self.clock.now_ns() - begun_ns);
        }
        let count = self.pen.written();
        Ok(Published { counts: vec![(0, count), (1, count)], ways: vec![self.session.send] })
    }

    async fn answer(mut self) -> anyhow::Result<Infallible> {
        loop {
            self.hear().await?;
            self.say().await?;
        }
    }

    /// Publishes a message. Gives when.
    async fn say(&mut self) -> anyhow::Result<u64> {
        let now_ns = self.clock.now_ns();
        self.pen.write(now_ns, &mut self.frame);
        self.session.send.write(self.frame.split().freeze()).await?;
        Ok(now_ns)
    }

    /// Waits for the other's message.
    async fn hear(&mut self) -> anyhow::Result<()> {
        loop {
            let body =
                timeout(ANSWER_TIMEOUT, self.session.inward.body()).await.context("a message did not arrive")??;
            if self.ear.take(&body)? {
                return Ok(());
            }
        }
    }
}
