//! What stands at each place of each channel, by everybody's account; whose it is, is found out later.

use std::collections::HashMap;

use callboard_protocol::{Epoch, Offset, Payload, Position};

use super::faults::Rule;
use super::roll::{Channel, Roll};

/// A place that somebody saw a message at, or was told of in an answer.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) channel: Channel,
    pub(super) position: Position,
    pub(super) payload: &'a Payload,
    /// The log that was the first to name it.
    pub(super) log: usize,
    /// The publish that was answered with it.
    pub(super) answered: Option<usize>,
    /// The first of the publishes that say the same, once that is known.
    pub(super) publish: Option<usize>,
}

/// Every place that was named.
#[derive(Debug, Default)]
pub(super) struct Places<'a> {
    pub(super) all: Vec<Place<'a>>,
    by_position: HashMap<(Channel, Position), usize>,
    /// The same in the order of offsets, once all are known.
    pub(super) in_order: HashMap<(Channel, Epoch), Vec<(Offset, usize)>>,
}

impl<'a> Places<'a> {
    /// A message stands at a place. Gives the place's number.
    pub(super) fn see(
        &mut self,
        roll: &mut Roll<'a>,
        log: usize,
        channel: Channel,
        position: Position,
        payload: &'a Payload,
    ) -> usize {
        let number = *self.by_position.entry((channel, position)).or_insert(self.all.len());
        match self.all.get(number) {
            None => self.all.push(Place { channel, position, payload, log, answered: None, publish: None }),
            Some(before) if before.payload == payload => {}
            Some(before) => {
                let (other, was) = (roll.name(before.log), shown(before.payload));
                let sentence = format!("it is {} here, and {was} by the account of {other}", shown(payload));
                roll.fault_at(Rule::Disagreement, log, channel, position, sentence);
            }
        }
        number
    }

    /// A publish was answered with a place. Gives the publish that was answered with it before, if another one was.
    pub(super) fn answer(&mut self, place: usize, publish: usize) -> Option<usize> {
        self.all[place].answered.replace(publish).filter(|before| *before != publish)
    }

    /// Puts the places in order.
    pub(super) fn sort(&mut self) {
        for (number, place) in self.all.iter().enumerate() {
            let life = self.in_order.entry((place.channel, place.position.epoch)).or_default();
            life.push((place.position.offset, number));
        }
        self.in_order.values_mut().for_each(|life| life.sort_unstable());
    }

    /// The places behind `after` up to and with `through` in one epoch.
    pub(super) fn between(
        &self,
        channel: Channel,
        after: Position,
        through: Offset,
    ) -> impl DoubleEndedIterator<Item = &Place<'a>> {
        let life = self.in_order.get(&(channel, after.epoch)).map_or(&[][..], Vec::as_slice);
        let first = life.partition_point(|(offset, _)| *offset <= after.offset);
        let end = life.partition_point(|(offset, _)| *offset <= through).max(first);
        life[first..end].iter().map(|(_, number)| &self.all[*number])
    }
}

/// The beginning of what a message says.
pub(super) fn shown(payload: &Payload) -> String {
    const SHOWN_CHARS: usize = 40;
    let text = String::from_utf8_lossy(payload.bytes());
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
