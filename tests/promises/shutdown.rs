//! Shutdown loses nothing that was acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_client::{Bounds, Client, Reason, State, SubscribeOptions};
use callboard_protocol::Position;
use callboard_protocol::close::Code;
use callboard_protocol::frame::Start;
use callboard_tests::checker::{Log, Trial, judge};
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::{Broker, Farewell, Listener, Peer, Process, Reader, Seen, Signal, soon};
use quinn::ConnectionError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CHANNEL: &str = "news";

/// Publishes that each publisher has on its way at once.
const AHEAD: usize = 16;

/// Enough that what waits for a reader who begins late fills more than its window.
const PAYLOAD_BYTES: usize = 200;

/// Acknowledgements in all before the shutdown may begin: by then everybody is at full speed.
const UNDER_WAY: usize = 1000;

/// How much longer than its deadline a shutdown may take on a busy machine.
const MARGIN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_has_reached_every_subscriber() {
    let broker = Broker::start().await;
    let crowd = Crowd::gather(broker.addr(), async || broker.client().await).await;
    broker.drain().await;
    crowd.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_asked_to_end_loses_nothing_and_keeps_its_deadline() {
    let broker = Process::start_configured("[drain]\ndeadline_ms = 2000").await;
    let mut stopped = stopped_reader(broker.addr(), broker.peer().await).await;
    let crowd = Crowd::gather(broker.addr(), async || broker.client().await).await;
    let asked = Instant::now();
    let ended = broker.terminate().await;
    assert!(asked.elapsed() < Duration::from_secs(2) + MARGIN, "it took {:?}", asked.elapsed());
    assert_eq!(ended.status.code(), Some(0), "{}", ended.printed);
    assert_eq!(stopped.peer.closed().await, shutting_down());
    crowd.check().await;
}

#[tokio::test]
async fn who_still_reads_history_gets_what_was_acknowledged_meanwhile() {
    for idle in [Duration::from_millis(1), Duration::from_secs(60)] {
        let broker = Broker::start_with(|config| config.channel_idle = idle).await;
        let mut publisher = broker.peer().await;
        publisher.hello().await;
        let mut published: Vec<String> = (0..100).map(|number| format!("{number:04096}")).collect();
        for message in &published {
            publisher.publish(CHANNEL, message.as_str()).await;
        }
        let mut late = Listener::of("who came late", narrow(broker.addr()).await).await;
        late.subscribe(CHANNEL, Start::Rewind(u32::MAX)).await;
        for number in 0..10 {
            published.push(format!("meanwhile {number}"));
            publisher.publish(CHANNEL, format!("meanwhile {number}")).await;
        }
        let drain = tokio::spawn(broker.drain());
        // That somebody was told goodbye shows how far the drain has come.
        assert_eq!(publisher.goodbye().await.0, Code::ShuttingDown.number());
        assert_eq!(late.hear_out().await.code, Code::ShuttingDown.number());
        late.seen.assert_whole(CHANNEL, published);
        soon("the end of the drain", drain).await.expect("the drain ends well");
    }
}

#[tokio::test]
async fn everybody_is_told_when_to_come_back_and_no_two_at_once() {
    let broker = Broker::start_with(|config| config.drain.spread = Duration::from_secs(1)).await;
    let mut listeners = Vec::new();
    for number in 0..10 {
        listeners.push(Listener::of(&format!("{number}"), broker.peer().await).await);
    }
    let drain = tokio::spawn(broker.drain());
    let mut pauses_ms = Vec::new();
    for listener in &mut listeners {
        let Farewell { code, retry_after_ms } = listener.hear_out().await;
        assert_eq!(code, Code::ShuttingDown.number());
        pauses_ms.push(retry_after_ms.expect("a broker that shuts down says for how long"));
        assert_eq!(listener.peer.closed().await, shutting_down());
    }
    pauses_ms.sort_unstable();
    assert_eq!(pauses_ms, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    soon("the end of the drain", drain).await.expect("the drain ends well");
}

#[tokio::test]
async fn a_drain_lets_nobody_in_and_waits_for_a_stopped_reader_only_to_its_deadline() {
    let deadline = Duration::from_secs(3);
    let broker = Broker::start_with(|config| config.drain.deadline = deadline).await;
    let addr = broker.addr();
    let mut stopped = stopped_reader(addr, broker.peer().await).await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let asked = Instant::now();
    let drain = tokio::spawn(broker.drain());
    // That somebody was told goodbye shows that the drain has begun.
    assert_eq!(listener.hear_out().await.code, Code::ShuttingDown.number());
    let refused = Dialer::new().try_connect(addr).await.expect_err("nobody is let in");
    assert!(matches!(refused, ConnectionError::ConnectionClosed(_)), "it is refused at once: {refused}");
    assert!(!drain.is_finished(), "the reader that stopped holds the drain open");
    soon("the end of the drain", drain).await.expect("the drain ends well");
    assert!(asked.elapsed() < deadline + MARGIN, "it took {:?}", asked.elapsed());
    assert_eq!(stopped.peer.closed().await, shutting_down());
}

#[tokio::test]
async fn a_second_signal_ends_a_draining_process_at_once() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let broker = Process::start_configured("[drain]\ndeadline_ms = 60000").await;
        let _stopped = stopped_reader(broker.addr(), broker.peer().await).await;
        let mut listener = Listener::of("the listener", broker.peer().await).await;
        broker.signal(Signal::TERM);
        assert_eq!(listener.hear_out().await.code, Code::ShuttingDown.number());
        broker.signal(second);
        let ended = soon("the end of the process", broker.ended()).await;
        assert_eq!(ended.status.code(), Some(code), "{}", ended.printed);
    }
}

