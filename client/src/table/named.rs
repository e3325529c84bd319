//! The channels that the broker gave this session unasked: nobody reads them here, and their deliveries are judged all
//! the same.

use std::collections::HashMap;

use callboard_protocol::{ChannelId, frame};

use crate::defaults::NAMED_MAX;
use crate::recovery::Track;

/// Where each of them stands.
#[derive(Debug, Default)]
pub(super) struct Named {
    tracks: HashMap<ChannelId, Track>,
    by_name: HashMap<Box<str>, ChannelId>,
    /// There were more than are remembered: a number that is not known may have been given.
    overflowed: bool,
}

impl Named {
    /// A channel gets its number. `false` if the number is another channel's.
    pub(super) fn insert(&mut self, named: &frame::Named<'_>) -> bool {
        let known = self.by_name.get(named.name);
        if known != Some(&named.channel) {
            if self.tracks.contains_key(&named.channel) {
                return false;
            }
            self.remove(named.name);
            if self.tracks.len() >= NAMED_MAX {
                self.overflowed = true;
                return true;
            }
            self.by_name.insert(named.name.into(), named.channel);
        }
        self.tracks.insert(named.channel, Track::at(named.position));
        true
    }

    /// The channel's number is given up, or comes from a subscription from now on.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(channel) = self.by_name.remove(name) {
            self.tracks.remove(&channel);
        }
    }

    /// Whether the number was given to a channel of another name.
    pub(super) fn is_anothers(&self, channel: ChannelId, name: &str) -> bool {
        self.tracks.contains_key(&channel) && self.by_name.get(name) != Some(&channel)
    }

    pub(super) fn track(&mut self, channel: ChannelId) -> Option<&mut Track> {
        self.tracks.get_mut(&channel)
    }

    /// Whether a number that is not known may have been given.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The session is over, and its numbers with it.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{Epoch, Offset, Position};

    use super::*;

    fn at(channel: u64, name: &str) -> frame::Named<'_> {
        frame::Named {
            channel: ChannelId::saturating(channel),
            name,
            position: Position { epoch: Epoch::ZERO, offset: Offset::ZERO },
        }
    }

    #[test]
    fn a_number_has_one_name_and_a_name_one_number() {
        let mut named = Named::default();
        assert!(named.insert(&at(1, "a")) && named.insert(&at(1, "a")));
        assert!(!named.insert(&at(1, "b")));
        assert!(named.is_anothers(ChannelId::saturating(1), "b") && !named.is_anothers(ChannelId::saturating(1), "a"));
        assert!(named.insert(&at(2, "a")));
        assert!(named.track(ChannelId::saturating(1)).is_none() && named.track(ChannelId::saturating(2)).is_some());
        named.remove("a");
        assert!(named.tracks.is_empty() && named.by_name.is_empty());
    }

    #[test]
    fn more_than_are_remembered_take_no_room_and_are_nobodys_fault() {
        let mut named = Named::default();
        for number in 0..=NAMED_MAX as u64 {
            assert!(!named.has_overflowed());
            assert!(named.insert(&at(number, &number.to_string())));
        }
        assert!(named.has_overflowed() && named.tracks.len() == NAMED_MAX && named.by_name.len() == NAMED_MAX);
    }
}
