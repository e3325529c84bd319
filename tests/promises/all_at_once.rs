//! What comes all at once is taken as if it came one after the other.

use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use callboard::config::{History, Pattern};
use callboard::defaults::{CHANNEL_MAILBOX, OUTBOX_BYTES};
use callboard::identity::KeyStore;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Credential, Goodbye, Logout, Publish, Start};
use callboard_protocol::limits::{LABEL_BYTES_MAX, PAYLOAD_BYTES_DEFAULT};
use callboard_protocol::{PayloadRef, Position, RequestId, Sequence};
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::{Broker, Listener, Peer, SOON, eventually, soon};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

/// Short, so that many publishes come in one read.
const CHANNEL: &str = "c";

/// A channel to which nothing is published when its members leave.
const QUIET: &str = "quiet";

/// More than a channel's mailbox takes at once, however much of it is taken meanwhile.
const MEMBERS: usize = 650;

/// How many handshakes are on their way at once.
const AT_ONCE: usize = 50;

/// How long a channel stays awake: longer than members need to leave, shorter than the pauses of who looks after it.
const IDLE: Duration = Duration::from_millis(500);

/// The largest payload where outboxes are to be full soon.
const PAYLOAD_BYTES: usize = 8 << 10;

/// Tiny messages in one write: as many as come in one read.
const BURST: usize = 4_000;

/// So many of a burst's bytes are on their way before the broker reads the first.
const BURST_BYTES: u64 = 36_000;

/// What an empty message has beside its publisher's name, at least.
const OTHER_FIELDS_BYTES: usize = 15;

const BURSTS: usize = 3;

#[tokio::test]
async fn members_whose_connections_all_close_at_once_are_no_members_any_more() {
    let broker = forgetful_broker().await;
    let mut visitor = broker.peer().await;
    visitor.hello().await;
    let dialer = Dialer::new();
    let members = gather(&dialer, broker.addr(), &[QUIET]).await;
    let first = visitor.publish(QUIET, "everybody is here").await;
    dialer.endpoint().close(0_u32.into(), b"");
    drop(members);
    another_life(&mut visitor, first).await;
}

#[tokio::test]
async fn members_who_are_all_sent_away_at_once_are_no_members_any_more() {
    let broker = forgetful_broker().await;
    let mut visitor = broker.peer().await;
    visitor.hello().await;
    let dialer = Dialer::with(|options| options.stream_window_bytes = 1 << 10);
    let _members = gather(&dialer, broker.addr(), &[QUIET, CHANNEL]).await;
    let first = visitor.publish(QUIET, "everybody is here").await;
    // Nobody reads, so that every outbox is full at the same message.
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    let message = "x".repeat(PAYLOAD_BYTES);
    publisher.send_all(&[cast(&message); 20]).await;
    publisher.publish(CHANNEL, "nobody is left").await;
    another_life(&mut visitor, first).await;
}

/// A broker whose quiet channel remembers nothing and waits for nobody: it lives as long as it has members.
async fn forgetful_broker() -> Broker {
    Broker::start_with(|config| {
        config.channel_idle = IDLE;
        config.channel_grace = Duration::ZERO;
        config.payload_bytes_max = PAYLOAD_BYTES;
        config.outbox.bytes = 4 * PAYLOAD_BYTES;
        let pattern = Pattern::parse(QUIET).expect("it is a pattern");
        config.history.push((pattern, History { messages: 0, ..History::default() }));
    })
    .await
}

/// Lets all members in, from one socket.
async fn gather(dialer: &Dialer, broker: SocketAddr, channels: &'static [&str]) -> Vec<Peer> {
    let mut members = Vec::new();
    while members.len() < MEMBERS {
        let entering = (0..AT_ONCE).map(|_| {
            let dialer = dialer.clone();
            async move {
                let mut peer = dialer.connect(broker).await;
                peer.hello().await;
                for channel in channels {
                    peer.subscribe(channel).await;
                }
                peer
            }
        });
        members.extend(entering.collect::<JoinSet<_>>().join_all().await);
    }
    members
}

