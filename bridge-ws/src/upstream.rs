//! What the bridge asks of the bus behind it: sessions and publishes; it names no broker, so that one may be far away.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::ClientFrame;
use callboard_protocol::{Position, Refusal};

use crate::dialect::Dialect;

mod visitor;

pub use visitor::{CredentialSource, PublishItem, Publisher, Secret, Shown, Visitor};

/// The bus, as the bridge sees it.
pub trait Upstream: Send + Sync + 'static {
    /// A place for one more session; given back when it, or the session made from it, is dropped.
    type Ticket: Send + 'static;
    /// One browser's session.
    type Session: Session;

    /// Gives a place to a visitor from `address`, if there is one.
    ///
    /// # Errors
    ///
    /// Why there is none. It is told before the upgrade, so that the browser's socket never opens.
    fn admit(&self, address: IpAddr) -> Result<Self::Ticket, Refusal>;

    /// Opens a session for a visitor that has not said hello. Called once the socket speaks WebSocket.
    fn open(&self, ticket: Self::Ticket, visitor: Visitor, dialect: Dialect) -> Self::Session;

    /// Judges who wants to publish over HTTP before anything of the request's body is read. An upstream that cannot know
    /// at once says nothing, and judges when it publishes.
    ///
    /// # Errors
    ///
    /// Why nothing of this publisher is taken.
    fn authenticate(&self, _: &Publisher) -> Result<(), Refusal> {
        Ok(())
    }

    /// Publishes for one HTTP request. The messages of one channel are taken in their order; each has an outcome.
    ///
    /// Dropped before it is ready, it may have published some.
    ///
    /// # Errors
    ///
    /// What is wrong with the whole request: the credential, the rate.
    fn publish(
        &self,
        publisher: Publisher,
        messages: Vec<PublishItem>,
    ) -> impl Future<Output = Result<Vec<Result<Position, Refusal>>, Refusal>> + Send;

    /// Notes that a request over HTTP was refused, and with which status.
    fn note_refused(&self, status: u16);
}

/// One session: typed frames in, encoded messages out. Dropping it ends it.
pub trait Session: Send + 'static {
    /// What wakes the bridge when there is something to write.
    type News: News;

    /// The session's news; asked for once.
    fn news(&self) -> Self::News;

    /// Notes that `bytes` were read and that their frames follow.
    fn begin_read(&mut self, bytes: usize);

    /// Takes a frame that was decoded from `body`. It never waits: what cannot be done yet is held.
    ///
    /// # Errors
    ///
    /// How the session ends, if it does; the bridge then says so with [`Session::end`].
    fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending>;

    /// Notes that so many bytes of a message were read that has not come whole.
    ///
    /// # Errors
    ///
    /// How the session ends if there is no room for them; the bridge then says so with [`Session::end`].
    fn hold_begun(&mut self, bytes: usize) -> Result<(), Ending>;

    /// Hands over what the frames since the last call ask for. No more is read until [`Session::is_clear`].
    fn hand_over(&mut self);

    /// Whether nothing is held.
    fn is_clear(&self) -> bool;

    /// Ready when nothing is held any more. It may be dropped and called again.
    fn room(&mut self) -> impl Future<Output = ()> + Send;

    /// Whether `Hello` was said and taken.
    fn is_open(&self) -> bool;

    /// Whether the browser's next frame should be `Hello`. A session that can begin again says so by itself.
    fn awaits_hello(&self) -> bool {
        !self.is_open()
    }

    /// Moves what is to be written next behind `out`, a bounded number of bytes at a time: whole WebSocket messages with
    /// their headers, one or more in each piece. Called when everything it gave before is written.
    fn fill(&mut self, out: &mut VecDeque<Bytes>);

    /// Whether [`Session::fill`] has more to give without any news, as while history is read.
    fn has_more(&self) -> bool;

    /// Notes that `bytes` were written to the socket.
    fn note_written(&mut self, bytes: usize);

    /// Asks the browser for a sign of life: queues a `Ping` if the session is open.
    fn ping(&mut self);

    /// How the session is to end, if it is, and whether [`Session::fill`] has given everything before that.
    fn ending(&self) -> Option<(Ending, bool)>;

    /// Ends the session behind what waits. The first ending counts.
    fn end(&mut self, ending: Ending);

    /// Ends the session and drops what waits: the socket is gone or does not read. The first ending counts.
    fn abandon(&mut self, ending: Ending);

    /// Notes that the socket is closed, and with which code.
    fn note_closed(&mut self, code: Code);

    /// Notes that the actor of this session panicked.
    fn note_panic(&mut self);
}

/// Wakes a bridge.
pub trait News: Send + Sync + 'static {
    /// Ready when there is something that `interest` asks for.
    fn poll(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()>;
}

/// What a bridge is to be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Something to write: all that came before is written.
    pub output: bool,
    /// The end of the session: it is not known yet.
    pub ending: bool,
}
