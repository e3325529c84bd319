//! The QUIC door: accepts connections, opens a session on each one's first stream, and leaves the rest to its actor, or to
//! those who receive a bridge's visitors.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::Code;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::HELLO_BYTES_MAX;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, Incoming, TokioRuntime, VarInt};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::local::Local;
use super::reset::ResetSecret;
use super::{tuning, visitors};
use crate::config::Config;
use crate::connection::{Actor, Arrival, BridgeUpgrade, Opening, Patience, Socket, VisitorAcceptor, Windows};
use crate::defaults::{INCOMING_BYTES, RECEIVE_WINDOW_SMALL, SEND_WINDOW_SMALL};
use crate::format::Format;
use crate::limit::{Begun, Greeting, Handshakes, Ticket};

/// Why the door could not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address could not be bound.
    #[error("cannot listen on {address} (UDP): {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The TLS configuration does not serve QUIC.
    #[error("the TLS configuration does not support QUIC: {0}")]
    Tls(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    /// The idle timeout is longer than QUIC allows.
    #[error("an idle timeout of {0:?} is longer than QUIC allows")]
    IdleTimeout(Duration),
}

/// An open QUIC door. Dropping it closes every connection at once.
#[derive(Debug)]
pub(crate) struct Quic {
    endpoint: Endpoint,
    address: SocketAddr,
    /// The accept loop; ends with the door.
    _accepting: JoinSet<()>,
    /// Dropped when nobody is let in any more.
    open: Option<oneshot::Sender<Infallible>>,
}

impl Quic {
    /// Binds the socket and begins to accept.
    pub(crate) fn open(
        config: &Config,
        tls: rustls::ServerConfig,
        reset: &ResetSecret,
        local: Arc<Local>,
    ) -> Result<Self, BindError> {
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        let mut transport = tuning::transport(config.idle_timeout)?;
        // A stranger's windows; the busy get larger ones.
        transport.receive_window(VarInt::from_u32(RECEIVE_WINDOW_SMALL)).send_window(SEND_WINDOW_SMALL);
        server.transport_config(Arc::new(transport));
        server.max_incoming(config.limits.handshakes).incoming_buffer_size_total(INCOMING_BYTES);
        let bind = |source| BindError::Bind { address: config.listen, source };
        let socket = tuning::socket(config.listen).map_err(bind)?;
        let endpoint = Endpoint::new(reset.endpoint(), Some(server), socket, Arc::new(TokioRuntime)).map_err(bind)?;
        let address = endpoint.local_addr().map_err(bind)?;
        let sessions = config.limits.bridge_sessions.min(config.limits.connections);
        let waits = Waits {
            hello: config.hello_timeout,
            drain: config.drain.deadline,
            bridge_sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
        };
        let mut accepting = JoinSet::new();
        let (open, closed) = oneshot::channel();
        accepting.spawn(accept(endpoint.clone(), local, waits, Handshakes::new(config.limits), closed));
        Ok(Self { endpoint, address, _accepting: accepting, open: Some(open) })
    }

    /// Where the door listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses every new connection from here on, so that a client need not wait to find out. Those who are shaking hands
    /// are told why as soon as they can be.
    pub(crate) fn stop_accepting(&mut self) {
        self.open = None;
    }

    /// Waits until every connection is closed and its last packets are out.
    pub(crate) async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }

    /// Closes what is left, as a broker that shuts down.
    pub(crate) fn close(&self) {
        let code = Code::ShuttingDown;
        self.endpoint.close(VarInt::from_u32(code.number().into()), code.sentence().as_bytes());
    }
}

impl Drop for Quic {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(
    endpoint: Endpoint,
    local: Arc<Local>,
    waits: Waits,
    under_way: Arc<Handshakes>,
    mut closed: oneshot::Receiver<Infallible>,
) {
    // Who has shaken hands and says nothing yet is counted among the connections, and takes no handshake's place.
    let (mut handshakes, mut strangers) = (JoinSet::new(), JoinSet::new());
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut closed, if !draining => {
                draining = true;
                // Dropped before there is a session, each is closed with the reason.
                strangers.abort_all();
            }
            Some(shaken) = handshakes.join_next() => {
                if let Ok(Some(stranger)) = shaken && !draining {
                    strangers.spawn(serve(stranger, Arc::clone(&local), waits));
                }
            }
            Some(_) = strangers.join_next() => {}
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                if draining {
                    incoming.refuse();
                    continue;
                }
                // Proven by a Retry, or by a token of an earlier connection (RFC 9000, section 8.1.3).
                let proven = incoming.remote_address_validated();
                match under_way.greet(incoming.remote_address().ip(), proven) {
                    Greeting::Begin(begun) => {
                        handshakes.spawn(shake_hands(incoming, begun, Arc::clone(&local), waits));
                    }
                    Greeting::Prove => {
                        let _ = incoming.retry();
                    }
                    Greeting::Refuse => incoming.refuse(),
                }
            }
        }
    }
}

