//! What is on its way to a browser: whole messages in one order; what was begun is finished before anything else.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::defaults::{PLACES_KEPT, PONGS_MAX, SLICES_A_WRITE};
use crate::framing;

/// Pieces ready to be written. Each is one or more whole messages; only the first may be written in part.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Bytes>,
    is_begun: bool,
    /// How many of the last pieces are pongs.
    pongs: usize,
}

impl From<Bytes> for Outgoing {
    fn from(piece: Bytes) -> Self {
        Self { pieces: VecDeque::from([piece]), ..Self::default() }
    }
}

impl Outgoing {
    /// Whether something is ready to be written.
    pub(crate) fn is_pending(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Where a session puts what it has.
    pub(crate) fn pieces(&mut self) -> &mut VecDeque<Bytes> {
        self.pongs = 0;
        &mut self.pieces
    }

    /// Appends a whole message.
    pub(crate) fn push(&mut self, message: Bytes) {
        self.pongs = 0;
        self.pieces.push_back(message);
    }

    /// Appends an answer to a ping.
    pub(crate) fn pong(&mut self, content: &[u8]) {
        let mut message = BytesMut::new();
        framing::pong(content, &mut message);
        // RFC 6455, section 5.5.3: only the last ping must be answered. One that waits was not begun: there are more.
        if self.pongs >= PONGS_MAX {
            self.pieces.pop_back();
            self.pongs -= 1;
        }
        self.pieces.push_back(message.freeze());
        self.pongs += 1;
    }

    /// Fills `slices` with what is to be written next; how many of them.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_A_WRITE]) -> usize {
        let pairs = slices.iter_mut().zip(&self.pieces);
        pairs.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// Takes away what was written.
    pub(crate) fn advance(&mut self, mut bytes: usize) {
        while bytes > 0 {
            let Some(first) = self.pieces.front_mut() else { break };
            if bytes < first.len() {
                first.advance(bytes);
                self.is_begun = true;
                return;
            }
            bytes -= first.len();
            self.pieces.pop_front();
            self.is_begun = false;
        }
        self.pongs = self.pongs.min(self.pieces.len());
        if self.pieces.is_empty() && self.pieces.capacity() > PLACES_KEPT {
            self.pieces = VecDeque::new();
        }
    }

    /// Drops everything but what was begun: behind a part of a message nothing else could be read.
    pub(crate) fn drop_unbegun(&mut self) {
        self.pieces.truncate(usize::from(self.is_begun));
        self.pongs = 0;
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(out: &Outgoing) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); SLICES_A_WRITE];
        let count = out.slices(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
    }

    #[test]
    fn a_message_that_was_begun_is_finished() {
        let mut out = Outgoing::default();
        for message in [&b"first"[..], b"second", b"third"] {
            out.push(Bytes::from_static(message));
        }
        out.advance(7);
        assert_eq!(written(&out), b"condthird");
        out.drop_unbegun();
        assert_eq!(written(&out), b"cond");
        out.push(Bytes::from_static(b"close"));
        out.advance(4);
        out.drop_unbegun();
        assert!(!out.is_pending(), "what is not begun is dropped");
    }

    #[test]
    fn pongs_are_bounded_and_the_last_one_stays() {
        let mut out = Outgoing::default();
        out.push(Bytes::from_static(b"x"));
        for ping in 0..100 {
            out.pong(&[ping]);
        }
        let all = written(&out);
        assert_eq!(all.len(), 1 + 3 * PONGS_MAX);
        assert_eq!(all[1..7], [0x8a, 1, 0, 0x8a, 1, 1], "the first ones are answered in order");
        assert_eq!(all[all.len() - 3..], [0x8a, 1, 99]);
        out.advance(all.len());
        out.pong(b"");
        assert_eq!(written(&out), [0x8a, 0]);
    }
}
