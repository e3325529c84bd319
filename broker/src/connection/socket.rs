//! A session's stream and the connection that it is on, as the session's owner uses them; what the bytes mean is not its affair.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use callboard_protocol::close::Code;
use quinn::{RecvStream, SendStream, VarInt};

use super::windows::Windows;
use crate::limit::Inbox;
#[cfg(feature = "simulation")]
use crate::simulation::Pipe;

/// A session's stream and its connection, which is closed when the session is over, as it has no other yet.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What the client says.
    pub(super) inward: Inward,
    /// What the broker says.
    pub(super) outward: Outward,
    line: Line,
}

/// The half that is read.
#[derive(Debug)]
pub(super) enum Inward {
    Quic(RecvStream),
    #[cfg(feature = "simulation")]
    Pipe(Pipe),
}

/// The half that is written.
#[derive(Debug)]
pub(super) enum Outward {
    Quic(SendStream),
    #[cfg(feature = "simulation")]
    Pipe(Pipe),
}

#[derive(Debug)]
enum Line {
    Quic(quinn::Connection, Windows),
    #[cfg(feature = "simulation")]
    Pipe(Pipe),
}

/// The peer is gone, or takes no more on this half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Socket {
    /// A stream of a QUIC connection.
    pub(crate) fn quic(connection: quinn::Connection, send: SendStream, recv: RecvStream, windows: Windows) -> Self {
        Self { inward: Inward::Quic(recv), outward: Outward::Quic(send), line: Line::Quic(connection, windows) }
    }

    /// A stream that only a simulation sees.
    #[cfg(feature = "simulation")]
    pub(crate) fn pipe(pipe: &Pipe) -> Self {
        let [inward, outward, line] = [pipe.clone(), pipe.clone(), pipe.clone()];
        Self { inward: Inward::Pipe(inward), outward: Outward::Pipe(outward), line: Line::Pipe(line) }
    }

    /// Makes room for this many bytes that are about to be written.
    pub(super) fn before_write(&mut self, bytes: usize) {
        match &mut self.line {
            Line::Quic(connection, windows) => windows.before_write(connection, bytes),
            #[cfg(feature = "simulation")]
            Line::Pipe(_) => {}
        }
    }

    /// Makes room for more of a peer that sent this many bytes at once.
    pub(super) fn after_read(&mut self, bytes: usize) {
        match &mut self.line {
            Line::Quic(connection, windows) => windows.after_read(connection, bytes),
            #[cfg(feature = "simulation")]
            Line::Pipe(_) => {}
        }
    }

    /// Closes the connection. What the peer has not taken is lost.
    pub(super) fn close(&self, code: Code, sentence: &str) {
        match &self.line {
            Line::Quic(connection, _) => connection.close(VarInt::from(u32::from(code.number())), sentence.as_bytes()),
            #[cfg(feature = "simulation")]
            Line::Pipe(pipe) => pipe.close(code),
        }
    }
}

/// A QUIC connection closes itself when it is dropped.
#[cfg(feature = "simulation")]
impl Drop for Line {
    fn drop(&mut self) {
        if let Self::Pipe(pipe) = self {
            pipe.drop_by_broker();
        }
    }
}

impl Inward {
    /// Reads unless the inbox is full, at whatever moment there is something to be read: `None` if it is. Dropped before
    /// it is ready, it has read nothing.
    pub(super) async fn read(&mut self, chunks: &mut [Bytes], inbox: &Inbox) -> Option<Result<Option<usize>, Gone>> {
        let mut reading = pin!(self.read_chunks(chunks));
        poll_fn(|cx| if inbox.is_full() { Poll::Ready(None) } else { reading.as_mut().poll(cx).map(Some) }).await
    }

    /// The next chunks; `None` at the end.
    async fn read_chunks(&mut self, chunks: &mut [Bytes]) -> Result<Option<usize>, Gone> {
        match self {
            Self::Quic(stream) => stream.read_chunks(chunks).await.map_err(|_| Gone),
            #[cfg(feature = "simulation")]
            Self::Pipe(pipe) => pipe.read(chunks).await,
        }
    }
}

impl Outward {
    /// Writes some of `chunks`, takes what was written from them and says how many bytes that is. Dropped before it is
    /// ready, it has written nothing.
    pub(super) async fn write(&mut self, chunks: &mut VecDeque<Bytes>) -> Result<usize, Gone> {
        let slice = chunks.make_contiguous();
        let (written, bytes) = match self {
            Self::Quic(stream) => {
                let written = stream.write_chunks(slice).await.map_err(|_| Gone)?;
                (written.chunks, written.bytes)
            }
            #[cfg(feature = "simulation")]
            Self::Pipe(pipe) => pipe.write(slice).await?,
        };
        chunks.drain(..written);
        Ok(bytes)
    }

    /// Writes `last`, ends the half, and waits until the peer has everything.
    pub(super) async fn finish(&mut self, last: Bytes) -> Result<(), Gone> {
        match self {
            Self::Quic(stream) => {
                stream.write_chunk(last).await.map_err(|_| Gone)?;
                stream.finish().map_err(|_| Gone)?;
                stream.stopped().await.map(drop).map_err(|_| Gone)
            }
            #[cfg(feature = "simulation")]
            Self::Pipe(pipe) => pipe.finish(last).await,
        }
    }
}
