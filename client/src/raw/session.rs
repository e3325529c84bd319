//! One visitor's session on a stream: whole bodies out and in, by poll and without a task. It judges none of them.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use callboard_protocol::close::Code;
use callboard_protocol::codec;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Goodbye};
use callboard_protocol::limits::BODY_BYTES_MAX;
use quinn::{ConnectionError, ReadError, RecvStream, ResetError, SendStream, VarInt, WriteError};
use tokio::sync::OwnedSemaphorePermit;

use super::closing::CloseQueue;
use crate::defaults::READ_CHUNKS;

/// The number of a `Goodbye`.
const GOODBYE: u8 = 1;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
    /// The broker ended it with a number of the close registry, or with another.
    #[error("the broker ended the session with code {0}")]
    Code(u64),
    /// The broker ended it without a word.
    #[error("the broker ended the session without a goodbye")]
    Finished,
    /// The connection with the broker is gone, and all its sessions with it.
    #[error("the connection was lost: {0}")]
    Lost(Arc<str>),
    /// What came is not cut into bodies as the protocol wants.
    #[error("the broker broke the protocol: {0}")]
    Fault(Arc<str>),
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::Lost(error.to_string().into())
    }
}

/// A visitor's session. What is sent waits here until it is written, so whoever sends much looks at
/// [`unwritten_bytes`](Self::unwritten_bytes). Dropped, it ends without a word and what is unwritten is lost;
/// [`close`](Self::close) and [`close_silently`](Self::close_silently) write it first.
#[derive(Debug)]
pub struct Session {
    send: SendStream,
    recv: RecvStream,
    deframer: Deframer,
    writing: Bytes,
    gathering: BytesMut,
    /// Whether the broker reads no more. Why, the other half tells.
    is_unheard: bool,
    /// Whether the other half can no longer be reset.
    is_whole: bool,
    /// Whether [`poll_broken`](Self::poll_broken) left its waker with the connection and no read has taken its place.
    is_watched: bool,
    /// Whether the broker said goodbye.
    is_dismissed: bool,
    /// What the broker reset the other half with. The transport forgets it once it was told.
    broken: Option<u64>,
    close_queue: CloseQueue,
    /// On its connection.
    _place: OwnedSemaphorePermit,
    /// What its owner took for it.
    _held: Option<Box<dyn Any + Send + Sync>>,
}

