//! One HTTP connection, from its first byte to its last, or to the upgrade: then its socket is handed on and its buffers go.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::door_state::{DoorState, PendingUpgrade};
use super::refusal_filter::RefusalFilter;
use super::service::answer;
use super::unparsed::Unparsed;
use super::write_timeout::WriteTimeout;
use crate::farewell::hang_up;
use crate::outgoing::Outgoing;
use crate::rules::Arrival;
use crate::socket::Socket;
use crate::upstream::Upstream;

/// Serves one connection.
pub(crate) async fn serve<U: Upstream>(door: Arc<DoorState<U>>, stream: TcpStream) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let Some(_permit) = door.permit(peer.ip()) else {
        tracing::debug!(%peer, "an address has reached its limit of HTTP connections");
        return;
    };
    // Messages are small and whole: waiting for more of them is the kernel's idea, not ours.
    let _ = stream.set_nodelay(true);
    let limits = &door.config.limits;
    let socket = match &door.tls {
        None => Socket::from(stream),
        Some(tls) => match timeout(limits.header_timeout, shake_hands(tls, stream)).await {
            Ok(Ok(Ok(socket))) => socket,
            Ok(Ok(Err(mut socket))) => {
                tracing::debug!(%peer, "HTTP without TLS on a port that requires TLS");
                return hang_up(&mut socket, &mut door.answer_unparsed(Unparsed::Open).into()).await;
            }
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => return tracing::debug!(%peer, "TLS handshake not done in time"),
        },
    };
    let arrival = Arrival { peer: peer.ip(), local: local.ip(), is_tls: door.tls.is_some() };
    let pending: PendingUpgrade<U> = Arc::new(Mutex::new(None));
    let (mut socket, ended) = converse(&door, arrival, socket, &pending).await;
    if let Ok(rest) = &ended
        && let Some(upgrade) = pending.lock().take()
    {
        return door.open(upgrade, socket, rest);
    }
    let mut last = Outgoing::default();
    if let Err(Some(unparsed)) = ended {
        tracing::debug!(%peer, ?unparsed, "request refused");
        last = door.answer_unparsed(unparsed).into();
    }
    hang_up(&mut socket, &mut last).await;
}

/// Shakes hands, or gives back the socket of somebody who speaks HTTP without TLS.
async fn shake_hands(tls: &TlsAcceptor, stream: TcpStream) -> io::Result<Result<Socket, Socket>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A method begins with a letter, TLS with 22.
    if first[0].is_ascii_uppercase() {
        return Ok(Err(Socket::from(stream)));
    }
    Ok(Ok(tls.accept(stream).await?.into()))
}

/// Speaks HTTP until the connection is over, or is upgraded. Gives the socket back, with what was read behind the last
/// request if it ended in order, or why a request was not read.
async fn converse<U: Upstream>(
    door: &Arc<DoorState<U>>,
    arrival: Arrival,
    socket: Socket,
    pending: &PendingUpgrade<U>,
) -> (Socket, Result<Bytes, Option<Unparsed>>) {
    let limits = door.config.limits;
    let service = service_fn(|request| {
        Box::pin(async move { Ok::<_, Infallible>(answer(door, arrival, pending, request).await) })
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(BUFFER_BYTES_MIN));
    let stream = RefusalFilter::new(WriteTimeout::new(socket, limits.request_timeout));
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut is_shut = door.is_shut.clone();
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
    let stream = parts.io.into_inner();
    let ended = match ended {
        Ok(()) => Ok(parts.read_buf),
        Err(_) if !stream.is_between_answers() => Err(None),
        Err(error) => Err(Unparsed::of(&error, stream.refusal(), &parts.read_buf)),
    };
    (stream.into_inner().into_inner(), ended)
}

/// The least that hyper takes.
const BUFFER_BYTES_MIN: usize = 8 << 10;
