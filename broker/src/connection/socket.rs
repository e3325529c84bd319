//! A session's stream and the connection that it is on, as the session's owner uses them; what the bytes mean is not its affair.
//!
//! A visitor's session shares its connection with others: its end is the end of its stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use quinn::{RecvStream, SendStream, VarInt};

use super::bridge::{Bridge, BridgeShare};
use super::outbox::Outbox;
use super::windows::Windows;
use crate::limit::Inbox;
use crate::metrics::Metrics;
#[cfg(feature = "simulation")]
use crate::simulation::Pipe;

/// A session's stream and its connection. That is closed when the session is over, unless it is a visitor's on a bridge's.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What the client says.
    pub(super) inward: Inward,
    /// What the broker says.
    pub(super) outward: Outward,
    transport: Transport,
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

/// What carries the stream.
#[derive(Debug)]
enum Transport {
    Quic(quinn::Connection, Windows),
    Shared(BridgeShare),
    #[cfg(feature = "simulation")]
    Pipe(Pipe),
}

/// The peer is gone, or takes no more on this half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Socket {
    /// A stream of a QUIC connection.
    pub(crate) fn quic(connection: quinn::Connection, send: SendStream, recv: RecvStream, windows: Windows) -> Self {
        Self {
            inward: Inward::Quic(recv),
            outward: Outward::Quic(send),
            transport: Transport::Quic(connection, windows),
        }
    }

    /// A visitor's stream on the connection of a bridge.
    pub(crate) fn visitor(share: BridgeShare, send: SendStream, recv: RecvStream) -> Self {
        Self { inward: Inward::Quic(recv), outward: Outward::Quic(send), transport: Transport::Shared(share) }
    }

    /// A stream that only a simulation sees.
    #[cfg(feature = "simulation")]
    pub(crate) fn pipe(pipe: &Pipe) -> Self {
        let [inward, outward, transport] = [pipe.clone(), pipe.clone(), pipe.clone()];
        Self { inward: Inward::Pipe(inward), outward: Outward::Pipe(outward), transport: Transport::Pipe(transport) }
    }

    /// Makes the connection one on which its peer opens sessions for visitors. `None` if there is no room for it.
    pub(super) fn become_bridge(
        &mut self,
        sessions: u32,
        outbox: &Arc<Outbox>,
        metrics: &Arc<Metrics>,
    ) -> Option<Bridge> {
        match &mut self.transport {
            Transport::Quic(connection, windows) => {
                Bridge::open(connection, windows.leave(), sessions, outbox, metrics)
            }
            Transport::Shared(_) => None,
            #[cfg(feature = "simulation")]
            Transport::Pipe(_) => None,
        }
    }

    /// Whether others are read on the same connection.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.transport, Transport::Shared(_))
    }

    /// Notes whether what the peer says is left unread until it reads itself.
    pub(super) fn note_stuck(&mut self, is_stuck: bool) -> Result<(), Ending> {
        match &mut self.transport {
            Transport::Shared(share) => share.note_stuck(is_stuck),
            Transport::Quic(..) => Ok(()),
            #[cfg(feature = "simulation")]
            Transport::Pipe(_) => Ok(()),
        }
    }

    /// Nothing is read any more. Where others share the connection, what the peer still says must not fill its window.
    pub(super) fn read_no_more(&mut self, code: Code) {
        if let (Inward::Quic(stream), Transport::Shared(_)) = (&mut self.inward, &self.transport) {
            // A stream that has ended is as stopped as can be.
            let _ = stream.stop(VarInt::from(u32::from(code.number())));
        }
    }

    /// Makes room for this many bytes that are about to be written.
    pub(super) fn before_write(&mut self, bytes: usize) {
        match &mut self.transport {
            Transport::Quic(connection, windows) => windows.before_write(connection, bytes),
            Transport::Shared(_) => {}
            #[cfg(feature = "simulation")]
            Transport::Pipe(_) => {}
        }
    }

    /// Fits the window to a peer that sent this many bytes at once.
    pub(super) fn after_read(&mut self, bytes: usize) {
        match &mut self.transport {
            Transport::Quic(connection, windows) => windows.after_read(connection, bytes),
            Transport::Shared(share) => share.after_read(bytes),
            #[cfg(feature = "simulation")]
            Transport::Pipe(_) => {}
        }
    }

    /// Closes the connection, or ends the stream on one that others share. What the peer has not taken is lost.
    pub(super) fn close(&mut self, code: Code, sentence: &str) {
        let number = VarInt::from(u32::from(code.number()));
        match &self.transport {
            Transport::Quic(connection, _) => connection.close(number, sentence.as_bytes()),
            Transport::Shared(_) => self.reset(number),
            #[cfg(feature = "simulation")]
            Transport::Pipe(pipe) => pipe.close(code),
        }
    }
}

impl Socket {
    fn reset(&mut self, code: VarInt) {
        // Each half may have ended by itself, and then there is nothing to be told.
        match &mut self.outward {
            Outward::Quic(stream) => drop(stream.reset(code)),
            #[cfg(feature = "simulation")]
            Outward::Pipe(_) => {}
        }
        match &mut self.inward {
            Inward::Quic(stream) => drop(stream.stop(code)),
            #[cfg(feature = "simulation")]
            Inward::Pipe(_) => {}
        }
    }
}

/// A QUIC connection closes itself when it is dropped.
#[cfg(feature = "simulation")]
impl Drop for Transport {
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
