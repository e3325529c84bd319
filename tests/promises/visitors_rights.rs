//! A visitor is whom it shows to be and comes from where it is said to come from, whatever its bridge may do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use callboard::config::{Limits, Rate};
use callboard::identity::KeyStore;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{ClientFrame, Credential, Introduce, Start, SubscribeOptions};
use callboard_tests::raw::{Bridge, introduction};
use callboard_tests::{Broker, Peer};

const CHANNEL: &str = "news";

const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

async fn strict() -> Broker {
    Broker::start_with(|config| config.anonymous_publish = Some(false)).await
}

#[tokio::test]
async fn nothing_of_the_bridges_identity_is_its_visitors() {
    let broker = strict().await;
    let mut bridge = Bridge::of(&broker).await;
    bridge.own.publish(CHANNEL, "the bridge itself may").await;
    let mut visitor = bridge.visitor().await;
    let failure = visitor.try_publish(CHANNEL, "its visitor may not").await.unwrap_err();
    assert_eq!(failure.class, Class::NotAuthenticated.name());
    for name in ["user/bridge", "authenticated", "role/bridge"] {
        let failure = visitor.try_subscribe(name, Start::Live, SubscribeOptions::NONE).await.unwrap_err();
        assert_eq!(failure.class, Class::ReservedChannel.name(), "{name}");
    }
}

#[tokio::test]
async fn that_a_broker_listens_on_this_machine_alone_opens_nothing_for_visitors_from_elsewhere() {
    let broker = Broker::start_with(|config| config.anonymous_publish = None).await;
    let bridge = Bridge::of(&broker).await;
    for (address, may) in [(Ipv4Addr::LOCALHOST, true), (HOME, false)] {
        let mut visitor = bridge.visitor_from(address).await;
        visitor.hello().await;
        let published = visitor.try_publish(CHANNEL, "x").await.map_err(|failure| failure.class);
        assert_eq!(published.is_ok(), may, "{address}: {published:?}");
        assert!(published.is_ok() || published == Err(Class::NotAuthenticated.name().into()), "{published:?}");
    }
    let told = Broker::start_with(|config| config.anonymous_publish = Some(true)).await;
    Bridge::of(&told).await.visitor().await.publish(CHANNEL, "x").await;
}

#[tokio::test]
async fn a_visitor_is_whom_its_handshake_or_its_hello_shows() {
    let broker = strict().await;
    let keys = KeyStore::open(broker.data_dir()).unwrap();
    let key = keys.create("reporter").unwrap().reveal();
    let credential = Some(Credential { strategy: "apikey", secret: &key });
    let bridge = Bridge::of(&broker).await;
    let mut listener = bridge.visitor().await;
    listener.subscribe(CHANNEL).await;

    let mut by_cookie = bridge.stream().await;
    by_cookie.send(&ClientFrame::Introduce(Introduce { credential, ..introduction(HOME) })).await;
    by_cookie.hello().await;
    by_cookie.publish(CHANNEL, "by cookie").await;
    let mut by_hello = bridge.visitor_from(HOME).await;
    by_hello.hello_as(credential).await;
    by_hello.publish(CHANNEL, "by hello").await;
    for expected in ["by cookie", "by hello"] {
        let message = listener.message().await;
        assert_eq!((message.payload.as_str(), message.publisher.as_deref()), (Some(expected), Some("reporter")));
    }
}

#[tokio::test]
async fn a_credential_that_is_refused_ends_the_visitors_session_alone() {
    let broker = strict().await;
    let bridge = Bridge::of(&broker).await;
    let key = bridge.key.as_str();
    for (credential, private, code) in [
        (Credential { strategy: "apikey", secret: "cb_0_0" }, true, Code::BadCredential),
        (Credential { strategy: "jwt", secret: key }, true, Code::BadCredential),
        // Others could have read it on its way to the bridge.
        (Credential { strategy: "apikey", secret: key }, false, Code::Forbidden),
    ] {
        let mut visitor = bridge.stream().await;
        let introduce = Introduce { credential: Some(credential), private, ..introduction(HOME) };
        visitor.send(&ClientFrame::Introduce(introduce)).await;
        visitor.send_hello().await;
        assert_eq!(visitor.parting().await.code, code.number(), "{credential:?}");
    }
    bridge.visitor().await;
}

#[tokio::test]
async fn connections_are_counted_by_the_visitors_address() {
    let limits = Limits { connections_per_address: 2, ..Limits::default() };
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let bridge = Bridge::of(&broker).await;
    let mut first = [bridge.visitor().await, bridge.visitor().await];
    let mut third = bridge.visitor_from(HOME).await;
    let parting = third.parting().await;
    assert_eq!(parting.code, Code::Overloaded.number());
    assert!(parting.sentence.contains("this address has reached its limit of connections"), "{parting:?}");
    // The same address in other words, and others: the bridge's own has one place left.
    let mut mapped = bridge.visitor_from(HOME.to_ipv6_mapped()).await;
    assert_eq!(mapped.parting().await.code, Code::Overloaded.number());
    let six: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let mut others = Vec::new();
    for address in [IpAddr::from([192, 0, 2, 8]), IpAddr::from([127, 0, 0, 1]), six.into()] {
        let mut visitor = bridge.visitor_from(address).await;
        visitor.hello().await;
        others.push(visitor);
    }
    let turned_away = Peer::connect(broker.addr()).await.sent_away().await;
    assert_eq!(turned_away.0, Code::Overloaded.number(), "the bridge and a visitor of its address are two");
    first[0].say_goodbye(Code::Finished.number()).await;
    first[0].parting().await;
    let mut again = bridge.visitor().await;
    again.publish(CHANNEL, "its place was given back").await;
}

#[tokio::test]
async fn births_of_channels_are_counted_by_the_visitors_address() {
    let births_per_address = Rate { per_second: 1, burst: 3 };
    let limits = Limits { births_per_address, ..Limits::default() };
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let bridge = Bridge::of(&broker).await;
    for number in 0..3 {
        bridge.visitor().await.publish(&format!("mine/{number}"), "x").await;
    }
    let failure = bridge.visitor().await.try_publish("mine/3", "x").await.unwrap_err();
    assert_eq!(failure.class, Class::TooManyRequests.name());
    let mut other = bridge.visitor_from(Ipv4Addr::new(192, 0, 2, 8)).await;
    other.hello().await;
    other.publish("mine/3", "from elsewhere").await;
}
