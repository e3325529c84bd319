//! The memory of a broker stays below what `callboard check` says for its configuration, whatever its peers do at once.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use callboard::config::Draft;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::frame::{ClientFrame, Publish, Start, Subscribe, SubscribeOptions};
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::raw::{Bridge, Dialer, first_datagrams};
use callboard_tests::{Neighbour, Peer, Process};
use tokio::net::UdpSocket;

/// Small enough that a test can fill all of it, several times if nothing held it.
const CONFIGURATION: &str = r#"
hello_timeout_ms = 600000
idle_timeout_ms = 600000
channel_idle_ms = 600000
[ws]
http_connections = 4
http_connections_per_address = 4
publish_bytes = 65536
[outbox]
bytes = 8388608
[limits]
connections = 130
handshakes = 60
channels = 1000
subscriptions = 5000
history_bytes = 12582912
publish_id_bytes = 4194304
outbox_bytes = 16777216
inbox_bytes = 6291456
window_bytes = 20971520
"#;

pub(crate) const CHANNELS: usize = 940;

/// Who subscribes to all of them under the longest names, together as often as may be.
const SUBSCRIBERS: usize = 5;

/// Who asks for history and does not read it.
const REWINDERS: usize = 8;

/// Who begins a frame of a mebibyte.
const BEGINNERS: usize = 60;

/// Who publishes under ids.
const PUBLISHERS: usize = 300;

/// Who hears nothing any more, and how many bytes it is told all the same: one message at a time, then many at once.
const DEAF: usize = 40;
const PECKS: usize = 600;
const TOLD_BYTES: usize = 4_000_000;

/// What everybody who is deaf is subscribed to.
const PECKED: &str = "pecked";

/// Longer than loopback takes for half a mebibyte.
pub(crate) const A_WHILE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_can_be_filled_at_once_stays_below_the_bound() {
    let broker = Process::start_configured(CONFIGURATION).await;
    let Some(empty) = broker.memory_bytes_peak() else { return };
    let bound = bound(broker.data_dir());
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();

    let deaf = Deaf::subscribed(broker.addr());
    let subscribers = subscribe_to_everything(&dialer, broker.addr()).await;
    publish_under_ids(&dialer, broker.addr()).await;
    let mut publisher = dialer.connect(broker.addr()).await;
    publisher.hello().await;
    fill_histories(&mut publisher, CHANNELS).await;
    let rewinders = rewind_and_stop_reading(broker.addr()).await;
    fill_histories(&mut publisher, CHANNELS).await;
    let beginners = begin_frames(&dialer, broker.addr()).await;
    let handshakes = begin_handshakes(broker.addr()).await;
    shout(&mut publisher, &mut neighbour).await;
    neighbour.hears_itself().await;
    let peak = broker.memory_bytes_peak().expect("the process lives and tells");
    drop((deaf, subscribers, rewinders, beginners, handshakes));
    assert!(peak <= bound, "the broker had {} KiB at once, and may have {}", peak >> 10, bound >> 10);
    assert!(peak - empty >= bound / 4, "{} KiB are no more than a start: nothing was filled", peak >> 10);
}

/// The same for bridges: there is room for the windows of two of them, and for what one lends to who is stuck.
const BRIDGED: &str = r#"
hello_timeout_ms = 600000
idle_timeout_ms = 600000
channel_idle_ms = 600000
[ws]
http_connections = 1
http_connections_per_address = 1
publish_bytes = 65536
[limits]
connections = 80
handshakes = 10
channels = 100
subscriptions = 5000
history_bytes = 4194304
publish_id_bytes = 1048576
outbox_bytes = 8388608
inbox_bytes = 4194304
window_bytes = 58720256
"#;

/// Visitors of a bridge whose computer stopped, and what each is told, little by little, until the bridge's window is full.
const VISITORS: usize = 30;
const WORDS: usize = 4_000;

