//! Measures fan-out: what the server's CPU costs per delivery, and beside it the same bytes from a bare QUIC writer.
//!
//! ```text
//! cargo run --release -p callboard-tests --example fan_out -- [SUBSCRIBERS [WINDOW [SECONDS]]]
//! ```
//!
//! One publisher sends WINDOW messages of 128 bytes, waits until every subscriber has them, and sends the next. The
//! server is a process of its own; its CPU time is read from the operating system before and after.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{
    ClientFrame, Hello, Message, Publish, ServerFrame, Start, Subscribe, SubscribeOptions,
};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelId, Millis, Offset, PayloadRef, RequestId, Sequence};
use callboard_tests::Process;
use callboard_tests::raw::Dialer;
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::Notify;
use tokio::time::Instant;

const PAYLOAD: [u8; 128] = [b'x'; 128];
const CHANNEL: &str = "bench/fan-out";
/// The first byte of a body that is a message.
const MESSAGE: u8 = 6;
/// Connections that share one UDP socket at the reading end.
const CONNECTIONS_A_SOCKET: usize = 125;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, Clone, Copy)]
struct Load {
    subscribers: usize,
    window: u64,
    seconds: u64,
}

/// What the subscribers have heard, together.
#[derive(Debug, Default)]
struct Heard {
    messages: AtomicU64,
    target: AtomicU64,
    reached: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "bare-writer") {
        return bare_writer().await;
    }
    let number = |place: usize, default: u64| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let load =
        Load { subscribers: usize::try_from(number(0, 1000)?)?, window: number(1, 64)?, seconds: number(2, 10)? };
    println!("1 -> {} subscribers, window {}, payload {} bytes", load.subscribers, load.window, PAYLOAD.len());
    let broker = Process::start().await;
    let callboard = measure("callboard", broker.addr(), u32::try_from(broker.pid())?, load).await?;
    drop(broker);
    let (mut child, addr) = start_bare_writer()?;
    let bare = measure("bare quinn", addr, child.id(), load).await;
    child.kill()?;
    child.wait()?;
    println!("ratio      {:.2}", callboard / bare?);
    Ok(())
}

/// Runs the load against a server. Gives its CPU seconds per million deliveries.
async fn measure(name: &str, addr: SocketAddr, pid: u32, load: Load) -> Outcome<f64> {
    let heard = Arc::new(Heard::default());
    let mut keep = Vec::new();
    let mut dialer = Dialer::new();
    for index in 0..load.subscribers {
        if index % CONNECTIONS_A_SOCKET == 0 {
            dialer = Dialer::new();
        }
        keep.push(subscribe(&dialer, addr, &heard).await?);
    }
    let (_publisher, mut publish, _answers) = open(&Dialer::new(), addr).await?;
    let mut frames = BytesMut::new();
    for _ in 0..load.window {
        let frame = Publish {
            request: RequestId::ZERO,
            sequence: Sequence::ZERO,
            channel: CHANNEL,
            key: None,
            payload: PayloadRef::binary(&PAYLOAD),
        };
        encode_stream(&ClientFrame::Publish(frame), &mut frames)?;
    }
    let round = load.window * load.subscribers as u64;
    let (mut rounds, warm_up) = (0, 20);
    let (mut begun, mut cpu) = (Instant::now(), cpu_seconds(pid)?);
    while rounds < warm_up || begun.elapsed() < Duration::from_secs(load.seconds) {
        if rounds == warm_up {
            (begun, cpu) = (Instant::now(), cpu_seconds(pid)?);
        }
        rounds += 1;
        heard.target.store(rounds * round, Ordering::Relaxed);
        publish.write_all(&frames).await?;
        while heard.messages.load(Ordering::Relaxed) < rounds * round {
            heard.reached.notified().await;
        }
    }
    let deliveries = ((rounds - warm_up) * round) as f64;
    let cost = (cpu_seconds(pid)? - cpu) / deliveries * 1e6;
    println!(
        "{name:<10} {cost:.3} s of server CPU per million deliveries, {:.0} deliveries/s, {} KiB resident",
        deliveries / begun.elapsed().as_secs_f64(),
        resident_kib(pid)?
    );
    Ok(cost)
}

async fn open(dialer: &Dialer, addr: SocketAddr) -> Outcome<(Connection, SendStream, RecvStream)> {
    let connection = dialer.endpoint().connect(addr, "localhost")?.await?;
    let (mut send, recv) = connection.open_bi().await?;
    let mut frames = BytesMut::new();
    let hello = Hello { agent: "fan-out", instance: [0; 16], capabilities: 0, credential: None };
    encode_stream(&ClientFrame::Hello(hello), &mut frames)?;
    send.write_all(&frames).await?;
    Ok((connection, send, recv))
}

