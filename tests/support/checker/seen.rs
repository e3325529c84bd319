//! A witness: keeps a client's log while a test goes on, and tells what stands in it; the checker alone judges it.

use std::collections::HashSet;
use std::sync::Arc;

use callboard_protocol::frame::Start;
use callboard_protocol::{Payload, Position};
use parking_lot::Mutex;

use super::clock::now_ms;
use super::log::{Fact, Log};
use super::{Trial, judge};

/// How long whoever lost its session may take to be back: pauses between attempts grow no longer than half a second here.
pub const BACK_WITHIN_MS: u64 = 10_000;

/// A witness. Clones keep the same log.
#[derive(Debug, Clone)]
pub struct Seen {
    notes: Arc<Mutex<Notes>>,
    /// Held from the note of a publish to its place among the client's publishes, so that both have one order.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Notes {
    log: Log,
    last_number: u64,
}

impl Seen {
    /// A witness of this name, which has seen nothing.
    #[must_use]
    pub fn new(witness: impl Into<String>) -> Self {
        Self::keeping(Log::new(witness))
    }

    /// The same for one of several witnesses of one client.
    #[must_use]
    pub fn of(client: impl Into<String>, witness: impl Into<String>) -> Self {
        Self::keeping(Log::new(witness).by(client))
    }

    fn keeping(log: Log) -> Self {
        Self { notes: Arc::new(Mutex::new(Notes { log, last_number: 0 })), turn: Arc::default() }
    }

    /// Notes what happens now.
    pub fn note(&self, fact: Fact) {
        let now_ms = now_ms();
        self.notes.lock().log.note(now_ms, fact);
    }

    /// A number for a publish or a subscription, which no other has.
    #[must_use]
    pub fn number(&self) -> u64 {
        let mut notes = self.notes.lock();
        notes.last_number += 1;
        notes.last_number
    }

    /// Notes that a subscription is asked for, and gives its number.
    #[must_use]
    pub fn subscribing(&self, channel: &str, start: Start, exclude_own: bool) -> u64 {
        let subscription = self.number();
        self.note(Fact::Subscribing { subscription, channel: channel.to_owned(), start, exclude_own });
        subscription
    }

    /// Whose log it keeps.
    #[must_use]
    pub fn name(&self) -> String {
        self.notes.lock().log.name().to_owned()
    }

    /// What was noted so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.notes.lock().log.clone()
    }

    /// The messages that were seen on a channel, each with its place.
    #[must_use]
    pub fn places(&self, channel: &str) -> Vec<(Position, Payload)> {
        self.on(channel, |fact| {
            let Fact::Message { position, payload, .. } = fact else { return None };
            Some((*position, payload.clone()))
        })
    }

    /// The messages that were seen on a channel.
    #[must_use]
    pub fn messages(&self, channel: &str) -> Vec<Payload> {
        self.places(channel).into_iter().map(|(_, payload)| payload).collect()
    }

    /// How many gaps were told on a channel.
    #[must_use]
    pub fn gaps(&self, channel: &str) -> usize {
        let mut begun = HashSet::new();
        let gaps: Vec<()> = self.on(channel, |fact| {
            if let Fact::Began { subscription, recovered, .. } = fact {
                let again = !begun.insert(*subscription);
                return (again && !recovered).then_some(());
            }
            matches!(fact, Fact::Gap { .. }).then_some(())
        });
        gaps.len()
    }

    /// What `pick` makes of the facts about the subscriptions of a channel.
    fn on<T>(&self, channel: &str, mut pick: impl FnMut(&Fact) -> Option<T>) -> Vec<T> {
        let (notes, mut subscriptions) = (self.notes.lock(), HashSet::new());
        let mut picked = Vec::new();
        for (_, fact) in notes.log.facts() {
            if let Fact::Subscribing { subscription, channel: name, .. } = fact
                && name == channel
            {
                subscriptions.insert(*subscription);
            }
            if fact.subscription().is_some_and(|subscription| subscriptions.contains(&subscription)) {
                picked.extend(pick(fact));
            }
        }
        picked
    }

    /// # Panics
    ///
    /// If the checker finds a fault in what was noted.
    #[track_caller]
    pub fn assert_in_order(&self) {
        settle([self]);
    }

    /// # Panics
    ///
    /// If anything was missing at all on the channel, told or not, or if the messages are others than these.
    #[track_caller]
    pub fn assert_whole<P: Into<Payload>>(&self, channel: &str, published: impl IntoIterator<Item = P>) {
        self.assert_in_order();
        let published: Vec<Payload> = published.into_iter().map(Into::into).collect();
        let (seen, gaps) = (self.messages(channel), self.gaps(channel));
        let agree = seen.iter().zip(&published).take_while(|(seen, published)| seen == published).count();
        assert!(
            agree == seen.len() && agree == published.len() && gaps == 0,
            "{} on {channel}: saw {} of {} messages with {gaps} gaps; the first {agree} agree, then {:?} was published and {:?} seen",
            self.name(),
            seen.len(),
            published.len(),
            published.get(agree),
            seen.get(agree),
        );
    }
}

/// Judges together what witnesses noted so far. Others, who kept no log, may have published as well, though nothing that a
/// witness published; and more may be on its way.
///
/// # Panics
///
/// If the checker finds a fault.
#[track_caller]
pub fn settle<'a>(witnesses: impl IntoIterator<Item = &'a Seen>) {
    let logs: Vec<Log> = witnesses.into_iter().map(Seen::log).collect();
    judge(&Trial::cut(&logs).with_strangers()).assert_none();
}

/// Judges together all that the witnesses noted: nobody else published, nothing more is to come, and everybody has all.
///
/// # Panics
///
/// If the checker finds a fault.
#[track_caller]
pub fn settle_at_rest<'a>(witnesses: impl IntoIterator<Item = &'a Seen>) {
    let logs: Vec<Log> = witnesses.into_iter().map(Seen::log).collect();
    judge(&Trial::quiet(&logs, None, BACK_WITHIN_MS)).assert_none();
}
