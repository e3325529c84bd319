//! A session at the browser's door: a WebSocket read and written by hand (RFC 6455), in either dialect.

use std::fmt;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming, Outgoing};
use callboard_protocol::frame::ClientFrame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::body::{Body, Ending};
use crate::{http, soon};

/// First bytes of whole messages.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// What the kernel holds for a peer that does not read, in bytes.
const RECEIVE_BYTES: u32 = 128 << 10;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a WebSocket is spoken over: TCP, or TLS over it.
pub trait Wire: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Wire for T {}

/// A WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: Box<dyn Wire>,
    dialect: Dialect,
    read: BytesMut,
}

impl Socket {
    /// Connects and asks for the upgrade with these further header fields, each with its end of line.
    ///
    /// # Errors
    ///
    /// The status line, if it is not granted.
    pub(super) async fn open(addr: SocketAddr, dialect: Dialect, fields: &str) -> Result<Self, String> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.expect("a socket");
        // The kernel lets the buffer of a socket that says nothing of it grow by tens of megabytes, in which a test that
        // does not read would find no end.
        socket.set_recv_buffer_size(RECEIVE_BYTES).expect("a socket that is not connected");
        let stream = soon("a TCP connection", socket.connect(addr)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).expect("a socket that is open");
        Self::open_over(Box::new(stream), dialect, fields).await
    }

    /// Asks for the upgrade of a connection that is open.
    ///
    /// # Errors
    ///
    /// The status line, if it is not granted.
    pub(super) async fn open_over(stream: Box<dyn Wire>, dialect: Dialect, fields: &str) -> Result<Self, String> {
        let mut socket = Self { stream, dialect, read: BytesMut::new() };
        let head = format!(
            "GET /v1/bus HTTP/1.1\r\n{}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {}\r\n{fields}\r\n",
            http::host(fields),
            dialect.subprotocol()
        );
        socket.write(head.as_bytes()).await;
        let end = loop {
            if let Some(end) = socket.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if !socket.more().await {
                return Err("the door closed within its answer".to_owned());
            }
        };
        let head = String::from_utf8_lossy(&socket.read.split_to(end)).into_owned();
        let status = head.lines().next().unwrap_or_default().to_owned();
        if status.contains(" 101 ") { Ok(socket) } else { Err(status) }
    }

    /// Frames as this door wants them.
    pub(super) fn encode(&self, frames: &[ClientFrame<'_>]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for frame in frames {
            let said =
                self.dialect.encode_client(frame).expect("a test that wants a body that is too long says its bytes");
            match said {
                Outgoing::Text(text) => mask(TEXT, text.as_bytes(), &mut bytes),
                Outgoing::Binary(body) => mask(BINARY, &body, &mut bytes),
            }
        }
        bytes
    }

    /// A message with this content, whatever it is.
    pub(super) fn message(&self, content: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        mask(if self.dialect == Dialect::Json { TEXT } else { BINARY }, content, &mut bytes);
        bytes
    }

    /// Writes bytes. That the socket is gone is found by what is read.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        drop(soon("room for what is sent", self.stream.write_all(bytes)).await);
        drop(soon("room for what TLS has of it", self.stream.flush()).await);
    }

    pub(super) async fn read(&mut self) -> Result<Body, Ending> {
        loop {
            if let Some((first, content)) = self.next_message() {
                let incoming = match first {
                    TEXT => Incoming::Text(str::from_utf8(&content).expect("a text message is UTF-8")),
                    BINARY => Incoming::Binary(content.clone().freeze()),
                    CLOSE => return Err(ending(&content)),
                    other => panic!("a door of this version sends no message that begins with {other:02x}"),
                };
                let body = self.dialect.decode_server(incoming);
                return Ok(Body(body.unwrap_or_else(|refused| panic!("the broker said what is no frame: {refused}"))));
            }
            if !self.more().await {
                return Err(Ending::Lost("the socket was closed without a word".to_owned()));
            }
        }
    }

    /// Takes the next whole message out of what was read.
    fn next_message(&mut self) -> Option<(u8, BytesMut)> {
        let read = &self.read;
        let (header, length) = match *read.get(1)? {
            126 => (4, usize::from(u16::from_be_bytes(read.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(read.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        if read.len() < header + length {
            return None;
        }
        let first = read[0];
        self.read.advance(header);
        Some((first, self.read.split_to(length)))
    }

    async fn more(&mut self) -> bool {
        soon("bytes, or the socket's end,", self.stream.read_buf(&mut self.read)).await.is_ok_and(|bytes| bytes > 0)
    }
}

fn ending(content: &[u8]) -> Ending {
    let Some((code, reason)) = content.split_first_chunk::<2>() else {
        return Ending::Lost("the socket was closed without a code".to_owned());
    };
    Ending::Closed { code: u16::from_be_bytes(*code).into(), reason: String::from_utf8_lossy(reason).into_owned() }
}

/// Appends a whole masked message.
fn mask(first: u8, content: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(&[first]);
    match content.len() {
        short @ 0..=125 => out.extend_from_slice(&[0x80 | u8::try_from(short).expect("at most 125")]),
        middle @ 126..=0xffff => {
            out.extend_from_slice(&[0x80 | 126]);
            out.extend_from_slice(&u16::try_from(middle).expect("at most two bytes").to_be_bytes());
        }
        long => {
            out.extend_from_slice(&[0x80 | 127]);
            out.extend_from_slice(&u64::try_from(long).expect("eight bytes").to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}
