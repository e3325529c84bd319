//! From an address to an open session: names, sockets, TLS, `Hello` and `Welcome`. One call is one attempt.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use callboard_protocol::frame::{ClientFrame, Hello, ServerFrame};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use quinn::{
    ClientConfig, ConnectError, Connection, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, TransportConfig,
    VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::address::Address;
use crate::credential::{Credential, Source};
use crate::defaults::{
    ADDRESS_STAGGER, ADDRESSES_MAX, RECEIVE_WINDOW_BYTES, SEND_WINDOW_BYTES, SESSIONS_A_CONNECTION,
    SHARED_SEND_WINDOW_BYTES, SOCKET_BYTES, STREAM_WINDOW_BYTES, UNTRUSTED_GRACE,
};
use crate::end::{End, end_of_write};
use crate::error::BuildError;
use crate::options::Options;
use crate::state::{Online, Reason};
use crate::trust::{Trust, Verdict};
use crate::wire::Session;

/// Opens sessions with one broker. Clones share the socket.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    address: Address,
    config: ClientConfig,
    verdict: Verdict,
    instance: [u8; 16],
    agent: String,
    source: Source,
    attempt_timeout: Duration,
    endpoint: Arc<Mutex<Option<Endpoint>>>,
}

/// An attempt opened no session.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nobody was reached, or there was no token.
    Before(Reason),
    /// A session began and ended before `Welcome`.
    At(End),
}

impl From<End> for Failed {
    fn from(end: End) -> Self {
        Self::At(end)
    }
}

impl Dialer {
    pub(crate) fn new(
        address: Address,
        trust: &Trust,
        instance: [u8; 16],
        options: &Options,
        windows: Windows,
    ) -> Result<Self, BuildError> {
        let (tls, verdict) = trust.judging()?;
        let mut config = ClientConfig::new(Arc::new(tls));
        config.transport_config(Arc::new(transport(options.idle_timeout, windows)));
        Ok(Self {
            address,
            config,
            verdict,
            instance,
            agent: options.agent.clone(),
            source: options.source.clone(),
            attempt_timeout: options.attempt_timeout,
            endpoint: Arc::default(),
        })
    }

