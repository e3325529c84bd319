//! The bound on memory holds as well when those who fill it come by the browser's door, inside TLS, in either dialect.

use std::net::SocketAddr;
use std::path::PathBuf;

use callboard::config::{Draft, MemoryBound};
use callboard::identity::KeyStore;
use callboard::tls::development_certificate;
use callboard_bridge_ws::Dialect;
use callboard_protocol::frame::{ClientFrame, Start, Subscribe, SubscribeOptions};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_tests::raw::{Dialer, Wire};
use callboard_tests::{Neighbour, Peer, Process, soon, tls};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::memory::{A_WHILE, CHANNELS, bound, fill_histories, name, publish};

/// Small enough that a test can fill all of it, several times if nothing held it.
const CONFIGURATION: &str = r#"
hello_timeout_ms = 600000
channel_idle_ms = 600000
[ws]
tls = true
http_connections = 64
http_connections_per_address = 64
publish_bytes = 4194304
ping_interval_ms = 600000
[outbox]
bytes = 4194304
[limits]
connections = 120
handshakes = 10
channels = 1000
subscriptions = 5400
history_bytes = 12582912
publish_id_bytes = 1048576
outbox_bytes = 16777216
inbox_bytes = 6291456
window_bytes = 2097152
"#;

/// Who subscribes to a fifth of all channels.
const SUBSCRIBERS: usize = 25;

/// Who asks for history and does not read it.
const REWINDERS: usize = 16;

/// Who begins a message of a mebibyte.
const BEGINNERS: usize = 30;

/// Who hears nothing any more, and how often it is told something all the same.
const DEAF: usize = 40;
const TOLD: usize = 150;

/// Of each kind of request that is begun and not ended.
const REQUESTS: usize = 16;

/// What a deaf peer's kernel takes for it.
const DEAF_BYTES: u32 = 4 << 10;

/// In which dialect the peer of this number speaks.
fn dialect(number: usize) -> Dialect {
    if number.is_multiple_of(2) { Dialect::Binary } else { Dialect::Json }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_browsers_fill_at_once_stays_below_the_bound() {
    let broker = Process::start_for_browsers(CONFIGURATION).await;
    let Some(empty) = broker.memory_bytes_peak() else { return };
    let mut ledger = Ledger::of(&broker, empty);
    let door = Visited { addr: broker.ws_addr().await, trusted: development_certificate(broker.data_dir()) };
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut publisher = Dialer::new().connect(broker.addr()).await;
    publisher.hello().await;

    let subscribers = subscribe_to_much(&door).await;
    ledger.allows(&["connections", "channels", "subscriptions"]);
    fill_histories(&mut publisher, CHANNELS).await;
    ledger.allows(&["larger windows", "waiting for channels", "histories", "their outboxes", "larger outboxes"]);
    let rewinders = rewind_and_stop_reading(&door).await;
    fill_histories(&mut publisher, CHANNELS).await;
    ledger.allows(&["connections", "histories", "their outboxes", "larger outboxes"]);
    let mut deaf = Vec::new();
    for number in 0..DEAF {
        let mut peer = door.open(dialect(number)).await;
        peer.subscribe(&deaf_name(number)).await;
        deaf.push(peer);
    }
    ledger.allows(&["connections", "channels"]);
    let beginners = begin_messages(&door).await;
    ledger.allows(&["connections", "their partial frames", "larger partial frames"]);
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    let requests = begin_requests(&door, &key).await;
    ledger.allows(&["HTTP connections", "publishes over HTTP"]);
    // What is a byte in a frame is six in JSON.
    let payload = "\u{1}".repeat(60_000);
    for _ in 0..TOLD {
        for number in 0..DEAF {
            publisher.send(&publish(&deaf_name(number), 0, payload.as_bytes())).await;
        }
        neighbour.hears_itself().await;
    }
    ledger.allows(&["waiting for channels", "histories", "their outboxes", "larger outboxes"]);
    let (peak, bound) = (ledger.peak, bound(broker.data_dir()));
    drop((subscribers, rewinders, deaf, beginners, requests));
    assert!(peak <= bound, "the broker had {} KiB at once, and may have {}", peak >> 10, bound >> 10);
    assert!(peak - empty >= bound / 5, "{} KiB are no more than a start: nothing was filled", peak >> 10);
}

/// Holds each thing that is filled to its own part of the bound: most of that is for what browsers do not have.
struct Ledger<'a> {
    broker: &'a Process,
    bound: MemoryBound,
    peak: usize,
}

