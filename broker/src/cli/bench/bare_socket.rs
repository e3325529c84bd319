//! The bare writer of WebSockets: what TCP and the frames of RFC 6455 alone cost for the same bytes. It is no browser's door.

use std::io::{ErrorKind, IoSlice, Write};
use std::net::Ipv4Addr;

use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::bare::{AT_ONCE, Channels, Desk, WAITING};

/// Bytes taken from a socket in one read; they stand on the stack while they are read.
const BYTES_A_READ: usize = 16 << 10;

/// A header that is longer than this is no load's.
const HEAD_BYTES_MAX: usize = 4096;

/// Runs it until standard input ends.
pub(super) async fn run(dialect: Dialect) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    // Standard output is read by the measurement that started this.
    writeln!(std::io::stdout(), "{}", listener.local_addr()?).context("nobody waits for the bare writer")?;
    let channels = Channels::default();
    let accept = async {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Channels::clone(&channels), dialect));
        }
    };
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        () = accept => {}
        _ = stdin.read_u8() => {}
    }
    Ok(())
}

async fn serve(mut stream: TcpStream, channels: Channels, dialect: Dialect) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    upgrade(&mut stream, dialect).await?;
    let (read, mut write) = stream.into_split();
    let (outbox, mut inbox) = mpsc::channel(WAITING);
    let mut desk = Desk::new(channels, outbox, Some(dialect));
    let (mut taken, mut unread) = (Vec::new(), BytesMut::new());
    loop {
        tokio::select! {
            biased;
            count = inbox.recv_many(&mut taken, AT_ONCE) => {
                if count > 0 {
                    write_all(&mut write, &mut taken).await?;
                    taken.clear();
                }
            }
            ready = read.readable() => {
                ready?;
                let mut buffer = [0; BYTES_A_READ];
                match read.try_read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(bytes) => unread.extend_from_slice(&buffer[..bytes]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                }
                let answers = desk.take(|| next_content(&mut unread).map(|content| body_of(content, dialect)).transpose())?;
                if !answers.is_empty() {
                    write.write_all(&answers).await?;
                }
            }
        }
    }
}

/// Writes everything in as few calls as there can be.
async fn write_all(write: &mut OwnedWriteHalf, chunks: &mut [Bytes]) -> anyhow::Result<()> {
    let mut first = 0;
    while first < chunks.len() {
        let mut slices = [IoSlice::new(&[]); AT_ONCE];
        let count = slices.iter_mut().zip(&chunks[first..]).map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count();
        let mut written = write.write_vectored(&slices[..count]).await?;
        while let Some(chunk) = chunks.get_mut(first).filter(|chunk| chunk.len() <= written) {
            written -= chunk.len();
            first += 1;
        }
        if let Some(chunk) = chunks.get_mut(first) {
            chunk.advance(written);
        }
    }
    Ok(())
}

/// Answers the one handshake that a load sends.
async fn upgrade(stream: &mut TcpStream, dialect: Dialect) -> anyhow::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX {
            bail!("this is no load's handshake");
        }
        head.push(stream.read_u8().await?);
    }
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        dialect.subprotocol()
    );
    Ok(stream.write_all(answer.as_bytes()).await?)
}

/// What a message of a load says. Every `Hello` of a load names its instance.
fn body_of(content: Bytes, dialect: Dialect) -> anyhow::Result<Bytes> {
    Ok(match dialect {
        Dialect::Binary => content,
        Dialect::Json => dialect.decode(Incoming::Text(std::str::from_utf8(&content)?), [0; 16])?,
    })
}

/// The content of the next message that came whole. A load masks with zeros, which is as good as not at all.
fn next_content(unread: &mut BytesMut) -> Option<Bytes> {
    let (header, bytes) = match *unread.get(1)? & 0x7f {
        126 => (8, usize::from(u16::from_be_bytes(unread.get(2..4)?.try_into().ok()?))),
        127 => (14, usize::try_from(u64::from_be_bytes(unread.get(2..10)?.try_into().ok()?)).ok()?),
        short => (6, usize::from(short)),
    };
    if unread.len() < header + bytes {
        return None;
    }
    unread.advance(header);
    Some(unread.split_to(bytes).freeze())
}