    /// One attempt, within its time.
    pub(crate) async fn dial(&self) -> Result<(Session, Arc<Online>), Failed> {
        let late = |_| Failed::Before(Reason::Unreachable(format!("{} did not answer in time", self.address).into()));
        timeout(self.attempt_timeout, self.attempt()).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    async fn attempt(&self) -> Result<(Session, Arc<Online>), Failed> {
        let token = |error: String| Failed::Before(Reason::Token(error.into()));
        let credential = self.source.ask().await.map_err(|error| token(error.to_string()))?;
        if credential.as_ref().is_some_and(|credential| !credential.fits()) {
            return Err(token("the token is longer than a broker accepts".to_owned()));
        }
        let connection = self.reach().await.map_err(Failed::Before)?;
        let (send, recv) = connection.open_bi().await.map_err(End::from)?;
        let mut session = Session::new(connection, send, recv);
        match self.greet(&mut session, credential.as_ref()).await {
            Ok(online) => Ok((session, online)),
            Err(end) => {
                session.close(end.parting_code());
                Err(Failed::At(end))
            }
        }
    }

    async fn greet(&self, session: &mut Session, credential: Option<&Credential>) -> Result<Arc<Online>, End> {
        session.dialogue.push(&ClientFrame::Hello(Hello {
            agent: &self.agent,
            instance: self.instance,
            capabilities: 0,
            credential: credential.map(Credential::borrowed),
        }));
        while !session.is_written() {
            session.write().await.map_err(end_of_write)?;
        }
        let body = loop {
            if let Some(body) = session.inward.poll_body()? {
                break body;
            }
            session.inward.read().await?;
        };
        let broker = session.connection.remote_address();
        let frame = session.dialogue.decode(&body)?;
        if let ServerFrame::Welcome(welcome) = &frame {
            return Ok(Arc::new(Online::new(welcome, broker)));
        }
        if let ServerFrame::Goodbye(goodbye) = &frame {
            return Err(End::goodbye(goodbye));
        }
        if let ServerFrame::Suspended(suspended) = &frame {
            return Err(End::suspended(suspended));
        }
        Err(End::out_of_order("a session begins with Hello and its answer Welcome"))
    }

    /// A connection with the first address that answers and is believed.
    async fn reach(&self) -> Result<Connection, Reason> {
        let Address { host, port } = &self.address;
        let found = tokio::net::lookup_host((host.as_str(), *port)).await;
        let found = found.map_err(|error| self.unreachable(&error.to_string()))?;
        let mut rest = found.take(ADDRESSES_MAX).peekable();
        let mut attempts = FuturesUnordered::new();
        let mut failure = self.unreachable("the name has no address");
        let mut grace = None;
        loop {
            match rest.next() {
                Some(address) => attempts.push(self.handshake(address)),
                None if attempts.is_empty() => return Err(failure),
                None => {}
            }
            tokio::select! {
                Some(result) = attempts.next() => match result {
                    Ok(connection) => return Ok(connection),
                    // What a person has to look at is told whatever becomes of the other addresses.
                    Err(why) if matches!(failure, Reason::Untrusted(_)) => drop(why),
                    Err(why) => {
                        if matches!(why, Reason::Untrusted(_)) {
                            grace = Some(Instant::now() + UNTRUSTED_GRACE);
                        }
                        failure = why;
                    }
                },
                () = sleep(ADDRESS_STAGGER), if rest.peek().is_some() => {}
                () = sleep_until(grace.unwrap_or_else(Instant::now)), if grace.is_some() && rest.peek().is_none() => {
                    return Err(failure);
                }
            }
        }
    }

    fn unreachable(&self, why: &str) -> Reason {
        Reason::Unreachable(format!("{}: {why}", self.address).into())
    }

    async fn handshake(&self, address: SocketAddr) -> Result<Connection, Reason> {
        let failed = |error: String| match self.address.host.parse::<IpAddr>() {
            // The sentence begins with it already.
            Ok(host) if address.ip() == host => self.unreachable(&error),
            Ok(_) | Err(_) => self.unreachable(&format!("{address}: {error}")),
        };
        let endpoint = self.endpoint().map_err(|error| failed(format!("no socket: {error}")))?;
        let connecting = match endpoint.connect_with(self.config.clone(), address, &self.address.host) {
            Ok(connecting) => connecting,
            Err(error) => {
                if matches!(error, ConnectError::EndpointStopping) {
                    // The socket has died under its endpoint; the next attempt gets another one.
                    *self.endpoint.lock() = None;
                }
                return Err(failed(error.to_string()));
            }
        };
        connecting.await.map_err(|error| {
            if let ConnectionError::TransportError(ended) = &error
                && let Some(why) = self.verdict.of(ended.code)
            {
                return Reason::Untrusted(why);
            }
            failed(error.to_string())
        })
    }

    fn endpoint(&self) -> io::Result<Endpoint> {
        let mut endpoint = self.endpoint.lock();
        if let Some(endpoint) = &*endpoint {
            return Ok(endpoint.clone());
        }
        let runtime = quinn::default_runtime().ok_or_else(|| io::Error::other("no runtime"))?;
        Ok(endpoint.insert(Endpoint::new(EndpointConfig::default(), None, socket()?, runtime)?).clone())
    }

    /// Moves the endpoint to a new socket. Without an endpoint there is nothing to move.
    pub(crate) fn rebind(&self) -> io::Result<()> {
        match &*self.endpoint.lock() {
            Some(endpoint) => endpoint.rebind(socket()?),
            None => Ok(()),
        }
    }

    /// Waits until the broker knows that the connection is over, as far as it listens.
    pub(crate) async fn idle(&self) {
        let endpoint = self.endpoint.lock().clone();
        if let Some(endpoint) = endpoint {
            endpoint.wait_idle().await;
        }
    }
}

/// How many bytes may be on their way on one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    stream: u32,
    receive: u32,
    send: u64,
}

impl Windows {
    /// Of a client's one session.
    pub(crate) const OF_ONE: Self =
        Self { stream: RECEIVE_WINDOW_BYTES, receive: RECEIVE_WINDOW_BYTES, send: SEND_WINDOW_BYTES };

    /// Of many sessions on one connection. Each may leave its whole window unread, and all others go on.
    pub(crate) const OF_MANY: Self = Self {
        stream: STREAM_WINDOW_BYTES,
        receive: STREAM_WINDOW_BYTES * SESSIONS_A_CONNECTION as u32,
        send: SHARED_SEND_WINDOW_BYTES,
    };
}

fn transport(idle_timeout: Duration, windows: Windows) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(idle_timeout).ok())
        .keep_alive_interval(Some(idle_timeout / 3))
        // A broker opens no streams to a client in this version.
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(windows.stream))
        .receive_window(VarInt::from_u32(windows.receive))
        .send_window(windows.send)
        .datagram_receive_buffer_size(None);
    transport
}

/// A socket for both families, or for IPv4 where the system has no other.
fn socket() -> io::Result<std::net::UdpSocket> {
    let bind = |address: SocketAddr| {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        // The system gives what it allows; less is slower and not wrong.
        let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BYTES);
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    bind((Ipv6Addr::UNSPECIFIED, 0).into()).or_else(|_: io::Error| bind((Ipv4Addr::UNSPECIFIED, 0).into()))
}
