//! One HTTP connection, from its first byte to its last, or to the upgrade: then its socket is handed on and its buffers go.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::error::Class;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::pages::Pages;
use super::patient::Patient;
use super::places::{Place, Places};
use super::service::{Slot, answer};
use crate::bridge::{Bridge, Patience};
use crate::config::Config;
use crate::denial::Denial;
use crate::dialect::Dialect;
use crate::farewell::hang_up;
use crate::outgoing::Outgoing;
use crate::present::Count;
use crate::rules::Arrival;
use crate::socket::Socket;
use crate::upstream::{Upstream, Visitor};
use crate::wheel::Wheel;

/// What all connections of a door share.
pub(crate) struct Doorway<U: Upstream> {
    pub(crate) config: Config,
    pub(crate) upstream: Arc<U>,
    pub(crate) wheel: Arc<Wheel<Box<Bridge<U::Session>>>>,
    pub(crate) count: Count,
    /// Whether nobody is let in any more.
    pub(crate) is_shut: watch::Receiver<bool>,
    pub(super) pages: &'static Pages,
    tls: Option<TlsAcceptor>,
    places: Arc<Places>,
    /// Bytes that publishes over HTTP may still take.
    pub(super) room: Arc<Semaphore>,
}

/// What an upgrade leads to.
pub(crate) struct Opening<U: Upstream> {
    pub(super) ticket: U::Ticket,
    pub(super) visitor: Visitor,
    pub(super) dialect: Dialect,
}

impl<U: Upstream> fmt::Debug for Doorway<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorway").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<U: Upstream> Doorway<U> {
    /// A doorway that nobody has come through.
    pub(crate) fn new(config: Config, upstream: Arc<U>, is_shut: watch::Receiver<bool>) -> Self {
        let tls = config.tls.as_ref().map(|tls| {
            let mut tls = rustls::ServerConfig::clone(tls);
            // The one protocol that is spoken here; a certificate's configuration may name those of another door.
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(tls))
        });
        Self {
            upstream,
            wheel: Arc::new(Wheel::new()),
            count: Count::new(),
            is_shut,
            pages: Pages::of_this_build(),
            tls,
            places: Places::new(config.limits.http_connections_per_address),
            room: Arc::new(Semaphore::new(config.limits.publishes_bytes.min(Semaphore::MAX_PERMITS))),
            config,
        }
    }

    /// A place for a connection from `peer`; none if it has enough.
    fn place(&self, peer: IpAddr) -> Option<Option<Place>> {
        let is_trusted = self.config.rules.trusted_proxies.iter().any(|net| net.contains(&peer.to_canonical()));
        if is_trusted { Some(None) } else { self.places.take(peer).map(Some) }
    }

    /// Whether somebody may still come in.
    pub(super) fn check_open(&self) -> Result<(), Denial> {
        if *self.is_shut.borrow() {
            return Err(Denial::new(Class::Unavailable, "this door is shutting; come back in a moment").and_close());
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        let heartbeat = self.config.heartbeat;
        let rings = heartbeat.grace.as_millis().div_ceil(heartbeat.interval.as_millis().max(1));
        Patience {
            hello: Instant::now() + self.config.hello_timeout,
            drain: self.config.drain_deadline,
            // The first ring may come at once, so it is not counted.
            rings: u32::try_from(rings).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    fn open(&self, opening: Opening<U>, socket: Socket, rest: &[u8]) {
        let Opening { ticket, visitor, dialect } = opening;
        let session = self.upstream.open(ticket, visitor, dialect);
        let bridge = Bridge::new(session, dialect, socket, rest, self.patience(), self.count.enter());
        bridge.start(|actor| self.wheel.join(actor));
    }
}

/// Serves one connection.
pub(crate) async fn serve<U: Upstream>(doorway: Arc<Doorway<U>>, stream: TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let Some(_place) = doorway.place(peer.ip()) else {
        tracing::debug!(%peer, "an address has as many HTTP connections as it may");
        return;
    };
    // Messages are small and whole: waiting for more of them is the kernel's idea, not ours.
    let _ = stream.set_nodelay(true);
    let socket = match &doorway.tls {
        None => Socket::from(stream),
        Some(tls) => match timeout(doorway.config.limits.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => Socket::from(stream),
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => return tracing::debug!(%peer, "TLS handshake not done in time"),
        },
    };
    let arrival = Arrival { peer: peer.ip(), local: local.ip(), is_tls: doorway.tls.is_some() };
    let opening: Slot<U> = Arc::new(Mutex::new(None));
    let (mut socket, rest) = converse(&doorway, arrival, socket, &opening).await;
    if let Some(rest) = rest
        && let Some(opening) = opening.lock().take()
    {
        return doorway.open(opening, socket, &rest);
    }
    hang_up(&mut socket, &mut Outgoing::default()).await;
}

/// Speaks HTTP until the connection is over, or is upgraded. Gives the socket back, and what was read behind the last
/// request if it ended in order.
async fn converse<U: Upstream>(
    doorway: &Arc<Doorway<U>>,
    arrival: Arrival,
    socket: Socket,
    opening: &Slot<U>,
) -> (Socket, Option<Bytes>) {
    let limits = doorway.config.limits;
    let service = service_fn(|request| {
        Box::pin(async move { Ok::<_, Infallible>(answer(doorway, arrival, opening, request).await) })
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(BUFFER_BYTES_MIN));
    let mut connection = builder.serve_connection(TokioIo::new(Patient::new(socket, limits.request_timeout)), service);
    let mut is_shut = doorway.is_shut.clone();
    let shut = async {
        // Without a door there is nobody to shut it: the connection goes with its task.
        let _ = is_shut.wait_for(|is_shut| *is_shut).await;
    };
    let mut shut = pin!(shut);
    let mut is_told = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = &mut shut, if !is_told => {}
        }
        is_told = true;
        Pin::new(&mut connection).graceful_shutdown();
    };
    let parts = connection.into_parts();
    (parts.io.into_inner().into_inner(), ended.is_ok().then_some(parts.read_buf))
}

/// The least that hyper takes.
const BUFFER_BYTES_MIN: usize = 8 << 10;
