//! The one bounded queue between everything the broker says and one session's socket. It never waits and never grows past its bounds.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::upstream::Interest;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::ServerFrame;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::gate::Gate;
use crate::channel::Replay;
use crate::config;
use crate::format::Format;
use crate::limit::Budget;

mod queue;

pub(crate) use queue::Piece;
use queue::{PIECE_BYTES_BESIDE, Queue};

/// The queue of what the broker says to one session.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    bounds: config::Outbox,
    /// How what lies in it is encoded.
    format: Format,
}

/// The outbox takes nothing more: its session is over or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended;

impl Outbox {
    /// An empty outbox.
    pub(crate) fn new(bounds: config::Outbox, budget: &Arc<Budget>, format: Format) -> Self {
        Self { queue: Mutex::new(Queue::of(budget)), reader: AtomicWaker::new(), bounds, format }
    }

    /// Queues a channel's frames unless the membership's gate is shut. A session that is so slow that they do not fit
    /// is ended, and what it did not read is dropped: it recovers when it comes back.
    pub(crate) fn deliver(&self, gate: &Gate, frames: &Bytes, messages: usize) -> Result<(), Ended> {
        let mut queue = self.queue.lock();
        if !gate.is_open() {
            return if queue.ending.is_some() { Err(Ended) } else { Ok(()) };
        }
        self.put(&mut queue, frames.clone(), messages)
    }

    /// How everything that is put into it must be encoded.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Queues an answer or a notice.
    pub(crate) fn say(&self, frame: &ServerFrame<'_>) -> Result<(), Ended> {
        self.answer(self.encoded(frame), 1)
    }

    /// Queues what a channel says to its members unless the membership's gate is shut; as [`Outbox::deliver`].
    pub(crate) fn deliver_frame(&self, gate: &Gate, frame: &ServerFrame<'_>) -> Result<(), Ended> {
        self.deliver(gate, &self.encoded(frame), 1)
    }

    fn encoded(&self, frame: &ServerFrame<'_>) -> Bytes {
        let mut bytes = BytesMut::new();
        let encoded = self.format.encode(frame, &mut bytes);
        encoded.expect("what the broker says itself has integers and bounded names, and fits any body");
        bytes.freeze()
    }

    /// Queues answers and notices.
    pub(crate) fn answer(&self, frames: Bytes, messages: usize) -> Result<(), Ended> {
        self.put(&mut self.queue.lock(), frames, messages)
    }

    /// Queues a channel's frames if they fit well within the bounds; otherwise does nothing. Whether they were queued.
    pub(crate) fn offer(&self, gate: &Gate, pieces: &[(Bytes, usize)]) -> bool {
        let mut queue = self.queue.lock();
        let bytes: usize = pieces.iter().map(|(piece, _)| piece.len()).sum();
        let messages: usize = pieces.iter().map(|(_, messages)| messages).sum();
        let fits =
            queue.bytes + bytes <= self.bounds.bytes / 2 && queue.messages + messages <= self.bounds.messages / 2;
        if !fits || !gate.is_open() || queue.ending.is_some() {
            return false;
        }
        pieces.iter().all(|(piece, messages)| self.put(&mut queue, piece.clone(), *messages).is_ok())
    }

    /// Queues a replay behind what waits already. Its frames are the history's; only the list of them counts here.
    pub(crate) fn replay(&self, mut replay: Replay) -> Result<(), Ended> {
        let mut queue = self.queue.lock();
        if queue.ending.is_some() {
            return Err(Ended);
        }
        if !replay.hold(queue.share.sibling()) {
            return self.end_too_slow(&mut queue);
        }
        self.push(&mut queue, Piece::Replay(Box::new(replay)), 0);
        Ok(())
    }

    /// Asks for the time from `read` until what was queued before is written, which may be so already.
    pub(crate) fn mark_latency(&self, read: Instant) {
        let mut queue = self.queue.lock();
        if queue.ending.is_none() {
            self.push(&mut queue, Piece::LatencyMark(read), 0);
        }
    }

