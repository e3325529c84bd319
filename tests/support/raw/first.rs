//! The first datagrams of handshakes that nobody goes on with. They are real ones, caught on their way.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::dialer::Dialer;
use crate::soon;

/// The first datagrams of handshakes, each of a connection of its own, as they would go to a broker.
///
/// # Panics
///
/// If loopback does not work.
pub async fn first_datagrams(count: usize) -> Vec<Vec<u8>> {
    let tap = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket can be bound on loopback");
    let addr = tap.local_addr().expect("a bound socket has an address");
    let (dialer, mut dialing) = (Dialer::new(), JoinSet::new());
    let (mut known, mut firsts, mut datagram) = (BTreeSet::new(), Vec::new(), vec![0; 2048]);
    while firsts.len() < count {
        let connecting = dialer.endpoint().connect(addr, "localhost").expect("the options are legal");
        dialing.spawn(connecting);
        let (length, _) = soon("the first datagram", tap.recv_from(&mut datagram)).await.expect("loopback works");
        // RFC 9000, section 17.2: the id that the client makes up for the broker stands behind its length.
        let id = datagram[6..6 + usize::from(datagram[5])].to_vec();
        if known.insert(id) {
            firsts.push(datagram[..length].to_vec());
        }
    }
    firsts
}
