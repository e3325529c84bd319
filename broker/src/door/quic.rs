//! The QUIC door: accepts connections, opens a session on each one's first stream, and leaves the rest to its actor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::close::Code;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, Incoming, TokioRuntime, VarInt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::local::Local;
use super::reset::ResetSecret;
use super::tuning;
use crate::config::Config;
use crate::connection::{Actor, Patience, Socket};

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
    #[error("the TLS configuration does not serve QUIC: {0}")]
    Tls(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    /// The idle timeout is longer than QUIC can say.
    #[error("an idle timeout of {0:?} is longer than QUIC can say")]
    IdleTimeout(Duration),
}

/// An open QUIC door. Dropping it closes every connection at once.
#[derive(Debug)]
pub(crate) struct Quic {
    endpoint: Endpoint,
    address: SocketAddr,
    /// The accept loop; ends with the door.
    accepting: JoinSet<()>,
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
        server.transport_config(Arc::new(tuning::transport(config.idle_timeout)?));
        let bind = |source| BindError::Bind { address: config.listen, source };
        let socket = tuning::socket(config.listen).map_err(bind)?;
        let endpoint = Endpoint::new(reset.endpoint(), Some(server), socket, Arc::new(TokioRuntime)).map_err(bind)?;
        let address = endpoint.local_addr().map_err(bind)?;
        let waits = Waits { hello: config.hello_timeout, drain: config.drain.deadline };
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(endpoint.clone(), local, waits, config.limits.handshakes));
        Ok(Self { endpoint, address, accepting })
    }

    /// Where the door listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses every new connection from here on, so that a client need not wait to find out.
    pub(crate) fn stop_accepting(&mut self) {
        self.accepting.abort_all();
        self.accepting.spawn(refuse(self.endpoint.clone()));
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

async fn accept(endpoint: Endpoint, local: Arc<Local>, waits: Waits, handshakes_max: usize) {
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while handshakes.try_join_next().is_some() {}
        if handshakes.len() >= handshakes_max {
            incoming.refuse();
        } else if handshakes.len() >= handshakes_max / 2 && incoming.may_retry() {
            // RFC 9000, section 8.1.2: whoever gives a false address never sees the token.
            let _ = incoming.retry();
        } else {
            handshakes.spawn(let_in(incoming, Arc::clone(&local), waits));
        }
    }
}

async fn refuse(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        incoming.refuse();
    }
}

/// Carries one handshake to its first stream, which is the session.
async fn let_in(incoming: Incoming, local: Arc<Local>, waits: Waits) {
    let peer = incoming.remote_address();
    let patience = Patience { hello: Instant::now() + waits.hello, drain: waits.drain };
    let connection = match timeout_at(patience.hello, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "handshake failed"),
        Err(_) => return tracing::debug!(%peer, "handshake not done in time"),
    };
    let ticket = match local.admit(peer.ip()) {
        Ok(ticket) => ticket,
        Err(refused) => {
            let (code, sentence) = (Code::Overloaded, refused.to_string());
            connection.close(VarInt::from_u32(code.number().into()), sentence.as_bytes());
            return tracing::debug!(%peer, %refused, "no place for a connection");
        }
    };
    // Closes the connection with a code if this is dropped before there is a session, as when the broker drains.
    let mut stranger = Stranger { connection: connection.clone(), code: Some(Code::ShuttingDown) };
    match timeout_at(patience.hello, connection.accept_bi()).await {
        Ok(Ok((send, recv))) => {
            stranger.code = None;
            let (id, session) = local.open(ticket);
            tracing::debug!(connection = %id, %peer, "session opened");
            Actor::start(id, session, Socket { connection, send, recv }, Arc::clone(&local.registry), patience);
        }
        Ok(Err(error)) => tracing::debug!(%peer, %error, "connection gone before a session was opened"),
        Err(_) => stranger.code = Some(Code::HandshakeTimeout),
    }
}

/// How long the door and its sessions wait.
#[derive(Debug, Clone, Copy)]
struct Waits {
    hello: Duration,
    drain: Duration,
}

/// A connection without a session.
struct Stranger {
    connection: quinn::Connection,
    /// Why it is closed when this is dropped; `None` once a session owns it.
    code: Option<Code>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        if let Some(code) = self.code {
            self.connection.close(VarInt::from_u32(code.number().into()), code.sentence().as_bytes());
        }
    }
}