    /// How many messages wait, and how many bytes.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let queue = self.queue.lock();
        (queue.messages, queue.bytes)
    }

    /// Whether little would wait even with so many messages and bytes more: a quarter of what may.
    pub(crate) fn keeps_up_with(&self, messages: usize, bytes: usize) -> bool {
        let queue = self.queue.lock();
        queue.messages + messages <= self.bounds.messages / 4 && queue.bytes + bytes <= self.bounds.bytes / 4
    }

    /// What it has of the bytes that all outboxes may have.
    #[cfg(feature = "simulation")]
    pub(crate) fn share_bytes(&self) -> usize {
        self.queue.lock().share.bytes()
    }

    /// Whether anything more is taken.
    pub(crate) fn check(&self) -> Result<(), Ended> {
        if self.queue.lock().ending.is_some() { Err(Ended) } else { Ok(()) }
    }

    /// Ends the session behind what waits already; nothing is taken after it. The first ending counts.
    pub(crate) fn end(&self, ending: Ending) {
        let mut queue = self.queue.lock();
        if queue.ending.is_none() {
            queue.ending = Some(ending);
            self.reader.wake();
        }
    }

    /// Ends the session and drops what waits: the socket is gone or does not read.
    pub(crate) fn abandon(&self, ending: Ending) {
        let mut queue = self.queue.lock();
        queue.clear();
        queue.ending.get_or_insert(ending);
        self.reader.wake();
    }

    fn put(&self, queue: &mut Queue, frames: Bytes, messages: usize) -> Result<(), Ended> {
        if queue.ending.is_some() {
            return Err(Ended);
        }
        let (bytes, messages_then) = (queue.bytes + frames.len(), queue.messages + messages);
        // A message may be several times as long in another format; before a reader that has read all else it is not too
        // much then.
        let is_first = queue.bytes == 0 && self.format != Format::Stream;
        let fits = is_first || bytes <= self.bounds.bytes && messages_then <= self.bounds.messages;
        if !fits || !queue.hold(frames.len() + PIECE_BYTES_BESIDE) {
            return self.end_too_slow(queue);
        }
        (queue.bytes, queue.messages) = (bytes, messages_then);
        self.push(queue, Piece::Frames(frames), messages);
        Ok(())
    }

    /// A full outbox is a decision, never an await and never unbounded memory.
    fn end_too_slow(&self, queue: &mut Queue) -> Result<(), Ended> {
        queue.clear();
        queue.ending = Some(Ending::plain(Code::TooSlow));
        self.reader.wake();
        Err(Ended)
    }

    fn push(&self, queue: &mut Queue, piece: Piece, messages: usize) {
        if queue.push(piece, messages) {
            self.reader.wake();
        }
    }

    /// Moves pieces to `sink` in order until `bytes` of them are moved, a replay was moved, or none is left. What was moved
    /// the last time must be written by now.
    pub(crate) fn drain(&self, bytes: usize, sink: impl FnMut(Piece)) {
        self.queue.lock().drain(bytes, sink);
    }

    /// Counts `bytes` that are about to be written beside what was drained, until more is drained.
    pub(crate) fn take_beside(&self, bytes: usize) -> Result<(), Ended> {
        let mut queue = self.queue.lock();
        if !queue.hold(bytes) {
            return self.end_too_slow(&mut queue);
        }
        queue.taken += bytes;
        Ok(())
    }

    /// How the session is to end, if it is, and whether everything before that was taken.
    pub(crate) fn ending(&self) -> Option<(Ending, bool)> {
        let queue = self.queue.lock();
        queue.ending.clone().map(|ending| (ending, queue.pieces.is_empty()))
    }

    /// Ready when there is something that `interest` asks for.
    pub(crate) fn poll_news(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        self.reader.register(cx.waker());
        let queue = self.queue.lock();
        if interest.output && !queue.pieces.is_empty() || interest.ending && queue.ending.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use callboard_bridge_ws::Dialect;

    use super::*;

    fn outbox(messages: usize, bytes: usize) -> Outbox {
        Outbox::new(config::Outbox { messages, bytes }, &Budget::new(1 << 30), Format::Stream)
    }

    fn frames(bytes: usize) -> Bytes {
        Bytes::from(vec![7; bytes])
    }

    fn taken(outbox: &Outbox, bytes: usize) -> usize {
        let mut count = 0;
        outbox.drain(bytes, |_| count += 1);
        count
    }

    #[test]
    fn what_does_not_fit_ends_the_session_and_frees_what_waited() {
        for (messages, bytes) in [(2, 1000), (1000, 20)] {
            let (outbox, gate) = (outbox(messages, bytes), Gate::default());
            assert_eq!(outbox.deliver(&gate, &frames(10), 1), Ok(()));
            assert_eq!(outbox.deliver(&gate, &frames(10), 1), Ok(()), "the bound itself still fits");
            assert_eq!(outbox.deliver(&gate, &frames(1), 1), Err(Ended));
            assert_eq!(outbox.ending(), Some((Ending::plain(Code::TooSlow), true)));
            assert_eq!(taken(&outbox, 1000), 0);
            assert_eq!(outbox.answer(frames(1), 1), Err(Ended), "an ended session takes nothing more");
        }
    }

    #[test]
    fn what_a_dialect_makes_too_long_is_taken_when_nothing_waits() {
        let bounds = config::Outbox { messages: 10, bytes: 20 };
        let json = Outbox::new(bounds, &Budget::new(1 << 30), Format::Message(Dialect::Json));
        let gate = Gate::default();
        assert_eq!(json.deliver(&gate, &frames(100), 1), Ok(()));
        assert_eq!(json.deliver(&gate, &frames(1), 1), Err(Ended), "behind it the bounds count");
        assert_eq!(outbox(10, 20).deliver(&gate, &frames(100), 1), Err(Ended), "a stream is measured as it is");
    }

    #[test]
    fn what_was_taken_no_longer_counts() {
        let (outbox, gate) = (outbox(2, 20), Gate::default());
        for _ in 0..10 {
            assert_eq!(outbox.deliver(&gate, &frames(10), 1), Ok(()));
            assert_eq!(outbox.deliver(&gate, &frames(10), 1), Ok(()));
            assert_eq!((taken(&outbox, 1), taken(&outbox, 1000)), (1, 1), "at least one piece, then all");
        }
    }

    #[test]
    fn a_shut_gate_lets_nothing_through_and_costs_nothing() {
        let (outbox, gate) = (outbox(1, 10), Gate::default());
        gate.shut();
        assert_eq!(outbox.deliver(&gate, &frames(1000), 1), Ok(()));
        assert_eq!((taken(&outbox, 1000), outbox.ending()), (0, None));
    }

    #[test]
    fn an_ending_comes_behind_what_waits_and_the_first_counts() {
        let outbox = outbox(10, 100);
        assert_eq!(outbox.answer(frames(10), 1), Ok(()));
        outbox.end(Ending::plain(Code::ShuttingDown));
        outbox.end(Ending::plain(Code::Internal));
        assert_eq!(outbox.ending(), Some((Ending::plain(Code::ShuttingDown), false)));
        assert_eq!(taken(&outbox, 1000), 1);
        assert_eq!(outbox.ending(), Some((Ending::plain(Code::ShuttingDown), true)));
    }

    #[test]
    fn only_wanted_news_wakes_the_reader() {
        let (outbox, mut cx) = (outbox(10, 100), Context::from_waker(Waker::noop()));
        let news = |output, ending| Interest { output, ending };
        assert!(outbox.poll_news(&mut cx, news(true, true)).is_pending());
        assert_eq!(outbox.answer(frames(10), 1), Ok(()));
        assert!(outbox.poll_news(&mut cx, news(false, true)).is_pending(), "the socket still has enough");
        assert!(outbox.poll_news(&mut cx, news(true, true)).is_ready());
        outbox.end(Ending::plain(Code::Internal));
        assert!(outbox.poll_news(&mut cx, news(false, true)).is_ready());
        assert!(outbox.poll_news(&mut cx, news(false, false)).is_pending(), "the ending is known");
    }
}
