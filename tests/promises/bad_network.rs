//! On a bad network everything that was taken comes once, in order and as it was, or its loss is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use callboard_client::{State, SubscribeOptions};
use callboard_tests::checker::{Fact, Log, Trial, judge};
use callboard_tests::load::{Clients, Habit};
use callboard_tests::proxy::Faults;
use callboard_tests::{Broker, Metrics, Proxy, Way, eventually, soon, within};

const CHANNELS: [&str; 2] = ["stage/left", "stage/right"];

/// Silence after which a client gives its connection up: the shortest that it can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client may take to be back, and to have everything, when the network is well again.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// From one publish of a publisher to the next.
const PACE: Duration = Duration::from_millis(5);

/// What two publishers and their readers see before a test has seen enough.
const FACTS: usize = 1500;

/// A broker, and behind a proxy two clients that publish and read.
struct Stage {
    clients: Clients,
    proxy: Proxy,
    broker: Broker,
}

impl Stage {
    async fn set(seed: u64) -> Self {
        let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let broker = Broker::start_with(|config| config.metrics_listen = listen).await;
        let proxy = Proxy::seeded(broker.addr(), seed).await;
        let mut clients = Clients::new(seed);
        for name in ["one", "two"] {
            let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE_TIMEOUT);
            let builder = builder.attempt_timeout(3 * IDLE_TIMEOUT);
            let client = soon("a session", clients.enter(name, builder)).await.expect("the network is well");
            for channel in CHANNELS {
                clients.reads(name, &client, channel, SubscribeOptions::default(), Habit::Steady);
            }
            clients.publishes(name, &client, &CHANNELS, PACE);
        }
        Self { clients, proxy, broker }
    }

    /// Waits until so much more was seen.
    async fn see(&self, facts: usize) {
        let before = self.clients.facts();
        let seen = eventually("more to see", async || (self.clients.facts() >= before + facts).then_some(()));
        seen.await;
    }

    /// How many connections the broker has.
    async fn connections(&self) -> u64 {
        let metrics = self.broker.inner().metrics_addr().expect("it serves metrics");
        Metrics::read(metrics).await.expect("the broker answers").value("callboard_connections")
    }

    /// The network is well again: everybody comes to rest, and is judged.
    async fn end(mut self) -> Vec<Log> {
        self.proxy.heal();
        let last_fault_ms = self.clients.now_ms();
        let logs = self.clients.part(BACK_WITHIN).await.expect("everybody is back and has everything");
        let within_ms = u64::try_from(BACK_WITHIN.as_millis()).expect("it is short");
        judge(&Trial::quiet(&logs, Some(last_fault_ms), within_ms)).assert_none();
        logs
    }
}

fn count(logs: &[Log], is_so: impl Fn(&Fact) -> bool) -> usize {
    logs.iter().flat_map(Log::facts).filter(|(_, fact)| is_so(fact)).count()
}

#[tokio::test]
async fn loss_repetition_disorder_and_delay_leave_everything_whole() {
    let stage = Stage::set(1).await;
    let bad = Faults {
        drop: 0.2,
        duplicate: 0.1,
        reorder: 0.2,
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(20),
        ..Faults::default()
    };
    Way::BOTH.into_iter().for_each(|way| stage.proxy.set(way, bad));
    // On such a network QUIC sends little at once.
    stage.see(FACTS / 3).await;
    let counts = stage.proxy.counts();
    let struck = [&counts.dropped, &counts.duplicated, &counts.held_back, &counts.late];
    assert!(struck.into_iter().all(|count| count.value() > 20), "{counts:?}");
    stage.end().await;
}

#[tokio::test]
async fn flipped_bits_never_become_wrong_bytes() {
    let stage = Stage::set(2).await;
    Way::BOTH.into_iter().for_each(|way| stage.proxy.set(way, Faults { flip: 0.1, ..Faults::default() }));
    stage.see(FACTS).await;
    assert!(stage.proxy.counts().flipped.value() > 20);
    let logs = stage.end().await;
    assert_eq!(count(&logs, |fact| matches!(fact, Fact::Disconnected { .. } | Fact::Gap { .. })), 0);
}

#[tokio::test]
async fn a_path_that_swallows_large_datagrams_carries_a_session() {
    let stage = Stage::set(3).await;
    Way::BOTH.into_iter().for_each(|way| stage.proxy.set(way, Faults { bytes_max: Some(1200), ..Faults::default() }));
    stage.see(FACTS).await;
    assert!(stage.proxy.counts().too_large.value() > 0);
    let logs = stage.end().await;
    assert_eq!(count(&logs, |fact| matches!(fact, Fact::Gap { .. })), 0);
}

#[tokio::test]
async fn a_session_can_be_opened_on_a_path_that_swallows_large_datagrams() {
    let broker = Broker::start().await;
    let proxy = Proxy::before(broker.addr()).await;
    Way::BOTH.into_iter().for_each(|way| proxy.set(way, Faults { bytes_max: Some(1200), ..Faults::default() }));
    let client = broker.client_builder_by(proxy.addr()).connect().await.expect("QUIC's first datagrams are small");
    let text = "x".repeat(60_000);
    soon("the acknowledgement", client.publish_acked(CHANNELS[0], text)).await.expect("it is taken");
}

#[tokio::test]
async fn when_one_way_is_dead_for_longer_than_the_idle_timeout_both_sides_notice_and_the_client_comes_back() {
    for (seed, way) in [(4, Way::ToBroker), (5, Way::ToClient)] {
        let stage = Stage::set(seed).await;
        stage.see(FACTS / 5).await;
        assert_eq!(stage.connections().await, 2);
        stage.proxy.lose(way);
        for client in stage.clients.each() {
            let mut states = client.states();
            let away = states.wait_for(|state| matches!(state, State::Waiting { .. } | State::Connecting));
            within(BACK_WITHIN, away).await.expect("the client does not close");
        }
        // Nobody can come back on half a network, so what the broker still has open are the old connections.
        eventually("the broker's notice", async || (stage.connections().await == 0).then_some(())).await;
        let logs = stage.end().await;
        assert!(count(&logs, |fact| matches!(fact, Fact::Disconnected { .. })) >= 2);
    }
}
