//! The ids of publishes that a channel remembers, so that one sent again is stored once. Bounded per publisher and in all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use callboard_protocol::limits::{PUBLISH_WINDOW, UNACKNOWLEDGED_MAX};
use callboard_protocol::{Millis, Offset, Sequence};

use super::messages::Instance;
use crate::limit::{Budget, Share};

/// Ids a channel remembers in all. Past it, publishers first keep no more ids than a client may send
/// again; then those that were quiet longest are forgotten.
const IDS_MAX: usize = 64 * PUBLISH_WINDOW;

/// How many ids are left after forgetting: a quarter below the bound, so that the search for the quietest is rare.
const IDS_KEPT: usize = IDS_MAX / 4 * 3;

/// A publisher quiet for this long is forgotten: a client that has not come back by then does not send again what it
/// believes unanswered without its user having given up.
const QUIET_MS: u64 = 120_000;

/// What an id takes: itself, and as much again for the queue's room to grow.
const ID_BYTES: usize = 2 * size_of::<(Sequence, Offset)>();

/// What a publisher takes beside its ids: its place in a table that may be half empty, and its queue.
const PUBLISHER_BYTES: usize = 256;

/// The steps in which a window takes memory from what all windows may have.
const STEP_BYTES: usize = 4 << 10;

/// The remembered ids of a channel.
#[derive(Debug)]
pub(crate) struct Window {
    publishers: HashMap<Instance, Publisher>,
    ids: usize,
    /// What this window has of the memory that all windows may have.
    share: Share,
}

#[derive(Debug, Default)]
struct Publisher {
    heard: Millis,
    highest: Sequence,
    stored: VecDeque<(Sequence, Offset)>,
}

impl Window {
    /// A window of nothing, with a share of `budget`.
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { publishers: HashMap::new(), ids: 0, share: Share::of(budget) }
    }

    /// Where this publish was stored, if it was and is still remembered.
    pub(crate) fn find(&self, instance: Instance, sequence: Sequence) -> Option<Offset> {
        let publisher = self.publishers.get(&instance)?;
        // A publisher counts upwards, so nearly every number is above all before it, and new.
        if sequence > publisher.highest {
            return None;
        }
        publisher.stored.iter().rev().find(|(known, _)| *known == sequence).map(|(_, offset)| *offset)
    }

    /// Remembers that this publish was stored at `offset`. Gives how many ids were forgotten before their time, because
    /// all windows together have no more memory.
    pub(crate) fn insert(&mut self, instance: Instance, sequence: Sequence, offset: Offset, now: Millis) -> u64 {
        let publisher = self.publishers.entry(instance).or_default();
        publisher.heard = now;
        publisher.highest = publisher.highest.max(sequence);
        if publisher.stored.len() >= PUBLISH_WINDOW {
            publisher.stored.pop_front();
        } else {
            self.ids += 1;
        }
        publisher.stored.push_back((sequence, offset));
        if self.ids > IDS_MAX {
            self.keep_what_may_come_again();
            self.forget_quietest(IDS_KEPT);
        }
        self.fit()
    }

    /// The memory that the window takes.
    fn memory(&self) -> usize {
        self.ids * ID_BYTES + self.publishers.len() * PUBLISHER_BYTES
    }

    /// Makes the share fit the window; if there is not that much, the window fit the share.
    fn fit(&mut self) -> u64 {
        let needed = self.memory().next_multiple_of(STEP_BYTES);
        if needed == self.share.bytes() || self.share.resize(needed) {
            return 0;
        }
        // PROTOCOL.md, "Publishing again": "the quietest first when memory is short".
        let (before, had) = (self.ids, self.share.bytes());
        self.keep_what_may_come_again();
        let mut kept = self.ids;
        while self.memory() > had {
            // A quarter at once, so that the search for the quietest is rare.
            kept = kept / 4 * 3;
            self.forget_quietest(kept);
        }
        self.publishers.shrink_to_fit();
        self.share.resize(self.memory().next_multiple_of(STEP_BYTES));
        (before - self.ids) as u64
    }

    fn keep_what_may_come_again(&mut self) {
        for publisher in self.publishers.values_mut() {
            let excess = publisher.stored.len().saturating_sub(UNACKNOWLEDGED_MAX);
            if excess > 0 {
                publisher.stored.drain(..excess);
                publisher.stored.shrink_to_fit();
                self.ids -= excess;
            }
        }
    }

    /// Forgets the publishers that were quiet longest until `kept` ids are left.
    fn forget_quietest(&mut self, kept: usize) {
        let mut by_quiet: Vec<(Millis, Instance)> =
            self.publishers.iter().map(|(instance, publisher)| (publisher.heard, *instance)).collect();
        by_quiet.sort_unstable();
        for (_, instance) in by_quiet {
            if self.ids <= kept {
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
        // What shrinks always fits.
        self.fit();
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.publishers.is_empty()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.publishers = HashMap::new();
        self.ids = 0;
        self.share.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: usize) -> Window {
        Window::new(&Budget::new(bytes))
    }

    fn sequence(value: u64) -> Sequence {
        Sequence::saturating(value)
    }

    #[test]
    fn a_publish_is_found_until_its_publisher_sent_a_windowful_more() {
        let mut window = window(1 << 30);
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
        let mut window = window(1 << 30);
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
    fn where_memory_is_short_the_quietest_are_forgotten_and_then_all() {
        let budget = Budget::new(64 << 10);
        let mut window = Window::new(&budget);
        let mut forgotten = 0;
        for value in 0..1_000_u64 {
            let instance = Instance(u128::from(value).to_be_bytes());
            forgotten += window.insert(instance, sequence(1), Offset::saturating(value), Millis::saturating(value));
            assert!(window.memory() <= budget.held() && budget.held() <= 64 << 10);
            assert_eq!(window.find(instance, sequence(1)), Some(Offset::saturating(value)), "the latest is not quiet");
        }
        assert_eq!(forgotten + window.ids as u64, 1_000);
        let mut other = Window::new(&budget);
        let mut greedy = Share::of(&budget);
        while greedy.resize(greedy.bytes() + 1) {}
        let lost = (0..1_000).map(|value| other.insert(Instance([9; 16]), sequence(value), Offset::ZERO, Millis::ZERO));
        assert!(lost.sum::<u64>() > 0 && other.memory() <= 64 << 10);
        drop(greedy);
        window.clear();
        other.clear();
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_quiet_publisher_is_forgotten() {
        let mut window = window(1 << 30);
        window.insert(Instance([1; 16]), sequence(1), Offset::saturating(1), Millis::saturating(5));
        window.expire(Millis::saturating(5 + QUIET_MS - 1));
        assert!(!window.is_empty());
        window.expire(Millis::saturating(5 + QUIET_MS));
        assert!(window.is_empty());
    }
}
