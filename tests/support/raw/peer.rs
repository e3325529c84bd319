//! One raw peer: a connection and its session's stream. It does nothing by itself; what it does not read stays unread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use callboard_protocol::RequestId;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, ServerFrame};
use callboard_protocol::limits::BODY_BYTES_MAX;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream};

use super::body::{Body, Ending};
use super::dialer::Dialer;
use crate::soon;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// A raw peer. Dropping it closes the connection without a code.
#[derive(Debug)]
pub struct Peer {
    /// The publisher's id that [`Peer::hello`] shows; no two peers have the same unless a test gives it to them.
    pub instance: [u8; 16],
    connection: Connection,
    outward: SendStream,
    inward: RecvStream,
    deframer: Deframer,
    /// Heard while an answer was waited for, and not yet asked for.
    pub(super) passed_over: VecDeque<Body>,
    last_request: RequestId,
    dialer: Dialer,
}

impl Peer {
    /// Connects from a socket of its own and opens the stream of a session; nothing is said yet.
    pub async fn connect(addr: SocketAddr) -> Self {
        Dialer::new().connect(addr).await
    }

    pub(super) async fn open(dialer: Dialer, connection: Connection) -> Result<Self, ConnectionError> {
        let (outward, inward) = soon("room for a stream", connection.open_bi()).await?;
        Ok(Self {
            instance: next_instance(),
            connection,
            outward,
            inward,
            deframer: Deframer::new(BODY_BYTES_MAX),
            passed_over: VecDeque::new(),
            last_request: RequestId::ZERO,
            dialer,
        })
    }

    /// Opens a second session on the same connection.
    ///
    /// # Errors
    ///
    /// What QUIC says.
    pub async fn open_another(&self) -> Result<Self, ConnectionError> {
        Self::open(self.dialer.clone(), self.connection.clone()).await
    }

    /// A request's number above those before it.
    pub fn next_request(&mut self) -> RequestId {
        self.last_request = self.last_request.next();
        self.last_request
    }

    /// The number that the next request will have.
    #[must_use]
    pub fn request_after_this(&self) -> RequestId {
        self.last_request.next()
    }

    /// Says a frame.
    ///
    /// # Panics
    ///
    /// If the broker lets no more in for [`SOON`](crate::SOON). That the connection is gone is not told here but by
    /// the next frame that is waited for.
    pub async fn send(&mut self, frame: &ClientFrame<'_>) {
        self.send_all(std::slice::from_ref(frame)).await;
    }

    /// Says frames in one write.
    ///
    /// # Panics
    ///
    /// As [`Peer::send`].
    pub async fn send_all(&mut self, frames: &[ClientFrame<'_>]) {
        let mut bytes = BytesMut::new();
        for frame in frames {
            encode_stream(frame, &mut bytes).expect("a test that wants a body that is too long sends its bytes");
        }
        self.send_bytes(&bytes).await;
    }

    /// Says any bytes.
    ///
    /// # Panics
    ///
    /// As [`Peer::send`].
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        // A broker that was told nonsense may be gone before the end of it.
        drop(soon("room for what is sent", self.outward.write_all(bytes)).await);
    }

    /// Says any bytes, where the broker may well stop reading; whether they were let in within `limit`. If not, an
    /// unknown part of them was.
    pub async fn send_bytes_within(&mut self, limit: Duration, bytes: &[u8]) -> bool {
        tokio::time::timeout(limit, self.outward.write_all(bytes)).await.is_ok_and(|written| written.is_ok())
    }

    /// Says no more, and goes on listening.
    pub fn finish(&mut self) {
        // A stream that the broker has already stopped is as finished as can be.
        drop(self.outward.finish());
    }

    /// Hears the next frame.
    ///
    /// # Panics
    ///
    /// If none comes within [`SOON`](crate::SOON), or the broker ends the session instead.
    pub async fn receive(&mut self) -> Body {
        self.next().await.unwrap_or_else(|ending| panic!("a frame was expected, and the session ended: {ending:?}"))
    }

    /// Hears the next frame, or how the broker ended the session.
    ///
    /// # Errors
    ///
    /// The ending.
    ///
    /// # Panics
    ///
    /// If neither comes within [`SOON`](crate::SOON).
    pub async fn next(&mut self) -> Result<Body, Ending> {
        match self.passed_over.pop_front() {
            Some(body) => Ok(body),
            None => self.read().await,
        }
    }

    pub(super) async fn read(&mut self) -> Result<Body, Ending> {
        loop {
            match self.deframer.poll_body() {
                Ok(Some(body)) => return Ok(Body(body)),
                Ok(None) => {}
                Err(error) => panic!("the broker sent a stream that is none: {error}"),
            }
            match soon("a frame, or the session's end,", self.inward.read_chunk(READ_BYTES, true)).await {
                Ok(Some(chunk)) => self.deframer.handle_bytes(chunk.bytes),
                Ok(None) if self.deframer.is_mid_frame() => panic!("the broker ended its stream within a frame"),
                Ok(None) => return Err(self.connection.close_reason().map_or(Ending::Finished, Ending::from)),
                Err(ReadError::Reset(code)) => return Err(Ending::Reset(code.into_inner())),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                Err(error @ (ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected)) => {
                    panic!("the test reads a stream that it ended: {error}")
                }
            }
        }
    }

    /// Hears the next frame and picks out of it what was expected. A `Ping` is passed over.
    ///
    /// # Panics
    ///
    /// If `pick` finds something else, or no frame comes.
    pub async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(ServerFrame<'_>) -> Option<T>) -> T {
        loop {
            let body =
                self.next().await.unwrap_or_else(|ending| panic!("{what} was expected, and it ended: {ending:?}"));
            match (pick(body.frame()), body.frame()) {
                (Some(found), _) => return found,
                (None, ServerFrame::Ping(_)) => {}
                (None, frame) => panic!("{what} was expected, and the broker said {frame:?}"),
            }
        }
    }

    /// Waits until the broker closes the connection, whatever else it says before.
    ///
    /// # Panics
    ///
    /// If it does not within [`SOON`](crate::SOON).
    pub async fn closed(&mut self) -> Ending {
        soon("the connection's close", self.connection.closed()).await.into()
    }

    /// Closes the connection with this code, without a `Goodbye`.
    pub fn close(self, code: u32) {
        self.connection.close(code.into(), b"");
    }

    /// The connection, for what QUIC alone can do.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn next_instance() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}
