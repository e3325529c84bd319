//! What counts as one address where connections are counted by address. It counts nothing.

use std::net::IpAddr;

/// Addresses that are counted as one: an IPv4 address, or the 64 bits of an IPv6 one that a household or a server is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressGroup(u64);

impl AddressGroup {
    /// The group of this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u64::from(u32::from(address))),
            // Global unicast begins with 001, so no prefix equals an IPv4 address.
            IpAddr::V6(address) => Self((u128::from(address) >> 64) as u64),
        }
    }
}
