//! A broker that says what a test tells it to say. It knows the frames and no rules.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use callboard_client::{Builder, Client, Fingerprint, Reason, State, Trust};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{
    Answer, ClientFrame, Failed, Goodbye, Message, ServerFrame, Start, SubscribeOptions, Subscribed, Welcome,
};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::version::ALPN;
use callboard_protocol::{
    ChannelId, ConnectionId, Epoch, Millis, Nonce, Offset, PayloadRef, Position, RequestId, Sequence, close, codec,
};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig, VarInt};

/// No dialogue takes this long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the scripted broker says to each.
const WELCOME: Welcome<'static> = Welcome {
    agent: "script",
    connection: ConnectionId::ZERO,
    capabilities: 0,
    payload_bytes_max: 64 << 10,
    subscriptions_max: 100,
    ping_interval: Millis::ZERO,
    identity: None,
};

/// The scripted broker.
pub(crate) struct Broker {
    endpoint: Endpoint,
    pub(crate) pin: Fingerprint,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::start_with_streams(100)
    }

    /// One that lets a connection have so many streams at once.
    pub(crate) fn start_with_streams(streams: u32) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let pin = Fingerprint::of(certified.cert.der());
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3 is there")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .expect("the key fits the certificate");
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let tls = QuicServerConfig::try_from(tls).expect("a QUIC suite");
        let mut config = ServerConfig::with_crypto(Arc::new(tls));
        let mut transport = TransportConfig::default();
        transport.max_concurrent_bidi_streams(VarInt::from_u32(streams));
        config.transport_config(Arc::new(transport));
        let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).expect("a socket");
        Self { endpoint, pin }
    }

    pub(crate) fn url(&self) -> String {
        format!("callboard://localhost:{}", self.endpoint.local_addr().expect("it is bound").port())
    }

    /// A client of this broker that comes back fast.
    pub(crate) fn builder(&self) -> Builder {
        Client::builder(self.url())
            .trust(Trust::pinned(self.pin))
            .backoff(Duration::from_millis(1), Duration::from_millis(20))
    }

    /// The next session, up to its `Hello`.
    pub(crate) async fn accept(&self) -> Peer {
        patiently(async {
            let incoming = self.endpoint.accept().await.expect("the endpoint lives");
            let connection = incoming.await.expect("a handshake");
            Peer::accept(connection).await
        })
        .await
    }

    /// Takes handshakes that fail, for as long as somebody waits.
    pub(crate) async fn accept_fails(&self) {
        while let Some(incoming) = self.endpoint.accept().await {
            assert!(incoming.await.is_err(), "the client must not trust this broker");
        }
    }

    /// The next session, open.
    pub(crate) async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.say_welcome().await;
        peer
    }

    /// An online client and the broker's end of its session.
    pub(crate) async fn meet(&self) -> (Client, Peer) {
        self.meet_with(self.builder()).await
    }

    pub(crate) async fn meet_with(&self, builder: Builder) -> (Client, Peer) {
        let (client, peer) = patiently(async { tokio::join!(builder.connect(), self.welcome()) }).await;
        (client.expect("a session"), peer)
    }
}

/// The broker's end of a session.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    recv: RecvStream,
    deframer: Deframer,
    hello: Option<Hello>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) instance: [u8; 16],
    pub(crate) secret: Option<String>,
}

/// A client's frame that owns itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Hello(Hello),
    Goodbye(u16),
    Pong(Nonce),
    Subscribe { request: RequestId, channel: String, start: Start, options: SubscribeOptions },
    Unsubscribe { request: RequestId, channel: String },
    Publish { request: RequestId, sequence: Sequence, channel: String, text: String },
}

