//! A log that several tasks of a client write, and the one clock of a trial; neither knows what is right.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::checker::{Fact, Log};

/// The clock that all logs of a trial have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    /// Begins at zero now.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// What it shows, in milliseconds.
    pub(super) fn now_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A log on its way. Clones write the same one.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    clock: Clock,
    log: Arc<Mutex<Log>>,
}

impl Notes {
    /// Begins a log.
    pub(super) fn new(clock: Clock, log: Log) -> Self {
        Self { clock, log: Arc::new(Mutex::new(log)) }
    }

    /// Notes what happens now.
    pub(super) fn note(&self, fact: Fact) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.note(self.clock.now_ms(), fact);
    }

    /// How many things were noted.
    pub(super) fn facts(&self) -> usize {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).facts().len()
    }

    /// What was noted so far.
    pub(super) fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
