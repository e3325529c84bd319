//! A browser made of bytes: it says whatever a test wants, masked or not, and reads what comes back strictly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::Dialect;
use callboard_bridge_ws::Incoming;
use callboard_protocol::codec::{decode_server, encode};
use callboard_protocol::frame::{ClientFrame, Hello, Publish, ServerFrame};
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longer than anything on loopback takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// The header fields of a good handshake, without Host.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Waits for what must come.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let at = std::panic::Location::caller();
    async move { timeout(SOON, future).await.unwrap_or_else(|_| panic!("it did not come in time, at {at}")) }
}

/// What a peer speaks over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One side of a connection.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    read: BytesMut,
    dialect: Dialect,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Peer {
    /// Opens a connection and says nothing.
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: Box::new(stream), read: BytesMut::new(), dialect: Dialect::Binary }
    }

    /// Opens a session inside TLS.
    pub(crate) async fn open_tls(address: SocketAddr, tls: Arc<rustls::ClientConfig>) -> Self {
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        let stream = soon(TlsConnector::from(tls).connect("localhost".try_into().unwrap(), stream)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut peer = Self { stream: Box::new(stream), read: BytesMut::new(), dialect: Dialect::Binary };
        peer.shake_hands(b"").await;
        peer.say(peer.hello()).await;
        peer.expect_welcome().await;
        peer
    }

    /// Opens a WebSocket without saying hello.
    pub(crate) async fn upgrade(address: SocketAddr, dialect: Dialect) -> Self {
        Self::upgrade_with(address, dialect, b"").await
    }

    /// Opens a WebSocket and says `behind` in the same breath.
    pub(crate) async fn upgrade_with(address: SocketAddr, dialect: Dialect, behind: &[u8]) -> Self {
        let mut peer = Self { dialect, ..Self::dial(address).await };
        peer.shake_hands(behind).await;
        peer
    }

    async fn shake_hands(&mut self, behind: &[u8]) {
        let name = self.dialect.subprotocol();
        let head =
            format!("GET /v1/bus HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}Sec-WebSocket-Protocol: {name}\r\n\r\n");
        self.say([head.as_bytes(), behind].concat()).await;
        let answer = self.answer().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.field("sec-websocket-protocol"), Some(name));
        assert_eq!(answer.field("sec-websocket-extensions"), None);
    }

    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr, dialect: Dialect) -> Self {
        let mut peer = Self::upgrade(address, dialect).await;
        peer.say(peer.hello()).await;
        peer.expect_welcome().await;
        peer
    }

    /// A `Hello`, encoded.
    pub(crate) fn hello(&self) -> Vec<u8> {
        self.encode(&ClientFrame::Hello(Hello { agent: "peer", instance: [1; 16], capabilities: 0, credential: None }))
    }

    /// A publish, encoded; its payload comes back.
    pub(crate) fn publish(&self, request: u64, payload: PayloadRef<'_>) -> Vec<u8> {
        self.encode(&publish(request, "demo", payload))
    }

    pub(crate) fn encode(&self, frame: &ClientFrame<'_>) -> Vec<u8> {
        let (first, content) = self.content(frame);
        masked(first, &content)
    }

    /// What a frame is in this dialect: a message's first byte and its content.
    pub(crate) fn content(&self, frame: &ClientFrame<'_>) -> (u8, Vec<u8>) {
        match self.dialect {
            Dialect::Json => match self.dialect.encode_client(frame).unwrap() {
                callboard_bridge_ws::Outgoing::Text(text) => (TEXT, text.into_bytes()),
                callboard_bridge_ws::Outgoing::Binary(_) => panic!("JSON is text"),
            },
            Dialect::Binary => {
                let mut body = BytesMut::new();
                encode(frame, &mut body).unwrap();
                (BINARY, body.to_vec())
            }
        }
    }

    /// Says bytes. A door that is closed already is found by what is read.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
        let _ = soon(self.stream.flush()).await;
    }

    /// Says bytes while it reads what comes back, to the end.
    pub(crate) async fn say_and_read_out(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut read, mut write) = split(&mut self.stream);
        let mut back = Vec::new();
        let _ = soon(async { tokio::join!(write.write_all(bytes), read.read_to_end(&mut back)) }).await;
        back
    }

    /// Whether the door still takes what is said.
    pub(crate) async fn is_listened_to(&mut self) -> bool {
        for _ in 0..20 {
            if self.stream.write_all(b"more").await.is_err() || self.stream.flush().await.is_err() {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    /// Says bytes in segments of one.
    pub(crate) async fn spell(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.say([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// Reads an HTTP answer with a length, or a 101.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more().await, "the door closed within a header: {:?}", self.read);
        };
        let head = String::from_utf8(self.read.split_to(end).to_vec()).unwrap();
        let mut answer = Answer { status: head[9..12].parse().unwrap(), head, body: String::new() };
        let length: usize = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "the door closed within a body");
        }
        answer.body = String::from_utf8(self.read.split_to(length).to_vec()).unwrap();
        answer
    }

    /// Reads a message: the first byte of its frame, and its content. `None` at the end.
    pub(crate) async fn message(&mut self) -> Option<(u8, Bytes)> {
        loop {
            if let Some((header, bytes)) = length(&self.read)
                && self.read.len() >= header + bytes
            {
                let first = self.read[0];
                let mut whole = self.read.split_to(header + bytes);
                return Some((first, whole.split_off(header).freeze()));
            }
            if !self.more().await {
                assert!(self.read.is_empty(), "the door closed within a message: {:?}", self.read);
                return None;
            }
        }
    }

    /// Reads a frame of the protocol.
    pub(crate) async fn frame(&mut self) -> Bytes {
        let (first, content) = self.message().await.expect("a frame and not the end");
        let incoming = match first {
            TEXT => Incoming::Text(str::from_utf8(&content).unwrap()),
            BINARY => Incoming::Binary(content.clone()),
            other => panic!("a message of type {other:x}: {content:?}"),
        };
        self.dialect.decode_server(incoming).unwrap()
    }

    pub(crate) async fn expect_welcome(&mut self) {
        let body = self.frame().await;
        assert!(matches!(decode_server(&body), Ok(ServerFrame::Welcome(_))), "{body:?}");
    }

    /// Reads what a publish brings: its echo and its answer.
    pub(crate) async fn expect_echo(&mut self, payload: PayloadRef<'_>) {
        let body = self.frame().await;
        let Ok(ServerFrame::Message(message)) = decode_server(&body) else { panic!("no message: {body:?}") };
        assert_eq!(message.payload, payload);
        let body = self.frame().await;
        assert!(matches!(decode_server(&body), Ok(ServerFrame::Ok { .. })), "{body:?}");
    }

    /// Reads the end: perhaps a `Goodbye`, then a close, then nothing. The codes of both and the close's reason.
    pub(crate) async fn expect_end(&mut self) -> (Option<u16>, Option<u16>, String) {
        let (mut goodbye, mut message) = (None, self.message().await.expect("last words"));
        if message.0 == TEXT || message.0 == BINARY {
            let incoming = match message.0 {
                TEXT => Incoming::Text(str::from_utf8(&message.1).unwrap()),
                _ => Incoming::Binary(message.1.clone()),
            };
            let body = self.dialect.decode_server(incoming).unwrap();
            let Ok(ServerFrame::Goodbye(said)) = decode_server(&body) else { panic!("no goodbye: {body:?}") };
            goodbye = Some(said.code);
            message = self.message().await.expect("a close behind the goodbye");
        }
        assert_eq!(message.0, CLOSE);
        let code = message.1.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        let reason = String::from_utf8(message.1.get(2..).unwrap_or_default().to_vec()).unwrap();
        assert_eq!(self.message().await, None, "nothing follows a close");
        (goodbye, code, reason)
    }

    /// Whether nothing has come.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.read);
        let came = tokio::select! { biased; _ = read => true, () = std::future::ready(()) => false };
        !came && self.read.is_empty()
    }

    /// Reads to the end, in order or not; what came.
    pub(crate) async fn read_out(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = soon(self.stream.read_to_end(&mut rest)).await;
        rest
    }

    async fn more(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.read)).await.expect("the door hangs up in order") > 0
    }
}

