//! How far one connection's peer may be behind in QUIC itself: small windows for everybody, large ones for the busy, as long as all together have them.

use std::sync::Arc;

use quinn::VarInt;

use crate::defaults::{RECEIVE_BUSY, RECEIVE_WINDOW, RECEIVE_WINDOW_SMALL, SEND_BUSY, SEND_WINDOW, SEND_WINDOW_SMALL};
use crate::limit::{Budget, Share};

/// What a large window of sending takes beyond the small one.
const SENDING: usize = (SEND_WINDOW - SEND_WINDOW_SMALL) as usize;

/// What a large window of receiving takes beyond the small one: QUIC keeps up to two and a half times what came out of
/// order (quinn's assembler), and one read more may lie here.
const RECEIVING: usize = (RECEIVE_WINDOW - RECEIVE_WINDOW_SMALL) as usize / 2 * 7;

/// The windows of one connection. A large one is kept for the connection's life: what is in it cannot be called back.
#[derive(Debug)]
pub(crate) struct Windows {
    sending: Share,
    receiving: Share,
    /// Whether much may be sent and not acknowledged just now.
    sends_wide: bool,
    /// Whether somebody else sets them: those of a bridge are all its sessions'.
    is_shared: bool,
}

impl Windows {
    /// Small windows, as every connection begins with, and a share of `budget`.
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { sending: Share::of(budget), receiving: Share::of(budget), sends_wide: false, is_shared: false }
    }

    /// Leaves the windows to whoever holds the share that this gives, of nothing yet.
    pub(crate) fn leave(&mut self) -> Share {
        self.is_shared = true;
        self.sending.sibling()
    }

    /// Makes the window fit what is about to be written. Small pieces never get a large one: QUIC keeps each of them in a
    /// buffer of its own, many times its size, until it is acknowledged.
    pub(crate) fn before_write(&mut self, connection: &quinn::Connection, bytes: usize) {
        if self.is_shared {
            return;
        }
        let is_busy = bytes >= SEND_BUSY && (self.sending.bytes() > 0 || self.sending.resize(SENDING));
        if is_busy != self.sends_wide {
            self.sends_wide = is_busy;
            connection.set_send_window(if is_busy { SEND_WINDOW } else { SEND_WINDOW_SMALL });
        }
    }

    /// Makes the window large for a peer that filled the small one.
    pub(crate) fn after_read(&mut self, connection: &quinn::Connection, bytes: usize) {
        if !self.is_shared && bytes >= RECEIVE_BUSY && self.receiving.bytes() == 0 && self.receiving.resize(RECEIVING) {
            connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
        }
    }
}
