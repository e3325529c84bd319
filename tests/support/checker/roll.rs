//! The roll of a trial: its logs and channels by number, and faults in their names.

use std::collections::HashMap;

use callboard_protocol::Position;

use super::faults::{Fault, Faults, Rule};
use super::log::Log;

/// A channel's number in this trial.
pub(super) type Channel = usize;

/// Who is there, and what was found.
#[derive(Debug)]
pub(super) struct Roll<'a> {
    pub(super) logs: &'a [Log],
    channels: Vec<&'a str>,
    numbers: HashMap<&'a str, Channel>,
    pub(super) faults: Faults,
}

impl<'a> Roll<'a> {
    pub(super) fn of(logs: &'a [Log]) -> Self {
        Self { logs, channels: Vec::new(), numbers: HashMap::new(), faults: Faults::default() }
    }

    pub(super) fn channel(&mut self, name: &'a str) -> Channel {
        let Self { channels, numbers, .. } = self;
        *numbers.entry(name).or_insert_with(|| {
            channels.push(name);
            channels.len() - 1
        })
    }

    pub(super) fn name(&self, log: usize) -> &'a str {
        self.logs[log].name()
    }

    /// Whether two logs are one client's.
    pub(super) fn are_one(&self, log: usize, other: usize) -> bool {
        log == other || self.logs[log].client() == self.logs[other].client()
    }

    /// A fault that is about no place.
    pub(super) fn fault(&mut self, rule: Rule, log: usize, channel: Option<Channel>, sentence: String) {
        self.note(rule, log, channel, None, sentence);
    }

    /// A fault at a place.
    pub(super) fn fault_at(&mut self, rule: Rule, log: usize, channel: Channel, position: Position, sentence: String) {
        self.note(rule, log, Some(channel), Some(position), sentence);
    }

    fn note(&mut self, rule: Rule, log: usize, channel: Option<Channel>, position: Option<Position>, sentence: String) {
        let channel = channel.map(|channel| self.channels[channel].to_owned());
        let client = self.logs[log].name().to_owned();
        self.faults.push(Fault { rule, client, channel, position, sentence });
    }
}
