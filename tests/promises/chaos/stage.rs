//! A broker's process, clients behind a proxy, and what is done to them; what they saw is judged elsewhere.

use std::time::Duration;

use callboard_client::{Bounds, Builder, ConnectError, Overflow, SubscribeOptions};
use callboard_tests::checker::{Log, Sample};
use callboard_tests::load::{Clients, Habit};
use callboard_tests::process::{Disk, Ended};
use callboard_tests::proxy::Dice;
use callboard_tests::{Process, Proxy, Way};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::plan::{Blow, Step};

/// How long after the last fault everybody may take to be back and to have everything.
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(10);

const CHANNELS: [&str; 3] = ["act/one", "act/two", "act/three"];

/// Small, so that its bound on memory means something, and quick: with the defaults a client may take half a minute to
/// notice that its broker is gone, and as long until it tries again.
const CONFIG: &str = "
idle_timeout_ms = 2000
subscriptions_max = 50
metrics_listen = \"127.0.0.1:0\"
[outbox]
messages = 2048
bytes = 262144
[drain]
deadline_ms = 3000
spread_ms = 300
[limits]
connections = 200
handshakes = 100
channels = 500
subscriptions = 2000
history_bytes = 4194304
publish_id_bytes = 4194304
outbox_bytes = 8388608
inbox_bytes = 4194304
window_bytes = 16777216
[[history]]
pattern = \"**\"
messages = 256
bytes = 131072
age_ms = 60000
";

/// The clients' part of the same: silence, an attempt and a pause fit into [`BACK_WITHIN`] together.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// From one publish of a publisher to the next.
const PACE: Duration = Duration::from_millis(15);

/// Behind each message a slow reader rests so long: it falls behind, and catches up when it hurries.
const REST: Duration = Duration::from_millis(40);

/// How long a client of a storm stays at most.
const VISIT: Duration = Duration::from_millis(800);

/// Everything that a trial has.
pub(super) struct Stage {
    clients: Clients,
    proxy: Proxy,
    broker: Option<Process>,
    builder: Builder,
    storm: JoinSet<()>,
    dice: Dice,
    memory: Vec<Sample>,
    last_fault_ms: u64,
    memory_bound_bytes: u64,
}

impl Stage {
    /// Starts a broker, and everybody who publishes and reads.
    pub(super) async fn set(seed: u64) -> Result<Self, String> {
        let broker = Process::start_configured(CONFIG).await;
        let proxy = Proxy::seeded(broker.addr(), seed).await;
        let builder = broker.client_builder_by(proxy.addr());
        let builder = builder.idle_timeout(IDLE_TIMEOUT).attempt_timeout(ATTEMPT_TIMEOUT);
        let mut stage = Self {
            clients: Clients::new(seed),
            proxy,
            broker: Some(broker),
            builder,
            storm: JoinSet::new(),
            dice: Dice::of(seed, 1),
            memory: Vec::new(),
            last_fault_ms: 0,
            memory_bound_bytes: u64::MAX,
        };
        stage.gather().await?;
        stage.look().await?;
        Ok(stage)
    }

    async fn gather(&mut self) -> Result<(), String> {
        let tight = SubscribeOptions { queue: Bounds { messages: 32, bytes: 64 << 10 }, ..SubscribeOptions::default() };
        let block = SubscribeOptions { overflow: Overflow::Block, ..tight };
        let usual = SubscribeOptions::default();
        let slow = Habit::Slow(REST);
        for (name, publishes, reads) in [
            ("herald", &[][..], &[(CHANNELS[0], usual, Habit::Steady), (CHANNELS[2], usual, Habit::Steady)][..]),
            ("author", &CHANNELS[..], &[]),
            ("actor", &CHANNELS[..2], &[(CHANNELS[0], usual, Habit::Steady), (CHANNELS[1], usual, slow)]),
            ("prompter", &CHANNELS[..1], &[]),
            ("dreamer", &[], &[(CHANNELS[0], tight, slow), (CHANNELS[1], usual, Habit::Steady)]),
            ("sleeper", &[], &[(CHANNELS[0], block, slow)]),
            ("guest", &[], &CHANNELS.map(|channel| (channel, usual, Habit::Restless))),
            ("critic", &[], &[(CHANNELS[0], usual, Habit::Restless)]),
        ] {
            let client = self.clients.enter(name, self.builder.clone()).await?;
            for (channel, options, habit) in reads {
                self.clients.reads(name, &client, channel, *options, *habit);
            }
            if !publishes.is_empty() {
                self.clients.publishes(name, &client, publishes, PACE);
            }
        }
        Ok(())
    }

