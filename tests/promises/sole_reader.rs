//! A channel that has said nothing yet waits for its only reader when the connection is lost: what is published meanwhile is there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use callboard::config::Config;
use callboard_bridge_ws::Dialect;
use callboard_client::Event;
use callboard_protocol::close::Code;
use callboard_protocol::frame::Start;
use callboard_tests::raw::Door;
use callboard_tests::{Broker, Edge, Listener, Metrics, Proxy, Reader, Way, eventually, soon};

const CHANNEL: &str = "one-off/7f1c";

/// Silence after which either side gives a connection up: the shortest that a client can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

async fn broker(change: impl FnOnce(&mut Config)) -> Broker {
    Broker::start_for_browsers(|config| {
        config.metrics_listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        change(config);
    })
    .await
}

async fn metrics(broker: &Broker) -> Metrics {
    let addr = broker.inner().metrics_addr().expect("it serves metrics");
    Metrics::read(addr).await.expect("the broker answers")
}

/// Waits until the broker has let go of everybody's subscriptions.
async fn nobody_reads(broker: &Broker) {
    let gone = async || (metrics(broker).await.value("callboard_subscriptions") == 0).then_some(());
    eventually("the end of the subscription", gone).await;
}

async fn channels(broker: &Broker) -> u64 {
    let metrics = metrics(broker).await;
    ["awake", "asleep"].map(|state| metrics.value(&format!("callboard_channels{{state=\"{state}\"}}"))).iter().sum()
}

#[tokio::test]
async fn what_is_published_while_its_connection_is_lost_is_there_when_it_comes_back() {
    let broker = broker(|_| ()).await;
    for door in Door::ALL {
        let mut reader = Listener::of("the reader", broker.peer_at(door).await).await;
        let channel = format!("{CHANNEL}/{door:?}");
        let before = reader.subscribe(&channel, Start::Live).await;
        // It breaks off without a word.
        drop(std::mem::replace(&mut reader.peer, broker.peer_at(door).await));
        nobody_reads(&broker).await;
        let mut publisher = broker.peer().await;
        publisher.hello().await;
        let done = publisher.publish(&channel, "done").await;
        assert_eq!(done.epoch, before.position.epoch, "{door:?}: the channel's life goes on");

        let mut reader = reader.again(broker.peer_at(door).await).await;
        let subscribed = reader.subscribe(&channel, Start::Recover(before.position)).await;
        assert!(subscribed.recovered, "{door:?}: {subscribed:?}");
        reader.hear(&subscribed, 1).await;
        reader.seen.assert_whole(&channel, ["done"]);
        drop(reader);
        nobody_reads(&broker).await;
    }
}

#[tokio::test]
async fn a_client_that_was_cut_off_hears_it_without_a_gap() {
    let broker = broker(|config| config.idle_timeout = IDLE_TIMEOUT).await;
    let proxy = Proxy::before(broker.addr()).await;
    let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE_TIMEOUT).attempt_timeout(IDLE_TIMEOUT);
    let client = soon("a session", builder.connect()).await.expect("the broker is there");
    let mut reader = Reader::live("the reader", &client, CHANNEL).await;
    proxy.lose(Way::ToClient);
    proxy.lose(Way::ToBroker);
    nobody_reads(&broker).await;
    let job = broker.client().await;
    let done = soon("the acknowledgement", job.publish_acked(CHANNEL, "done")).await.expect("a message is published");
    proxy.heal();
    let event = reader.next().await;
    assert!(matches!(&event, Event::Message(message) if message.position == done), "{event:?}");
    reader.seen.assert_whole(CHANNEL, ["done"]);
}

#[tokio::test]
async fn a_reader_that_leaves_or_says_goodbye_is_not_waited_for() {
    let broker = broker(|_| ()).await;
    for door in Door::ALL {
        for goodbye in [false, true] {
            let mut peer = broker.peer_at(door).await;
            peer.hello().await;
            peer.subscribe(CHANNEL).await;
            assert_eq!(channels(&broker).await, 1, "{door:?}");
            if goodbye {
                peer.say_goodbye(Code::Finished.number()).await;
                peer.closed().await;
            } else {
                peer.unsubscribe(CHANNEL).await;
            }
            let gone = async || (channels(&broker).await == 0).then_some(());
            eventually("the end of the channel", gone).await;
        }
    }
}

#[tokio::test]
async fn a_browser_whose_connection_with_an_edge_is_lost_finds_what_was_published_meanwhile() {
    let broker = broker(|_| ()).await;
    let edge = Edge::of(&broker).await;
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut reader = Listener::of("the reader", edge.peer(dialect).await).await;
        let channel = format!("{CHANNEL}/{dialect:?}");
        let before = reader.subscribe(&channel, Start::Live).await;
        drop(std::mem::replace(&mut reader.peer, edge.peer(dialect).await));
        nobody_reads(&broker).await;
        let mut publisher = broker.peer().await;
        publisher.hello().await;
        publisher.publish(&channel, "done").await;

        let mut reader = reader.again(edge.peer(dialect).await).await;
        let subscribed = reader.subscribe(&channel, Start::Recover(before.position)).await;
        assert!(subscribed.recovered, "{dialect:?}: {subscribed:?}");
        reader.hear(&subscribed, 1).await;
        reader.seen.assert_whole(&channel, ["done"]);
        drop(reader);
        nobody_reads(&broker).await;
    }
}

#[tokio::test]
async fn a_browser_that_says_goodbye_to_its_edge_is_not_waited_for() {
    let broker = broker(|_| ()).await;
    let edge = Edge::of(&broker).await;
    for dialect in [Dialect::Binary, Dialect::Json] {
        let mut browser = edge.visitor(dialect).await;
        browser.subscribe(CHANNEL).await;
        assert_eq!(channels(&broker).await, 1, "{dialect:?}");
        browser.say_goodbye(Code::Finished.number()).await;
        browser.closed().await;
        let gone = async || (channels(&broker).await == 0).then_some(());
        eventually("the end of the channel", gone).await;
    }
}