/// Visitors of a bridge that read nothing, and say nearly as much as a stream takes: as many as it is lent windows for.
const STUCK: usize = 16;
const UNREAD_BYTES: usize = 240 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_can_be_filled_by_bridges_stays_below_the_bound() {
    let broker = Process::start_configured(BRIDGED).await;
    let Some(empty) = broker.memory_bytes_peak() else { return };
    let (addr, bound) = (broker.addr(), bound(broker.data_dir()));
    let mut neighbour = Neighbour::of(addr).await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    let deaf = Deaf::bridged(addr, broker.data_dir());
    for _ in 0..WORDS {
        publisher.publish(PECKED, "x").await;
    }
    fill_histories(&mut publisher, 40).await;
    let bridge = Bridge::at(addr, broker.data_dir(), |options| options.stream_window_bytes = 1 << 10).await;
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        let mut visitor = bridge.visitor().await;
        let rewinds = rewinds(&mut visitor);
        visitor.send_bytes(&rewinds).await;
        visitor.send_bytes(&vec![7; UNREAD_BYTES]).await;
        stuck.push(visitor);
        neighbour.hears_itself().await;
    }
    let peak = broker.memory_bytes_peak().expect("the process lives and tells");
    drop((deaf, stuck, bridge));
    assert!(peak <= bound, "the broker had {} KiB at once, and may have {}", peak >> 10, bound >> 10);
    assert!(peak - empty >= STUCK * UNREAD_BYTES, "{} KiB: who is stuck was read all the same", peak >> 10);
}

/// The bound for what the broker was started with.
pub(crate) fn bound(data_dir: &Path) -> usize {
    let draft = Draft::read(&data_dir.join("callboard.toml")).expect("the broker has read it too");
    usize::try_from(draft.config().memory_bound().bytes()).expect("it was chosen to be small")
}

/// Peers whose computers stopped: they neither read nor acknowledge anything. They live on a thread's own runtime that
/// nobody drives any more.
struct Deaf {
    _peers: Vec<Peer>,
    _bridge: Option<Bridge>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Deaf {
    fn subscribed(broker: SocketAddr) -> Self {
        std::thread::scope(|scope| scope.spawn(|| Self::subscribed_here(broker)).join()).expect("nothing here panics")
    }

    fn subscribed_here(broker: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        let peers = runtime.block_on(async {
            let dialer = Dialer::with(|options| options.stream_window_bytes = 16 << 20);
            let mut peers = Vec::new();
            for _ in 0..DEAF {
                let mut peer = dialer.connect(broker).await;
                peer.hello().await;
                peer.subscribe(PECKED).await;
                peer.subscribe(&deaf(peers.len())).await;
                peers.push(peer);
            }
            peers
        });
        Self { _peers: peers, _bridge: None, runtime: Some(runtime) }
    }

    /// The visitors of one bridge.
    fn bridged(broker: SocketAddr, data_dir: &Path) -> Self {
        let subscribed = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
            let (peers, bridge) = runtime.block_on(async {
                let bridge = Bridge::at(broker, data_dir, |options| options.stream_window_bytes = 16 << 20).await;
                let mut peers = Vec::new();
                for _ in 0..VISITORS {
                    let mut visitor = bridge.visitor().await;
                    visitor.subscribe(PECKED).await;
                    peers.push(visitor);
                }
                (peers, bridge)
            });
            Self { _peers: peers, _bridge: Some(bridge), runtime: Some(runtime) }
        };
        std::thread::scope(|scope| scope.spawn(subscribed).join()).expect("nothing here panics")
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        // A runtime must not wait for its end within another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The channel of one who is deaf.
fn deaf(number: usize) -> String {
    format!("deaf/{number}")
}

/// A name of the greatest length.
pub(crate) fn name(number: usize) -> String {
    format!("{number:0>255}")
}

/// As many subscriptions as there may be, under the longest names.
async fn subscribe_to_everything(dialer: &Dialer, broker: SocketAddr) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut peer = dialer.connect(broker).await;
        peer.hello().await;
        for number in 0..CHANNELS {
            let name = name(number);
            let (request, options) = (peer.next_request(), SubscribeOptions::NONE);
            peer.send(&ClientFrame::Subscribe(Subscribe { request, channel: &name, start: Start::Live, options }))
                .await;
            peer.receive().await;
        }
        peers.push(peer);
    }
    peers
}

