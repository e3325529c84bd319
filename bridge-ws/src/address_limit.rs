//! How many connections each address may have: what stands between one address and everybody else; it never waits for one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many connections each address may have at one door.
#[derive(Debug)]
pub(crate) struct AddressLimit {
    per_address: usize,
    taken: Mutex<HashMap<u64, usize>>,
}

/// One connection of an address; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    limit: Arc<AddressLimit>,
    neighbourhood: u64,
}

impl AddressLimit {
    /// Nobody has a permit.
    pub(crate) fn new(per_address: usize) -> Arc<Self> {
        Arc::new(Self { per_address, taken: Mutex::default() })
    }

    /// A permit for one more connection from `address`, if it may have one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let neighbourhood = neighbourhood(address);
        let mut taken = self.taken.lock();
        let count = taken.entry(neighbourhood).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(AddressPermit { limit: Arc::clone(self), neighbourhood })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut taken = self.limit.taken.lock();
        if let Some(count) = taken.get_mut(&self.neighbourhood) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.neighbourhood);
            }
        }
    }
}

/// One IPv4 address, or the 64 bits of an IPv6 one that a household or a server is given. Global unicast begins with 001,
/// so no prefix equals an IPv4 address.
fn neighbourhood(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_permits_and_no_other_ones() {
        let limit = AddressLimit::new(2);
        let take = |address: &str| limit.take(address.parse().unwrap());
        let (first, _second) = (take("10.0.0.1").unwrap(), take("::ffff:10.0.0.1").unwrap());
        assert!(take("10.0.0.1").is_none());
        assert!(take("10.0.0.2").is_some());
        drop(first);
        assert!(take("10.0.0.1").is_some());
        let _neighbours = (take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap());
        assert!(take("2001:db8::3").is_none() && take("2001:db8:0:1::").is_some());
    }
}