impl Heard {
    fn of(frame: &ClientFrame<'_>) -> Self {
        match *frame {
            ClientFrame::Hello(hello) => Self::Hello(Hello {
                instance: hello.instance,
                secret: hello.credential.map(|credential| credential.secret.to_owned()),
            }),
            ClientFrame::Goodbye(goodbye) => Self::Goodbye(goodbye.code),
            ClientFrame::Pong(pong) => Self::Pong(pong.nonce),
            ClientFrame::Subscribe(frame) => Self::Subscribe {
                request: frame.request,
                channel: frame.channel.to_owned(),
                start: frame.start,
                options: frame.options,
            },
            ClientFrame::Unsubscribe(frame) => {
                Self::Unsubscribe { request: frame.request, channel: frame.channel.to_owned() }
            }
            ClientFrame::Publish(frame) => Self::Publish {
                request: frame.request,
                sequence: frame.sequence,
                channel: frame.channel.to_owned(),
                text: String::from_utf8_lossy(frame.payload.bytes()).into_owned(),
            },
            ClientFrame::Authenticate(_)
            | ClientFrame::Logout(_)
            | ClientFrame::Call(_)
            | ClientFrame::Provide(_)
            | ClientFrame::Withdraw(_)
            | ClientFrame::Return(_)
            | ClientFrame::Emit(_)
            | ClientFrame::Introduce(_) => panic!("the client has no reason to send {frame:?}"),
        }
    }
}

impl Peer {
    /// The next session on this connection, up to its `Hello`.
    pub(crate) async fn accept(connection: Connection) -> Self {
        let (send, recv) = patiently(connection.accept_bi()).await.expect("a session");
        let mut peer = Self { connection, send, recv, deframer: Deframer::new(BODY_BYTES_MAX), hello: None };
        match peer.hear().await {
            Heard::Hello(hello) => peer.hello = Some(hello),
            other => panic!("a session begins with Hello, not {other:?}"),
        }
        peer
    }

    pub(crate) fn hello(&self) -> &Hello {
        self.hello.as_ref().expect("it was heard on accepting")
    }

    /// The client's next frame.
    pub(crate) async fn hear(&mut self) -> Heard {
        patiently(async {
            loop {
                if let Some(body) = self.deframer.poll_body().expect("the client frames well") {
                    return Heard::of(&codec::decode_client(&body).expect("the client encodes well"));
                }
                let chunk = self.recv.read_chunk(usize::MAX, true).await.expect("the session lives");
                self.deframer.handle_bytes(chunk.expect("the stream goes on").bytes);
            }
        })
        .await
    }

    /// A `Subscribe` for `channel`: its request and where it begins.
    pub(crate) async fn hear_subscribe(&mut self, name: &str) -> (RequestId, Start) {
        match self.hear().await {
            Heard::Subscribe { request, channel, start, .. } if channel == name => (request, start),
            other => panic!("Subscribe {name} was due, not {other:?}"),
        }
    }

    pub(crate) async fn hear_unsubscribe(&mut self, name: &str) -> RequestId {
        match self.hear().await {
            Heard::Unsubscribe { request, channel } if channel == name => request,
            other => panic!("Unsubscribe {name} was due, not {other:?}"),
        }
    }

    pub(crate) async fn hear_publish(&mut self, said: &str) -> (RequestId, Sequence) {
        match self.hear().await {
            Heard::Publish { request, sequence, text, .. } if text == said => (request, sequence),
            other => panic!("a publish of {said:?} was due, not {other:?}"),
        }
    }

    pub(crate) async fn say(&mut self, frame: ServerFrame<'_>) {
        let mut out = BytesMut::new();
        codec::encode_stream(&frame, &mut out).expect("the frame fits");
        self.say_bytes(&out).await;
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        // The client may be gone by now, which a test sees elsewhere.
        let _ = self.send.write_all(bytes).await;
    }

    pub(crate) async fn say_welcome(&mut self) {
        self.say_welcome_of(64 << 10).await;
    }

    pub(crate) async fn say_welcome_of(&mut self, payload_bytes_max: u32) {
        self.say(ServerFrame::Welcome(Welcome { payload_bytes_max, ..WELCOME })).await;
    }

    /// Says `Welcome` and `frame` in one breath, which the client reads at once.
    pub(crate) async fn say_welcome_and(&mut self, frame: ServerFrame<'_>) {
        let mut out = BytesMut::new();
        for frame in [ServerFrame::Welcome(WELCOME), frame] {
            codec::encode_stream(&frame, &mut out).expect("the frame fits");
        }
        self.say_bytes(&out).await;
    }

