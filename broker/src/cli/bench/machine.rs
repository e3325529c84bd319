//! What the operating system says about a process and about this machine. Where it says nothing, nothing is made up.

use serde::Serialize;

/// Ticks a second in which Linux counts a process's time for others to read: the same on every machine that it runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// What a process has used, as far as the system says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Seconds of processor time since it began.
    pub(super) cpu_s: Option<f64>,
    /// Bytes of memory that are its own and in use.
    pub(super) resident_bytes: Option<f64>,
}

/// What `pid` has used until now.
pub(super) fn usage(pid: Option<u32>) -> Usage {
    let Some(pid) = pid else { return Usage::default() };
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    Usage {
        cpu_s: read("stat").as_deref().and_then(cpu_s),
        resident_bytes: read("status").as_deref().and_then(resident_bytes),
    }
}

/// From `/proc/PID/stat` (proc_pid_stat(5)): fields 14 and 15, counted behind the name, which may hold anything.
fn cpu_s(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_A_SECOND)
}

/// From `/proc/PID/status` (proc_pid_status(5)).
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some((kib * 1024) as f64)
}

/// The machine that the figures are from.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    cores: usize,
    os: &'static str,
    arch: &'static str,
    kernel: Option<String>,
    processor: Option<String>,
}

impl Machine {
    /// This machine.
    pub(super) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let kernel = read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned());
        let processor = read("/proc/cpuinfo").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { cores, os: std::env::consts::OS, arch: std::env::consts::ARCH, kernel, processor }
    }

    /// In a line, for people.
    pub(super) fn line(&self) -> String {
        let cores = if self.cores == 1 { "1 core".to_owned() } else { format!("{} cores", self.cores) };
        let kernel = self.kernel.as_deref().map(|kernel| format!(" {kernel}")).unwrap_or_default();
        format!("{cores}, {}{kernel}, {}", self.os, self.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_memory_are_read_as_linux_writes_them() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        assert_eq!((cpu_s("nonsense"), resident_bytes("nonsense")), (None, None));
    }

    #[test]
    fn a_process_that_is_not_known_has_used_nothing_known() {
        let usage = usage(None);
        assert!(usage.cpu_s.is_none() && usage.resident_bytes.is_none());
    }
}
