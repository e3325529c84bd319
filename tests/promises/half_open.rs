//! Who begins and never finishes takes little, and keeps nobody else out.

use std::net::{Ipv4Addr, SocketAddr};

use callboard::config::Limits;
use callboard_protocol::close::Code;
use callboard_tests::raw::{Dialer, Ending, first_datagrams};
use callboard_tests::vectors::{Speaker, framed, golden};
use callboard_tests::{Broker, Growth, Neighbour, Process, soon};
use futures_util::FutureExt as _;
use tokio::net::UdpSocket;

/// Peers that begin something at once.
const PEERS: usize = 300;

/// What the broker may need for all of them: a tenth of what they announce.
const GROWTH_BYTES_MAX: usize = 32 << 20;

/// The length of a mebibyte and the beginning of a publish: 1 MiB is announced, and eight bytes of it come.
const ANNOUNCED: [u8; 11] = [0x80, 0x80, 0x40, 7, 9, 0, 1, b'c', 0, 2, 0];

/// The length of 32 KiB, the longest first body, and the beginning of `Hello`.
const ANNOUNCED_FIRST: [u8; 5] = [0x80, 0x80, 0x02, 0, 200];

const HANDSHAKES_MAX: usize = 20;

#[tokio::test]
async fn bodies_that_are_announced_and_never_come_take_no_memory() {
    let broker = Process::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let (dialer, growth) = (Dialer::new(), Growth::of(&broker));
    let mut halfway = Vec::new();
    for number in 0..PEERS {
        let mut peer = dialer.connect(broker.addr()).await;
        if number % 10 == 0 {
            peer.send_bytes(&ANNOUNCED_FIRST).await;
        } else {
            peer.hello().await;
            let mut bytes = framed(&body("publish"));
            bytes.extend(ANNOUNCED);
            peer.send_bytes(&bytes).await;
            // The answer says that what came with the publish was read as well.
            peer.receive().await;
        }
        halfway.push(peer);
    }
    neighbour.carries_on().await;
    growth.assert_below(GROWTH_BYTES_MAX, &broker);
    for peer in &halfway {
        assert_eq!(peer.connection().close_reason(), None, "half a frame is no fault yet");
    }
}

#[tokio::test]
async fn streams_that_are_never_used_or_given_up_at_once_are_the_end_of_nobody_else() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    let mut unused = Vec::new();
    for number in 0..PEERS {
        let connection = bare(&dialer, broker.addr()).await;
        let (mut send, mut recv) = connection.open_bi().await.expect("there is room for a stream");
        match number % 4 {
            0 => {
                unused.push((connection, send, recv));
                continue;
            }
            1 => send.reset(7_u32.into()).expect("the stream is open"),
            2 => {
                send.write_all(&framed(&body("hello"))[..9]).await.expect("there is room for a few bytes");
                send.reset(7_u32.into()).expect("the stream is open");
            }
            _ => {
                recv.stop(7_u32.into()).expect("the stream is open");
                send.write_all(&framed(&body("hello"))).await.expect("there is room for a few bytes");
            }
        }
        let ending = Ending::from(soon("the end of a session without a stream", connection.closed()).await);
        let Ending::Closed { code, .. } = ending else { panic!("it ended without a code: {ending:?}") };
        assert_eq!(code, u64::from(Code::Finished.number()));
    }
    neighbour.carries_on().await;
    for (connection, ..) in &unused {
        assert_eq!(connection.close_reason(), None, "they have some time left");
    }
}

#[tokio::test]
async fn a_session_has_one_stream_and_no_datagrams() {
    let broker = Broker::start().await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    let connection = peer.connection();
    assert!(connection.open_bi().now_or_never().is_none(), "there is no room for a second session");
    assert!(connection.open_uni().now_or_never().is_none(), "there is none for a stream of one direction");
    assert!(connection.send_datagram(vec![0; 10].into()).is_err(), "and none for datagrams");
    peer.publish("news", "the one stream goes on").await;
    Neighbour::of(broker.addr()).await.carries_on().await;
}

#[tokio::test]
async fn handshakes_that_are_begun_from_false_addresses_keep_nobody_out() {
    for limits in [Limits { handshakes: HANDSHAKES_MAX, ..Limits::default() }, Limits::default()] {
        let broker = Broker::start_with(|config| config.limits = limits).await;
        let mut neighbour = Neighbour::of(broker.addr()).await;
        let attacker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket can be bound on loopback");
        let mut answer = vec![0; 2048];
        for first in first_datagrams(PEERS).await {
            attacker.send_to(&first, broker.addr()).await.expect("loopback takes a datagram");
            // Whatever it says, the broker has it.
            soon("the broker's answer", attacker.recv_from(&mut answer)).await.expect("loopback gives a datagram");
        }
        for _ in 0..2 * HANDSHAKES_MAX {
            neighbour.carries_on().await;
        }
    }
}

#[tokio::test]
async fn connections_on_which_nothing_is_said_keep_nobody_out() {
    let limits = Limits { handshakes: HANDSHAKES_MAX, ..Limits::default() };
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    let mut silent = Vec::new();
    for _ in 0..2 * HANDSHAKES_MAX {
        silent.push(bare(&dialer, broker.addr()).await);
    }
    neighbour.carries_on().await;
    for connection in &silent {
        assert_eq!(connection.close_reason(), None, "they have some time left");
    }
}

#[tokio::test]
async fn datagrams_that_are_no_quic_at_all_are_passed_over() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let attacker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket can be bound on loopback");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    };
    for number in 0..3_000 {
        let mut datagram: Vec<u8> =
            std::iter::repeat_with(&mut byte).take([1, 20, 50, 1200, 1472][number % 5]).collect();
        // Every third looks like the first of a handshake, with ids of twenty bytes, no token, and nonsense behind.
        if number % 3 == 0 && datagram.len() > 50 {
            datagram[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 20]);
            datagram[26] = 20;
            datagram[47] = 0;
        }
        attacker.send_to(&datagram, broker.addr()).await.expect("loopback takes a datagram");
        if number % 500 == 0 {
            neighbour.hears_itself().await;
        }
    }
    neighbour.carries_on().await;
}

/// A connection without a stream.
async fn bare(dialer: &Dialer, broker: SocketAddr) -> quinn::Connection {
    let connecting = dialer.endpoint().connect(broker, "localhost").expect("the options are legal");
    soon("the handshake", connecting).await.expect("the handshake itself is let pass")
}

/// The body of a client's golden frame.
fn body(name: &str) -> Vec<u8> {
    let vector = golden().into_iter().find(|vector| vector.speaker == Speaker::Client && vector.name == name);
    vector.unwrap_or_else(|| panic!("there is no frame called {name}")).body
}