    pub(crate) async fn say_ok(&mut self, request: RequestId, answer: Answer<'_>) {
        self.say(ServerFrame::Ok { request, answer }).await;
    }

    /// Answers a `Subscribe`: the channel stands at `position`, and the client goes on from there.
    pub(crate) async fn say_subscribed(&mut self, request: RequestId, channel: u64, position: Position) {
        self.say_recovered(request, channel, position, position.offset.value() + 1, true).await;
    }

    pub(crate) async fn say_recovered(
        &mut self,
        request: RequestId,
        channel: u64,
        position: Position,
        next: u64,
        recovered: bool,
    ) {
        let next = Offset::saturating(next);
        let answer = Subscribed { channel: ChannelId::saturating(channel), position, next, recovered };
        self.say_ok(request, Answer::Subscribed(answer)).await;
    }

    pub(crate) async fn say_failed(&mut self, request: RequestId, code: u16, class: &str) {
        self.say(ServerFrame::Failed(Failed { request, code, class, sentence: "no", data: None })).await;
    }

    pub(crate) async fn say_message(&mut self, channel: u64, offset: u64, text: &str) {
        self.say(ServerFrame::Message(Message {
            channel: ChannelId::saturating(channel),
            offset: Offset::saturating(offset),
            published: Millis::saturating(7),
            publisher: Some("alice"),
            key: None,
            payload: PayloadRef::text(text),
        }))
        .await;
    }

    pub(crate) async fn say_goodbye(&mut self, code: u16, retry_after_ms: Option<u64>) {
        let retry_after = retry_after_ms.map(Millis::saturating);
        self.say(ServerFrame::Goodbye(Goodbye { code, sentence: "that was it", retry_after })).await;
    }

    /// Says goodbye and waits until the client has gone.
    pub(crate) async fn dismiss(mut self, code: u16) {
        self.say_goodbye(code, None).await;
        assert_eq!(self.closed_with().await, 4000);
    }

    /// Takes a subscription of `channel` from its question to its answer.
    pub(crate) async fn subscribe(&mut self, name: &str, channel: u64, position: Position) {
        let (request, _) = self.hear_subscribe(name).await;
        self.say_subscribed(request, channel, position).await;
    }

    /// Takes the `Subscribe` of a client that was at `position` and missed nothing.
    pub(crate) async fn subscribe_again(&mut self, name: &str, channel: u64, position: Position) {
        let (request, start) = self.hear_subscribe(name).await;
        assert_eq!(start, Start::Recover(position));
        self.say_subscribed(request, channel, position).await;
    }

    /// Breaks the connection without a word that means anything.
    pub(crate) fn vanish(self) {
        self.connection.close(VarInt::from_u32(0), b"");
    }

    /// The code that the client closed with.
    pub(crate) async fn closed_with(&self) -> u64 {
        match patiently(self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("the client closes with a code, not with {other}"),
        }
    }

    /// Waits for the end of what the client says on this stream, without another word.
    pub(crate) async fn falls_silent(&mut self) {
        assert!(self.deframer.poll_body().expect("the client frames well").is_none());
        let rest = patiently(self.recv.read_chunk(usize::MAX, true)).await;
        assert!(matches!(rest, Ok(None)), "not {rest:?}");
    }

    /// Waits for the client to end the session because the broker is at fault.
    pub(crate) async fn expect_fault(&self, code: close::Code) {
        assert_eq!(self.closed_with().await, u64::from(code.number()));
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.connection.remote_address()
    }
}

pub(crate) fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
}

/// Waits, and fails rather than to hang.
pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("the other side said nothing for too long")
}

/// Waits until the client has closed. Why?
pub(crate) async fn closed(client: &Client) -> Reason {
    let mut states = client.states();
    let state = patiently(states.wait_for(|state| matches!(state, State::Closed { .. }))).await;
    match state.expect("it is told before the driver ends") {
        State::Closed { why } => why,
        other => panic!("{other:?} is not closed"),
    }
}
