//! What the operating system says about this process, where it says it in /proc. It never fails: what is unknown is left out.

use std::fs;

/// This process, as the operating system sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Process {
    /// Memory in use.
    pub(super) resident_bytes: Option<u64>,
    /// Open descriptors.
    pub(super) descriptors: Option<u64>,
}

impl Process {
    /// Asks for it.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let descriptors = fs::read_dir("/proc/self/fd").ok().and_then(|entries| u64::try_from(entries.count()).ok());
        Self { resident_bytes: resident_bytes(&status), descriptors }
    }
}

/// The line `VmRSS:     1234 kB`, where a kB is 1024 bytes.
fn resident_bytes(status: &str) -> Option<u64> {
    let said = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    said.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_its_line() {
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t    1234 kB\nRssAnon:\t 1 kB\n"), Some(1234 * 1024));
        assert_eq!(resident_bytes(""), None);
    }
}
