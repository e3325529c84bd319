//! How many connections each address may have: what stands between one address and everybody else; it never waits for one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::address_group::AddressGroup;

/// How many connections each address may have at one door.
#[derive(Debug)]
pub(crate) struct AddressLimit {
    per_address: usize,
    taken: Mutex<HashMap<AddressGroup, usize>>,
}

/// One connection of an address; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    limit: Arc<AddressLimit>,
    group: AddressGroup,
}

impl AddressLimit {
    /// Nobody has a permit.
    pub(crate) fn new(per_address: usize) -> Arc<Self> {
        Arc::new(Self { per_address, taken: Mutex::default() })
    }

    /// A permit for one more connection from `address`, if it may have one.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let group = AddressGroup::of(address);
        let mut taken = self.taken.lock();
        let count = taken.entry(group).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(AddressPermit { limit: Arc::clone(self), group })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut taken = self.limit.taken.lock();
        if let Some(count) = taken.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.group);
            }
        }
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
