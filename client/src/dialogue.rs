//! What is said in one session, by either side: bodies in, frames out. It has no socket and no clock, and never waits.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec;
use callboard_protocol::frame::{Answer, ClientFrame, Failed, Pong, ServerFrame};
use callboard_protocol::session::FromServer;
use callboard_protocol::{Nonce, RequestId};

use crate::defaults::{PONGS_MAX, WRITE_BYTES};
use crate::end::End;
use crate::error::{Failure, PublishError};
use crate::publish::Run;
use crate::table::Delivery;
use crate::wants::Wants;

/// One session's conversation.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    frame_order: FromServer,
    last: RequestId,
    /// Frames that wait for the socket.
    pub(crate) gathering: BytesMut,
    /// A message that a reader had no room for. Nothing is read until it has.
    held: Option<Bytes>,
    /// The broker's questions whose answers are not yet among what is written.
    pongs: VecDeque<Nonce>,
    /// A channel was refused for a passing reason since this was last asked: whether all were well before.
    setback: Option<bool>,
}

impl Dialogue {
    /// Appends a frame that makes no request.
    pub(crate) fn push(&mut self, frame: &ClientFrame<'_>) {
        codec::encode_stream(frame, &mut self.gathering).expect("the client's own frames are shorter than the limit");
    }

    /// Decodes a body and judges its place.
    pub(crate) fn decode<'a>(&mut self, body: &'a [u8]) -> Result<ServerFrame<'a>, End> {
        let frame = codec::decode_server(body)?;
        self.frame_order.handle(&frame)?;
        Ok(frame)
    }

    /// Gathers what waits, up to a full write: first what was not acknowledged in the session before, then publishes
    /// in the order of their calls. Questions have room of their own, so that no flood of publishes holds them up.
    pub(crate) fn fill(&mut self, wants: &mut Wants) {
        // "`Pong` is sent for each `Ping`, at once" (PROTOCOL.md, "Session"): before the others, in room of their own.
        while self.has_room(3)
            && let Some(nonce) = self.pongs.pop_front()
        {
            self.push(&ClientFrame::Pong(Pong { nonce }));
        }
        let mut took = false;
        while self.has_room(1) {
            if self.append(|ask, out| wants.unacknowledged.write_next(ask, out)) {
                continue;
            }
            let run = wants.shared.queue.lock().take();
            match run {
                Some(Run::Forgotten { frames, .. }) => self.push_frames(frames),
                Some(Run::Acked { sequence, acked }) => wants.unacknowledged.push(sequence, acked),
                None => break,
            }
            took = true;
        }
        if took {
            wants.shared.call_next();
        }
        while self.has_room(2) && self.append(|ask, out| wants.table.write_next(ask, out)) {}
    }

    /// Handles the bodies that `poll` gives, until it has no more or there is no room for one.
    pub(crate) fn take_bodies(
        &mut self,
        wants: &mut Wants,
        mut poll: impl FnMut() -> Result<Option<Bytes>, End>,
    ) -> Result<(), End> {
        while self.pongs.len() < PONGS_MAX {
            let body = match self.held.take() {
                Some(body) => body,
                None => match poll()? {
                    Some(body) => body,
                    None => return Ok(()),
                },
            };
            match self.take_body(wants, &body)? {
                Delivery::Done => {}
                Delivery::Blocked => {
                    self.held = Some(body);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether what was read waits, so that nothing more is read. A reader, or a write, makes room again.
    pub(crate) fn is_stalled(&self) -> bool {
        self.held.is_some() || self.pongs.len() >= PONGS_MAX
    }

    /// Whether a channel was refused for a passing reason since this was last asked, and if so, whether all were well
    /// before.
    pub(crate) fn take_setback(&mut self) -> Option<bool> {
        self.setback.take()
    }

    fn take_body(&mut self, wants: &mut Wants, body: &Bytes) -> Result<Delivery, End> {
        let table = &mut wants.table;
        match self.decode(body)? {
            // A message that was held had its place judged when it came, and changes nothing for what follows.
            ServerFrame::Message(message) => return table.deliver(&message, body),
            ServerFrame::Skipped(skipped) => table.skip(&skipped)?,
            ServerFrame::Reset(reset) => table.reset(&reset)?,
            // An event of a service takes an offset of its channel; services have no readers here yet.
            ServerFrame::Event(event) => table.pass(event.channel, event.offset)?,
            ServerFrame::Ok { request, answer } => take_answer(wants, request, &answer)?,
            ServerFrame::Failed(failed) => self.take_failure(wants, &failed)?,
            ServerFrame::Ping(ping) => self.pongs.push_back(ping.nonce),
            ServerFrame::Goodbye(goodbye) => return Err(End::goodbye(&goodbye)),
            ServerFrame::Welcome(_) => return Err(End::out_of_order("a session is opened once")),
            // Channels that the broker gives, and calls for a provider, have no readers here yet.
            ServerFrame::Named(named) => table.name(&named)?,
            ServerFrame::Membership(membership) => table.member(&membership),
            ServerFrame::Invoke(_) => {}
            ServerFrame::Suspended(suspended) => return Err(End::suspended(&suspended)),
            ServerFrame::Resumed(_) => return Err(End::out_of_order("a session that ended is not resumed")),
        }
        Ok(Delivery::Done)
    }

    fn take_failure(&mut self, wants: &mut Wants, failed: &Failed<'_>) -> Result<(), End> {
        let failure = Failure::new(failed);
        if failed.request == RequestId::ZERO {
            wants.shared.refused(&failure);
            return Ok(());
        }
        let was_well = wants.table.is_well();
        if wants.table.handle_failed(failed.request, &failure) {
            if wants.table.has_retries() {
                self.setback = Some(self.setback.unwrap_or(false) || was_well);
            }
            return Ok(());
        }
        if wants.answer(failed.request, Err(PublishError::Refused(failure))) {
            return Ok(());
        }
        Err(End::out_of_order(format!("request {} was answered twice", failed.request)))
    }

    /// Appends what `write` writes, with a source of request numbers. Whoever takes a number sends it, in this order.
    fn append<T>(&mut self, write: impl FnOnce(&mut dyn FnMut() -> RequestId, &mut BytesMut) -> T) -> T {
        let Self { gathering, frame_order, last, .. } = self;
        write(&mut || next_request(last, frame_order), gathering)
    }

    /// Appends whole frames.
    fn push_frames(&mut self, frames: BytesMut) {
        if self.gathering.is_empty() {
            self.gathering = frames;
        } else {
            self.gathering.extend_from_slice(&frames);
        }
    }

    /// Whether another frame should be appended, up to `writes` full writes.
    fn has_room(&self, writes: usize) -> bool {
        self.gathering.len() < writes * WRITE_BYTES
    }
}

fn take_answer(wants: &mut Wants, request: RequestId, answer: &Answer<'_>) -> Result<(), End> {
    if wants.table.handle_ok(request, answer)? {
        return Ok(());
    }
    match answer {
        Answer::Published(position) if wants.answer(request, Ok(*position)) => Ok(()),
        Answer::Published(_) | Answer::Done | Answer::Subscribed(_) | Answer::Identity(_) | Answer::Returned(_) => {
            Err(End::out_of_order(format!("request {request} was answered with what it did not ask for, or twice")))
        }
    }
}

fn next_request(last: &mut RequestId, frame_order: &mut FromServer) -> RequestId {
    *last = last.next();
    frame_order.asked(*last);
    *last
}
