//! The UDP proxy does on the wire what its faults say, seen by an echo behind it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Faults, Proxy, Way};
use crate::soon;

/// A peer behind the proxy that sends back what comes, and the address from which it came.
struct Echo {
    proxy: Proxy,
    client: UdpSocket,
    _echo: JoinSet<()>,
}

impl Echo {
    async fn behind(seed: u64) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::seeded(socket.local_addr().unwrap(), seed).await;
        let mut echo = JoinSet::new();
        echo.spawn(async move {
            let mut datagram = vec![0; 2048];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut datagram).await else { continue };
                let mut answer = datagram[..length].to_vec();
                answer.extend_from_slice(&from.port().to_be_bytes());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(proxy.addr()).await.unwrap();
        Self { proxy, client, _echo: echo }
    }

    async fn say(&self, datagram: &[u8]) {
        self.client.send(datagram).await.unwrap();
    }

    /// What comes back, and by which port it went there.
    async fn hear(&self) -> (Vec<u8>, u16) {
        let mut datagram = vec![0; 2048];
        let length = soon("the echo", self.client.recv(&mut datagram)).await.unwrap();
        let (said, port) = datagram[..length].split_at(length - 2);
        (said.to_vec(), u16::from_be_bytes(port.try_into().unwrap()))
    }

    /// Says numbers one by one and hears each before the next, so that none is lost but by the proxy; gives those that
    /// were lost, as the last datagram through a proxy that was healed tells.
    async fn lost(&self, way: Way, faults: Faults, numbers: std::ops::Range<u8>) -> Vec<u8> {
        let mut lost = Vec::new();
        for number in numbers {
            self.proxy.set(way, faults);
            let before = self.proxy.counts().dropped.value();
            self.say(&[number]).await;
            let decided = async || {
                let dropped = self.proxy.counts().dropped.value() > before;
                let passed = self.client.try_recv(&mut [0; 16]).is_ok();
                (dropped || passed).then_some(dropped)
            };
            if crate::eventually("the datagram's fate", decided).await {
                lost.push(number);
            }
        }
        lost
    }
}

#[tokio::test]
async fn without_a_fault_everything_comes_once_and_as_it_was() {
    let echo = Echo::behind(1).await;
    for number in 0..50_u8 {
        echo.say(&[number; 1200]).await;
        assert_eq!(echo.hear().await.0, [number; 1200]);
    }
    assert_eq!(echo.proxy.counts().passed.value(), 100);
}

#[tokio::test]
async fn one_way_loses_what_the_other_does_not_and_the_seed_says_which() {
    let half = Faults { drop: 0.5, ..Faults::default() };
    for way in Way::BOTH {
        let lost = Echo::behind(2).await.lost(way, half, 0..40).await;
        assert!((5..35).contains(&lost.len()), "{lost:?}");
        assert_eq!(lost, Echo::behind(2).await.lost(way, half, 0..40).await);
        assert_ne!(lost, Echo::behind(3).await.lost(way, half, 0..40).await);
    }
}

#[tokio::test]
async fn a_dead_way_is_silent_until_it_is_healed() {
    let echo = Echo::behind(4).await;
    assert_eq!(echo.lost(Way::ToBroker, Faults::DEAD, 0..5).await, [0, 1, 2, 3, 4]);
    assert_eq!(echo.proxy.counts().passed.value(), 0, "the echo heard nothing");
    echo.proxy.heal();
    assert_eq!(echo.lost(Way::ToClient, Faults::DEAD, 5..7).await, [5, 6]);
    assert_eq!(echo.proxy.counts().passed.value(), 2, "the echo heard it all");
    echo.proxy.heal();
    echo.say(b"again").await;
    assert_eq!(echo.hear().await.0, b"again");
    echo.proxy.cut();
    assert_eq!(echo.lost(Way::ToBroker, Faults::DEAD, 7..8).await, [7]);
}

#[tokio::test]
async fn duplicates_come_twice() {
    let echo = Echo::behind(5).await;
    echo.proxy.set(Way::ToClient, Faults { duplicate: 1.0, ..Faults::default() });
    echo.say(b"once").await;
    assert_eq!([echo.hear().await.0, echo.hear().await.0], [b"once", b"once"]);
}

#[tokio::test]
async fn what_is_held_back_is_overtaken() {
    let echo = Echo::behind(6).await;
    echo.proxy.set(Way::ToBroker, Faults { reorder: 0.5, ..Faults::default() });
    let mut heard = Vec::new();
    for number in 0..60_u8 {
        echo.say(&[number]).await;
    }
    for _ in 0..60 {
        heard.push(echo.hear().await.0[0]);
    }
    assert!(!heard.is_sorted() && echo.proxy.counts().held_back.value() > 0);
    heard.sort_unstable();
    assert_eq!(heard, (0..60).collect::<Vec<u8>>());
}

#[tokio::test]
async fn what_is_late_comes_no_sooner() {
    let echo = Echo::behind(7).await;
    let delay = Duration::from_millis(60);
    echo.proxy.set(Way::ToClient, Faults { delay, jitter: delay, ..Faults::default() });
    let began = Instant::now();
    echo.say(b"late").await;
    assert_eq!(echo.hear().await.0, b"late");
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn exactly_one_bit_is_flipped() {
    let echo = Echo::behind(8).await;
    echo.proxy.set(Way::ToBroker, Faults { flip: 1.0, ..Faults::default() });
    for _ in 0..20 {
        echo.say(&[0; 100]).await;
        let wrong: u32 = echo.hear().await.0.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(wrong, 1);
    }
}

#[tokio::test]
async fn a_hole_swallows_what_is_too_large() {
    let echo = Echo::behind(9).await;
    echo.proxy.set(Way::ToBroker, Faults { bytes_max: Some(1200), ..Faults::default() });
    echo.say(&[1; 1201]).await;
    echo.say(&[2; 1200]).await;
    assert_eq!(echo.hear().await.0, [2; 1200]);
    assert_eq!(echo.proxy.counts().too_large.value(), 1);
}

#[tokio::test]
async fn after_a_move_the_client_comes_from_another_port_and_stays_there() {
    let echo = Echo::behind(10).await;
    let said = async || {
        echo.say(b"from").await;
        echo.hear().await.1
    };
    let before = said().await;
    assert_eq!(said().await, before);
    echo.proxy.rebind();
    let after = said().await;
    assert_ne!(after, before);
    assert_eq!(said().await, after);
}

#[tokio::test]
async fn clients_are_told_apart() {
    let echo = Echo::behind(11).await;
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to: SocketAddr = echo.proxy.addr();
    other.send_to(b"other", to).await.unwrap();
    echo.say(b"one").await;
    let mut datagram = [0; 16];
    let (length, _) = soon("the other's echo", other.recv_from(&mut datagram)).await.unwrap();
    assert_eq!((&datagram[..length - 2], &*echo.hear().await.0), (&b"other"[..], &b"one"[..]));
}
