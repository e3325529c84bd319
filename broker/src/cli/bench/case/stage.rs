//! What a case plays on: sessions with one server, a clock, and the marks between which it is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::super::crowd::{Clock, Crowd, Heard, Latencies, Trouble};
use super::super::dialer::{Dialer, Session};
use super::super::figures::{Figures, Percentile};
use super::super::line::Outward;
use super::super::machine;
use super::super::progress::{Progress, TICK};
use super::super::stamp::Form;

/// Sessions that are opened at once: no broker takes that for a flood.
const OPENING: usize = 32;

/// One run's surroundings.
#[derive(Debug)]
pub(in crate::cli::bench) struct Stage<'a> {
    pub(in crate::cli::bench) dialer: &'a Dialer,
    /// The server's process, if it is known.
    pub(in crate::cli::bench) pid: Option<u32>,
    /// The run's number, drawn at random.
    pub(in crate::cli::bench) run: u32,
    pub(in crate::cli::bench) clock: Clock,
    pub(in crate::cli::bench) form: Form,
    pub(in crate::cli::bench) duration: Duration,
    pub(in crate::cli::bench) progress: &'a Progress,
}

/// What a player gives at its end.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// How many messages each of its publishers published.
    pub(super) counts: Vec<(u32, u64)>,
    /// What it published on, kept until all are done: a session without its outward half is over.
    pub(super) ways: Vec<Outward>,
}

/// Everyone and everything that a run is made of. Dropping it ends it.
#[derive(Debug, Default)]
pub(super) struct Cast {
    pub(super) crowd: Crowd,
    pub(super) heard: Vec<Arc<Heard>>,
    /// Those who publish, until they are told to stop.
    pub(super) players: JoinSet<anyhow::Result<Published>>,
    pub(super) stop: Arc<AtomicBool>,
    /// The outward halves of sessions that only listen.
    pub(super) silent: Vec<Outward>,
    pub(super) latencies: Option<Timing>,
    /// What the server held before the first session was opened, in bytes.
    pub(super) resident_before: Option<f64>,
    pub(super) sessions: usize,
}

/// How long things took, and what that is called.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) latencies: Arc<Latencies>,
    pub(super) names: &'static [Percentile],
    /// Nanoseconds of the unit in which it is told.
    pub(super) unit_ns: f64,
}

/// What was measured between two marks.
#[derive(Debug)]
struct Mark {
    at: Instant,
    cpu_s: Option<f64>,
    messages: u64,
}

impl Stage<'_> {
    /// A name for a channel that no other run has.
    pub(super) fn channel(&self, name: &str, number: usize) -> String {
        format!("bench/{:08x}/{name}/{number}", self.run)
    }

    /// Opens sessions; the one with number `n` subscribes to `channels(n)`.
    pub(super) async fn open(
        &self,
        count: usize,
        channels: impl Fn(usize) -> Vec<String>,
    ) -> anyhow::Result<Vec<Session>> {
        self.progress.phase(&format!("opening {count} sessions"));
        let opening = stream::iter(0..count).map(|number| {
            let channels = channels(number);
            async move {
                let mut session = self.dialer.open().await?;
                if !channels.is_empty() {
                    session.subscribe(&channels).await?;
                }
                anyhow::Ok(session)
            }
        });
        opening.buffered(OPENING).try_collect().await
    }

    /// What the server holds now, in bytes.
    pub(super) fn resident_bytes(&self) -> Option<f64> {
        machine::usage(self.pid).resident_bytes
    }

    /// Warms up, measures, stops the players, and checks what came.
    pub(super) async fn play(&self, mut cast: Cast) -> anyhow::Result<Figures> {
        let trouble = cast.crowd.trouble();
        self.progress.phase("warming up");
        self.wait(warm_up(self.duration), &trouble, &mut cast.players).await?;
        if let Some(timing) = &cast.latencies {
            timing.latencies.reset();
        }
        self.progress.phase("measuring");
        let begun = self.mark(&cast);
        self.wait(self.duration, &trouble, &mut cast.players).await?;
        let ended = self.mark(&cast);
        let histogram = cast.latencies.as_ref().map(|timing| timing.latencies.histogram());
        let resident = self.resident_bytes();
        let published = stop(&mut cast, &trouble).await?;

        let mut figures = Figures::default();
        let deliveries = (ended.messages - begun.messages) as f64;
        let cpu_s = begun.cpu_s.zip(ended.cpu_s).map(|(begun, ended)| ended - begun);
        if let (Some(timing), Some(histogram)) = (&cast.latencies, histogram) {
            figures.add_percentiles(timing.names, &histogram, timing.unit_ns);
        }
        let per_million = cpu_s.map(|cpu_s| cpu_s / deliveries * 1e6);
        figures.add("cpu_s_per_million", "server CPU, s per million deliveries", per_million);
        let seconds = (ended.at - begun.at).as_secs_f64();
        figures.add("deliveries_per_s", "deliveries per second", Some(deliveries / seconds));
        figures.add("resident_kib", "server memory, KiB", resident.map(|bytes| bytes / 1024.0));
        let grown = cast.resident_before.zip(resident).map(|(before, now)| now - before);
        let a_session = grown.map(|bytes| bytes / 1024.0 / cast.sessions as f64);
        figures.add("kib_per_connection", "the same per connection, without the first", a_session);
        figures.tally = cast.crowd.tally(|publisher| sum_of(&published, publisher));
        Ok(figures)
    }

    /// Lets time pass, unless somebody is in trouble or leaves too early.
    pub(super) async fn wait(
        &self,
        time: Duration,
        trouble: &Trouble,
        players: &mut JoinSet<anyhow::Result<Published>>,
    ) -> anyhow::Result<()> {
        let (begun, mut passed) = (Instant::now(), Duration::ZERO);
        while passed < time {
            let step = TICK.min(time - passed);
            let interruption = async {
                tokio::select! {
                    biased;
                    why = trouble.comes() => why,
                    Some(ended) = players.join_next() => match ended {
                        Ok(Err(why)) => why,
                        Ok(Ok(_)) => anyhow::anyhow!("a publisher stopped too early"),
                        Err(panic) => panic.into(),
                    },
                }
            };
            if let Ok(why) = timeout_at(begun + passed + step, interruption).await {
                return Err(why);
            }
            passed += step;
            self.progress.pass(step);
        }
        Ok(())
    }

    fn mark(&self, cast: &Cast) -> Mark {
        let messages = cast.heard.iter().map(|heard| heard.messages()).sum();
        Mark { at: Instant::now(), cpu_s: machine::usage(self.pid).cpu_s, messages }
    }
}

/// Tells the players to stop and waits until the last delivery came. Gives what they published.
async fn stop(cast: &mut Cast, trouble: &Trouble) -> anyhow::Result<Published> {
    cast.stop.store(true, Ordering::Relaxed);
    let mut published = Published::default();
    loop {
        tokio::select! {
            biased;
            player = cast.players.join_next() => match player {
                Some(player) => {
                    let player = player.context("a publisher broke")??;
                    published.counts.extend(player.counts);
                    published.ways.extend(player.ways);
                }
                None => return Ok(published),
            },
            why = trouble.comes() => bail!(why),
        }
    }
}

fn sum_of(published: &Published, publisher: u32) -> u64 {
    published.counts.iter().filter(|(player, _)| *player == publisher).map(|(_, count)| count).sum()
}

/// How long a run of this length warms up.
pub(in crate::cli::bench) fn warm_up(duration: Duration) -> Duration {
    (duration / 10).min(Duration::from_secs(1))
}
