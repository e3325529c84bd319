//! What one browser at the edge is given: bodies of its stream and the edge's own frames, as far as there is room for them. It
//! takes nothing from the browser.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use callboard_protocol::frame::ServerFrame;

use super::Browser;
use crate::edge::limits::{FILL_BYTES, WAITING_MAX};
use crate::edge::state::Effect;
use crate::edge::transcode::{transcode, transcoded_bytes_max};

impl Browser {
    /// Moves what the socket is to have next behind `pieces`.
    pub(in crate::edge) fn fill(&mut self, pieces: &mut VecDeque<Bytes>) {
        let (mut batch, mut moved, mut transcoded) = (BytesMut::new(), 0, 0);
        pieces.extend(self.out.drain(..));
        let before = pieces.len();
        // All that it was given before is written by now.
        self.given = 0;
        while moved < FILL_BYTES && self.next.is_some() && self.has_room(transcoded) {
            let Some(body) = self.next.take() else { break };
            match self.state.handle_broker(&body) {
                Effect::Pass => {
                    moved += body.len();
                    match transcode(self.dialect, body, &mut batch, pieces) {
                        Ok(bytes) => transcoded += bytes,
                        Err(end) => {
                            let effect = self.state.fail(&end);
                            self.take(effect);
                        }
                    }
                }
                effect @ (Effect::Suspend(_) | Effect::End(_) | Effect::Drop | Effect::Open | Effect::Await) => {
                    self.take(effect);
                }
            }
            self.look_ahead();
        }
        if !batch.is_empty() {
            pieces.push_back(batch.freeze());
        }
        self.given = pieces.iter().skip(before).map(Bytes::len).sum();
        if self.given > 0 {
            self.room.settle(self.given);
        }
        pieces.extend(self.out.drain(..));
        if self.out.capacity() > WAITING_MAX {
            self.out = VecDeque::new();
        }
    }

    pub(in crate::edge) fn has_more(&self) -> bool {
        self.next.is_some() && !self.room.is_awaited()
    }

    pub(super) fn push(&mut self, frame: &ServerFrame<'_>) {
        let mut message = BytesMut::new();
        self.dialect.encode(frame, &mut message).expect("the edge's own frames are short");
        self.out.push_back(message.freeze());
    }

    /// The room that is needed to read on, or to hand over what was read.
    pub(super) fn wanted(&self) -> usize {
        match self.next.as_ref().map_or_else(|| self.stream.announced_bytes(), Bytes::len) {
            0 => 0,
            bytes => self.room.wanted(self.dialect, bytes),
        }
    }

    /// Whether there is room for the next body beside so many bytes, which the socket gets before it.
    fn has_room(&mut self, transcoded: usize) -> bool {
        if transcoded > 0 {
            let next = self.next.as_ref().map_or(0, |next| transcoded_bytes_max(self.dialect, next.len()));
            return self.room.fits(transcoded + next);
        }
        let wanted = self.wanted();
        self.room.fits(wanted) || {
            self.room.wait(wanted);
            false
        }
    }

    pub(super) fn look_ahead(&mut self) {
        let Some(session) = self.stream.session() else { return };
        match session.next_body() {
            Ok(next) => self.next = next,
            Err(end) => self.take_end(&end),
        }
    }

    /// Drops what waits for the socket.
    pub(in crate::edge) fn clear(&mut self) {
        self.out = VecDeque::new();
    }
}
