//! Handshakes under way, counted in all and by address, before anything is known of a peer. It decides; it answers nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use callboard_bridge_ws::AddressGroup;
use parking_lot::Mutex;

use crate::config::Limits;

/// What to do about somebody who begins a handshake.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// Go on with it.
    Begin(Begun),
    /// Let it show first that its address is its own.
    Prove,
    /// There are too many.
    Refuse,
}

/// The handshakes under way.
#[derive(Debug)]
pub(crate) struct Handshakes {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    /// By address, and by whether the address was proven: who gives a false one must not use up what its owner may have.
    groups: HashMap<(AddressGroup, bool), usize>,
}

/// One handshake's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Begun {
    handshakes: Arc<Handshakes>,
    group: (AddressGroup, bool),
}

impl Handshakes {
    /// None is under way.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// Somebody at `address`, proven or not, begins one.
    pub(crate) fn greet(self: &Arc<Self>, address: IpAddr, proven: bool) -> Greeting {
        let (max, max_here) = (self.limits.handshakes, self.limits.handshakes_per_address);
        let group = (AddressGroup::of(address), proven);
        let mut counts = self.counts.lock();
        let here = counts.groups.get(&group).copied().unwrap_or_default();
        if counts.all >= max || proven && here >= max_here {
            return Greeting::Refuse;
        }
        // RFC 9000, section 8.1.2: whoever gives a false address never sees the token.
        if !proven && (counts.all >= max / 2 || here >= max_here / 2) {
            return Greeting::Prove;
        }
        counts.all += 1;
        *counts.groups.entry(group).or_default() += 1;
        Greeting::Begin(Begun { handshakes: Arc::clone(self), group })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut counts = self.handshakes.counts.lock();
        counts.all -= 1;
        if let Some(here) = counts.groups.get_mut(&self.group) {
            *here -= 1;
            if *here == 0 {
                counts.groups.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn begun(greeting: Greeting) -> Begun {
        let Greeting::Begin(begun) = greeting else { panic!("{greeting:?}") };
        begun
    }

    #[test]
    fn an_address_has_its_part_and_who_borrows_it_does_not_use_it_up() {
        let handshakes = Handshakes::new(Limits { handshakes: 100, handshakes_per_address: 4, ..Limits::default() });
        let greet = |text, proven| handshakes.greet(address(text), proven);
        let borrowed = [begun(greet("2001:db8::1", false)), begun(greet("2001:db8::2", false))];
        assert!(matches!(greet("2001:db8::3", false), Greeting::Prove), "the same /64");
        assert!(matches!(greet("2001:db8:0:1::1", false), Greeting::Begin(_)), "another");
        let proven: Vec<Begun> = (0..4).map(|_| begun(greet("2001:db8::1", true))).collect();
        assert!(matches!(greet("2001:db8::1", true), Greeting::Refuse));
        drop((borrowed, proven));
        assert!(matches!(greet("2001:db8::1", true), Greeting::Begin(_)));
        assert!(handshakes.counts.lock().groups.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn all_together_have_a_bound_and_prove_their_address_from_half_of_it_on() {
        let handshakes = Handshakes::new(Limits { handshakes: 4, handshakes_per_address: 4, ..Limits::default() });
        let _half =
            [begun(handshakes.greet(address("10.0.0.1"), false)), begun(handshakes.greet(address("10.0.0.2"), false))];
        assert!(matches!(handshakes.greet(address("10.0.0.3"), false), Greeting::Prove));
        let _rest =
            [begun(handshakes.greet(address("10.0.0.3"), true)), begun(handshakes.greet(address("10.0.0.4"), true))];
        assert!(matches!(handshakes.greet(address("10.0.0.5"), true), Greeting::Refuse));
    }
}
