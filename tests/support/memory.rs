//! How much memory a broker's process has had; it reads `/proc`, and knows nothing where there is none.

use crate::Process;

/// What a process needed at most since it was started, and how that grew since a test looked first.
#[derive(Debug)]
pub struct Growth {
    before: Option<usize>,
}

impl Growth {
    /// Looks for the first time.
    #[must_use]
    pub fn of(broker: &Process) -> Self {
        Self { before: peak_bytes(broker) }
    }

    /// Looks again.
    ///
    /// # Panics
    ///
    /// If the process needed as many bytes more meanwhile, or the system told how many at first and does not now.
    #[track_caller]
    pub fn assert_below(&self, bytes: usize, broker: &Process) {
        let Some(before) = self.before else { return };
        let growth = peak_bytes(broker).expect("the process lives and tells") - before;
        assert!(growth < bytes, "the broker needed {} KiB more, and may need {}", growth >> 10, bytes >> 10);
    }
}

fn peak_bytes(broker: &Process) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"))?;
    Some(kibibytes.trim().parse::<usize>().ok()? << 10)
}
