//! What there is to judge: the logs of a trial, how it ended, and what was measured meanwhile.

use super::log::Log;

/// A trial.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// What its clients noted.
    pub logs: &'a [Log],
    /// Whether somebody who kept no log may have published: what was published is then known in part.
    pub strangers: bool,
    /// How it ended.
    pub end: End,
    /// What the broker needed, measured from outside.
    pub memory: &'a [Sample],
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In the middle of things: what had not come yet is held against nobody.
    Cut,
    /// The broker has shut down in order: it sent everybody away, and whoever was subscribed then has everything that was
    /// acknowledged.
    Drained,
    /// At rest. After the last fault and the last publish everybody was given `within_ms`, and read all there was: what
    /// is missing at the end does not come.
    Quiet {
        /// When the last fault ended, if there was one.
        last_fault_ms: Option<u64>,
        /// How long a client may take to be back after a fault.
        within_ms: u64,
    },
}

/// What the broker's memory was at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, on the clock of the logs.
    pub at_ms: u64,
    /// How much it had.
    pub measured_bytes: u64,
    /// How much it may have.
    pub allowed_bytes: u64,
}

impl<'a> Trial<'a> {
    /// A trial that was cut off, in which everybody kept a log.
    #[must_use]
    pub fn cut(logs: &'a [Log]) -> Self {
        Self { logs, strangers: false, end: End::Cut, memory: &[] }
    }

    /// A trial that came to rest after its last fault, in which everybody kept a log.
    #[must_use]
    pub fn quiet(logs: &'a [Log], last_fault_ms: Option<u64>, within_ms: u64) -> Self {
        Self { end: End::Quiet { last_fault_ms, within_ms }, ..Self::cut(logs) }
    }

    /// A trial that the broker ended in order, in which everybody kept a log.
    #[must_use]
    pub fn drained(logs: &'a [Log]) -> Self {
        Self { end: End::Drained, ..Self::cut(logs) }
    }

    /// The same with publishers who kept no log.
    #[must_use]
    pub fn with_strangers(self) -> Self {
        Self { strangers: true, ..self }
    }

    /// The same with what was measured.
    #[must_use]
    pub fn with_memory(self, memory: &'a [Sample]) -> Self {
        Self { memory, ..self }
    }
}