/// Carries one handshake to its end; `None` if there is no connection for it.
async fn shake_hands(incoming: Incoming, _begun: Begun, local: Arc<Local>, waits: Waits) -> Option<Stranger> {
    let peer = incoming.remote_address();
    let patience = Patience { hello: Instant::now() + waits.hello, drain: waits.drain };
    let connection = match timeout_at(patience.hello, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "handshake failed");
            return None;
        }
        Err(_) => {
            tracing::debug!(%peer, "handshake not done in time");
            return None;
        }
    };
    match local.admit(peer.ip()) {
        Ok(ticket) => {
            let unopened = Unopened { connection, code: Some(Code::ShuttingDown) };
            Some(Stranger { unopened, ticket, patience })
        }
        Err(refused) => {
            let (code, sentence) = (Code::Overloaded, refused.to_string());
            connection.close(VarInt::from_u32(code.number().into()), sentence.as_bytes());
            local.registry.metrics().closed(code);
            tracing::debug!(%peer, %refused, "no place for a connection");
            None
        }
    }
}

/// Opens a connection's session. If that is a bridge's own, receives its visitors.
async fn serve(stranger: Stranger, local: Arc<Local>, waits: Waits) {
    let Some(welcomed) = open_session(stranger, &local, waits).await else { return };
    if let Ok(acceptor) = welcomed.await {
        visitors::receive(acceptor, local, waits).await;
    }
}

/// Waits for a connection's first stream, which is the session.
async fn open_session(
    stranger: Stranger,
    local: &Arc<Local>,
    waits: Waits,
) -> Option<oneshot::Receiver<VisitorAcceptor>> {
    let Stranger { mut unopened, ticket, patience } = stranger;
    let connection = unopened.connection.clone();
    let peer = connection.remote_address();
    match timeout_at(patience.hello, connection.accept_bi()).await {
        Ok(Ok((send, recv))) => {
            unopened.code = None;
            let (id, session) = local.open(ticket, Format::Stream, Arrival::default());
            tracing::debug!(connection = %id, %peer, "session opened");
            let socket = Socket::quic(connection, send, recv, Windows::new(&local.windows));
            let (upgrade, welcomed) = BridgeUpgrade::new(waits.bridge_sessions, local.registry.metrics());
            let (deframer, registry) = (Deframer::new(HELLO_BYTES_MAX), Arc::clone(&local.registry));
            let upgrade = Some(Box::new(upgrade));
            Actor::start(Opening { id, session, socket, deframer, registry, patience, upgrade });
            Some(welcomed)
        }
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "connection gone before a session was opened");
            None
        }
        Err(_) => {
            unopened.code = Some(Code::HandshakeTimeout);
            local.registry.metrics().closed(Code::HandshakeTimeout);
            None
        }
    }
}

/// How long the door and its sessions wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    pub(super) hello: Duration,
    pub(super) drain: Duration,
    /// How many sessions a bridge may have open for others; no time, and as much the same for everybody.
    bridge_sessions: u32,
}

/// A peer that has shaken hands, has a place among the connections, and has not opened a session yet.
struct Stranger {
    unopened: Unopened,
    ticket: Ticket,
    patience: Patience,
}

/// A connection without a session. Dropped before there is one, as when the broker drains, it is closed with a code.
struct Unopened {
    connection: quinn::Connection,
    /// Why it is closed when this is dropped; `None` once a session owns it.
    code: Option<Code>,
}

impl Drop for Unopened {
    fn drop(&mut self) {
        if let Some(code) = self.code {
            self.connection.close(VarInt::from_u32(code.number().into()), code.sentence().as_bytes());
        }
    }
}
