//! A key that is revoked ends every session that relies on it, at whichever door, and no other.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard::identity::{ApiKey, KeyId, KeyStore, Rights};
use callboard_bridge_ws::Dialect;
use callboard_client::{Online, Reason, State, States};
use callboard_protocol::RequestId;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{Answer, Authenticate, ClientFrame, Credential, Logout};
use callboard_tests::raw::{Bridge, Dialer, Door, Ending, introduction};
use callboard_tests::{Broker, Edge, Peer, Reader, soon};
use tokio::sync::watch;

const CHANNEL: &str = "news";

/// Of a peer that does not read: soon full.
const WINDOW_BYTES: u32 = 1 << 10;

/// Every way in: a door, and whether it is an edge's.
const WAYS: [(Door, bool); 5] =
    [(Door::Quic, false), (Door::Binary, false), (Door::Json, false), (Door::Binary, true), (Door::Json, true)];

fn keys(broker: &Broker) -> KeyStore {
    KeyStore::open(broker.data_dir()).expect("the keys are readable")
}

fn revoke(broker: &Broker, id: &KeyId) {
    keys(broker).revoke(id).expect("the keys are writable").expect("the key was there");
}

fn credential(secret: &str) -> Credential<'_> {
    Credential { strategy: "apikey", secret }
}

/// A peer that relies on a key, or on none.
async fn peer(broker: &Broker, door: Door, key: Option<&ApiKey>) -> Peer {
    let mut peer = broker.peer_at(door).await;
    let secret = key.map(ApiKey::reveal);
    peer.hello_as(secret.as_deref().map(credential)).await;
    peer
}

async fn assert_sent_away(peer: &mut Peer) {
    assert_tells(peer.goodbye().await);
}

fn assert_tells((code, sentence): (u16, String)) {
    assert_eq!(code, Code::BadCredential.number());
    assert!(sentence.contains("key was revoked") && sentence.contains("callboard token new"), "{sentence}");
}

#[tokio::test]
async fn a_session_ends_with_its_key_at_every_door_and_says_no_more() {
    for (door, is_far) in WAYS {
        let mut broker = Broker::start_for_browsers(|config| config.anonymous_publish = Some(false)).await;
        if is_far {
            broker = broker.behind_an_edge().await;
        }
        let (old, other) = (keys(&broker).create("leaver").unwrap(), keys(&broker).create("stayer").unwrap());
        let mut leaver = peer(&broker, door, Some(&old)).await;
        let mut stayer = peer(&broker, door, Some(&other)).await;
        let mut listener = peer(&broker, door, None).await;
        listener.subscribe(CHANNEL).await;
        leaver.publish(CHANNEL, "before").await;
        revoke(&broker, old.id());
        assert_sent_away(&mut leaver).await;
        leaver.cast(CHANNEL, "too late").await;
        assert_eq!(leaver.sent_away().await.0, Code::BadCredential.number(), "{door:?}, far: {is_far}");
        stayer.publish(CHANNEL, "of another key").await;
        for expected in ["before", "of another key"] {
            assert_eq!(listener.message().await.payload.as_str(), Some(expected), "{door:?}, far: {is_far}");
        }
    }
}

#[tokio::test]
async fn who_has_become_somebody_else_stays() {
    let broker = Broker::start_for_browsers(|_| ()).await;
    for door in Door::ALL {
        let (old, new) = (keys(&broker).create("reporter").unwrap(), keys(&broker).create("reporter").unwrap());
        let mut witness = peer(&broker, door, Some(&old)).await;
        let mut renewed = peer(&broker, door, Some(&old)).await;
        let (request, secret) = (renewed.next_request(), new.reveal());
        renewed.send(&ClientFrame::Authenticate(Authenticate { request, credential: credential(&secret) })).await;
        let mut left = peer(&broker, door, Some(&old)).await;
        let logout = left.next_request();
        left.send(&ClientFrame::Logout(Logout { request: logout })).await;
        let mut refused = peer(&broker, door, Some(&old)).await;
        let wrong = refused.next_request();
        refused.send(&ClientFrame::Authenticate(Authenticate { request: wrong, credential: credential("cb_") })).await;
        let identified = |answer: Answer<'_>| matches!(answer, Answer::Identity(_)).then_some(());
        renewed.answer(request, identified).await.unwrap();
        left.answer(logout, identified).await.unwrap();
        refused.answer(wrong, identified).await.unwrap_err();

        revoke(&broker, old.id());
        assert_sent_away(&mut witness).await;
        assert_sent_away(&mut refused).await;
        renewed.publish(CHANNEL, "under another key").await;
        left.publish(CHANNEL, "as anybody").await;
    }
}

#[tokio::test]
async fn a_bridge_ends_with_its_key_and_all_its_visitors_with_it() {
    let broker = Broker::start().await;
    let mut bridge = Bridge::of(&broker).await;
    let mut visitors = [bridge.visitor().await, bridge.visitor().await];
    let key = ApiKey::parse(&bridge.key).expect("a key");
    revoke(&broker, key.id());
    assert_tells(bridge.own.sent_away().await);
    for visitor in &mut visitors {
        assert!(visitor.next().await.is_err(), "its connection is gone");
    }
}

#[tokio::test]
async fn a_bridge_that_gives_its_key_up_ends_at_once_for_no_revocation_would_reach_its_visitors() {
    let broker = Broker::start().await;
    let plain = keys(&broker).create("plain").unwrap().reveal();
    for becomes in [None, Some(plain.as_str())] {
        let mut bridge = Bridge::of(&broker).await;
        let mut visitor = bridge.visitor().await;
        become_another(&mut bridge, becomes).await;
        let (code, sentence) = bridge.own.sent_away().await;
        assert_eq!(code, Code::BadCredential.number());
        assert!(sentence.contains("must keep a key"), "{sentence}");
        assert!(visitor.next().await.is_err(), "its connection is gone");
    }
}

