//! How a session's owner takes what its peer says: bytes to bodies, bodies to frames, frames to the session. It writes nothing.

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_client;
use callboard_protocol::limits::BODY_BYTES_MAX;

use super::Actor;
use crate::connection::ending::malformed;
use crate::connection::socket::Gone;
use crate::metrics::Present;

impl Actor {
    /// Takes the frames out of what was read and hands them over.
    pub(super) fn take_frames(&mut self, chunks: &mut [Bytes]) {
        let bytes: usize = chunks.iter().map(Bytes::len).sum();
        self.metrics().bytes_read.add(bytes as u64);
        self.socket.after_read(bytes);
        // One copy: a publish that waits keeps what was read with it, and would keep the datagrams that came together with
        // it from whomever.
        let mut copied = Vec::with_capacity(bytes);
        for chunk in chunks {
            copied.extend_from_slice(&std::mem::take(chunk));
        }
        self.deframer.handle_bytes(copied.into());
        if self.session.is_clear() {
            self.session.begin_read(bytes);
            self.take_more();
        } else {
            self.session.read_on(bytes);
            self.more = true;
        }
    }

    /// Takes frames out of what was read and hands them over.
    pub(super) fn take_more(&mut self) {
        let verdict = self.take_bodies();
        self.session.hand_over();
        match verdict
            .and_then(|()| if self.more { Ok(()) } else { self.session.hold_partial(self.deframer.buffered_bytes()) })
        {
            Ok(()) if self.finished && !self.more => self.stop_reading(Ok(())),
            Ok(()) => {}
            Err(ending) => {
                (self.reading, self.more) = (false, false);
                self.outbox.end(ending);
            }
        }
        if self.session.is_open() && !self.ending {
            self.timer = None;
            if self.present.is_none() {
                self.present = Some(Present::new(self.metrics(), |metrics| &metrics.sessions));
            }
            self.note_rights();
        }
    }

    fn take_bodies(&mut self) -> Result<(), Ending> {
        self.more = true;
        while !self.session.commands_are_full() {
            let Self { deframer, session, .. } = self;
            let taken = deframer.lend_body(|body, memory| {
                let frame = decode_client(body).map_err(|error| Ending::because(Code::Malformed, error))?;
                session.handle(&frame, memory)
            });
            match taken.map_err(|error| malformed(&error))? {
                Some(verdict) => verdict?,
                None => {
                    self.more = false;
                    return Ok(());
                }
            }
            // PROTOCOL.md, "Stream": the first body has a limit of its own, before the peer is known.
            self.deframer.set_body_bytes_max(BODY_BYTES_MAX);
        }
        Ok(())
    }

    /// The peer's half of the stream ended, one way or another.
    pub(super) fn stop_reading(&mut self, ended: Result<(), Gone>) {
        self.reading = false;
        match ended {
            Ok(()) if self.more => self.finished = true,
            // A client that ends its half without a word is done as well.
            Ok(()) if !self.deframer.is_mid_frame() => self.outbox.end(Ending::plain(Code::Finished)),
            Ok(()) => self.outbox.end(Ending::because(Code::Malformed, "the stream ended within a frame")),
            Err(_) => self.outbox.abandon(Ending::plain(Code::Finished)),
        }
    }

    /// Opens the door to a bridge's visitors once its session is welcomed, and ends the session when that loses the right.
    fn note_rights(&mut self) {
        let Some(upgrade) = &mut self.upgrade else { return };
        match upgrade.note(self.session.may_bridge(), &mut self.socket, &self.outbox) {
            Ok(true) => {}
            Ok(false) => self.upgrade = None,
            Err(ending) => self.outbox.end(ending),
        }
    }
}
