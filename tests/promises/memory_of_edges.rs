//! The memory of an edge stays below what `callboard check --bridge` says for its configuration, whatever its browsers do.

use callboard::config::Draft;
use callboard::identity::KeyStore;
use callboard::tls::development_certificate;
use callboard_bridge_ws::Dialect;
use callboard_tests::process::BridgeProcess;
use callboard_tests::{Peer, Process};
use tokio::time::timeout;

use crate::memory::{A_WHILE, publish};
use crate::memory_of_browsers::{Visited, begin_messages, begin_requests};

/// Small enough that a test can fill all of it, several times if nothing held it.
const CONFIGURATION: &str = r#"
hello_timeout_ms = 600000
[ws]
tls = true
http_connections = 64
http_connections_per_address = 64
publish_bytes = 4194304
ping_interval_ms = 600000
[limits]
connections = 160
connections_per_address = 160
inbox_bytes = 6291456
outbox_bytes = 16777216
"#;

/// Who hears nothing any more, and how often it is told half a mebibyte all the same: in JSON that is six times as much.
const DEAF: usize = 100;
const TOLD: usize = 4;
const TOLD_BYTES: usize = 500_000;

/// Who says as much while the broker takes nothing.
const SAYERS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_browsers_fill_at_an_edge_stays_below_the_bound() {
    // It has room for all that is said to those who hear nothing, so that it is the edge that has to leave some of it there.
    let broker = Process::start_with(&["--payload-bytes-max", "524288", "--outbox-bytes", "8388608"]).await;
    let file = broker.data_dir().join("edge.toml");
    std::fs::write(&file, CONFIGURATION).expect("a temporary directory takes a file");
    let arguments = ["--config", file.to_str().expect("a path of text"), "--metrics", "127.0.0.1:0"];
    let bridge = BridgeProcess::before(broker.addr(), broker.data_dir(), &arguments).await;
    if bridge.memory_bytes_peak().is_none() {
        return;
    }
    let draft = Draft::read(&file).expect("the bridge has read it too");
    let config = draft.config();
    let bound = config.bridge_memory_bound().bytes();
    let bound = usize::try_from(bound).expect("it was chosen to be small");
    let door = Visited { addr: bridge.addr(), trusted: development_certificate(broker.data_dir()) };

    let deaf = deafen(&broker, &door).await;
    let beginners = begin_messages(&door).await;
    let key = KeyStore::open(broker.data_dir()).expect("a store").create("reporter").expect("a key").reveal();
    let requests = begin_requests(&door, &key).await;
    let sayers = say_to_nobody(&broker, &door).await;
    let mut witness = door.upgrade(Dialect::Binary).await;
    witness.comes_in().await;
    witness.subscribe("witness").await;
    witness.publish("witness", "carried").await;
    assert_eq!(witness.message().await.payload.as_str(), Some("carried"));
    let (peak, metrics) = (bridge.memory_bytes_peak().expect("the process lives and tells"), bridge.metrics().await);
    drop((deaf, beginners, requests, sayers));
    assert!(peak <= bound, "the bridge had {} KiB at once, and may have {}", peak >> 10, bound >> 10);
    let budgets =
        [("callboard_inbox_bytes", config.limits.inbox_bytes), ("callboard_outbox_bytes", config.limits.outbox_bytes)];
    for (name, most) in budgets {
        let filled = metrics.value(name);
        assert!(filled >= most as u64 * 3 / 4, "{name} is {filled} of {most}: it was not filled");
    }
}

/// Browsers that are told much and read nothing of it.
async fn deafen(broker: &Process, door: &Visited) -> Vec<Peer> {
    let mut deaf = Vec::new();
    for number in 0..DEAF {
        let mut peer = door.open(Dialect::Json).await;
        peer.subscribe(&channel(number)).await;
        deaf.push(peer);
    }
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    // What is a byte in a frame is six in JSON.
    let payload = "\u{1}".repeat(TOLD_BYTES);
    for _ in 0..TOLD {
        for number in 0..DEAF {
            publisher.publish(&channel(number), payload.as_str()).await;
        }
    }
    deaf
}

fn channel(number: usize) -> String {
    format!("deaf/{number}")
}

/// Browsers that say much to a broker that has stopped.
async fn say_to_nobody(broker: &Process, door: &Visited) -> Vec<Peer> {
    let mut sayers = Vec::new();
    for _ in 0..SAYERS {
        sayers.push(door.open(Dialect::Binary).await);
    }
    broker.pause();
    let payload = vec![7; TOLD_BYTES];
    for sayer in &mut sayers {
        // Who says too much is sent away before it is all said.
        drop(timeout(A_WHILE, sayer.send(&publish("said", 0, &payload))).await);
    }
    broker.resume();
    sayers
}