impl<'a> Ledger<'a> {
    fn of(broker: &'a Process, empty: usize) -> Self {
        let draft = Draft::read(&broker.data_dir().join("callboard.toml")).expect("the broker has read it too");
        Self { broker, bound: draft.config().memory_bound(), peak: empty }
    }

    /// What was filled since the last time takes no more than these terms together, and the allocator's slack.
    fn allows(&mut self, names: &[&str]) {
        let of = |name: &&str| self.bound.terms.iter().find(|term| term.name == *name).expect("a term").bytes();
        let allowed = names.iter().map(of).sum::<u64>() / 8 * 9;
        let peak = self.broker.memory_bytes_peak().expect("the process lives and tells");
        let grown = peak - std::mem::replace(&mut self.peak, peak);
        assert!(grown as u64 <= allowed, "{names:?}: {} KiB, of {} that are allowed", grown >> 10, allowed >> 10);
    }
}

fn deaf_name(number: usize) -> String {
    format!("deaf/{number}")
}

/// The door, as those see it who read little.
pub(crate) struct Visited {
    pub(crate) addr: SocketAddr,
    pub(crate) trusted: PathBuf,
}

impl Visited {
    async fn dial(&self) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(DEAF_BYTES).expect("a size that is taken");
        let stream = soon("a TCP connection", socket.connect(self.addr)).await.expect("a door that is open");
        tls::over(stream, "localhost", &self.trusted).await.expect("a handshake")
    }

    pub(crate) async fn open(&self, dialect: Dialect) -> Peer {
        let mut peer = self.upgrade(dialect).await;
        peer.hello().await;
        peer
    }

    /// One that has said nothing.
    pub(crate) async fn upgrade(&self, dialect: Dialect) -> Peer {
        Peer::try_upgrade_over(self.dial().await, dialect, "").await.expect("an upgrade")
    }
}

async fn subscribe_to_much(door: &Visited) -> Vec<Peer> {
    let mut peers = Vec::new();
    for number in 0..SUBSCRIBERS {
        let mut peer = door.open(dialect(number)).await;
        for channel in (0..CHANNELS).skip(number % 5).step_by(5) {
            peer.subscribe(&name(channel)).await;
        }
        peers.push(peer);
    }
    peers
}

/// Who asks for more history than it may, reads none of it, and has more to say than is heard.
async fn rewind_and_stop_reading(door: &Visited) -> Vec<Peer> {
    let mut peers = Vec::new();
    for number in 0..REWINDERS {
        let mut peer = door.open(dialect(number)).await;
        for channel in 0..40 {
            let (request, options, name) = (peer.next_request(), SubscribeOptions::NONE, name(channel));
            let subscribe = Subscribe { request, channel: &name, start: Start::Rewind(1000), options };
            peer.send(&ClientFrame::Subscribe(subscribe)).await;
        }
        peers.push(peer);
    }
    peers
}

/// Who begins the longest message and ends it but for a byte.
pub(crate) async fn begin_messages(door: &Visited) -> Vec<Peer> {
    let mut peers = Vec::new();
    for number in 0..BEGINNERS {
        let mut peer = door.open(dialect(number)).await;
        let first = if dialect(number) == Dialect::Json { 0x81 } else { 0x82 };
        let header = [&[first, 0xff][..], &(BODY_BYTES_MAX as u64).to_be_bytes(), &[0; 4]].concat();
        peer.send_bytes_within(A_WHILE, &[header, vec![b' '; BODY_BYTES_MAX - 1]].concat()).await;
        peers.push(peer);
    }
    peers
}

/// Requests whose header or body does not come whole, and some whose answers nobody reads.
pub(crate) async fn begin_requests(door: &Visited, key: &str) -> Vec<impl Wire> {
    let post = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{}",
        " ".repeat(999_999)
    );
    let header = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}", "x".repeat(32_000));
    let pages = "GET /callboard/client.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
    let mut wires = Vec::new();
    for request in [post, header, pages] {
        for _ in 0..REQUESTS {
            let mut wire = door.dial().await;
            // Some are refused, and some are not read to the end.
            drop(
                timeout(A_WHILE, async {
                    wire.write_all(request.as_bytes()).await?;
                    wire.flush().await
                })
                .await,
            );
            wires.push(wire);
        }
    }
    wires
}
