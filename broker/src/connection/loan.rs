//! What the stuck sessions of a bridge's connection are lent of its window, and how it comes back. It only reckons.
//!
//! QUIC cannot call back what its peer may send already: a window that is made smaller takes the difference from what is
//! granted anew as bytes are read. Shrunk all at once, a window would come back on top of that as soon as another session
//! is stuck. So a loan that nobody needs stays, ready for the next, and shrinks by what is read.

use crate::defaults::{BRIDGE_RECEIVE_WINDOW, LOANS_MAX, RECEIVE_WINDOW};
use crate::limit::Share;

/// What is lent beside a bridge's own window.
#[derive(Debug)]
pub(super) struct Loan {
    /// Sessions that leave unread what fills their streams' windows.
    stuck: u32,
    /// By how much the window is larger for them.
    window: u32,
    /// What the peer may still send though the window shrank by it; the next bytes that are read make up for it.
    owed: u32,
    share: Share,
    /// What the bridge has without any.
    share_bytes: usize,
}

impl Loan {
    /// None yet, beside what `share` has.
    pub(super) fn of(share: Share) -> Self {
        let share_bytes = share.bytes();
        Self { stuck: 0, window: 0, owed: 0, share, share_bytes }
    }

    /// One session more is stuck. The window that the connection has from now on; `None` if there is no room for it.
    pub(super) fn lend(&mut self) -> Option<u32> {
        let needed = (self.stuck + 1) * RECEIVE_WINDOW;
        if self.stuck >= LOANS_MAX || (needed > self.window && !self.count(needed)) {
            return None;
        }
        self.stuck += 1;
        self.window = self.window.max(needed);
        Some(self.whole())
    }

    /// One session less is stuck.
    pub(super) fn end(&mut self) {
        self.stuck -= 1;
    }

    /// So many bytes were read on the connection. The window that it has from now on, if that is another one.
    pub(super) fn after_read(&mut self, bytes: usize) -> Option<u32> {
        let back = self.window - self.stuck * RECEIVE_WINDOW;
        if back == 0 && self.owed == 0 {
            return None;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let back = back.min(bytes);
        self.owed = self.owed.saturating_sub(bytes) + back;
        self.window -= back;
        // It is smaller than it was.
        let _ = self.count(self.window);
        (back > 0).then(|| self.whole())
    }

    /// Counts a window as any of receiving (`Windows`). Whether there is room for it.
    fn count(&mut self, window: u32) -> bool {
        let bytes = (window + self.owed) as usize;
        self.share.resize(self.share_bytes + bytes / 2 * 7)
    }

    fn whole(&self) -> u32 {
        BRIDGE_RECEIVE_WINDOW + self.window
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limit::Budget;

    const OWN_BYTES: usize = 1000;
    const STREAM: usize = RECEIVE_WINDOW as usize;
    const LENT_BYTES: usize = STREAM / 2 * 7;

    fn loan(max: usize) -> (Arc<Budget>, Loan) {
        let budget = Budget::new(max);
        let mut share = Share::of(&budget);
        assert!(share.resize(OWN_BYTES));
        (budget, Loan::of(share))
    }

    #[test]
    fn what_nobody_needs_comes_back_byte_for_byte_as_it_is_read() {
        let (budget, mut loan) = loan(usize::MAX);
        assert_eq!(loan.lend(), Some(BRIDGE_RECEIVE_WINDOW + RECEIVE_WINDOW));
        assert_eq!(loan.lend(), Some(BRIDGE_RECEIVE_WINDOW + 2 * RECEIVE_WINDOW));
        assert_eq!(loan.after_read(STREAM), None, "both need it");
        loan.end();
        assert_eq!(budget.held(), OWN_BYTES + 2 * LENT_BYTES, "the peer may still send it");
        assert_eq!(loan.after_read(1 << 10), Some(BRIDGE_RECEIVE_WINDOW + 2 * RECEIVE_WINDOW - (1 << 10)));
        assert_eq!(budget.held(), OWN_BYTES + 2 * LENT_BYTES, "QUIC takes it from what is read next");
        assert_eq!(loan.after_read(2 << 10), Some(BRIDGE_RECEIVE_WINDOW + 2 * RECEIVE_WINDOW - (3 << 10)));
        assert_eq!(budget.held(), OWN_BYTES + 2 * LENT_BYTES - (1 << 10) / 2 * 7);
        assert_eq!(loan.after_read(STREAM), Some(BRIDGE_RECEIVE_WINDOW + RECEIVE_WINDOW));
        assert_eq!(loan.after_read(STREAM), None, "the other is still stuck");
        assert_eq!(budget.held(), OWN_BYTES + LENT_BYTES);
        loan.end();
        assert_eq!(loan.after_read(usize::MAX), Some(BRIDGE_RECEIVE_WINDOW));
        assert_eq!(loan.after_read(usize::MAX), None);
        assert_eq!(budget.held(), OWN_BYTES);
        drop(loan);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn who_is_stuck_again_and_again_is_lent_the_same_window() {
        let (budget, mut loan) = loan(OWN_BYTES + LENT_BYTES);
        for _ in 0..1000 {
            assert_eq!(loan.lend(), Some(BRIDGE_RECEIVE_WINDOW + RECEIVE_WINDOW));
            loan.end();
        }
        assert_eq!(budget.held(), OWN_BYTES + LENT_BYTES);
    }

    #[test]
    fn what_quic_has_not_taken_back_yet_is_not_lent_anew() {
        let (budget, mut loan) = loan(OWN_BYTES + LENT_BYTES);
        assert!(loan.lend().is_some());
        loan.end();
        assert!(loan.after_read(1 << 10).is_some());
        assert_eq!(loan.lend(), None, "the window shrank by a kilobyte that the peer may send all the same");
        assert!(loan.after_read(1 << 10).is_some());
        assert!(budget.held() <= OWN_BYTES + LENT_BYTES);
    }

    #[test]
    fn a_bridge_is_lent_so_much_and_no_more() {
        let (budget, mut loan) = loan(usize::MAX);
        for _ in 0..LOANS_MAX {
            assert!(loan.lend().is_some());
        }
        assert_eq!(loan.lend(), None);
        assert_eq!(budget.held(), OWN_BYTES + LOANS_MAX as usize * LENT_BYTES);
        loan.end();
        assert!(loan.lend().is_some(), "another's place is free");
    }
}
