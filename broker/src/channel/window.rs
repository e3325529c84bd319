//! The ids of publishes that a channel remembers, so that one sent again is stored once. Bounded per publisher and in all.

use std::collections::{HashMap, VecDeque};

use callboard_protocol::limits::{PUBLISH_WINDOW, UNACKNOWLEDGED_MAX};
use callboard_protocol::{Millis, Offset, Sequence};

use super::messages::Instance;

/// Ids a channel remembers in all, at most 400 KiB. Past it, publishers first keep no more ids than a client may send
/// again; then those that were quiet longest are forgotten.
const IDS_MAX: usize = 64 * PUBLISH_WINDOW;

/// How many ids are left after forgetting: a quarter below the bound, so that the search for the quietest is rare.
const IDS_KEPT: usize = IDS_MAX / 4 * 3;

/// A publisher quiet for this long is forgotten: a client that has not come back by then does not send again what it
/// believes unanswered without its user having given up.
const QUIET_MS: u64 = 120_000;

/// The remembered ids of a channel.
#[derive(Debug, Default)]
pub(crate) struct Window {
    publishers: HashMap<Instance, Publisher>,
    ids: usize,
}

#[derive(Debug, Default)]
struct Publisher {
    heard: Millis,
    highest: Sequence,
    stored: VecDeque<(Sequence, Offset)>,
}

impl Window {
    /// Where this publish was stored, if it was and is still remembered.
    pub(crate) fn find(&self, instance: Instance, sequence: Sequence) -> Option<Offset> {
        let publisher = self.publishers.get(&instance)?;
        // A publisher counts upwards, so nearly every number is above all before it, and new.
        if sequence > publisher.highest {
            return None;
        }
        publisher.stored.iter().rev().find(|(known, _)| *known == sequence).map(|(_, offset)| *offset)
    }

    /// Remembers that this publish was stored at `offset`.
    pub(crate) fn insert(&mut self, instance: Instance, sequence: Sequence, offset: Offset, now: Millis) {
        let publisher = self.publishers.entry(instance).or_default();
        publisher.heard = now;
        publisher.highest = publisher.highest.max(sequence);
        publisher.stored.push_back((sequence, offset));
        if publisher.stored.len() > PUBLISH_WINDOW {
            publisher.stored.pop_front();
        } else {
            self.ids += 1;
        }
        if self.ids > IDS_MAX {
            self.keep_what_may_come_again();
            self.forget_quietest();
        }
    }

    fn keep_what_may_come_again(&mut self) {
        for publisher in self.publishers.values_mut() {
            let excess = publisher.stored.len().saturating_sub(UNACKNOWLEDGED_MAX);
            publisher.stored.drain(..excess);
            self.ids -= excess;
        }
    }

    fn forget_quietest(&mut self) {
        let mut by_quiet: Vec<(Millis, Instance)> =
            self.publishers.iter().map(|(instance, publisher)| (publisher.heard, *instance)).collect();
        by_quiet.sort_unstable();
        for (_, instance) in by_quiet {
            if self.ids <= IDS_KEPT {
                break;
            }
            let forgotten = self.publishers.remove(&instance);
            self.ids -= forgotten.map_or(0, |publisher| publisher.stored.len());
        }
    }

    /// Forgets publishers that were quiet for too long.
    pub(crate) fn expire(&mut self, now: Millis) {
        if self.publishers.is_empty() {
            return;
        }
        self.publishers.retain(|_, publisher| now.value().saturating_sub(publisher.heard.value()) < QUIET_MS);
        self.ids = self.publishers.values().map(|publisher| publisher.stored.len()).sum();
        self.publishers.shrink_to_fit();
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.publishers.is_empty()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(value: u64) -> Sequence {
        Sequence::saturating(value)
    }

    #[test]
    fn a_publish_is_found_until_its_publisher_sent_a_windowful_more() {
        let mut window = Window::default();
        let instance = Instance([1; 16]);
        for value in 1..=PUBLISH_WINDOW as u64 + 1 {
            assert_eq!(window.find(instance, sequence(value)), None);
            window.insert(instance, sequence(value), Offset::saturating(value * 10), Millis::ZERO);
        }
        assert_eq!(window.find(instance, sequence(1)), None, "a windowful came after it");
        assert_eq!(window.find(instance, sequence(2)), Some(Offset::saturating(20)));
        assert_eq!(window.find(Instance([2; 16]), sequence(2)), None, "another publisher's number");
    }

    #[test]
    fn a_flood_of_publishers_forgets_the_quietest_and_keeps_the_bound() {
        let mut window = Window::default();
        for value in 0..10 * IDS_MAX as u64 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&value.to_le_bytes());
            window.insert(Instance(bytes), sequence(1), Offset::saturating(value), Millis::saturating(value));
            assert!(window.ids <= IDS_MAX);
            assert_eq!(window.find(Instance(bytes), sequence(1)), Some(Offset::saturating(value)));
        }
        assert!(window.publishers.len() <= IDS_MAX);
    }

    #[test]
    fn a_quiet_publisher_is_forgotten() {
        let mut window = Window::default();
        window.insert(Instance([1; 16]), sequence(1), Offset::saturating(1), Millis::saturating(5));
        window.expire(Millis::saturating(5 + QUIET_MS - 1));
        assert!(!window.is_empty());
        window.expire(Millis::saturating(5 + QUIET_MS));
        assert!(window.is_empty());
    }
}
