//! Who may come in: counts connections, in all and by address. It refuses; it never waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use callboard_bridge_ws::AddressGroup;
use callboard_protocol::Millis;
use parking_lot::Mutex;

use super::bucket::Bucket;
use crate::config::Limits;

/// Why a peer is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The broker has reached its limit of connections.
    #[error("the broker has reached its limit of connections")]
    Full,
    /// The peer's address has reached its limit of connections.
    #[error("this address has reached its limit of connections")]
    AddressFull,
}

/// The connections that are open, counted.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    groups: HashMap<AddressGroup, Neighbours>,
}

/// What one address has.
#[derive(Debug)]
struct Neighbours {
    open: usize,
    births: Bucket,
}

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Arc<Admission>,
    group: AddressGroup,
}

impl Admission {
    /// Nobody is in.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// Lets a peer in.
    ///
    /// # Errors
    ///
    /// Which count is full.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, now: Millis) -> Result<Ticket, Refused> {
        let group = AddressGroup::of(address);
        let mut counts = self.counts.lock();
        if counts.open >= self.limits.connections {
            return Err(Refused::Full);
        }
        let neighbours = counts
            .groups
            .entry(group)
            .or_insert_with(|| Neighbours { open: 0, births: Bucket::full(self.limits.births_per_address, now) });
        if neighbours.open >= self.limits.connections_per_address {
            return Err(Refused::AddressFull);
        }
        neighbours.open += 1;
        counts.open += 1;
        Ok(Ticket { admission: Arc::clone(self), group })
    }

    /// How many are in.
    #[cfg(feature = "simulation")]
    pub(crate) fn open(&self) -> usize {
        self.counts.lock().open
    }

    /// Forgets the addresses that have nothing open and whose allowance is whole again: until then a peer gains nothing
    /// by coming back.
    pub(crate) fn sweep(&self, now: Millis) {
        let rate = self.limits.births_per_address;
        self.counts.lock().groups.retain(|_, neighbours| {
            neighbours.births.fill(rate, now);
            neighbours.open > 0 || neighbours.births != Bucket::full(rate, now)
        });
    }
}

impl Ticket {
    /// Takes the birth of a channel from what this peer's address may have.
    ///
    /// # Errors
    ///
    /// How long until it may have one again.
    pub(crate) fn birth(&self, now: Millis) -> Result<(), Millis> {
        let rate = self.admission.limits.births_per_address;
        match self.admission.counts.lock().groups.get_mut(&self.group) {
            Some(neighbours) => {
                neighbours.births.fill(rate, now);
                neighbours.births.take(rate)
            }
            None => Ok(()),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock();
        counts.open -= 1;
        if let Some(neighbours) = counts.groups.get_mut(&self.group) {
            neighbours.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let admission = Admission::new(Limits { connections: 3, connections_per_address: 2, ..Limits::default() });
        let admit = |text| admission.admit(address(text), Millis::ZERO);
        let first = admit("10.0.0.1").unwrap();
        let _second = admit("10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), Refused::AddressFull);
        assert_eq!(admit("::ffff:10.0.0.1").unwrap_err(), Refused::AddressFull, "the same address in other words");
        let _third = admit("10.0.0.2").unwrap();
        assert_eq!(admit("10.0.0.3").unwrap_err(), Refused::Full);
        drop(first);
        assert!(admit("10.0.0.1").is_ok());
    }

    #[test]
    fn an_ipv6_group_counts_as_one_address() {
        let admission = Admission::new(Limits { connections_per_address: 1, ..Limits::default() });
        let _one = admission.admit(address("2001:db8::1"), Millis::ZERO).unwrap();
        assert!(admission.admit(address("2001:db8::2:0:0:1"), Millis::ZERO).is_err());
        assert!(admission.admit(address("2001:db8:0:1::1"), Millis::ZERO).is_ok());
    }
}
