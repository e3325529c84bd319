//! A browser is asked for a sign of life at the interval; one that is silent for longer than the grace is given up.

use std::time::Duration;

use callboard_bridge_ws::{Config, Dialect, Heartbeat};
use callboard_protocol::codec::decode_server;
use callboard_protocol::frame::{ClientFrame, Pong, ServerFrame};

use crate::house::House;
use crate::peer::{PONG, Peer, masked};

fn quick(config: &mut Config) {
    config.heartbeat = Heartbeat { interval: Duration::from_millis(64), grace: Duration::from_millis(3 * 64) };
}

/// Reads frames until one is no `Ping`; how many pings came, and whether `answer` was said to each.
async fn count_pings(peer: &mut Peer, pings_max: usize, answer: impl Fn(&Peer, u64) -> Option<Vec<u8>>) -> usize {
    for pings in 0..pings_max {
        let body = peer.frame().await;
        let Ok(ServerFrame::Ping(ping)) = decode_server(&body) else {
            assert!(
                matches!(decode_server(&body), Ok(ServerFrame::Goodbye(goodbye)) if goodbye.code == 4203),
                "{body:?}"
            );
            return pings;
        };
        if let Some(bytes) = answer(peer, ping.nonce.value()) {
            peer.say(bytes).await;
        }
    }
    pings_max
}

#[tokio::test]
async fn a_silent_browser_is_given_up_after_the_grace() {
    let house = House::with(quick).await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let pings = count_pings(&mut peer, 20, |_, _| None).await;
    assert_eq!(pings, 4, "one at the first tick, and three intervals of grace");
}

#[tokio::test]
async fn whatever_is_heard_is_a_sign_of_life() {
    let house = House::with(quick).await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let pong = |peer: &Peer, nonce| {
        let nonce = callboard_protocol::Nonce::saturating(nonce);
        Some(peer.encode(&ClientFrame::Pong(Pong { nonce })))
    };
    assert_eq!(count_pings(&mut peer, 10, pong).await, 10);
    assert_eq!(count_pings(&mut peer, 10, |_, _| Some(masked(PONG, b""))).await, 10, "a pong of RFC 6455 as well");
}

#[tokio::test]
async fn a_session_that_is_not_open_is_not_asked() {
    let house = House::with(|config| {
        quick(config);
        config.hello_timeout = Duration::from_millis(500);
    })
    .await;
    let mut peer = Peer::upgrade(house.door.address(), Dialect::Binary).await;
    assert_eq!(peer.expect_end().await.0, Some(4202), "no ping came before it");
}
