//! One UDP socket from which any number of raw peers connect, with the QUIC and TLS choices that a test wants to vary.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::version::ALPN;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint, TransportConfig, VarInt};

use super::certificate::Any;
use super::peer::Peer;
use crate::soon;

/// What a test may choose about a connection.
#[derive(Debug, Clone)]
pub struct Options {
    /// The application protocols that are offered.
    pub alpn: Vec<Vec<u8>>,
    /// How many bytes of a stream the broker may send ahead of the test's reading. Small values make a reader that
    /// stopped felt soon.
    pub stream_window_bytes: u32,
    /// Silence after which this side gives the broker up.
    pub idle_timeout: Duration,
    /// How often this side breaks the silence, if it does.
    pub keep_alive: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alpn: vec![ALPN.to_vec()],
            stream_window_bytes: 1 << 20,
            idle_timeout: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(5)),
        }
    }
}

/// A UDP socket to connect from. Clones share it.
#[derive(Debug, Clone)]
pub struct Dialer {
    endpoint: Endpoint,
}

impl Dialer {
    /// A socket of its own, with the usual options.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or without a free descriptor.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// A socket of its own, with what `change` makes of the usual options.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or without a free descriptor.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .expect("a UDP socket can be bound on loopback");
        endpoint.set_default_client_config(client_config(options));
        Self { endpoint }
    }

    /// Connects and opens the stream of a session; nothing is said yet.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub async fn connect(&self, addr: SocketAddr) -> Peer {
        self.try_connect(addr).await.unwrap_or_else(|error| panic!("no connection to {addr}: {error}"))
    }

    /// The same, where being refused is what the test is about.
    ///
    /// # Errors
    ///
    /// What QUIC says.
    pub async fn try_connect(&self, addr: SocketAddr) -> Result<Peer, ConnectionError> {
        let connecting = self.endpoint.connect(addr, "localhost").expect("the options make a legal configuration");
        let connection = soon("the handshake", connecting).await?;
        Peer::open(self.clone(), connection).await
    }

    /// The socket, for what QUIC alone can do: to rebind it, or to send no more.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new()
    }
}

fn client_config(options: Options) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = options.alpn;
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(options.stream_window_bytes));
    transport.max_idle_timeout(Some(options.idle_timeout.try_into().expect("an idle timeout of less than a century")));
    transport.keep_alive_interval(options.keep_alive);
    let crypto = QuicClientConfig::try_from(tls).expect("the provider has the cipher suite that QUIC begins with");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    config
}
