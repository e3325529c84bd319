//! The stream to the broker of one browser, while there is one. It reads and writes nothing by itself.

use std::task::{Context, Waker};

use callboard_client::raw;

use super::pool::{Opened, Seat, Turn};

/// The stream to the broker.
pub(super) enum BrokerStream {
    None,
    /// There is none, and it is waited for.
    Awaited(Turn),
    /// It is for the next `Hello`.
    Kept(Seat, Box<raw::Session>),
    Open(Seat, Box<raw::Session>),
}

impl BrokerStream {
    /// Takes the stream that was kept for `Hello`, if it still leads anywhere. The broker opens it with the next one that
    /// is used, and then waits for nobody for long.
    pub(super) fn take_kept(&mut self) -> Option<Opened> {
        let Self::Kept(seat, mut session) = std::mem::replace(self, Self::None) else { return None };
        // Whatever it says before it was said hello to is its end.
        let is_fresh = session.poll_read(&mut Context::from_waker(Waker::noop())).is_pending();
        is_fresh.then_some((seat, session))
    }

    /// The stream, if a session on it has begun.
    pub(super) fn session(&mut self) -> Option<&mut raw::Session> {
        match self {
            Self::Open(_, session) => Some(session),
            Self::None | Self::Awaited(_) | Self::Kept(..) => None,
        }
    }

    /// How much was said and is not written.
    pub(super) fn unwritten_bytes(&self) -> usize {
        match self {
            Self::Open(_, session) => session.unwritten_bytes(),
            Self::None | Self::Awaited(_) | Self::Kept(..) => 0,
        }
    }

    /// How long the body is that has begun to come; 0 without one.
    pub(super) fn announced_bytes(&self) -> usize {
        match self {
            Self::Open(_, session) => session.announced_bytes(),
            Self::None | Self::Awaited(_) | Self::Kept(..) => 0,
        }
    }
}
