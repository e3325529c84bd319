//! Raw sessions over QUIC, many on each socket, or over WebSocket: only what a load needs of a client, and nothing that comes back by itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::BytesMut;
use callboard_bridge_ws::Dialect;
use callboard_client::Trust;
use callboard_protocol::codec::{decode_server, encode_stream};
use callboard_protocol::frame::{ClientFrame, Credential, Hello, ServerFrame, Start, Subscribe, SubscribeOptions};
use callboard_protocol::{RequestId, close};
use parking_lot::Mutex;
use quinn::{ClientConfig, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::line::{Inward, Outward};
use crate::cli::exit::Failed;
use crate::cli::secret::Secret;

/// What the load calls itself.
pub(super) const AGENT: &str = concat!("callboard-bench/", env!("CARGO_PKG_VERSION"));

/// Connections that share one UDP socket: few enough that a burst to all of them fits its buffer.
const CONNECTIONS_A_SOCKET: usize = 125;

/// What the kernel may hold for one socket, in bytes.
const SOCKET_BYTES: usize = 2 << 20;

/// What a stream or a connection may bring before it was read, in bytes, as in the client.
const RECEIVE_WINDOW_BYTES: u32 = 1 << 20;

/// Silence after which the broker is given up, and a third of it between two keep-alives, as in the client.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to open a session or to have an answer, while a thousand others are opened as well.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a broker is and whom to be to it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// What is spoken there, if it is the browser's door.
    pub(super) dialect: Option<Dialect>,
    /// The name that its certificate is checked for.
    pub(super) host: String,
    pub(super) trust: Trust,
    /// An API key.
    pub(super) key: Option<Secret>,
}

/// Opens sessions with one broker.
#[derive(Debug)]
pub(super) struct Dialer {
    peer: Peer,
    config: ClientConfig,
    /// The sockets, and how many connections the last one has.
    sockets: Mutex<(Vec<Endpoint>, usize)>,
}

impl Dialer {
    pub(super) fn new(peer: Peer) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new(Arc::new(peer.trust.tls()?));
        let mut transport = TransportConfig::default();
        transport
            .max_idle_timeout(Some(IDLE_TIMEOUT.try_into().context("an idle timeout that QUIC can say")?))
            .keep_alive_interval(Some(IDLE_TIMEOUT / 3))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
            .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
            .datagram_receive_buffer_size(None);
        config.transport_config(Arc::new(transport));
        Ok(Self { peer, config, sockets: Mutex::default() })
    }

    /// Opens a session and waits for its `Welcome`.
    pub(super) async fn open(&self) -> anyhow::Result<Session> {
        let address = self.peer.address;
        timeout(ANSWER_TIMEOUT, self.greet())
            .await
            .unwrap_or_else(|_| {
                Err(Failed::Unreachable(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())).into())
            })
            .with_context(|| format!("no session with {address}"))
    }

    async fn greet(&self) -> anyhow::Result<Session> {
        let (send, inward) = match self.peer.dialect {
            None => {
                let endpoint = self.endpoint()?;
                let connection =
                    endpoint.connect_with(self.config.clone(), self.peer.address, &self.peer.host)?.await?;
                let (send, recv) = connection.open_bi().await?;
                (Outward::Stream(send), Inward::stream(recv))
            }
            Some(dialect) => upgrade(self.peer.address, dialect).await?,
        };
        let mut session = Session { send, inward, last: RequestId::ZERO };
        let mut instance = [0; 16];
        getrandom::fill(&mut instance).map_err(|error| anyhow!("this system has no randomness: {error}"))?;
        let key = self.peer.key.clone().map(Secret::reveal);
        let credential = key.as_deref().map(|secret| Credential { strategy: "apikey", secret });
        session.say(&[ClientFrame::Hello(Hello { agent: AGENT, instance, capabilities: 0, credential })]).await?;
        let body = session.inward.body().await?;
        let frame = decode_server(&body)?;
        if matches!(frame, ServerFrame::Welcome(_)) { Ok(session) } else { Err(unexpected(&frame)) }
    }

    /// A socket with room for one more connection.
    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let (endpoints, connections) = &mut *self.sockets.lock();
        if let Some(endpoint) = endpoints.last().filter(|_| *connections < CONNECTIONS_A_SOCKET) {
            *connections += 1;
            return Ok(endpoint.clone());
        }
        let address = match self.peer.address.ip() {
            ip if ip.is_loopback() => SocketAddr::new(ip, 0),
            ip if ip.is_ipv4() => (Ipv4Addr::UNSPECIFIED, 0).into(),
            _ => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // The kernel may grant less: the load works with that too.
        let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BYTES);
        socket.bind(&address.into())?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket.into(), Arc::new(TokioRuntime))?;
        endpoints.push(endpoint.clone());
        *connections = 1;
        Ok(endpoint)
    }

    /// Ends every session and waits until the broker was told, as far as it listens.
    pub(super) async fn close(self) {
        let endpoints = self.sockets.into_inner().0;
        for endpoint in &endpoints {
            endpoint.close(VarInt::from_u32(close::Code::Finished.number().into()), b"the measurement is over");
        }
        let all = futures_util::future::join_all(endpoints.iter().map(Endpoint::wait_idle));
        // Beyond this the broker is not worth waiting for.
        let _ = timeout(Duration::from_secs(2), all).await;
    }
}