#[tokio::test]
async fn a_bridge_that_takes_another_key_with_the_right_keeps_its_visitors() {
    let broker = Broker::start().await;
    let mut witness = Bridge::of(&broker).await;
    let mut bridge = Bridge::of(&broker).await;
    let mut visitor = bridge.visitor().await;
    let (old, new) = (bridge.key.clone(), keys(&broker).create_with("bridge", Rights { bridge: true }).unwrap());
    let request = become_another(&mut bridge, Some(&new.reveal())).await;
    let identified = |answer: Answer<'_>| matches!(answer, Answer::Identity(_)).then_some(());
    bridge.own.answer(request, identified).await.unwrap();
    revoke(&broker, ApiKey::parse(&old).expect("a key").id());
    revoke(&broker, ApiKey::parse(&witness.key).expect("a key").id());
    assert_tells(witness.own.sent_away().await);
    visitor.publish(CHANNEL, "still here").await;
    bridge.visitor().await;
}

/// The bridge's own session shows another key, or logs out.
async fn become_another(bridge: &mut Bridge, key: Option<&str>) -> RequestId {
    let request = bridge.own.next_request();
    let frame = match key {
        Some(secret) => ClientFrame::Authenticate(Authenticate { request, credential: credential(secret) }),
        None => ClientFrame::Logout(Logout { request }),
    };
    bridge.own.send(&frame).await;
    request
}

#[tokio::test]
async fn a_bridge_that_reads_nothing_is_not_waited_for_while_its_visitors_could_go_on() {
    let broker = Broker::start().await;
    let key = keys(&broker).create_with("both", Rights { bridge: true }).unwrap();
    let dialer = Dialer::with(|options| options.stream_window_bytes = WINDOW_BYTES);
    let plain = keys(&broker).create("plain").unwrap();
    // It opens no session for anybody, and is waited for.
    let mut other = dialer.connect(broker.addr()).await;
    let mut bridge = dialer.connect(broker.addr()).await;
    for (peer, key) in [(&mut other, &plain), (&mut bridge, &key)] {
        peer.hello_as(Some(credential(&key.reveal()))).await;
        peer.subscribe(CHANNEL).await;
    }
    let mut visitor = bridge.open_another().await.expect("a stream for a visitor");
    visitor.send(&ClientFrame::Introduce(introduction(Ipv4Addr::new(192, 0, 2, 7)))).await;
    visitor.hello().await;
    visitor.publish(CHANNEL, "more than the window takes ".repeat(1 << 10).as_str()).await;
    // Both are revoked by one change, so that they end from the same moment on.
    std::fs::write(broker.data_dir().join("keys.toml"), "key = []\n").unwrap();
    tokio::select! {
        biased;
        _ = other.connection().closed() => panic!("the visitor could go on for as long as anybody is waited for"),
        ending = bridge.closed() => {
            let Ending::Closed { code, reason } = ending else { panic!("{ending:?}") };
            assert_tells((u16::try_from(code).unwrap(), reason));
        }
    }
    assert!(visitor.next().await.is_err(), "its connection is gone");
}

#[tokio::test]
async fn browsers_at_an_edge_whose_key_is_revoked_keep_their_connections() {
    let broker = Broker::start().await;
    let edge = Edge::of(&broker).await;
    let mut browsers = [edge.visitor(Dialect::Binary).await, edge.visitor(Dialect::Json).await];
    revoke(&broker, ApiKey::parse(&edge.key).expect("a key").id());
    for browser in &mut browsers {
        browser.suspended().await;
    }
}

/// Waits until the client has a session.
async fn online(states: &mut States) -> Arc<Online> {
    let state = soon("a session", states.wait_for(|state| matches!(state, State::Online(_)))).await;
    let Some(State::Online(online)) = state else { panic!("the client closed: {state:?}") };
    online
}

#[tokio::test]
async fn a_client_with_one_key_closes_and_one_that_can_ask_for_another_comes_back_with_that() {
    let broker = Broker::start().await;
    let (old, new) = (keys(&broker).create("old").unwrap(), keys(&broker).create("new").unwrap());
    let fixed = broker.client_builder().api_key(old.reveal()).connect().await.expect("the broker is there");
    let (hand, held) = watch::channel(old.reveal());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let provide = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let secret = held.borrow().clone();
        async move { Ok(callboard_client::Credential::api_key(secret)) }
    };
    let client = broker.client_builder().token_provider(provide).connect().await.expect("the broker is there");
    let mut states = client.states();
    let mut reader = Reader::live("the reader", &client, CHANNEL).await;
    hand.send_replace(new.reveal());
    revoke(&broker, old.id());

    let closed = |state: &State| matches!(state, State::Closed { .. });
    let end = soon("the end of a client with one key", fixed.states().wait_for(closed)).await;
    let Some(State::Closed { why: Reason::Ended { code, sentence } }) = end else { panic!("{end:?}") };
    assert_eq!(code, Code::BadCredential.number());
    assert!(sentence.contains("key was revoked"), "{sentence}");

    let again = async |states: &mut States| {
        let online = online(states).await;
        (online.identity.as_ref().map(|identity| identity.key.as_str()) == Some("new")).then_some(())
    };
    callboard_tests::eventually("the new key's session", async || again(&mut states).await).await;
    soon("the acknowledgement", client.publish_acked(CHANNEL, "again")).await.expect("a message is published");
    reader.read(1).await;
    reader.seen.assert_whole(CHANNEL, ["again"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the second key was good");
}
