//! The stream to the broker of one browser, while there is one. It reads and writes nothing by itself.

use callboard_client::raw;

use super::pool::{Seat, Turn};

/// The stream to the broker.
pub(super) enum Line {
    None,
    /// There is none, and it is waited for.
    Awaited(Turn),
    /// It is for the next `Hello`.
    Kept(Seat, Box<raw::Session>),
    Open(Seat, Box<raw::Session>),
}

impl Line {
    /// The stream, if the broker may know of it.
    pub(super) fn session(&mut self) -> Option<&mut raw::Session> {
        match self {
            Self::Open(_, session) => Some(session),
            Self::None | Self::Awaited(_) | Self::Kept(..) => None,
        }
    }

    /// How much was said and is not written.
    pub(super) fn unwritten(&self) -> usize {
        match self {
            Self::Open(_, session) => session.unwritten(),
            Self::None | Self::Awaited(_) | Self::Kept(..) => 0,
        }
    }

    /// How much was read and is not taken.
    pub(super) fn unread(&self) -> usize {
        match self {
            Self::Open(_, session) => session.unread(),
            Self::None | Self::Awaited(_) | Self::Kept(..) => 0,
        }
    }
}
