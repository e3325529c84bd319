//! The last words on a browser's socket, and how any socket of the door is hung up; nothing is said after them.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use callboard_protocol::close::Ending;
use callboard_protocol::frame::ServerFrame;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::defaults::LINGER;
use crate::dialect::Dialect;
use crate::framing;
use crate::outgoing::Outgoing;
use crate::socket::Socket;

/// What is said last (PROTOCOL.md, "WebSocket").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The session ends: a `Goodbye`, then a close with the same code and sentence.
    Goodbye(Ending),
    /// The browser closed: a close with its own code.
    Reply(Option<u16>),
    /// RFC 6455 was broken: a close with one of its codes.
    Fault(u16, String),
}

impl Farewell {
    /// Its messages.
    pub(crate) fn encoded(&self, dialect: Dialect) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Goodbye(ending) => {
                let goodbye = ending.goodbye();
                dialect.encode(&ServerFrame::Goodbye(goodbye), &mut out).expect("a sentence fits a body");
                framing::close(ending.code.number(), &ending.sentence, &mut out);
            }
            Self::Reply(Some(code)) => framing::close(*code, "", &mut out),
            Self::Reply(None) => framing::header(framing::Opcode::Close, 0, &mut out),
            Self::Fault(code, sentence) => framing::close(*code, sentence, &mut out),
        }
        out.freeze()
    }
}

/// Writes what is left of `out`, hangs up, and reads until the browser did too: a socket that is closed before what came
/// is read takes the last words back. In all it waits a bounded time.
pub(crate) async fn hang_up(socket: &mut Socket, out: &mut Outgoing) {
    let said = async {
        while out.is_pending() || socket.is_unflushed() {
            poll_fn(|cx| socket.poll_write_from(cx, out)).await.ok()?;
        }
        socket.shutdown().await.ok()?;
        while poll_fn(|cx| socket.poll_read_to(cx, |_| {})).await.ok()? > 0 {}
        Some(())
    };
    let _ = timeout(LINGER, said).await;
}
