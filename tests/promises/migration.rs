//! A client's socket moves to another port and its subscription goes on.

use std::time::Duration;

use callboard_client::{Client, ConnectionId, State};
use callboard_tests::checker::settle_at_rest;
use callboard_tests::{Broker, Proxy, Reader, Seen, soon};

const CHANNEL: &str = "news";

/// Messages of each publisher between two moves' beginnings.
const STRETCH: usize = 50;

/// Long beside what a test takes, short enough that keep-alives, three in it, soon tell of a new port.
const IDLE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_client_that_moves_its_socket_stays_online_and_loses_nothing() {
    let broker = Broker::start().await;
    let (mover, other) = (broker.client().await, broker.client().await);
    let move_on = async || mover.rebind().await.expect("the system gives a new socket");
    both_go_on(&mover, &other, 10, move_on).await;
}

#[tokio::test]
async fn a_client_whose_router_moved_it_stays_online_and_loses_nothing() {
    let broker = Broker::start().await;
    let proxy = Proxy::before(broker.addr()).await;
    let (mover, other) = (behind(&proxy, &broker).await, broker.client().await);
    both_go_on(&mover, &other, 10, async || proxy.rebind()).await;
}

#[tokio::test]
async fn a_client_that_only_listens_is_found_at_its_new_port() {
    let broker = Broker::start().await;
    let proxy = Proxy::before(broker.addr()).await;
    let (mover, other) = (behind(&proxy, &broker).await, broker.client().await);
    let session = session(&mover);
    let mut reader = Reader::live("the mover", &mover, CHANNEL).await;
    let mut published = Vec::new();
    for turn in 0..2 {
        proxy.rebind();
        published.push(format!("{turn}"));
        other.publish_acked(CHANNEL, published[turn].as_str()).await.expect("it is taken");
        reader.read(published.len()).await;
    }
    reader.seen.assert_whole(CHANNEL, published);
    assert_eq!(self::session(&mover), session);
}

/// Two clients publish and read while one of them moves, as `move_on` does it; neither notices anything.
async fn both_go_on(mover: &Client, other: &Client, moves: usize, mut move_on: impl AsyncFnMut()) {
    let before = session(mover);
    let mut readers =
        [Reader::live("the mover", mover, CHANNEL).await, Reader::live("the other", other, CHANNEL).await];
    let (mut from_mover, mut from_other) = (Vec::new(), Vec::new());
    let publishing = [Seen::new("the mover, publishing"), Seen::new("the other, publishing")];
    for turn in 0..moves {
        for number in 0..STRETCH {
            for (publisher, name, seen, published) in
                [(mover, "mover", &publishing[0], &mut from_mover), (other, "other", &publishing[1], &mut from_other)]
            {
                let message = format!("{name} {turn}.{number}");
                seen.publish(publisher, CHANNEL, message.as_str()).await.expect("it is taken");
                published.push(message);
            }
            if number == STRETCH / 2 {
                move_on().await;
            }
        }
        for reader in &mut readers {
            reader.read(from_mover.len() + from_other.len()).await;
        }
        // A session's number is never given again: the same one says that there was no other in between.
        assert_eq!(session(mover), before, "after move {turn}");
    }
    for reader in &readers {
        assert_eq!(reader.seen.gaps(CHANNEL), 0);
        let messages = reader.seen.messages(CHANNEL);
        let seen: Vec<&str> = messages.iter().map(|payload| payload.as_str().expect("it is text")).collect();
        for (name, published) in [("mover", &from_mover), ("other", &from_other)] {
            let of_one: Vec<&str> = seen.iter().copied().filter(|message| message.starts_with(name)).collect();
            assert_eq!(of_one, *published);
        }
    }
    settle_at_rest(readers.iter().map(|reader| &reader.seen).chain(&publishing));
}

async fn behind(proxy: &Proxy, broker: &Broker) -> Client {
    let builder = broker.client_builder_by(proxy.addr()).idle_timeout(IDLE);
    soon("a session through the proxy", builder.connect()).await.expect("the broker takes the client")
}

fn session(client: &Client) -> ConnectionId {
    let State::Online(online) = client.state() else { panic!("the client is {:?}", client.state()) };
    online.connection
}
