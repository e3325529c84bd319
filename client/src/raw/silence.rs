//! Notices a peer that is gone by what no longer comes. It asks nothing of the peer: the keep-alive of the connection does.

use std::time::Duration;

use quinn::Connection;
use tokio::time::{MissedTickBehavior, interval};

/// Looks in the longest silence that is borne. One alone shows nothing: this process may have been stopped before it, and
/// what came meanwhile is not read yet.
const LOOKS: u32 = 5;

/// Ready when nothing has come on a connection for so long, give or take a fifth.
///
/// QUIC's own idle timeout is three probe timeouts at least (RFC 9000, section 10.1), and a peer that was slow for a moment
/// makes these long: after a pause of ten seconds its end would be noticed half a minute late.
pub(super) async fn of(connection: &Connection, longest: Duration) {
    let mut looks = interval(longest / LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = Silence::default();
    loop {
        looks.tick().await;
        if silence.is_over_after(connection.stats().udp_rx.datagrams) {
            return;
        }
    }
}

/// What the looks have shown so far.
#[derive(Debug, Default)]
struct Silence {
    came: u64,
    quiet: u32,
}

impl Silence {
    /// Takes a look: so many datagrams have come since the connection began.
    fn is_over_after(&mut self, came: u64) -> bool {
        self.quiet = if came == self.came { self.quiet + 1 } else { 0 };
        self.came = came;
        self.quiet >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_looks_in_a_row_that_show_nothing_new_are_silence() {
        let mut silence = Silence::default();
        // A process that was stopped has one look in which nothing came, however long that was.
        for came in [3, 3, 3, 3, 3, 4, 4, 4, 4, 4] {
            assert!(!silence.is_over_after(came), "{silence:?}");
        }
        assert!(silence.is_over_after(4));
    }
}
