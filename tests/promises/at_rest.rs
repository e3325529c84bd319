//! A connection on which nothing is said stays open for as long as its peer is there, however soon the broker gives up those who are gone.

use std::time::Duration;

use callboard_client::State;
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Proxy, Reader, soon};

const CHANNEL: &str = "news";

/// The shortest that a broker can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest that a client can be told, which says nothing by itself for a third of it.
const CLIENTS_IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Waits until the silence of a peer who is gone was too long, twice: by the clocks of both sides.
async fn silence_is_over(broker: &Broker) {
    for _ in 0..2 {
        let network = Proxy::before(broker.addr()).await;
        let mute = Dialer::with(|options| options.keep_alive = None);
        let mut gone = mute.connect(network.addr()).await;
        gone.hello().await;
        network.cut();
        gone.closed().await;
    }
}

#[tokio::test]
async fn whoever_keeps_nothing_alive_is_kept() {
    let broker = Broker::start_with(|config| config.idle_timeout = IDLE_TIMEOUT).await;
    let builder = broker.client_builder().idle_timeout(CLIENTS_IDLE_TIMEOUT);
    let client = soon("a session", builder.connect()).await.expect("the broker is there");
    let State::Online(first) = client.state() else { panic!("it is connected") };
    let mut reader = Reader::live("the reader", &client, CHANNEL).await;
    let mut mute = Dialer::with(|options| options.keep_alive = None).connect(broker.addr()).await;
    mute.hello().await;
    silence_is_over(&broker).await;
    assert_eq!(mute.connection().close_reason(), None);
    mute.publish(CHANNEL, "still here").await;
    reader.read(1).await;
    reader.seen.assert_whole(CHANNEL, ["still here"]);
    let State::Online(last) = client.state() else { panic!("it is connected") };
    assert_eq!(last.connection, first.connection, "it never had to come back");
}