/// Publishes of many publishers, each with ids to be remembered.
async fn publish_under_ids(dialer: &Dialer, broker: SocketAddr) {
    for number in 0..PUBLISHERS {
        let mut peer = dialer.connect(broker).await;
        peer.hello().await;
        let mut bytes = BytesMut::new();
        let name = name(number);
        for sequence in 1..=250 {
            encode_stream(&publish(&name, sequence, b"x"), &mut bytes).expect("these frames are short");
        }
        peer.send_bytes(&bytes).await;
        peer.publish(&name, "the last").await;
    }
}

/// Messages until all that is remembered was forgotten for others, one at a time and many at once.
pub(crate) async fn fill_histories(publisher: &mut Peer, channels: usize) {
    let payload = vec![7; 8_000];
    for number in 0..channels {
        let name = name(number);
        for _ in 0..12 {
            publisher.send(&publish(&name, 0, &payload)).await;
        }
    }
    publisher.publish(&name(0), "the last").await;
}

/// Who asks for more history than it may, reads none of it, and has more to say than is heard.
async fn rewind_and_stop_reading(broker: SocketAddr) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..REWINDERS {
        let mut peer = Dialer::with(|options| options.stream_window_bytes = 1 << 10).connect(broker).await;
        peer.hello().await;
        let mut bytes = rewinds(&mut peer);
        for _ in 0..60_000 {
            encode_stream(&publish("c", 0, b""), &mut bytes).expect("these frames are short");
        }
        let more = peer.send_bytes_within(A_WHILE, &bytes).await;
        assert!(!more, "who has as many replays as it may is not read until it reads");
        peers.push(peer);
    }
    peers
}

/// More subscriptions with history than a session may replay at once.
fn rewinds(peer: &mut Peer) -> BytesMut {
    let mut bytes = BytesMut::new();
    for number in 0..40 {
        let (request, options, name) = (peer.next_request(), SubscribeOptions::NONE, name(number));
        let subscribe = Subscribe { request, channel: &name, start: Start::Rewind(1000), options };
        encode_stream(&ClientFrame::Subscribe(subscribe), &mut bytes).expect("these frames are short");
    }
    bytes
}

/// Who begins the longest frame and ends it but for a byte.
async fn begin_frames(dialer: &Dialer, broker: SocketAddr) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..BEGINNERS {
        let mut peer = dialer.connect(broker).await;
        peer.hello().await;
        let mut bytes = vec![0xff, 0xff, 0x3f];
        bytes.resize((1 << 20) + 1, 7);
        peer.send_bytes(&bytes).await;
        peers.push(peer);
    }
    peers
}

/// Handshakes that nobody goes on with.
async fn begin_handshakes(broker: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket can be bound on loopback");
    for first in first_datagrams(100).await {
        socket.send_to(&first, broker).await.expect("loopback takes a datagram");
    }
    socket
}

/// Publishes to those who are deaf until they are sent away: little by little first, then much.
async fn shout(publisher: &mut Peer, neighbour: &mut Neighbour) {
    for _ in 0..PECKS {
        publisher.publish(PECKED, "x").await;
    }
    for sent in 0..TOLD_BYTES / 40_000 {
        let payload = vec![7; 20_000 + 400 * sent];
        for number in 0..DEAF {
            publisher.send(&publish(&deaf(number), 0, &payload)).await;
        }
        neighbour.hears_itself().await;
    }
    publisher.publish(PECKED, "the last").await;
}

pub(crate) fn publish<'a>(channel: &'a str, sequence: u64, payload: &'a [u8]) -> ClientFrame<'a> {
    let (request, sequence) = (RequestId::ZERO, Sequence::saturating(sequence));
    ClientFrame::Publish(Publish { request, sequence, channel, key: None, payload: PayloadRef::binary(payload) })
}
