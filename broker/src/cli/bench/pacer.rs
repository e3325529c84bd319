//! Moments at a steady rate, from a thread of its own: a timer of the runtime would be up to a millisecond late.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::crowd::Clock;

/// Moments that may wait for a publisher that has fallen behind. They keep their time: what is late counts as late.
const WAITING: usize = 4096;

/// Tells a moment after the other. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Pacer {
    moments: mpsc::Receiver<u64>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pacer {
    /// Begins now: `rate` moments a second.
    pub(super) fn start(rate: f64, clock: Clock) -> anyhow::Result<Self> {
        let (tell, moments) = mpsc::channel(WAITING);
        let (stop, stopped) = sync_channel(1);
        let begun_ns = clock.now_ns();
        let run = move || {
            for number in 1_u64.. {
                let due_ns = begun_ns + (number as f64 * 1e9 / rate) as u64;
                let wait = Duration::from_nanos(due_ns.saturating_sub(clock.now_ns()));
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) || tell.blocking_send(due_ns).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("pacer".to_owned()).spawn(run).context("no thread to pace")?;
        Ok(Self { moments, stop: Some(stop), thread: Some(thread) })
    }

    /// Waits for the next moment and gives it.
    pub(super) async fn next(&mut self) -> Option<u64> {
        self.moments.recv().await
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop = None;
        self.moments.close();
        if let Some(thread) = self.thread.take() {
            // Either of the two lets it go at once.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn moments_come_when_they_are_due_and_keep_their_distance() {
        let clock = Clock::start();
        let mut pacer = Pacer::start(1000.0, clock).expect("a thread");
        let first = pacer.next().await.expect("a moment");
        assert!(clock.now_ns() >= first);
        let second = pacer.next().await.expect("a moment");
        assert_eq!((second - first + 500) / 1000, 1000);
    }
}
