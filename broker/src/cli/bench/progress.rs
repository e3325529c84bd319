//! How far a measurement is, on standard error of a terminal; nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often it moves: seldom enough to cost the measurement nothing.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// A bar over all runs.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    run: String,
}

impl Progress {
    /// A bar over this many runs of this length each.
    pub(super) fn new(runs: u64, length: Duration) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}");
        let bar = ProgressBar::with_draw_target(Some(runs * millis(length)), ProgressDrawTarget::stderr_with_hz(4));
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())), run: String::new() }
    }

    /// Names the run that begins.
    pub(super) fn run(&mut self, run: String) {
        self.run = run;
        self.phase("starting");
    }

    /// Says what is done in it.
    pub(super) fn phase(&self, phase: &str) {
        self.bar.set_message(format!("{}: {phase}", self.run));
    }

    /// Moves on.
    pub(super) fn pass(&self, time: Duration) {
        self.bar.inc(millis(time));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
