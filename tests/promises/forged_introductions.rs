//! Nobody says who somebody is but a bridge of its visitor: `Introduce` anywhere else is out of order.

use std::net::Ipv4Addr;

use callboard::identity::KeyStore;
use callboard_protocol::RequestId;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Credential, Hello, Logout};
use callboard_tests::raw::{Bridge, Door, introduction};
use callboard_tests::{Broker, Neighbour};

const CHANNEL: &str = "news";

fn introduce() -> ClientFrame<'static> {
    ClientFrame::Introduce(introduction(Ipv4Addr::new(192, 0, 2, 7)))
}

#[tokio::test]
async fn at_any_door_before_hello_and_behind_it() {
    let broker = Broker::start_for_browsers(|_| ()).await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    for door in Door::ALL {
        let mut first = broker.peer_at(door).await;
        first.send(&introduce()).await;
        assert_eq!(first.sent_away().await.0, Code::OutOfOrder.number(), "{door:?}");
        let mut later = broker.peer_at(door).await;
        later.hello().await;
        later.send(&introduce()).await;
        assert_eq!(later.sent_away().await.0, Code::OutOfOrder.number(), "{door:?}");
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn of_a_bridge_on_its_own_session() {
    let broker = Broker::start().await;
    let mut bridge = Bridge::of(&broker).await;
    bridge.own.send(&introduce()).await;
    assert_eq!(bridge.own.sent_away().await.0, Code::OutOfOrder.number());
}

#[tokio::test]
async fn a_second_time() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut other = bridge.visitor().await;
    let mut twice = bridge.visitor_from(Ipv4Addr::new(192, 0, 2, 7)).await;
    twice.send(&introduce()).await;
    let mut later = bridge.visitor().await;
    later.send(&introduce()).await;
    for visitor in [&mut twice, &mut later] {
        let parting = visitor.parting().await;
        assert_eq!((parting.code, parting.was_said), (Code::OutOfOrder.number(), true));
    }
    other.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn a_further_stream_begins_with_nothing_else() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut other = bridge.visitor().await;
    let hello = ClientFrame::Hello(Hello { agent: "", instance: [1; 16], capabilities: 0, credential: None });
    for frame in [hello, ClientFrame::Logout(Logout { request: RequestId::saturating(1) })] {
        let mut stranger = bridge.stream().await;
        stranger.send(&frame).await;
        let parting = stranger.parting().await;
        assert_eq!((parting.code, parting.was_said), (Code::OutOfOrder.number(), true), "{frame:?}");
    }
    other.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn a_key_without_the_right_gets_no_second_stream() {
    let broker = Broker::start().await;
    let keys = KeyStore::open(broker.data_dir()).unwrap();
    let key = keys.create("reporter").unwrap().reveal();
    let mut peer = broker.peer().await;
    peer.hello_as(Some(Credential { strategy: "apikey", secret: &key })).await;
    assert!(peer.has_no_second_stream().await);
    let mut anonymous = broker.peer().await;
    anonymous.hello().await;
    assert!(anonymous.has_no_second_stream().await);
}