/// Connects a subscriber that counts what it hears, and waits for the answer to its subscribe.
async fn subscribe(dialer: &Dialer, addr: SocketAddr, heard: &Arc<Heard>) -> Outcome<(Connection, SendStream)> {
    let (connection, mut send, mut recv) = open(dialer, addr).await?;
    let mut frames = BytesMut::new();
    let request = RequestId::saturating(1);
    let subscribe = Subscribe { request, channel: CHANNEL, start: Start::Live, options: SubscribeOptions::NONE };
    encode_stream(&ClientFrame::Subscribe(subscribe), &mut frames)?;
    send.write_all(&frames).await?;
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    let mut chunks: [Bytes; 32] = std::array::from_fn(|_| Bytes::new());
    let mut answers = 0;
    while answers < 2 {
        answers += read(&mut recv, &mut deframer, &mut chunks).await?.1;
    }
    let heard = Arc::clone(heard);
    tokio::spawn(async move {
        while let Ok((messages, _)) = read(&mut recv, &mut deframer, &mut chunks).await {
            let before = heard.messages.fetch_add(messages, Ordering::Relaxed);
            if before + messages >= heard.target.load(Ordering::Relaxed) {
                heard.reached.notify_one();
            }
        }
    });
    Ok((connection, send))
}

/// Reads once. Gives how many messages came, and how many other frames.
async fn read(recv: &mut RecvStream, deframer: &mut Deframer, chunks: &mut [Bytes]) -> Outcome<(u64, u64)> {
    let count = recv.read_chunks(chunks).await?.ok_or("the stream ended")?;
    for chunk in &mut chunks[..count] {
        deframer.handle_bytes(std::mem::take(chunk));
    }
    let (mut messages, mut others) = (0, 0);
    while let Some(body) = deframer.poll_body()? {
        if body[0] == MESSAGE { messages += 1 } else { others += 1 }
    }
    Ok((messages, others))
}

fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').ok_or("no process name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks as f64 / 100.0)
}

fn resident_kib(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}

fn start_bare_writer() -> Outcome<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?).arg("bare-writer").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    Ok((child, line.trim().parse()?))
}

/// The limit: answers every subscribe, and writes for each publish one ready message to every other connection.
async fn bare_writer() -> Outcome<()> {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], key.signing_key.serialize_der().try_into()?)?;
    tls.alpn_protocols = vec![callboard_protocol::version::ALPN.to_vec()];
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls)?;
    let endpoint = quinn::Endpoint::server(
        quinn::ServerConfig::with_crypto(Arc::new(crypto)),
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    )?;
    println!("{}", endpoint.local_addr()?);
    let mut message = BytesMut::new();
    let frame = Message {
        channel: ChannelId::saturating(1),
        offset: Offset::saturating(100_000),
        published: Millis::saturating(1_700_000_000_000),
        publisher: None,
        key: None,
        payload: PayloadRef::binary(&PAYLOAD),
    };
    encode_stream(&ServerFrame::Message(frame), &mut message)?;
    let writers: Arc<parking_lot::Mutex<Vec<tokio::sync::mpsc::Sender<Bytes>>>> = Arc::default();
    while let Some(incoming) = endpoint.accept().await {
        let (writers, message) = (Arc::clone(&writers), message.clone().freeze());
        tokio::spawn(async move { serve_bare(incoming.await?, writers, message).await });
    }
    Ok(())
}

async fn serve_bare(
    connection: Connection,
    writers: Arc<parking_lot::Mutex<Vec<tokio::sync::mpsc::Sender<Bytes>>>>,
    message: Bytes,
) -> Outcome<()> {
    let (mut send, mut recv) = connection.accept_bi().await?;
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    loop {
        let Some(chunk) = recv.read_chunk(64 << 10, true).await? else { return Ok(()) };
        deframer.handle_bytes(chunk.bytes);
        let mut publishes = 0;
        while let Some(body) = deframer.poll_body()? {
            match body[0] {
                5 => {
                    let (writer, mut chunks) = tokio::sync::mpsc::channel::<Bytes>(1024);
                    writers.lock().push(writer);
                    // Two frames that are no messages: the answers that the load waits for.
                    send.write_all(&[1, 9, 1, 9]).await?;
                    while let Some(chunk) = chunks.recv().await {
                        send.write_chunk(chunk).await?;
                    }
                    return Ok(());
                }
                7 => publishes += 1,
                _ => {}
            }
        }
        if publishes > 0 {
            let chunk = Bytes::from(message.repeat(publishes));
            for writer in writers.lock().iter() {
                writer.try_send(chunk.clone())?;
            }
        }
    }
}