/// An open session; its connection is closed when both halves are dropped.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) send: Outward,
    pub(super) inward: Inward,
    last: RequestId,
}

impl Session {
    async fn say(&mut self, frames: &[ClientFrame<'_>]) -> anyhow::Result<()> {
        let mut bytes = BytesMut::new();
        for frame in frames {
            encode_stream(frame, &mut bytes)?;
        }
        self.send.write(bytes.freeze()).await
    }

    /// Subscribes to these channels and waits for the answers.
    pub(super) async fn subscribe(&mut self, channels: &[String]) -> anyhow::Result<()> {
        let (start, options) = (Start::Live, SubscribeOptions::NONE);
        let mut frames = Vec::with_capacity(channels.len());
        for channel in channels {
            self.last = self.last.next();
            frames.push(ClientFrame::Subscribe(Subscribe { request: self.last, channel, start, options }));
        }
        let answers = async {
            self.say(&frames).await?;
            for _ in channels {
                let body = self.inward.body().await?;
                let frame = decode_server(&body)?;
                if !matches!(frame, ServerFrame::Ok { .. }) {
                    return Err(unexpected(&frame));
                }
            }
            Ok(())
        };
        match timeout(ANSWER_TIMEOUT, answers).await {
            Ok(answered) => answered.context("a subscription was refused"),
            Err(_) => bail!("a subscription was not answered within {} s", ANSWER_TIMEOUT.as_secs()),
        }
    }
}

/// Opens a WebSocket without TLS, as on loopback.
async fn upgrade(address: SocketAddr, dialect: Dialect) -> anyhow::Result<(Outward, Inward)> {
    let mut stream =
        TcpStream::connect(address).await.map_err(|error| Failed::Unreachable(format!("nobody listens: {error}")))?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /v1/bus HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        dialect.subprotocol()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    // Byte by byte, so that nothing behind it is taken: it happens once a session.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let status = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    if !status.contains(" 101 ") {
        bail!("the door opened no WebSocket: {status}");
    }
    let (read, write) = stream.into_split();
    Ok((Outward::Socket(write, dialect), Inward::socket(read, dialect)))
}

/// What a frame means that a load does not wait for.
pub(super) fn unexpected(frame: &ServerFrame<'_>) -> anyhow::Error {
    if let ServerFrame::Goodbye(goodbye) = frame {
        return anyhow!("the broker ended a session ({}): {}", goodbye.code, goodbye.sentence);
    }
    if let ServerFrame::Failed(failed) = frame {
        return anyhow!("the broker refused ({}): {}", failed.class, failed.sentence);
    }
    anyhow!("the broker sent an unexpected frame: {frame:?}")
}
