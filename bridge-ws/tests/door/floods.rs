//! Whoever sends or reads too little or too much hurts only itself: it is told with a code, and a neighbour notices nothing.

use callboard_bridge_ws::Dialect;
use callboard_protocol::PayloadRef;
use callboard_protocol::close::Code;

use crate::house::House;
use crate::peer::{BINARY, PING, PONG, Peer, bare, masked, soon};

#[tokio::test]
async fn a_hundred_thousand_empty_fragments_end_the_session() {
    let house = House::open().await;
    let mut neighbour = Peer::open(house.door.address(), Dialect::Binary).await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    peer.say(masked(0x02, b"")).await;
    peer.say(masked(0x00, b"").repeat(100_000)).await;
    let (goodbye, close, sentence) = peer.expect_end().await;
    assert_eq!((goodbye, close), (Some(4402), Some(4402)), "{sentence}");
    assert!(sentence.contains("4096 fragments"), "{sentence}");
    neighbour.say(neighbour.publish(1, PayloadRef::text("unharmed"))).await;
    neighbour.expect_echo(PayloadRef::text("unharmed")).await;
}

#[tokio::test]
async fn a_flood_of_pings_or_pongs_ends_the_session() {
    let house = House::open().await;
    for first in [PING, PONG] {
        let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
        let back = peer.say_and_read_out(&masked(first, b"x").repeat(100_000)).await;
        assert_eq!(soon(house.session().closed()).await, Code::RateExceeded);
        assert!(back.windows(2).any(|window| window == 4204_u16.to_be_bytes()), "its last words have the code");
    }
}

#[tokio::test]
async fn a_browser_that_stops_reading_is_too_slow_and_its_neighbour_is_not() {
    let house = House::open().await;
    let mut neighbour = Peer::open(house.door.address(), Dialect::Binary).await;
    let quick = house.session();
    let _peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let slow = house.session();
    let message = bytes::Bytes::from(bare(BINARY, &[7; 10_000]));
    let closed = async {
        loop {
            for _ in 0..50 {
                quick.say(message.clone());
                slow.say(message.clone());
            }
            for _ in 0..50 {
                assert_eq!(neighbour.message().await.map(|(_, content)| content.len()), Some(10_000));
            }
            let mut closed = std::pin::pin!(slow.closed());
            tokio::select! { biased; code = &mut closed => return code, () = tokio::task::yield_now() => {} }
        }
    };
    assert_eq!(soon(closed).await, Code::TooSlow);
}

#[tokio::test]
async fn a_browser_that_reads_again_in_time_hears_that_it_was_too_slow() {
    let house = House::open().await;
    let mut peer = Peer::open(house.door.address(), Dialect::Binary).await;
    let slow = house.session();
    // More than the kernel's buffers and the queue hold together.
    let message = bytes::Bytes::from(bare(BINARY, &[7; 50_000]));
    for _ in 0..1000 {
        slow.say(message.clone());
        tokio::task::yield_now().await;
    }
    let mut last = None;
    while let Some(message) = peer.message().await {
        last = Some(message);
    }
    let (_, close) = last.expect("a close");
    assert_eq!(close[..2], 4101_u16.to_be_bytes(), "every message before it was whole");
}

#[tokio::test]
async fn a_message_may_come_in_segments_of_one_byte() {
    let house = House::open().await;
    let mut peer = Peer::upgrade(house.door.address(), Dialect::Json).await;
    let bytes = [peer.hello(), peer.publish(1, PayloadRef::text("slowly"))].concat();
    peer.spell(&bytes).await;
    peer.expect_welcome().await;
    peer.expect_echo(PayloadRef::text("slowly")).await;
}

#[tokio::test]
async fn what_waits_inside_tls_goes_out_without_another_message() {
    let (house, client) = House::inside_tls().await;
    let message = bytes::Bytes::from(bare(BINARY, &[7; 8000]));
    // As many as the kernel takes, and TLS behind it: with a few less the last of them wait inside TLS alone.
    let mut full = 1000;
    for less in [0, 6, 4, 2] {
        let mut peer = Peer::open_tls(house.door.address(), client.clone()).await;
        let session = house.session();
        let mut said = 0;
        while session.is_taken() && said + less < full {
            session.say(message.clone());
            said += 1;
            pause().await;
        }
        full = if less == 0 { said } else { full };
        for _ in 0..said {
            assert_eq!(peer.message().await.map(|(_, content)| content.len()), Some(8000));
        }
    }
}

/// Lets the other tasks of this thread have a few turns.
async fn pause() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}
