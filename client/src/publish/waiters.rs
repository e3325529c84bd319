//! Who waits for room among the publishes, in the order of their coming. Pure: wakers are kept and handed out, never
//! called.

use std::collections::VecDeque;
use std::task::Waker;

/// What a publish waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Room in the queue.
    Forgotten,
    /// Room in the queue and among the unacknowledged.
    Acked,
}

/// A place in the waiters. Who has none yet stands behind everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What decides whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) online: bool,
    /// Whether another acknowledged publish may be on its way.
    pub(crate) acked_may_go: bool,
}

/// Callers of two kinds in one line. Those who wait for an acknowledgement of others to come do not hold up those who need none.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    last: u64,
    forgotten: VecDeque<Waiter>,
    acked: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    /// `None` once it was called, until it waits again.
    waker: Option<Waker>,
}

impl Waiters {
    /// Whether nobody is before the one with this ticket, or before a newcomer.
    pub(crate) fn has_turn(&self, kind: Kind, ticket: Option<Ticket>, now: Now) -> bool {
        let number = ticket.map_or(u64::MAX, |ticket| ticket.0);
        let is_before = |waiters: &VecDeque<Waiter>| waiters.front().is_some_and(|first| first.number < number);
        match (kind, now.online) {
            // Nobody makes room while there is no session, so a forgotten publish is decided on at once.
            (Kind::Forgotten, false) => ticket.is_none() || !is_before(&self.forgotten),
            (Kind::Forgotten, true) => !(is_before(&self.forgotten) || now.acked_may_go && is_before(&self.acked)),
            (Kind::Acked, false) => now.acked_may_go && !is_before(&self.acked),
            (Kind::Acked, true) => now.acked_may_go && !is_before(&self.acked) && !is_before(&self.forgotten),
        }
    }

    /// Lets somebody wait: a newcomer at the end, others at their places. Gives the waker of before, to be dropped once
    /// the lock is free: with it may go a task that waits here too.
    pub(crate) fn wait(&mut self, kind: Kind, ticket: &mut Option<Ticket>, waker: &Waker) -> Option<Waker> {
        let known = ticket.and_then(|ticket| self.index(kind, ticket));
        if let Some(waiter) = known.and_then(|index| self.of(kind).get_mut(index)) {
            return waiter.waker.replace(waker.clone());
        }
        self.last += 1;
        *ticket = Some(Ticket(self.last));
        let number = self.last;
        self.of(kind).push_back(Waiter { number, waker: Some(waker.clone()) });
        None
    }

    /// Lets somebody go, with room or without. Gives its waker, to be dropped once the lock is free.
    pub(crate) fn leave(&mut self, kind: Kind, ticket: Ticket) -> Option<Waker> {
        let index = self.index(kind, ticket)?;
        self.of(kind).remove(index)?.waker
    }

    /// Those whose turn it is, to be woken once the lock is free: of each kind one at most.
    pub(crate) fn call_next(&mut self, now: Now) -> [Option<Waker>; 2] {
        [Kind::Forgotten, Kind::Acked].map(|kind| {
            let ticket = Ticket(self.of(kind).front()?.number);
            if !self.has_turn(kind, Some(ticket), now) {
                return None;
            }
            self.of(kind).front_mut()?.waker.take()
        })
    }

    /// Everybody, in order, to be woken once the lock is free.
    pub(crate) fn call_all(&mut self) -> Vec<Waker> {
        self.forgotten.iter_mut().chain(&mut self.acked).filter_map(|waiter| waiter.waker.take()).collect()
    }

    fn of(&mut self, kind: Kind) -> &mut VecDeque<Waiter> {
        match kind {
            Kind::Forgotten => &mut self.forgotten,
            Kind::Acked => &mut self.acked,
        }
    }

    /// Numbers ascend in each waiters.
    fn index(&mut self, kind: Kind, ticket: Ticket) -> Option<usize> {
        self.of(kind).binary_search_by_key(&ticket.0, |waiter| waiter.number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: Now = Now { online: true, acked_may_go: true };
    const FULL: Now = Now { online: true, acked_may_go: false };
    const OFFLINE: Now = Now { online: false, acked_may_go: true };

    fn waiting(waiters: &mut Waiters, kind: Kind) -> Ticket {
        let mut ticket = None;
        waiters.wait(kind, &mut ticket, Waker::noop());
        ticket.expect("it has a place now")
    }

    #[test]
    fn turns_come_in_the_order_of_coming_whatever_the_kind() {
        let mut waiters = Waiters::default();
        let order = [Kind::Acked, Kind::Forgotten, Kind::Forgotten, Kind::Acked];
        let tickets = order.map(|kind| (kind, waiting(&mut waiters, kind)));
        for (kind, ticket) in tickets {
            let with_turn: Vec<_> =
                tickets.into_iter().filter(|(kind, ticket)| waiters.has_turn(*kind, Some(*ticket), ONLINE)).collect();
            assert!(with_turn.contains(&(kind, ticket)));
            assert!(!waiters.has_turn(Kind::Forgotten, None, ONLINE) && !waiters.has_turn(Kind::Acked, None, ONLINE));
            waiters.leave(kind, ticket);
        }
        assert!(waiters.has_turn(Kind::Forgotten, None, ONLINE) && waiters.has_turn(Kind::Acked, None, ONLINE));
    }

    #[test]
    fn who_waits_for_acknowledgements_is_passed_by_those_who_need_none() {
        let mut waiters = Waiters::default();
        let acked = waiting(&mut waiters, Kind::Acked);
        assert!(waiters.has_turn(Kind::Forgotten, None, FULL));
        assert!(!waiters.has_turn(Kind::Acked, Some(acked), FULL) && !waiters.has_turn(Kind::Acked, None, FULL));
        assert!(!waiters.has_turn(Kind::Forgotten, None, ONLINE));
    }

    #[test]
    fn offline_a_newcomer_is_decided_on_at_once() {
        let mut waiters = Waiters::default();
        let (first, second) = (waiting(&mut waiters, Kind::Forgotten), waiting(&mut waiters, Kind::Forgotten));
        waiting(&mut waiters, Kind::Acked);
        assert!(waiters.has_turn(Kind::Forgotten, None, OFFLINE) && !waiters.has_turn(Kind::Acked, None, OFFLINE));
        assert!(waiters.has_turn(Kind::Forgotten, Some(first), OFFLINE));
        assert!(!waiters.has_turn(Kind::Forgotten, Some(second), OFFLINE), "those who wait keep their order");
    }

    #[test]
    fn a_call_wakes_each_once_until_it_waits_again() {
        let mut waiters = Waiters::default();
        let mut first = Some(waiting(&mut waiters, Kind::Forgotten));
        waiting(&mut waiters, Kind::Forgotten);
        let called = |waiters: &mut Waiters| waiters.call_next(ONLINE).into_iter().flatten().count();
        assert_eq!((called(&mut waiters), called(&mut waiters)), (1, 0));
        waiters.wait(Kind::Forgotten, &mut first, Waker::noop());
        assert_eq!(waiters.call_all().len(), 2);
        waiters.leave(Kind::Forgotten, first.expect("it has a place"));
        assert_eq!(called(&mut waiters), 0, "it was called with all");
    }
}