/// A subscriber that reads nothing, and for whom more waits than the broker may send.
async fn stopped_reader(addr: SocketAddr, mut publisher: Peer) -> Listener {
    let mut stopped = Listener::of("the one who stopped", narrow(addr).await).await;
    stopped.subscribe("noise", Start::Live).await;
    publisher.hello().await;
    for _ in 0..64 {
        publisher.publish("noise", "x".repeat(4 << 10)).await;
    }
    stopped
}

/// A peer to whom the broker may send little ahead of its reading.
async fn narrow(addr: SocketAddr) -> Peer {
    Dialer::with(|options| options.stream_window_bytes = 16 << 10).connect(addr).await
}

fn shutting_down() -> Ending {
    Ending::Closed { code: Code::ShuttingDown.number().into(), reason: Code::ShuttingDown.sentence().to_owned() }
}

/// How many publishes were acknowledged, and the last place of all.
type Acked = Arc<watch::Sender<(usize, Option<Position>)>>;

/// Publishers at full speed, and subscribers that were there before the first message.
struct Crowd {
    acked: Acked,
    published: Vec<Seen>,
    _publishers: JoinSet<()>,
    listeners: JoinSet<(Seen, Farewell)>,
    readers: Vec<Reader>,
    sent_away: JoinSet<State>,
}

impl Crowd {
    /// Everybody is under way when this returns. Half of the listeners read nothing until then, so that much waits for
    /// them when the shutdown begins.
    async fn gather(addr: SocketAddr, client: impl AsyncFn() -> Client) -> Self {
        let (acked, mut publishers, mut published) = (Acked::default(), JoinSet::new(), Vec::new());
        let (mut listeners, mut readers, mut sent_away) = (JoinSet::new(), Vec::new(), JoinSet::new());
        for number in 0..4 {
            let at_once = Listener::of(&format!("listener {number}"), Peer::connect(addr).await).await;
            listeners.spawn(listen(subscribed(at_once).await, acked.subscribe(), 0));
            let late = Listener::of(&format!("late listener {number}"), narrow(addr).await).await;
            listeners.spawn(listen(subscribed(late).await, acked.subscribe(), UNDER_WAY));
            let client = client().await;
            let queue = Bounds { messages: usize::MAX, bytes: usize::MAX };
            let options = SubscribeOptions { queue, ..SubscribeOptions::default() };
            readers.push(Reader::with(&format!("reader {number}"), &client, CHANNEL, options).await);
            let mut states = client.states();
            sent_away.spawn(async move {
                let offline = states.wait_for(|state| !matches!(state, State::Online(_))).await;
                offline.expect("the client comes back")
            });
        }
        for number in 0..3 {
            let publisher = Listener::of(&format!("peer {number}"), Peer::connect(addr).await).await;
            published.push(publisher.seen.clone());
            publishers.spawn(publish_ahead(publisher, Arc::clone(&acked)));
        }
        let client = client().await;
        for number in 0..AHEAD {
            let seen = Seen::of("client", format!("client {number}"));
            published.push(seen.clone());
            publishers.spawn(publish_on(client.clone(), seen, Arc::clone(&acked)));
        }
        soon("full speed", under_way(acked.subscribe(), UNDER_WAY)).await;
        Self { acked, published, _publishers: publishers, listeners, readers, sent_away }
    }

