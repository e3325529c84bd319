//! The two halves of a load's session, at whichever door: bodies in, frames out. It judges nothing that is said.

use std::collections::VecDeque;
use std::io::ErrorKind;

use anyhow::{anyhow, bail};
use bytes::{BufMut, Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming};
use callboard_protocol::codec::decode_client;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::BODY_BYTES_MAX;
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, WriteError};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::scan::{Scanner, message, stream};

/// Chunks taken from a stream in one read.
const CHUNKS_A_READ: usize = 32;

/// Bytes taken from a socket in one read; they stand on the stack while they are read.
const BYTES_A_READ: usize = 32 << 10;

/// First bytes of whole WebSocket messages.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// What JSON has behind a payload that is text (PROTOCOL.md, "JSON").
pub(super) const TEXT_CLOSED: &[u8] = br#""}}"#;

/// What goes out.
#[derive(Debug)]
pub(super) enum Outward {
    /// A stream of QUIC.
    Stream(SendStream),
    /// A WebSocket.
    Socket(OwnedWriteHalf, Dialect),
}

impl Outward {
    /// Writes whole frames of a stream, encoded as the door wants them. A failure is told with how the connection ended,
    /// which says more than that it did.
    pub(super) async fn write(&mut self, frames: Bytes) -> anyhow::Result<()> {
        match self {
            Self::Stream(send) => send.write_chunk(frames).await.map_err(|error| match error {
                WriteError::ConnectionLost(error) => ended(&error),
                WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => error.into(),
            }),
            Self::Socket(write, dialect) => Ok(write.write_all(&messages(*dialect, frames)?).await?),
        }
    }
}

/// Frames of a stream as messages of a client.
fn messages(dialect: Dialect, frames: Bytes) -> anyhow::Result<BytesMut> {
    let mut out = BytesMut::with_capacity(2 * frames.len());
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    deframer.handle_bytes(frames);
    while let Some(body) = deframer.poll_body()? {
        match dialect {
            Dialect::Binary => put_message(BINARY, &body, &mut out),
            Dialect::Json => match dialect.encode_client(&decode_client(&body)?)? {
                callboard_bridge_ws::Outgoing::Text(text) => put_message(TEXT, text.as_bytes(), &mut out),
                callboard_bridge_ws::Outgoing::Binary(body) => put_message(BINARY, &body, &mut out),
            },
        }
    }
    Ok(out)
}

/// RFC 6455, section 5.3: a client masks. A mask of zeros changes nothing and costs the load nothing.
fn put_message(first: u8, content: &[u8], out: &mut BytesMut) {
    out.put_u8(first);
    match content.len() {
        short @ 0..=125 => out.put_u8(0x80 | short as u8),
        middle @ 126..=0xffff => {
            out.put_u8(0x80 | 126);
            out.put_u16(middle as u16);
        }
        long => {
            out.put_u8(0x80 | 127);
            out.put_u64(long as u64);
        }
    }
    out.put_u32(0);
    out.put_slice(content);
}

/// What comes in.
#[derive(Debug)]
pub(super) struct Inward {
    source: Source,
    scanner: Scanner,
    /// Bodies that were read and not yet asked for.
    waiting: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
enum Source {
    Stream(RecvStream),
    Socket(OwnedReadHalf, Dialect),
}

impl Inward {
    /// What comes from a stream.
    pub(super) fn stream(recv: RecvStream) -> Self {
        Self { source: Source::Stream(recv), scanner: Scanner::new(stream), waiting: VecDeque::new() }
    }

    /// What comes from a WebSocket.
    pub(super) fn socket(read: OwnedReadHalf, dialect: Dialect) -> Self {
        Self { source: Source::Socket(read, dialect), scanner: Scanner::new(message), waiting: VecDeque::new() }
    }

    /// The next body, in memory of its own; a message in JSON stays as it is, up to the end of its payload.
    pub(super) async fn body(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(body) = self.waiting.pop_front() {
                return Ok(body);
            }
            let mut bodies = std::mem::take(&mut self.waiting);
            let read = self.read(|body| bodies.push_back(body.to_vec())).await;
            self.waiting = bodies;
            read?;
        }
    }

    /// Waits for bytes and hands all bodies that they complete to `sink`; messages in JSON as [`Inward::body`] does.
    pub(super) async fn read(&mut self, mut sink: impl FnMut(&[u8])) -> anyhow::Result<()> {
        self.waiting.drain(..).for_each(|body| sink(&body));
        match &mut self.source {
            Source::Stream(recv) => {
                let mut chunks: [Bytes; CHUNKS_A_READ] = [const { Bytes::new() }; CHUNKS_A_READ];
                match recv.read_chunks(&mut chunks).await {
                    Ok(Some(count)) => {
                        for chunk in &chunks[..count] {
                            self.scanner.scan(chunk, &mut sink)?;
                        }
                        Ok(())
                    }
                    Ok(None) => bail!("the broker ended the session"),
                    Err(ReadError::ConnectionLost(error)) => Err(ended(&error)),
                    Err(error) => Err(error.into()),
                }
            }
            Source::Socket(read, dialect) => {
                read.readable().await?;
                take_messages(read, *dialect, &mut self.scanner, sink)
            }
        }
    }
}

/// Takes what a socket has now.
fn take_messages(
    read: &OwnedReadHalf,
    dialect: Dialect,
    scanner: &mut Scanner,
    mut sink: impl FnMut(&[u8]),
) -> anyhow::Result<()> {
    let mut buffer = [0; BYTES_A_READ];
    let bytes = match read.try_read(&mut buffer) {
        Ok(0) => bail!("the broker closed the socket"),
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut fault = None;
    scanner.scan(&buffer[..bytes], |content| match dialect {
        Dialect::Binary => sink(content),
        Dialect::Json => {
            if let Some(message) = up_to_its_payload(content) {
                return sink(message);
            }
            let text = str::from_utf8(content).map_err(anyhow::Error::from);
            let body = text.and_then(|text| Ok(dialect.decode_server(Incoming::Text(text))?));
            match body {
                Ok(body) => sink(&body),
                Err(error) => fault = Some(error),
            }
        }
    })?;
    fault.map_or(Ok(()), Err)
}

/// A message in JSON without what stands behind a payload that is text. It is not read: with that a load takes six times
/// the processor, and the broker would be measured while it waits for it.
fn up_to_its_payload(json: &[u8]) -> Option<&[u8]> {
    json.strip_suffix(TEXT_CLOSED).filter(|message| message.starts_with(br#"{"kind":"Message","#))
}

/// How a connection ended, with the broker's own words where it gave some.
fn ended(error: &ConnectionError) -> anyhow::Error {
    if let ConnectionError::ApplicationClosed(close) = error {
        let sentence = String::from_utf8_lossy(&close.reason);
        return anyhow!("the broker ended a session ({}): {sentence}", close.error_code);
    }
    anyhow!("a connection was lost: {error}")
}
