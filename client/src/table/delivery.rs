//! What the broker brings to a channel's number: to its readers, to a membership that nobody reads, or against the rules.

use std::collections::HashMap;

use bytes::Bytes;
use callboard_protocol::{ChannelId, Offset, frame};

use super::entry::{Entry, Phase};
use super::named::Named;
use super::{ONE_NUMBER, Slot, Table};
use crate::end::End;
use crate::event::Message;
use crate::recovery::Track;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Done,
    /// A reader that must miss nothing has no room. The message is to be brought again.
    Blocked,
}

impl Table {
    /// The broker made this session a member of a channel, and gives it a number.
    pub(crate) fn name(&mut self, frame: &frame::Named<'_>) -> Result<(), End> {
        let subscribed = self.by_id.get(&frame.channel).and_then(|slot| self.slots[*slot].entry.as_ref());
        let is_well = match subscribed {
            // The subscription's deliveries are judged by its own place.
            Some(entry) => entry.name.as_str() == frame.name,
            None => self.named.insert(frame),
        };
        if is_well { Ok(()) } else { Err(End::out_of_order(ONE_NUMBER)) }
    }

    /// The broker began or ended a membership.
    pub(crate) fn member(&mut self, frame: &frame::Membership<'_>) {
        // "[…] after `Membership` with `member` false, nothing of the channel comes until it is subscribed or named
        // again" (PROTOCOL.md, "Order"). A subscription of the same channel is one of its own.
        if !frame.member {
            self.named.remove(frame.name);
        }
    }

    /// Brings a message to its readers.
    pub(crate) fn deliver(&mut self, frame: &frame::Message<'_>, body: &Bytes) -> Result<Delivery, End> {
        let entry = match addressee(&self.by_id, &mut self.slots, &mut self.named, frame.channel)? {
            Addressee::Readers(entry) => entry,
            Addressee::Member(track) => {
                track.handle_offset(frame.offset).map_err(End::out_of_order)?;
                return Ok(Delivery::Done);
            }
            Addressee::Nobody => return Ok(Delivery::Done),
        };
        entry.check(frame.offset).map_err(End::out_of_order)?;
        if entry.is_blocked_by(frame) {
            return Ok(Delivery::Blocked);
        }
        let position = entry.advance(frame.offset).map_err(End::out_of_order)?;
        entry.push(Message::shared(entry.name.clone(), position, frame, body), &mut self.wakers);
        Ok(Delivery::Done)
    }

    /// An offset was used for something that no reader gets.
    pub(crate) fn pass(&mut self, channel: ChannelId, offset: Offset) -> Result<(), End> {
        let passed = match addressee(&self.by_id, &mut self.slots, &mut self.named, channel)? {
            Addressee::Readers(entry) => entry.advance(offset),
            Addressee::Member(track) => track.handle_offset(offset),
            Addressee::Nobody => return Ok(()),
        };
        passed.map(drop).map_err(End::out_of_order)
    }

    pub(crate) fn skip(&mut self, frame: &frame::Skipped) -> Result<(), End> {
        let skipped = match addressee(&self.by_id, &mut self.slots, &mut self.named, frame.channel)? {
            Addressee::Readers(entry) => entry.skip(frame.through),
            Addressee::Member(track) => track.handle_skipped(frame.through),
            Addressee::Nobody => return Ok(()),
        };
        skipped.map_err(End::out_of_order)
    }

    pub(crate) fn reset(&mut self, frame: &frame::Reset) -> Result<(), End> {
        let reset = match addressee(&self.by_id, &mut self.slots, &mut self.named, frame.channel)? {
            Addressee::Readers(entry) => entry.reset(frame.position, &mut self.wakers),
            Addressee::Member(track) => track.handle_reset(frame.position).map(drop),
            Addressee::Nobody => return Ok(()),
        };
        reset.map_err(End::out_of_order)
    }
}

/// Whom a delivery is for.
enum Addressee<'a> {
    /// Those who read the channel here.
    Readers(&'a mut Entry),
    /// This session, as a member whom nobody asked: its place moves on.
    Member(&'a mut Track),
    Nobody,
}

fn addressee<'a>(
    by_id: &HashMap<ChannelId, usize>,
    slots: &'a mut [Slot],
    named: &'a mut Named,
    channel: ChannelId,
) -> Result<Addressee<'a>, End> {
    if let Some(entry) = by_id.get(&channel).and_then(|slot| slots[*slot].entry.as_mut()) {
        return Ok(match entry.phase {
            Phase::Live { .. } => Addressee::Readers(entry),
            // What comes between an Unsubscribe and its answer is for nobody.
            Phase::Unwanted { .. }
            | Phase::Unsubscribing { .. }
            | Phase::Wanted
            | Phase::Asking { .. }
            | Phase::Refused => Addressee::Nobody,
        });
    }
    let overflowed = named.has_overflowed();
    match named.track(channel) {
        Some(track) => Ok(Addressee::Member(track)),
        None if overflowed => Ok(Addressee::Nobody),
        // "[…] a violation, and so is a delivery for a channel's number that was not given or is given up"
        // (PROTOCOL.md, "Offsets").
        None => Err(End::out_of_order(format!("channel number {channel} was not given, or is given up"))),
    }
}
