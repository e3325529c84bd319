//! Datagrams that are late, in the order in which they are due, so many at most. Pure: the time is an argument.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

/// How many may be late on one way: two seconds of a full window of a few connections. A router loses what comes then.
pub(super) const LATE_MAX: usize = 4096;

/// What is late. Of two that are due at one time the one that came first goes first.
#[derive(Debug)]
pub(super) struct Late<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: Instant,
    number: u64,
    what: T,
}

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next: 0 }
    }
}

impl<T> Late<T> {
    /// Keeps it until it is due. `false` if there is no room.
    pub(super) fn push(&mut self, due: Instant, what: T) -> bool {
        if self.heap.len() >= LATE_MAX {
            return false;
        }
        self.heap.push(Reverse(Entry { due, number: self.next, what }));
        self.next += 1;
        true
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    /// The next that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<T> {
        if self.due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.what)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_due_first_goes_first_and_nothing_goes_before_its_time() {
        let (now, mut late) = (Instant::now(), Late::default());
        for (after_ms, what) in [(20, 'x'), (10, 'a'), (10, 'b'), (10, 'c'), (10, 'd'), (10, 'e'), (30, 'z')] {
            assert!(late.push(now + Duration::from_millis(after_ms), what));
        }
        assert_eq!((late.pop(now), late.due()), (None, Some(now + Duration::from_millis(10))));
        let at = now + Duration::from_millis(20);
        let order: String = std::iter::from_fn(|| late.pop(at)).collect();
        assert_eq!(order, "abcdex");
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_room_for_so_many_and_no_more() {
        let (now, mut late) = (Instant::now(), Late::default());
        assert!((0..LATE_MAX).all(|_| late.push(now, ())));
        assert!(!late.push(now, ()));
        assert_eq!(late.pop(now), Some(()));
        assert!(late.push(now, ()));
    }
}
