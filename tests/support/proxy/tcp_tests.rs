//! The TCP proxy does on the wire what it was told, seen by an echo behind it.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Pipe, TcpProxy, Trickle, Way};
use crate::soon;

/// A server behind the proxy that hands its connections to the test.
struct Server {
    listener: TcpListener,
    proxy: TcpProxy,
}

impl Server {
    async fn behind(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = TcpProxy::before(listener.local_addr().unwrap(), seed).await;
        Self { listener, proxy }
    }

    /// A connection's two ends.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.proxy.addr()).await.unwrap();
        let (server, _) = soon("the connection behind the proxy", self.listener.accept()).await.unwrap();
        (client, server)
    }
}

async fn hear(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut heard = vec![0; bytes];
    soon("the bytes", stream.read_exact(&mut heard)).await.unwrap();
    heard
}

async fn hear_out(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    soon("the end", stream.read_to_end(&mut heard)).await.map(|_| heard)
}

/// Bytes of which no two neighbours are alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| (number % 251) as u8).collect()
}

#[tokio::test]
async fn without_a_fault_bytes_and_ends_pass_both_ways() {
    let server = Server::behind(1).await;
    let (mut client, mut behind) = server.connect().await;
    // More than a way holds, both ways at once.
    let (there, back) = (bytes(2 << 20), bytes(1 << 20));
    let mut sending = JoinSet::new();
    let (sent, answered) = (there.clone(), back.clone());
    sending.spawn(async move {
        behind.write_all(&answered).await.unwrap();
        behind.shutdown().await.unwrap();
        assert_eq!(hear_out(&mut behind).await.unwrap(), sent);
    });
    let (mut from, mut to) = client.split();
    let (written, heard) = tokio::join!(
        async {
            to.write_all(&there).await.unwrap();
            to.shutdown().await
        },
        async {
            let mut heard = Vec::new();
            from.read_to_end(&mut heard).await.map(|_| heard)
        },
    );
    written.unwrap();
    assert!(heard.unwrap() == back);
    sending.join_all().await;
}

#[tokio::test]
async fn what_is_late_comes_no_sooner_and_in_order() {
    let server = Server::behind(2).await;
    let delay = Duration::from_millis(50);
    server.proxy.set(Way::ToBroker, Pipe { delay, jitter: delay, ..Pipe::default() });
    let (mut client, mut behind) = server.connect().await;
    let began = Instant::now();
    let said = bytes(50);
    for byte in &said {
        client.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(hear(&mut behind, 50).await, said);
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn a_throttled_way_takes_its_time() {
    let server = Server::behind(3).await;
    server.proxy.set(Way::ToClient, Pipe { bytes_per_second: Some(1 << 10), ..Pipe::default() });
    let (mut client, mut behind) = server.connect().await;
    let began = Instant::now();
    behind.write_all(&bytes(300)).await.unwrap();
    assert_eq!(hear(&mut client, 300).await, bytes(300));
    // All but the last piece, which is a twentieth of a second's bytes, were waited for.
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn bytes_trickle_one_by_one() {
    let server = Server::behind(4).await;
    let every = Duration::from_millis(5);
    server.proxy.set(Way::ToBroker, Pipe { trickle: Some(Trickle { every }), ..Pipe::default() });
    let (mut client, mut behind) = server.connect().await;
    let began = Instant::now();
    client.write_all(&bytes(20)).await.unwrap();
    assert_eq!(hear(&mut behind, 20).await, bytes(20));
    assert!(began.elapsed() >= 19 * every);
}

#[tokio::test]
async fn a_cut_is_a_reset_at_both_ends() {
    let server = Server::behind(5).await;
    let (mut client, mut behind) = server.connect().await;
    client.write_all(b"before").await.unwrap();
    assert_eq!(hear(&mut behind, 6).await, b"before");
    server.proxy.cut();
    for end in [&mut client, &mut behind] {
        assert_eq!(hear_out(end).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    // Who comes afterwards is not touched.
    let (mut client, mut behind) = server.connect().await;
    client.write_all(b"after").await.unwrap();
    assert_eq!(hear(&mut behind, 5).await, b"after");
}

#[tokio::test]
async fn a_connection_is_cut_after_exactly_so_many_bytes() {
    let server = Server::behind(6).await;
    server.proxy.set(Way::ToBroker, Pipe { cut_after: Some(1000), ..Pipe::default() });
    let (mut client, mut behind) = server.connect().await;
    client.write_all(&bytes(5000)[..999]).await.unwrap();
    let mut heard = hear(&mut behind, 999).await;
    client.write_all(&bytes(5000)[999..]).await.unwrap();
    let error = loop {
        let mut piece = [0; 512];
        match soon("a piece or the reset", behind.read(&mut piece)).await {
            Ok(0) => panic!("the connection ended in order"),
            Ok(length) => heard.extend_from_slice(&piece[..length]),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // A reset may take with it what its receiver has not read.
    assert!(heard == bytes(999) || heard == bytes(1000), "{}", heard.len());
    assert_eq!(hear_out(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_way_that_is_closed_half_ends_and_the_other_goes_on() {
    let server = Server::behind(7).await;
    let (mut client, mut behind) = server.connect().await;
    client.write_all(b"before").await.unwrap();
    assert_eq!(hear(&mut behind, 6).await, b"before");
    server.proxy.half_close(Way::ToBroker);
    assert_eq!(hear_out(&mut behind).await.unwrap(), b"");
    client.write_all(b"lost").await.unwrap();
    behind.write_all(b"heard").await.unwrap();
    assert_eq!(hear(&mut client, 5).await, b"heard");
}

#[tokio::test]
async fn a_stalled_connection_is_silent_and_open_until_it_is_healed() {
    let server = Server::behind(8).await;
    let (mut client, mut behind) = server.connect().await;
    client.write_all(b"before").await.unwrap();
    assert_eq!(hear(&mut behind, 6).await, b"before");
    server.proxy.stall();
    client.write_all(b"later").await.unwrap();
    behind.write_all(b"later").await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(100), behind.read_u8()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    server.proxy.heal();
    assert_eq!((hear(&mut behind, 5).await, hear(&mut client, 5).await), (b"later".to_vec(), b"later".to_vec()));
}

#[tokio::test]
async fn a_deaf_proxy_lets_in_and_leads_nowhere() {
    let server = Server::behind(9).await;
    server.proxy.go_deaf();
    let mut client = TcpStream::connect(server.proxy.addr()).await.unwrap();
    client.write_all(b"anybody?").await.unwrap();
    let nobody = tokio::time::timeout(Duration::from_millis(100), server.listener.accept()).await;
    assert!(nobody.is_err());
    server.proxy.heal();
    assert_eq!(hear_out(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.connect().await;
}
