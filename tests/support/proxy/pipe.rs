//! One way of a TCP connection through a proxy: bytes pass it late, slowly, in small pieces, or no more; it never reads them.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Dice, Way};

/// What happens to the bytes on one way of a connection. The default is a network without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pipe {
    /// Nothing is read or written any more, and nothing is closed.
    pub stalled: bool,
    /// How long each piece is on its way.
    pub delay: Duration,
    /// How much longer at most, by chance; no piece overtakes another.
    pub jitter: Duration,
    /// So many bytes come each second at most.
    pub bytes_per_second: Option<u32>,
    /// Bytes come one by one.
    pub trickle: Option<Trickle>,
    /// The connection is reset when so many bytes have come this way, wherever in a frame that is.
    pub cut_after: Option<u64>,
}

/// One byte a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trickle {
    /// From one to the next.
    pub every: Duration,
}

/// What all connections of a proxy are to do now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) ways: [Pipe; 2],
    /// How often each way was closed half; a way that has seen fewer closes.
    pub(super) half_closed: [u64; 2],
    /// How often everything was cut.
    pub(super) cuts: u64,
    /// Who comes is let in, and led nowhere.
    pub(super) deaf: bool,
}

/// What one way may hold: past it the sender feels that nobody reads.
const HELD_BYTES_MAX: usize = 256 << 10;

/// What is read at once.
const READ_BYTES: usize = 16 << 10;

/// A throttled way is written to so often in a second, so that its pace is even.
const WRITES_A_SECOND: u32 = 20;

/// One way of one connection.
pub(super) struct Flow<'a> {
    pub(super) way: Way,
    pub(super) from: ReadHalf<'a>,
    pub(super) to: WriteHalf<'a>,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) dice: Dice,
}

/// The connection is to be reset.
#[derive(Debug)]
pub(super) struct Reset;

impl From<io::Error> for Reset {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// What was read and not yet written.
#[derive(Debug, Default)]
struct Held {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl Flow<'_> {
    /// Passes on what comes until its end.
    pub(super) async fn run(mut self) -> Result<(), Reset> {
        let already_closed = self.orders.borrow().half_closed[self.way as usize];
        let (mut held, mut has_ended, mut passed) = (Held::default(), false, 0);
        let (mut read, mut next) = (vec![0; READ_BYTES], Instant::now());
        loop {
            let orders = *self.orders.borrow_and_update();
            let pipe = orders.ways[self.way as usize];
            if orders.half_closed[self.way as usize] > already_closed {
                return self.swallow().await;
            }
            if has_ended && held.pieces.is_empty() {
                self.to.shutdown().await?;
                return Ok(());
            }
            let reads = !pipe.stalled && !has_ended && held.bytes < HELD_BYTES_MAX;
            let due = held.due().filter(|_| !pipe.stalled).map(|due| due.max(next));
            tokio::select! {
                changed = self.orders.changed() => changed.map_err(|_| Reset)?,
                length = self.from.read(&mut read), if reads => {
                    let length = length?;
                    has_ended = length == 0;
                    let due = Instant::now() + pipe.delay + self.dice.up_to(pipe.jitter);
                    held.push(due, &read[..length]);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let left = pipe.cut_after.map_or(u64::MAX, |after| after.saturating_sub(passed));
                    let piece = held.take(pipe.piece_bytes(left));
                    self.to.write_all(&piece).await?;
                    passed += piece.len() as u64;
                    next = Instant::now() + pipe.pause(piece.len());
                    if pipe.cut_after.is_some_and(|after| passed >= after) {
                        return Err(Reset);
                    }
                }
            }
        }
    }

    /// Says that nothing more comes, and takes what is still sent from the other end.
    async fn swallow(mut self) -> Result<(), Reset> {
        self.to.shutdown().await?;
        let mut read = vec![0; READ_BYTES];
        while self.from.read(&mut read).await? > 0 {}
        Ok(())
    }
}

impl Pipe {
    /// How much is written at once.
    fn piece_bytes(&self, left: u64) -> usize {
        let slow = self.bytes_per_second.map_or(READ_BYTES, |bytes| (bytes / WRITES_A_SECOND).max(1) as usize);
        let most = if self.trickle.is_some() { 1 } else { slow };
        most.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// How long nothing more is written then.
    fn pause(&self, bytes: usize) -> Duration {
        let trickle = self.trickle.map_or(Duration::ZERO, |trickle| trickle.every);
        let rate = self.bytes_per_second.filter(|rate| *rate > 0);
        rate.map_or(Duration::ZERO, |rate| Duration::from_secs(bytes as u64) / rate).max(trickle)
    }
}

impl Held {
    /// Holds a piece until it is due, or those before it are.
    fn push(&mut self, due: Instant, piece: &[u8]) {
        if !piece.is_empty() {
            let due = self.pieces.back().map_or(due, |(before, _)| due.max(*before));
            self.bytes += piece.len();
            self.pieces.push_back((due, piece.to_vec()));
        }
    }

    fn due(&self) -> Option<Instant> {
        self.pieces.front().map(|(due, _)| *due)
    }

    /// The first bytes, so many at most.
    fn take(&mut self, most: usize) -> Vec<u8> {
        let Some((due, mut piece)) = self.pieces.pop_front() else { return Vec::new() };
        if piece.len() > most {
            let rest = piece.split_off(most);
            self.pieces.push_front((due, rest));
        }
        self.bytes -= piece.len();
        piece
    }
}
