//! A walk along what was seen of one channel, from place to place; it judges order alone.

use callboard_protocol::{Payload, Position};

use super::Event;

/// One channel's events, each put in its place.
#[derive(Default)]
pub(super) struct Walk<'a> {
    last: Option<Position>,
    pub(super) places: Vec<(Position, &'a Payload)>,
    pub(super) faults: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn along(events: &'a [Event]) -> Self {
        let mut walk = Self::default();
        for event in events {
            walk.step(event);
        }
        walk
    }

    fn step(&mut self, event: &'a Event) {
        let Some(last) = self.last else {
            match event {
                Event::Began(position) => self.last = Some(*position),
                Event::Message(..) | Event::Skipped(_) | Event::Gap(_) => {
                    self.faults.push(format!("{event:?} came before the subscription began"));
                }
            }
            return;
        };
        match event {
            Event::Began(again) if *again == last => {}
            Event::Began(again) => {
                self.faults.push(format!("began again at {again} after {last}, and no gap was told"));
                self.last = Some(*again);
            }
            Event::Message(position, payload) => {
                if *position != (Position { offset: last.offset.next(), ..last }) {
                    self.faults.push(format!("message {position} came after {last}"));
                }
                self.places.push((*position, payload));
                self.last = Some(*position);
            }
            Event::Skipped(through) => {
                if *through <= last.offset {
                    self.faults.push(format!("{through} was skipped after {last}"));
                }
                self.last = Some(Position { offset: *through, ..last });
            }
            Event::Gap(position) => {
                if position.epoch == last.epoch && position.offset <= last.offset {
                    self.faults.push(format!("a gap to {position} was told after {last}"));
                }
                self.last = Some(*position);
            }
        }
    }
}