impl Session {
    pub(super) fn new(
        send: SendStream,
        recv: RecvStream,
        close_queue: CloseQueue,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            send,
            recv,
            deframer: Deframer::new(BODY_BYTES_MAX),
            writing: Bytes::new(),
            gathering: BytesMut::new(),
            is_unheard: false,
            is_whole: false,
            is_watched: false,
            is_dismissed: false,
            broken: None,
            close_queue,
            _place: place,
            _held: None,
        }
    }

    /// Sends `frame`, as soon as [`poll_write`](Self::poll_write) is called.
    ///
    /// # Errors
    ///
    /// [`codec::EncodeError`] if no broker would read it.
    pub fn send(&mut self, frame: &ClientFrame<'_>) -> Result<(), codec::EncodeError> {
        codec::encode_stream(frame, &mut self.gathering)
    }

    /// Sends a body that is encoded already, as [`send`](Self::send) does.
    ///
    /// # Errors
    ///
    /// [`codec::EncodeError`] if no broker would read it.
    pub fn send_body(&mut self, body: &[u8]) -> Result<(), codec::EncodeError> {
        codec::append_body(body, &mut self.gathering)
    }

    /// How many bytes were sent and are not written; none once the broker hears nothing more.
    #[must_use]
    pub fn unwritten_bytes(&self) -> usize {
        if self.is_unheard { 0 } else { self.writing.len() + self.gathering.len() }
    }

    /// How long the body is of which a part was read; 0 without one. Behind it lies what one read brings, at most.
    #[must_use]
    pub fn announced_bytes(&self) -> usize {
        self.deframer.announced_bytes()
    }

    /// Keeps `what` until the session is over, be it behind its last words: a share of the memory that these take, say.
    pub fn hold_until_closed(&mut self, what: impl Any + Send + Sync) {
        self._held = Some(Box::new(what));
    }

    /// Ready when everything that was sent is with the transport.
    ///
    /// # Errors
    ///
    /// [`End::Lost`]. A broker that reads no more says why on the other half, so that is no error here.
    pub fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        loop {
            if self.writing.is_empty() {
                // A session at rest keeps no buffers.
                self.writing = std::mem::take(&mut self.gathering).freeze();
            }
            if self.is_unheard || self.writing.is_empty() {
                self.writing = Bytes::new();
                return Poll::Ready(Ok(()));
            }
            let writing = pin!(self.send.write_chunks(std::slice::from_mut(&mut self.writing)));
            match ready!(writing.poll(cx)) {
                Ok(_) => {}
                Err(WriteError::ConnectionLost(error)) => {
                    self.is_unheard = true;
                    return Poll::Ready(Err(error.into()));
                }
                Err(WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected) => {
                    self.is_unheard = true;
                }
            }
        }
    }

    /// Ready when more was read; [`next_body`](Self::next_body) may have something then. To be called when it has nothing:
    /// behind a goodbye nothing is read.
    ///
    /// # Errors
    ///
    /// How the session ended.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.is_dismissed {
            return Poll::Ready(Err(End::Finished));
        }
        self.release_waker();
        if let Some(code) = self.broken {
            return Poll::Ready(Err(End::Code(code)));
        }
        let mut chunks = [const { Bytes::new() }; READ_CHUNKS];
        // A read of several chunks takes the stream's end along with them, and a stream whose end was read does not
        // take the waker back when it is dropped. One chunk at a time, a goodbye is seen before the end behind it.
        let several = if self.is_watched { 1 } else { READ_CHUNKS };
        let chunks = chunks.get_mut(..several).unwrap_or_default();
        let read = {
            let Poll::Ready(read) = pin!(self.recv.read_chunks(chunks)).poll(cx) else {
                // This waker took the other's place, and goes with what it waits for.
                self.is_watched = false;
                return Poll::Pending;
            };
            read
        };
        Poll::Ready(match read {
            Ok(Some(count)) => {
                chunks.iter_mut().take(count).for_each(|chunk| self.deframer.handle_bytes(std::mem::take(chunk)));
                Ok(())
            }
            Ok(None) => Err(End::Finished),
            Err(ReadError::Reset(code)) => Err(End::Code(code.into_inner())),
            Err(ReadError::ConnectionLost(error)) => Err(error.into()),
            Err(other) => Err(End::Fault(other.to_string().into())),
        })
    }

    /// The next whole body of what was read.
    ///
    /// # Errors
    ///
    /// [`End::Fault`] if there are no bodies in it.
    pub fn next_body(&mut self) -> Result<Option<Bytes>, End> {
        let body = self.deframer.poll_body().map_err(|error| End::Fault(error.to_string().into()))?;
        self.is_dismissed |= body.as_ref().is_some_and(|body| body.first() == Some(&GOODBYE));
        Ok(body)
    }

    /// Ready when the session has ended in a way that makes what is unread worthless; for whoever does not read. An end
    /// behind what is unread is found by reading.
    pub fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.broken {
            Some(code) => Poll::Ready(End::Code(code)),
            None if self.is_whole => Poll::Pending,
            None => self.poll_reset(cx),
        }
    }

    /// Should the next read find an end that no goodbye stands before, nothing takes the waker back before the connection
    /// ends: so it is to be one that keeps nothing alive.
    fn release_waker(&mut self) {
        if self.is_watched {
            let _ = self.poll_reset(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Poll::Ready(reset) = pin!(self.recv.received_reset()).poll(cx) else {
            self.is_watched = true;
            return Poll::Pending;
        };
        match reset {
            Ok(Some(code)) => {
                self.broken = Some(code.into_inner());
                Poll::Ready(End::Code(code.into_inner()))
            }
            Ok(None) => {
                self.is_whole = true;
                Poll::Pending
            }
            Err(ResetError::ConnectionLost(error)) => Poll::Ready(error.into()),
            Err(ResetError::ZeroRttRejected) => Poll::Ready(End::Finished),
        }
    }

    /// Ends the session behind what was sent: the connection writes the rest of it, and a goodbye with `code`, and waits a
    /// second at most until the broker has it.
    pub fn close(mut self, code: Code) {
        let goodbye = Goodbye { code: code.number(), sentence: code.sentence(), retry_after: None };
        self.send(&ClientFrame::Goodbye(goodbye)).expect("a sentence fits a body");
        self.close_silently();
    }

    /// Ends the session behind what was sent, without a goodbye of its own: unless one was sent, the broker waits for
    /// whose session it was.
    pub fn close_silently(mut self) {
        self.deframer = Deframer::new(BODY_BYTES_MAX);
        let close_queue = self.close_queue.clone();
        close_queue.push(self);
    }

    /// Ends the session at once: what is on its way in either direction is lost.
    pub fn reset(mut self, code: Code) {
        let code = VarInt::from(u32::from(code.number()));
        // What is over already cannot be broken off.
        let _ = self.send.reset(code);
        let _ = self.recv.stop(code);
    }

    /// Writes what was sent, and reads until the broker has ended its half too: a stream that is dropped before tells it
    /// to stop, and it would throw away what it did not read. Nothing of what comes is kept, whatever it is.
    pub(super) async fn finish(mut self) {
        if std::future::poll_fn(|cx| self.poll_write(cx)).await.is_err() || self.send.finish().is_err() {
            return;
        }
        self.release_waker();
        while let Ok(Some(_)) = self.recv.read_chunk(usize::MAX, true).await {}
    }
}
