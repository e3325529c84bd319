//! What waits for the reader of one subscription: bounded in messages and bytes, and honest about what it left out.

use std::collections::VecDeque;
use std::task::Waker;

use callboard_protocol::Position;

use crate::event::{Ended, Event, Gap, GapWhy, Message};
use crate::options::Bounds;

/// A queue with one writer and one reader. Pure: wakers are kept and handed out, never called.
///
/// The reader takes events in handfuls, and what it holds still counts, so that the bounds are true for both together.
#[derive(Debug)]
pub(crate) struct Inbox {
    events: VecDeque<Event>,
    bounds: Bounds,
    messages: usize,
    bytes: usize,
    /// What of `messages` and `bytes` is in the reader's hand.
    in_hand: Load,
    reader: Option<Waker>,
    /// Whether the writer waits for room.
    blocked: bool,
    /// The last place that was given to the reader or left out for it.
    last: Option<Position>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    messages: usize,
    bytes: usize,
}

/// Whether a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    /// There was no room; the reader will be told.
    LeftOut,
}

/// What the reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Events were put into its hand.
    Some {
        /// Whether the writer was waiting for this.
        unblocks: bool,
    },
    /// There are none yet; its waker is kept.
    Nothing {
        /// Whether the writer was waiting for room, which is there now.
        unblocks: bool,
    },
    /// There are none and none will come.
    Ended,
}