    /// After the shutdown: everybody was told, and everybody has everything that was acknowledged.
    async fn check(mut self) {
        let mut witnesses = Vec::new();
        while let Some(heard) = soon("the goodbyes", self.listeners.join_next()).await {
            let (seen, farewell) = heard.expect("a listener hears a goodbye");
            assert_eq!(farewell.code, Code::ShuttingDown.number());
            witnesses.push(seen);
        }
        while let Some(state) = soon("the clients' news", self.sent_away.join_next()).await {
            let state = state.expect("a client is told");
            let State::Waiting { why: Reason::Ended { code, .. }, .. } = state else { panic!("a client is {state:?}") };
            assert_eq!(code, Code::ShuttingDown.number());
        }
        let (_, last) = *self.acked.borrow();
        for mut reader in self.readers {
            reader.read_to(last.expect("something was acknowledged")).await;
            witnesses.push(reader.seen);
        }
        for witness in &witnesses {
            assert_eq!(witness.gaps(CHANNEL), 0);
        }
        let logs: Vec<Log> = witnesses.iter().chain(&self.published).map(Seen::log).collect();
        judge(&Trial::drained(&logs)).assert_none();
    }
}

fn note_acked(acked: &Acked, position: Position) {
    acked.send_modify(|(count, last)| {
        *count += 1;
        *last = last.filter(|last| last.offset > position.offset).or(Some(position));
    });
}

/// Waits until this many publishes are acknowledged.
async fn under_way(mut acked: watch::Receiver<(usize, Option<Position>)>, publishes: usize) {
    acked.wait_for(|(acked, _)| *acked >= publishes).await.expect("the publishers are there");
}

async fn subscribed(mut listener: Listener) -> Listener {
    listener.subscribe(CHANNEL, Start::Live).await;
    listener
}

/// Hears everything to the goodbye, from when this many publishes are acknowledged.
async fn listen(
    mut listener: Listener,
    acked: watch::Receiver<(usize, Option<Position>)>,
    publishes: usize,
) -> (Seen, Farewell) {
    under_way(acked, publishes).await;
    let farewell = listener.hear_out().await;
    (listener.seen, farewell)
}

/// Publishes a handful, waits for the answers, and so on to the end of the session.
async fn publish_ahead(mut publisher: Listener, acked: Acked) {
    let name = publisher.seen.name();
    for round in 0.. {
        let mut sent = Vec::new();
        for number in 0..AHEAD {
            let message = format!("{name}: {round}.{number:0PAYLOAD_BYTES$}");
            sent.push(publisher.send_publish(0, CHANNEL, message).await);
        }
        for request in sent {
            let Some((answered, position)) = publisher.answered_or_gone().await else { return };
            assert_eq!(answered, request, "answers of one channel come in order");
            note_acked(&acked, position);
        }
    }
}

/// Publishes one message after the other, to the end of the client.
async fn publish_on(client: Client, seen: Seen, acked: Acked) {
    let name = seen.name();
    for number in 0.. {
        let message = format!("{name}: {number:0PAYLOAD_BYTES$}");
        let Ok(position) = seen.publish_acked(&client, CHANNEL, message).await else { return };
        note_acked(&acked, position);
    }
}
