//! The bare writer: what QUIC alone costs for the same bytes. It keeps no order, history or bounds, and is no broker.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use callboard::{defaults, tuning};
use callboard_bridge_ws::Dialect;
use callboard_protocol::codec::{decode_client, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{Answer, ClientFrame, Message, ServerFrame, Subscribed, Welcome};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelId, ConnectionId, Epoch, Millis, Offset, PayloadRef, Position, RequestId, version};
use parking_lot::Mutex;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, EndpointConfig, TokioRuntime};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::line::TEXT_CLOSED;

/// Chunks that may wait for a connection. A load that waits for its deliveries never has so many on their way.
pub(super) const WAITING: usize = 1024;

/// Chunks that are written at once.
pub(super) const AT_ONCE: usize = 32;

/// Messages of any offset as long as those of a channel that has been busy for a while.
const OFFSET: Offset = Offset::saturating(1_000_000);
const PUBLISHED: Millis = Millis::saturating(1_800_000_000_000);

/// The connections that listen to a channel.
pub(super) type Listeners = Arc<Mutex<Vec<mpsc::Sender<Bytes>>>>;
pub(super) type Channels = Arc<Mutex<HashMap<String, Listeners>>>;

/// Runs it until standard input ends.
pub(super) async fn run() -> anyhow::Result<()> {
    let endpoint = endpoint()?;
    // Standard output is read by the measurement that started this.
    writeln!(std::io::stdout(), "{}", endpoint.local_addr()?).context("nobody waits for the bare writer")?;
    let channels = Channels::default();
    let accept = async {
        while let Some(incoming) = endpoint.accept().await {
            let channels = Arc::clone(&channels);
            tokio::spawn(async move { serve(incoming.await?, channels).await });
        }
    };
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        () = accept => {}
        _ = stdin.read_u8() => {}
    }
    Ok(())
}

/// A socket and a transport as the broker's door has them.
fn endpoint() -> anyhow::Result<Endpoint> {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            key.signing_key.serialize_der().try_into().map_err(anyhow::Error::msg)?,
        )?;
    tls.alpn_protocols = vec![version::ALPN.to_vec()];
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    server.transport_config(Arc::new(tuning::transport(defaults::IDLE_TIMEOUT)?));
    let socket = tuning::socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime))?)
}

/// One connection.
async fn serve(connection: Connection, channels: Channels) -> anyhow::Result<()> {
    let (mut send, mut recv) = connection.accept_bi().await?;
    let (outbox, mut inbox) = mpsc::channel(WAITING);
    let mut desk = Desk::new(channels, outbox, None);
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    let mut read: [Bytes; AT_ONCE] = [const { Bytes::new() }; AT_ONCE];
    let mut taken = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = inbox.recv_many(&mut taken, AT_ONCE) => {
                if count > 0 {
                    send.write_all_chunks(&mut taken).await?;
                    taken.clear();
                }
            }
            count = recv.read_chunks(&mut read) => {
                let Some(count) = count? else { return Ok(()) };
                for chunk in &mut read[..count] {
                    deframer.handle_bytes(std::mem::take(chunk));
                }
                let answers = desk.take(|| Ok(deframer.poll_body()?))?;
                if !answers.is_empty() {
                    send.write_chunk(answers).await?;
                }
            }
        }
    }
}

/// What one connection is told, and to whom that goes.
pub(super) struct Desk {
    channels: Channels,
    /// Where others put what they publish to this one.
    outbox: mpsc::Sender<Bytes>,
    /// How everything is encoded: for a stream, or for a WebSocket.
    dialect: Option<Dialect>,
    /// The channel that it published to last, with those who listen and a message that only lacks its payload.
    last: Option<Last>,
}

struct Last {
    channel: String,
    listeners: Listeners,
    payload_bytes: usize,
    /// What stands before a payload, and behind it.
    around: (Vec<u8>, Vec<u8>),
}

impl Desk {
    pub(super) fn new(channels: Channels, outbox: mpsc::Sender<Bytes>, dialect: Option<Dialect>) -> Self {
        Self { channels, outbox, dialect, last: None }
    }

