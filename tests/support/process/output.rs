//! A child's two streams and its end, read by threads so that it never waits for a test that is busy.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;

/// What a child printed, and how it ended.
#[derive(Debug)]
pub(super) struct Output {
    pid: Pid,
    log: watch::Receiver<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    /// Set under the lock that also covers signals and the child's reaping, so that no other process is ever signalled.
    ended: Option<ExitStatus>,
}

impl Output {
    pub(super) fn of(mut child: Child) -> Self {
        let (sender, log) = watch::channel(Log::default());
        let pid = Pid::from_child(&child);
        let stdout = child.stdout.take().map(|stdout| reader(stdout, sender.clone()));
        let stderr = child.stderr.take().map(|stderr| reader(stderr, sender.clone()));
        std::thread::spawn(move || {
            for reader in [stdout, stderr].into_iter().flatten() {
                // A reader that panicked has no lines to lose.
                drop(reader.join());
            }
            // Fails only when there is no child to wait for, which `wait` then says as well.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            sender.send_modify(|log| log.ended = child.wait().ok());
        });
        Self { pid, log }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The most memory that the child has had at once; `None` on systems that do not tell.
    pub(super) fn memory_bytes_peak(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero())).ok()?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"))?;
        Some(kibibytes.trim().parse::<usize>().ok()? << 10)
    }

    pub(super) fn printed(&self) -> String {
        self.log.borrow().lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The QUIC door's address, as soon as it prints one; how it ended, if it prints none.
    pub(super) async fn address(&self) -> Result<SocketAddr, ExitStatus> {
        self.find(|line| if is_about_metrics(line) || is_about_browsers(line) { None } else { address(line) }).await
    }

    /// The same for the browser's door.
    pub(super) async fn browsers(&self) -> Result<SocketAddr, ExitStatus> {
        self.find(|line| if is_about_browsers(line) { address(line) } else { None }).await
    }

    /// The same for where it serves its metrics.
    pub(super) async fn metrics(&self) -> Result<SocketAddr, ExitStatus> {
        self.find(|line| if is_about_metrics(line) { address(line) } else { None }).await
    }

    /// Waits until it prints this; how it ended, if it does not.
    pub(super) async fn says(&self, what: &str) -> Result<(), ExitStatus> {
        self.find(|line| line.contains(what).then_some(())).await
    }

    async fn find<T>(&self, find: impl Fn(&str) -> Option<T>) -> Result<T, ExitStatus> {
        let mut log = self.log.clone();
        let known = |log: &Log| log.ended.is_some() || log.lines.iter().any(|line| find(line).is_some());
        let log = log.wait_for(known).await.expect("the child's end is told before the threads go");
        log.lines.iter().find_map(|line| find(line)).ok_or_else(|| log.ended.unwrap_or_default())
    }

    pub(super) async fn ended(&self) -> ExitStatus {
        let mut log = self.log.clone();
        let log = log.wait_for(|log| log.ended.is_some()).await.expect("the child's end is told before the threads go");
        log.ended.unwrap_or_default()
    }

    /// Signals the child, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let log = self.log.borrow();
        if log.ended.is_none() {
            // It may have ended and not yet been reaped: then its number is still its own, and nothing happens.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits until the child, which was told to, has stopped: on a busy machine its threads run on for a while. Who has ended
    /// has stopped too.
    pub(super) fn stopped(&self) {
        let stops = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.pid), stops) {}
    }
}

fn reader(stream: impl Read + Send + 'static, log: watch::Sender<Log>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            log.send_modify(|log| log.lines.push(String::from_utf8_lossy(&line).into_owned()));
        }
    })
}

/// Whether an address in this line is the one where metrics are served: it is always called that.
fn is_about_metrics(line: &str) -> bool {
    line.contains("metrics")
}

/// The same for the browser's door.
fn is_about_browsers(line: &str) -> bool {
    line.contains("serving browsers")
}

/// The first address of loopback with a port.
fn address(line: &str) -> Option<SocketAddr> {
    let start = line.find("127.0.0.1:")?;
    let end = line[start..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    let address: SocketAddr =
        line[start..end.map_or(line.len(), |end| start + end)].trim_end_matches(['.', ':']).parse().ok()?;
    (address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_whatever_is_printed() {
        let addr = Some(SocketAddr::from(([127, 0, 0, 1], 4480)));
        assert_eq!(address("listening on callboard://127.0.0.1:4480 (development certificate)"), addr);
        assert_eq!(address("INFO listening addr=127.0.0.1:4480."), addr);
        assert_eq!(address("binding 127.0.0.1:0"), None);
        assert_eq!(address("hello"), None);
        assert!(is_about_metrics("INFO serving metrics address=127.0.0.1:4490"));
        assert!(is_about_browsers("INFO serving browsers address=127.0.0.1:4480"));
    }
}