/// Visits the quiet channel, with pauses in which it may sleep, until it has another epoch: nothing of it was left.
async fn another_life(visitor: &mut Peer, first: Position) {
    let mut pause = interval(4 * IDLE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reborn = async {
        loop {
            pause.tick().await;
            let life = visitor.subscribe(QUIET).await.position.epoch;
            visitor.unsubscribe(QUIET).await;
            if life != first.epoch {
                return;
            }
        }
    };
    soon("another life of a channel that everybody has left", reborn).await;
}

#[tokio::test]
async fn bursts_of_tiny_messages_send_no_idle_subscriber_away() {
    let broker = Broker::start().await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Live).await;
    // What is tiny on the way in is not on the way out: there each message has its publisher's name.
    let name = "n".repeat(LABEL_BYTES_MAX);
    assert!(BURST * (OTHER_FIELDS_BYTES + name.len()) > OUTBOX_BYTES, "together they are more than an outbox takes");
    let keys = KeyStore::open(broker.data_dir()).expect("the keys are readable");
    let secret = keys.create(&name).expect("a key can be made").reveal();
    let (addr, (is_ready, ready)) = (broker.addr(), oneshot::channel());
    let ((go, told), (sent, under_way)) = (mpsc::channel(1), sync_channel(1));
    // On a thread of its own: it goes on while this one, and with it the broker, stands still.
    let publishing = spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        runtime.block_on(publish_in_bursts(addr, &secret, is_ready, told, &sent));
    });
    soon("the publisher", ready).await.expect("it is let in");
    for burst in 1..=BURSTS {
        go.send(()).await.expect("the publisher waits for this");
        // The broker stands still until the burst is there, so that as much of it as can be is read at once.
        under_way.recv_timeout(SOON).expect("a burst is sent");
        listener.hear(&subscribed, burst * BURST).await;
    }
    drop(go);
    soon("the end of the publisher", publishing).await.expect("it has published everything");
    listener.seen.assert_whole(CHANNEL, vec![""; BURSTS * BURST]);
}

/// Sends a burst each time that it is told to, and says when that is on its way.
async fn publish_in_bursts(
    broker: SocketAddr,
    secret: &str,
    ready: oneshot::Sender<()>,
    mut told: mpsc::Receiver<()>,
    under_way: &SyncSender<()>,
) {
    let mut publisher = Peer::connect(broker).await;
    publisher.hello_as(Some(Credential { strategy: "apikey", secret })).await;
    // QUIC sends much at once only to whom it has sent much before.
    for _ in 0..4 {
        publisher.publish("elsewhere", "x".repeat(PAYLOAD_BYTES_DEFAULT)).await;
    }
    ready.send(()).expect("the test waits for this");
    while told.recv().await.is_some() {
        let connection = publisher.connection().clone();
        let sent = || connection.stats().udp_tx.bytes;
        let before = sent();
        publisher.send_all(&[cast(""); BURST]).await;
        eventually("the burst on its way", async || (sent() >= before + BURST_BYTES).then_some(())).await;
        under_way.send(()).expect("the test waits for this");
    }
}

#[tokio::test]
async fn publishes_behind_which_their_publisher_says_goodbye_are_all_delivered() {
    let broker = Broker::start().await;
    let mut listener = Listener::of("the listener", broker.peer().await).await;
    let subscribed = listener.subscribe(CHANNEL, Start::Live).await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    let messages: Vec<String> = (0..CHANNEL_MAILBOX + 64).map(|number| number.to_string()).collect();
    let mut frames = Vec::new();
    for message in &messages {
        frames.push(cast(message));
        // What comes behind it has other rights, and is handed over by itself: so the mailbox is full before the end.
        frames.push(ClientFrame::Logout(Logout { request: publisher.next_request() }));
    }
    frames.push(ClientFrame::Goodbye(Goodbye { code: Code::Finished.number(), sentence: "", retry_after: None }));
    publisher.send_all(&frames).await;
    assert_eq!(publisher.closed().await, closed(Code::Finished));
    listener.hear(&subscribed, messages.len()).await;
    listener.seen.assert_whole(CHANNEL, messages.iter().map(String::as_str));
}

/// A publish that asks for no answer.
fn cast(message: &str) -> ClientFrame<'_> {
    let (request, sequence, payload) = (RequestId::ZERO, Sequence::ZERO, PayloadRef::text(message));
    ClientFrame::Publish(Publish { request, sequence, channel: CHANNEL, key: None, payload })
}

fn closed(code: Code) -> Ending {
    Ending::Closed { code: code.number().into(), reason: code.sentence().to_owned() }
}