pub(crate) fn publish<'a>(request: u64, channel: &'a str, payload: PayloadRef<'a>) -> ClientFrame<'a> {
    let request = RequestId::saturating(request);
    ClientFrame::Publish(Publish { request, sequence: Sequence::ZERO, channel, key: None, payload })
}

/// A masked frame whose first byte is `first`.
pub(crate) fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = header(first, 0x80, content.len());
    frame.extend(MASK);
    frame.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The same without a mask.
pub(crate) fn bare(first: u8, content: &[u8]) -> Vec<u8> {
    [header(first, 0, content.len()), content.to_vec()].concat()
}

fn header(first: u8, mask: u8, bytes: usize) -> Vec<u8> {
    let mut header = vec![first];
    match bytes {
        0..=125 => header.push(mask | bytes as u8),
        126..=0xffff => {
            header.push(mask | 126);
            header.extend((bytes as u16).to_be_bytes());
        }
        _ => {
            header.push(mask | 127);
            header.extend((bytes as u64).to_be_bytes());
        }
    }
    header
}

/// The bytes of a frame's header and of its content.
fn length(read: &[u8]) -> Option<(usize, usize)> {
    assert_eq!(read.first().map_or(0x80, |first| first & 0xf0), 0x80, "one whole frame, no reserved bits");
    match *read.get(1)? {
        bytes @ 0..=125 => Some((2, bytes.into())),
        126 => Some((4, u16::from_be_bytes(read.get(2..4)?.try_into().unwrap()).into())),
        127 => Some((10, usize::try_from(u64::from_be_bytes(read.get(2..10)?.try_into().unwrap())).unwrap())),
        _ => panic!("a server does not mask"),
    }
}