    /// Does what a step says, and lets it last.
    pub(super) async fn strike(&mut self, step: Step) -> Result<(), String> {
        match step.blow {
            Blow::Kill { disk } => {
                let ended = self.leave()?.kill().await;
                self.come_back(ended, disk).await?;
            }
            Blow::Drain { disk } => {
                let ended = self.leave()?.terminate().await;
                if !ended.status.success() {
                    return Err(format!("SIGTERM ended the broker with {}:\n{}", ended.status, ended.printed));
                }
                self.come_back(ended, disk).await?;
            }
            Blow::Pause(pause) => {
                self.broker()?.pause();
                sleep(pause).await;
                self.broker()?.resume();
            }
            Blow::Network { way, faults } => ways(way).for_each(|way| self.proxy.set(way, faults)),
            Blow::Cut(way) => ways(way).for_each(|way| self.proxy.lose(way)),
            Blow::Rebind => self.proxy.rebind(),
            Blow::Move => {
                for client in self.clients.each() {
                    client.rebind().await.map_err(|error| format!("a client could not move: {error}"))?;
                }
            }
            Blow::Storm(clients) => self.raise_storm(clients),
        }
        sleep(step.then).await;
        Ok(())
    }

    /// No more harm is done; waits until everybody is back and has everything.
    pub(super) async fn rest(&mut self) -> Result<(), String> {
        self.heal();
        self.clients.roll_call(BACK_WITHIN).await?;
        self.look().await?;
        self.clients.carry_on();
        Ok(())
    }

    /// The same for good. Gives what everybody noted, when the last fault was over, and what memory was needed.
    pub(super) async fn end(&mut self) -> Result<(Vec<Log>, u64, Vec<Sample>), String> {
        self.heal();
        let logs = self.clients.part(BACK_WITHIN).await?;
        self.look().await?;
        self.settle().await?;
        Ok((logs, self.last_fault_ms, std::mem::take(&mut self.memory)))
    }

    /// What was noted so far.
    pub(super) fn logs(&self) -> Vec<Log> {
        self.clients.logs()
    }

    fn heal(&mut self) {
        self.proxy.heal();
        self.storm.abort_all();
        self.last_fault_ms = self.clients.now_ms();
    }

    fn broker(&self) -> Result<&Process, String> {
        self.broker.as_ref().ok_or_else(|| "no broker runs".to_owned())
    }

    /// The broker, whose run is about to end.
    fn leave(&mut self) -> Result<Process, String> {
        self.sample();
        self.broker.take().ok_or_else(|| "no broker runs".to_owned())
    }

    async fn come_back(&mut self, ended: Ended, disk: Disk) -> Result<(), String> {
        judge_printed(&ended.printed)?;
        self.broker = Some(ended.restart_on(disk).await);
        Ok(())
    }

    /// Looks at the broker: it lives, nothing in it panicked, and its memory is measured.
    async fn look(&mut self) -> Result<(), String> {
        let broker = self.broker()?;
        judge_printed(&broker.printed())?;
        let metrics = broker.metrics().await.map_err(|error| format!("the broker tells no metrics: {error}"))?;
        self.memory_bound_bytes = metrics.value("callboard_memory_bound_bytes");
        self.sample();
        match metrics.value("callboard_panics_total") {
            0 => Ok(()),
            panics => Err(format!("{panics} actors panicked")),
        }
    }

    /// Waits until the broker has nothing left of those who came and went, and nothing that waits for anybody.
    async fn settle(&self) -> Result<(), String> {
        let clients = self.clients.each().count() as u64;
        let expected = [
            ("callboard_connections", clients),
            ("callboard_sessions", clients),
            ("callboard_subscriptions", 0),
            ("callboard_inbox_bytes", 0),
            ("callboard_outbox_bytes", 0),
        ];
        let until = Instant::now() + BACK_WITHIN;
        loop {
            let metrics =
                self.broker()?.metrics().await.map_err(|error| format!("the broker tells no metrics: {error}"))?;
            let Some((name, value)) = expected.into_iter().find(|(name, value)| metrics.value(name) != *value) else {
                return Ok(());
            };
            if Instant::now() > until {
                let told = metrics.value(name);
                return Err(format!(
                    "{name} is {told} and should be {value}, {BACK_WITHIN:?} after everything was over"
                ));
            }
            sleep(BACK_WITHIN / 100).await;
        }
    }

    fn sample(&mut self) {
        let peak = self.broker.as_ref().and_then(Process::memory_bytes_peak);
        if let Some(measured_bytes) = peak.and_then(|bytes| u64::try_from(bytes).ok()) {
            let (at_ms, allowed_bytes) = (self.clients.now_ms(), self.memory_bound_bytes);
            self.memory.push(Sample { at_ms, measured_bytes, allowed_bytes });
        }
    }

    /// Clients come at once, subscribe if they get so far, and are gone without a word.
    fn raise_storm(&mut self, clients: usize) {
        for _ in 0..clients {
            let (builder, stays) = (self.builder.clone(), self.dice.up_to(VISIT));
            self.storm.spawn(async move {
                let visit = async {
                    let client = builder.connect().await?;
                    let _subscription = client.subscribe(CHANNELS[0]).await;
                    std::future::pending::<Result<(), ConnectError>>().await
                };
                // Whatever became of it: the broker is not to care.
                drop(timeout(stays, visit).await);
            });
        }
    }
}

fn judge_printed(printed: &str) -> Result<(), String> {
    let panicked = printed.lines().find(|line| line.contains("panicked"));
    panicked.map_or(Ok(()), |line| Err(format!("the broker printed: {line}")))
}

fn ways(way: Option<Way>) -> impl Iterator<Item = Way> {
    Way::BOTH.into_iter().filter(move |one| way.is_none_or(|way| way == *one))
}