impl Inbox {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            events: VecDeque::new(),
            bounds,
            messages: 0,
            bytes: 0,
            in_hand: Load::default(),
            reader: None,
            blocked: false,
            last: None,
            ended: false,
        }
    }

    /// The place where the subscription begins.
    pub(crate) fn begin(&mut self, at: Position) {
        self.last = Some(at);
    }

    /// Whether a message of `bytes` would be taken.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        // An empty queue takes any one message, so that none is too large for ever.
        self.messages == 0
            || (self.messages < self.bounds.messages && self.bytes.saturating_add(bytes) <= self.bounds.bytes)
    }

    /// Notes that the writer waits for room.
    pub(crate) fn block(&mut self) {
        self.blocked = true;
    }

    /// Takes a message, or notes at this place that it was left out.
    pub(crate) fn push(&mut self, message: Message) -> Pushed {
        let bytes = message.bytes();
        let position = message.position;
        if !self.has_room(bytes) {
            self.gap(self.last, position, GapWhy::SlowConsumer);
            return Pushed::LeftOut;
        }
        self.last = Some(position);
        self.messages += 1;
        self.bytes += bytes;
        self.events.push_back(Event::Message(message));
        Pushed::Taken
    }

    /// Notes a gap at this place. Gaps in a row are one, so that gaps never need more room than messages.
    pub(crate) fn gap(&mut self, from: Option<Position>, to: Position, why: GapWhy) {
        self.last = Some(to);
        if let Some(Event::Gap(gap)) = self.events.back_mut() {
            gap.to = to;
            gap.why = why;
        } else {
            self.events.push_back(Event::Gap(Gap { from, to, why }));
        }
    }

    /// The last event: nothing follows.
    pub(crate) fn end(&mut self, why: Ended) {
        if !self.ended {
            self.ended = true;
            self.events.push_back(Event::Closed(why));
        }
    }

    /// The reader's waker, if it waits: to be woken by who called, once the lock is free.
    pub(crate) fn take_reader(&mut self) -> Option<Waker> {
        self.reader.take()
    }

    /// Moves events into the reader's empty hand: enough to save locks, and never so many that the queue stands empty
    /// while its room is taken.
    pub(crate) fn take(&mut self, hand: &mut VecDeque<Event>, waker: &Waker) -> Taken {
        let done = std::mem::take(&mut self.in_hand);
        self.messages -= done.messages;
        self.bytes -= done.bytes;
        let unblocks = done.messages > 0 && std::mem::take(&mut self.blocked);
        let bounds = Bounds { messages: (self.bounds.messages / 8).clamp(1, 64), bytes: self.bounds.bytes / 8 };
        while let Some(event) = self.events.pop_front() {
            if let Event::Message(message) = &event {
                self.in_hand.messages += 1;
                self.in_hand.bytes += message.bytes();
            }
            hand.push_back(event);
            if self.in_hand.messages >= bounds.messages || self.in_hand.bytes >= bounds.bytes {
                break;
            }
        }
        if self.events.is_empty() && self.events.capacity() > 64 {
            // A reader at rest keeps no room for the worst day it had.
            self.events = VecDeque::new();
        }
        if !hand.is_empty() {
            Taken::Some { unblocks }
        } else if self.ended {
            Taken::Ended
        } else {
            self.reader = Some(waker.clone());
            Taken::Nothing { unblocks }
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{ChannelName, Epoch, Millis, Offset, Payload};
    use proptest::prelude::*;

    use super::*;

    fn message(offset: u64, bytes: usize) -> Message {
        Message {
            channel: ChannelName::parse("a").expect("a is a name"),
            position: at(offset),
            published: Millis::ZERO,
            publisher: None,
            key: None,
            payload: Payload::binary(vec![0; bytes]),
        }
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::ZERO, offset: Offset::saturating(offset) }
    }

    fn inbox(messages: usize, bytes: usize) -> Inbox {
        Inbox::new(Bounds { messages, bytes })
    }

    fn drain(inbox: &mut Inbox) -> Vec<Event> {
        let mut all = Vec::new();
        let mut hand = VecDeque::new();
        while let Taken::Some { .. } = inbox.take(&mut hand, Waker::noop()) {
            all.extend(hand.drain(..));
        }
        all
    }

    #[test]
    fn what_is_left_out_is_told_at_its_place() {
        let mut inbox = inbox(2, 1000);
        inbox.begin(at(0));
        let pushed: Vec<_> = (1..=4).map(|offset| inbox.push(message(offset, 1))).collect();
        assert_eq!(pushed, [Pushed::Taken, Pushed::Taken, Pushed::LeftOut, Pushed::LeftOut]);
        let gap = Event::Gap(Gap { from: Some(at(2)), to: at(4), why: GapWhy::SlowConsumer });
        assert_eq!(drain(&mut inbox), [Event::Message(message(1, 1)), Event::Message(message(2, 1)), gap]);
        assert_eq!(inbox.push(message(5, 1)), Pushed::Taken);
    }

    #[test]
    fn bytes_are_a_bound_and_one_large_message_always_goes() {
        let mut inbox = inbox(10, 100);
        assert_eq!(inbox.push(message(1, 500)), Pushed::Taken);
        assert_eq!(inbox.push(message(2, 1)), Pushed::LeftOut);
    }

    #[test]
    fn a_reader_that_reads_unblocks_a_writer_that_waits() {
        let mut inbox = inbox(1, 100);
        let mut hand = VecDeque::new();
        inbox.push(message(1, 1));
        assert!(!inbox.has_room(1));
        inbox.block();
        assert_eq!(inbox.take(&mut hand, Waker::noop()), Taken::Some { unblocks: false }, "it is still in the hand");
        hand.clear();
        assert_eq!(inbox.take(&mut hand, Waker::noop()), Taken::Nothing { unblocks: true });
        assert!(inbox.has_room(1));
    }

    #[test]
    fn the_end_comes_behind_what_waits_and_once() {
        let mut inbox = inbox(4, 100);
        inbox.push(message(1, 1));
        let why = Ended::Closed(crate::state::Reason::Asked);
        inbox.end(why.clone());
        inbox.end(why.clone());
        assert_eq!(drain(&mut inbox), [Event::Message(message(1, 1)), Event::Closed(why)]);
        assert_eq!(inbox.take(&mut VecDeque::new(), Waker::noop()), Taken::Ended);
    }

    proptest! {
        /// Whatever the reader's pace: each offset is delivered or lies in exactly one gap, in order, within bounds.
        #[test]
        fn every_offset_is_delivered_or_told(
            bounds in (1..20_usize, 1..200_usize),
            steps in prop::collection::vec((0..30_usize, any::<bool>()), 0..200),
        ) {
            let mut inbox = inbox(bounds.0, bounds.1);
            inbox.begin(at(0));
            let (mut hand, mut seen, mut offset) = (VecDeque::new(), Vec::new(), 0);
            for (bytes, reads) in steps {
                offset += 1;
                inbox.push(message(offset, bytes));
                prop_assert!(inbox.messages <= bounds.0 && inbox.events.len() <= 2 * bounds.0 + 1);
                prop_assert!(inbox.bytes <= bounds.1.max(30));
                if reads {
                    inbox.take(&mut hand, Waker::noop());
                    seen.extend(hand.drain(..));
                }
            }
            seen.extend(drain(&mut inbox));
            let mut told = 0;
            for event in seen {
                match event {
                    Event::Message(message) => {
                        prop_assert_eq!(message.position, at(told + 1));
                        told += 1;
                    }
                    Event::Gap(gap) => {
                        prop_assert_eq!(gap.from, Some(at(told)));
                        told = gap.to.offset.value();
                    }
                    Event::Closed(_) => prop_assert!(false, "nobody ended it"),
                }
            }
            prop_assert_eq!(told, offset);
        }
    }
}
