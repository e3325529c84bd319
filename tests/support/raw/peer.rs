//! One raw peer and its session, at whichever door. It does nothing by itself; what it does not read stays unread.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callboard_bridge_ws::Dialect;
use callboard_protocol::RequestId;
use callboard_protocol::frame::{ClientFrame, ServerFrame};
use quinn::{Connection, ConnectionError};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::body::{Body, Ending};
use super::dialer::Dialer;
use super::quic::Stream;
use super::socket::{Socket, Wire};
use crate::soon;

/// A raw peer. Dropping it closes the connection without a code.
#[derive(Debug)]
pub struct Peer {
    /// The publisher's id that [`Peer::hello`] shows; no two peers have the same unless a test gives it to them.
    pub instance: [u8; 16],
    transport: Transport,
    /// Heard while an answer was waited for, and not yet asked for.
    pub(super) passed_over: VecDeque<Body>,
    last_request: RequestId,
}

/// What a peer speaks over.
#[derive(Debug)]
enum Transport {
    Quic(Box<Stream>),
    Socket(Socket),
}

impl Peer {
    /// Connects from a socket of its own and opens the stream of a session; nothing is said yet.
    pub async fn connect(addr: SocketAddr) -> Self {
        Dialer::new().connect(addr).await
    }

    pub(super) async fn open(dialer: Dialer, connection: Connection) -> Result<Self, ConnectionError> {
        Ok(Self::over(Transport::Quic(Box::new(Stream::open(dialer, connection).await?))))
    }

    /// Opens a WebSocket at the browser's door; nothing is said yet.
    pub async fn upgrade(addr: SocketAddr, dialect: Dialect) -> Self {
        let opened = Self::try_upgrade(addr, dialect, "").await;
        opened.unwrap_or_else(|status| panic!("no WebSocket at {addr}: {status}"))
    }

    /// The same with further header fields, each with its end of line, where being refused may be what the test is about.
    ///
    /// # Errors
    ///
    /// The status line of the refusal.
    pub async fn try_upgrade(addr: SocketAddr, dialect: Dialect, fields: &str) -> Result<Self, String> {
        Ok(Self::over(Transport::Socket(Socket::open(addr, dialect, fields).await?)))
    }

    /// The same over a connection that is open already, as one inside TLS is.
    ///
    /// # Errors
    ///
    /// The status line of the refusal.
    pub async fn try_upgrade_over(wire: impl Wire + 'static, dialect: Dialect, fields: &str) -> Result<Self, String> {
        Ok(Self::over(Transport::Socket(Socket::open_over(Box::new(wire), dialect, fields).await?)))
    }

    fn over(transport: Transport) -> Self {
        Self { instance: next_instance(), transport, passed_over: VecDeque::new(), last_request: RequestId::ZERO }
    }

    fn stream(&self) -> &Stream {
        match &self.transport {
            Transport::Quic(stream) => stream,
            Transport::Socket(_) => panic!("only QUIC can do this"),
        }
    }

    /// Opens a second session on the same connection.
    ///
    /// # Errors
    ///
    /// What QUIC says.
    pub async fn open_another(&self) -> Result<Self, ConnectionError> {
        Self::open(self.stream().dialer.clone(), self.connection().clone()).await
    }

    /// A session begins anew on the same connection: requests count from 1 again.
    pub(crate) fn begin_again(&mut self) {
        self.last_request = RequestId::ZERO;
        self.passed_over.clear();
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
        let bytes = match &self.transport {
            Transport::Quic(_) => Stream::encode(frames),
            Transport::Socket(socket) => socket.encode(frames),
        };
        self.send_bytes(&bytes).await;
    }

    /// Says any bytes.
    ///
    /// # Panics
    ///
    /// As [`Peer::send`].
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        // A broker that was told nonsense may be gone before the end of it.
        match &mut self.transport {
            Transport::Quic(stream) => drop(soon("room for what is sent", stream.outward.write_all(bytes)).await),
            Transport::Socket(socket) => socket.write(bytes).await,
        }
    }

    /// Says one body, or one JSON text at the door for these, whatever it is.
    ///
    /// # Panics
    ///
    /// As [`Peer::send`].
    pub async fn send_body(&mut self, body: &[u8]) {
        let bytes = match &self.transport {
            Transport::Quic(_) => Stream::around(body),
            Transport::Socket(socket) => socket.message(body),
        };
        self.send_bytes(&bytes).await;
    }

    /// Says any bytes, where the broker may well stop reading; whether they were let in within `limit`. If not, an
    /// unknown part of them was.
    pub async fn send_bytes_within(&mut self, limit: Duration, bytes: &[u8]) -> bool {
        match &mut self.transport {
            Transport::Quic(stream) => {
                timeout(limit, stream.outward.write_all(bytes)).await.is_ok_and(|said| said.is_ok())
            }
            Transport::Socket(socket) => {
                timeout(limit, socket.stream.write_all(bytes)).await.is_ok_and(|said| said.is_ok())
            }
        }
    }

    /// Says no more, and goes on listening.
    pub fn finish(&mut self) {
        // A stream that the broker has already stopped is as finished as can be.
        if let Transport::Quic(stream) = &mut self.transport {
            drop(stream.outward.finish());
        }
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
        match &mut self.transport {
            Transport::Quic(stream) => stream.read().await,
            Transport::Socket(socket) => socket.read().await,
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
        match &mut self.transport {
            Transport::Quic(stream) => soon("the connection's close", stream.connection.closed()).await.into(),
            Transport::Socket(socket) => loop {
                if let Err(ending) = socket.read().await {
                    return ending;
                }
            },
        }
    }

    /// Closes the connection with this code, without a `Goodbye`.
    pub fn close(self, code: u32) {
        self.connection().close(code.into(), b"");
    }

    /// The connection, for what QUIC alone can do.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.stream().connection
    }
}

fn next_instance() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}
