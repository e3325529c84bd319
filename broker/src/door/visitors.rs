//! Where a bridge's visitors come in: on each further stream of its connection one is introduced, and gets a session as at
//! any other door. What the bridge itself may do opens nothing for them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_client;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Introduce};
use callboard_protocol::limits::{HELLO_BYTES_MAX, ORIGIN_BYTES_MAX};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::local::Local;
use super::quic::Waits;
use crate::connection::{
    Actor, Arrival, Opening, Patience, Shown, Socket, VisitorAcceptor, check_shown, goodbye_frame, malformed,
};
use crate::defaults::LINGER;
use crate::format::Format;
use crate::limit::Share;

/// Bytes that are read at once of a stream whose visitor is not known yet.
const READ_BYTES: usize = 4 << 10;

/// Receives the visitors of one bridge until its connection is over. Dropped, it receives nobody more; who is in stays.
pub(super) async fn receive(acceptor: VisitorAcceptor, local: Arc<Local>, waits: Waits) {
    let (acceptor, mut under_way) = (Arc::new(acceptor), JoinSet::new());
    loop {
        tokio::select! {
            stream = acceptor.connection().accept_bi() => {
                let Ok((send, recv)) = stream else { return };
                let patience = Patience { hello: Instant::now() + waits.hello, drain: waits.drain };
                let pending = PendingStream { halves: Some((send, recv)) };
                under_way.spawn(introduce(pending, Arc::clone(&acceptor), Arc::clone(&local), patience));
            }
            Some(_) = under_way.join_next() => {}
        }
    }
}

/// Hears who comes on a stream, and opens the session.
async fn introduce(mut pending: PendingStream, acceptor: Arc<VisitorAcceptor>, local: Arc<Local>, patience: Patience) {
    let mut deframer = Deframer::new(HELLO_BYTES_MAX);
    let mut partial = Share::of(&local.partials);
    let heard = match timeout_at(patience.hello, pending.hear(&mut deframer, &mut partial)).await {
        Ok(heard) => heard,
        Err(_) => Err(Ending::plain(Code::HandshakeTimeout)),
    };
    let opened = heard.and_then(|body| {
        let Introduced { address, origin, arrival } = introduced(&body)?;
        // PROTOCOL.md, "Visitors": a bridge has the right from the broker's operator, who may take it back at any time.
        acceptor.check()?;
        let ticket = local.admit(address).map_err(|refused| Ending::because(Code::Overloaded, refused))?;
        tracing::debug!(%address, origin, "a visitor was introduced");
        Ok(local.open(ticket, Format::Stream, arrival))
    });
    let (id, session) = match opened {
        Ok(opened) => opened,
        Err(ending) => {
            local.registry.metrics().closed(ending.code);
            tracing::debug!(code = ending.code.number(), sentence = %ending.sentence, "a visitor is refused");
            return pending.turn_away(&ending).await;
        }
    };
    let Some((send, recv)) = pending.halves.take() else { return };
    tracing::debug!(connection = %id, "session opened");
    let socket = Socket::visitor(acceptor.share(), send, recv);
    let registry = Arc::clone(&local.registry);
    // The session counts what it has of a frame itself.
    drop(partial);
    Actor::start(Opening { id, session, socket, deframer, registry, patience, upgrade: None });
}

/// Who comes, and how, as the bridge tells it.
#[derive(Debug)]
pub(crate) struct Introduced {
    /// The visitor's own address.
    pub(crate) address: IpAddr,
    /// Its page's origin, which the bridge has judged.
    origin: Option<String>,
    /// What its session knows before `Hello`.
    pub(crate) arrival: Arrival,
}

/// Reads an introduction.
///
/// # Errors
///
/// How the visitor's session ends if it is none.
pub(crate) fn introduced(body: &Bytes) -> Result<Introduced, Ending> {
    let frame = decode_client(body).map_err(|error| Ending::because(Code::Malformed, error))?;
    let ClientFrame::Introduce(Introduce { address, origin, credential, private, ping_interval, publishes }) = frame
    else {
        return Err(Ending::because(Code::OutOfOrder, "a visitor's session begins with Introduce"));
    };
    // PROTOCOL.md, "Limits": a text over its limit in `Introduce` ends the session.
    if origin.is_some_and(|origin| origin.len() > ORIGIN_BYTES_MAX) {
        return Err(Ending::because(Code::Malformed, "the visitor's origin is too long"));
    }
    let shown = credential.map(|credential| {
        check_shown(&credential)?;
        Ok(Shown::new(credential.strategy, credential.secret))
    });
    let address = Ipv6Addr::from(address).to_canonical();
    let is_local = address.is_loopback();
    let publishes = (publishes > 0).then_some(publishes);
    let arrival = Arrival { shown: shown.transpose()?, is_private: private, is_local, ping_interval, publishes };
    Ok(Introduced { address, origin: origin.map(str::to_owned), arrival })
}

/// A stream without a session. Dropped before there is one, as when the broker drains, it is reset with the reason.
struct PendingStream {
    /// Taken once the stream is a session's, or was ended.
    halves: Option<(SendStream, RecvStream)>,
}

impl PendingStream {
    /// Reads the first body, and holds a share of what it has read so far.
    async fn hear(&mut self, deframer: &mut Deframer, partial: &mut Share) -> Result<Bytes, Ending> {
        let (_, recv) = self.halves.as_mut().expect("nobody took the stream before it was heard");
        loop {
            if let Some(body) = deframer.poll_body().map_err(|error| malformed(&error))? {
                return Ok(body);
            }
            // A frame that grows piece by piece lies in a buffer with room for as much again.
            if !partial.resize(2 * (deframer.buffered_bytes() + READ_BYTES)) {
                return Err(Ending::because(
                    Code::Overloaded,
                    "the broker holds too many incomplete frames; try again \
                    later",
                ));
            }
            match recv.read_chunk(READ_BYTES, true).await {
                // A copy, so that it keeps nothing of the datagrams that it came in.
                Ok(Some(chunk)) => deframer.handle_bytes(Bytes::copy_from_slice(&chunk.bytes)),
                Ok(None) if deframer.is_mid_frame() => {
                    return Err(Ending::because(Code::Malformed, "the stream ended within a frame"));
                }
                Ok(None) | Err(_) => return Err(Ending::plain(Code::Finished)),
            }
        }
    }

    /// Says why there is no session.
    async fn turn_away(mut self, ending: &Ending) {
        let Some((mut send, mut recv)) = self.halves.take() else { return };
        let number = VarInt::from(u32::from(ending.code.number()));
        let _ = recv.stop(number);
        match timeout(LINGER, send.write_chunk(goodbye_frame(ending))).await {
            Ok(Ok(())) => drop(send.finish()),
            Ok(Err(_)) | Err(_) => drop(send.reset(number)),
        }
    }
}

impl Drop for PendingStream {
    fn drop(&mut self) {
        if let Some((send, recv)) = &mut self.halves {
            let number = VarInt::from(u32::from(Code::ShuttingDown.number()));
            let _ = send.reset(number);
            let _ = recv.stop(number);
        }
    }
}