    /// Gives the answers to what was asked, and hands what was published to those who listen, a chunk for each channel.
    pub(super) fn take(
        &mut self,
        mut next_body: impl FnMut() -> anyhow::Result<Option<Bytes>>,
    ) -> anyhow::Result<Bytes> {
        let (mut answers, mut chunk) = (BytesMut::new(), BytesMut::new());
        while let Some(body) = next_body()? {
            let frame = decode_client(&body)?;
            if let ClientFrame::Publish(publish) = &frame {
                if self.last.as_ref().is_none_or(|last| last.channel != publish.channel) {
                    self.hand_out(&mut chunk)?;
                }
                self.copy(publish.channel, publish.payload, &mut chunk)?;
            } else if let ClientFrame::Subscribe(subscribe) = &frame {
                listeners(&self.channels, subscribe.channel).lock().push(self.outbox.clone());
                self.encode(&subscribed(subscribe.request), &mut answers)?;
            } else if let ClientFrame::Hello(_) = &frame {
                self.encode(&ServerFrame::Welcome(WELCOME), &mut answers)?;
            }
        }
        self.hand_out(&mut chunk)?;
        Ok(answers.freeze())
    }

    fn encode(&self, frame: &ServerFrame<'_>, out: &mut BytesMut) -> anyhow::Result<()> {
        match self.dialect {
            None => encode_stream(frame, out)?,
            Some(dialect) => dialect.encode(frame, out)?,
        }
        Ok(())
    }

    fn hand_out(&self, chunk: &mut BytesMut) -> anyhow::Result<()> {
        if let Some(last) = self.last.as_ref().filter(|_| !chunk.is_empty()) {
            let chunk = chunk.split().freeze();
            for listener in last.listeners.lock().iter() {
                listener.try_send(chunk.clone()).context("a reader has fallen behind")?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, channel: &str, payload: PayloadRef<'_>, chunk: &mut BytesMut) -> anyhow::Result<()> {
        let bytes = payload.bytes();
        let fits = |last: &Last| last.channel == channel && last.payload_bytes == bytes.len();
        if !self.last.as_ref().is_some_and(fits) {
            self.last = Some(Last {
                channel: channel.to_owned(),
                listeners: listeners(&self.channels, channel),
                payload_bytes: bytes.len(),
                around: self.message_around(payload)?,
            });
        }
        if let Some(Last { around: (before, behind), .. }) = &self.last {
            chunk.extend_from_slice(before);
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(behind);
        }
        Ok(())
    }

    fn message_around(&self, payload: PayloadRef<'_>) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let mut bytes = BytesMut::new();
        let message = Message {
            channel: ChannelId::saturating(1),
            offset: OFFSET,
            published: PUBLISHED,
            publisher: None,
            key: None,
            payload,
        };
        self.encode(&ServerFrame::Message(message), &mut bytes)?;
        // The payload is the last field. A load's is written as it is, whatever the dialect.
        let closed = if self.dialect == Some(Dialect::Json) { TEXT_CLOSED.len() } else { 0 };
        let behind = bytes.split_off(bytes.len() - closed);
        bytes.truncate(bytes.len() - payload.bytes().len());
        Ok((bytes.to_vec(), behind.to_vec()))
    }
}

fn listeners(channels: &Channels, name: &str) -> Listeners {
    Arc::clone(channels.lock().entry(name.to_owned()).or_default())
}

const WELCOME: Welcome<'_> = Welcome {
    agent: "bare-writer",
    connection: ConnectionId::ZERO,
    capabilities: 0,
    payload_bytes_max: BODY_BYTES_MAX as u32,
    subscriptions_max: 1,
    ping_interval: Millis::ZERO,
    identity: None,
};

fn subscribed(request: RequestId) -> ServerFrame<'static> {
    let position = Position { epoch: Epoch::ZERO, offset: Offset::ZERO };
    let channel = ChannelId::saturating(1);
    ServerFrame::Ok {
        request,
        answer: Answer::Subscribed(Subscribed { channel, position, next: Offset::saturating(1), recovered: false }),
    }
}
