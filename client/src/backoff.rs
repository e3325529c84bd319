//! When to come back after a session ended: a pure state whose jitter is an argument; it never sleeps and has no clock.

use std::time::Duration;

use callboard_protocol::close::Return;

use crate::defaults::{AT_ONCE_JITTER, RETRY_AFTER_CAP, SESSION_IS_WELL};

/// The client's own growing pause: full jitter, so the pause lies evenly between nothing and a bound that doubles.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    /// How many sessions or attempts ended since one lived long enough.
    failures: u32,
}

/// What to do after a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again when this much time has passed.
    Wait(Duration),
    /// Do not come back.
    Stop,
}

/// How a session or an attempt ended, as far as coming back is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// What the close code says.
    pub(crate) advice: Return,
    /// How long the broker wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// How long the session was open; zero for an attempt that opened none.
    pub(crate) lived: Duration,
    /// Whether the next attempt can show another credential.
    pub(crate) renewable: bool,
}

impl Backoff {
    pub(crate) fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// What to do after `ending`; `random` is any integer, drawn evenly.
    pub(crate) fn after(&mut self, ending: Ending, random: u64) -> Next {
        if ending.lived >= SESSION_IS_WELL {
            self.reset();
        }
        let pause = match ending.advice {
            Return::Never | Return::Unasked => return Next::Stop,
            Return::WithNewCredential if !ending.renewable => return Next::Stop,
            // A broker that always says "now" must not be asked in a tight loop: this holds once, until a session
            // has lived long enough.
            Return::AtOnce if self.failures == 0 => {
                self.failures = 1;
                part(AT_ONCE_JITTER, random)
            }
            Return::AtOnce | Return::Later | Return::WithNewCredential => self.pause(random),
        };
        let advised = ending.retry_after.unwrap_or_default().min(RETRY_AFTER_CAP);
        Next::Wait(pause.max(advised))
    }

    /// All is well: the next pause is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause of the client's own.
    pub(crate) fn pause(&mut self, random: u64) -> Duration {
        let bound = self.base.saturating_mul(1 << self.failures.min(20)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        part(bound, random)
    }
}

/// The part of `whole` that `random` is of all integers.
fn part(whole: Duration, random: u64) -> Duration {
    whole.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(200);
    const CAP: Duration = Duration::from_secs(30);

    fn ending(advice: Return) -> Ending {
        Ending { advice, retry_after: None, lived: Duration::ZERO, renewable: false }
    }

    #[test]
    fn bounds_double_up_to_the_cap() {
        let mut backoff = Backoff::new(BASE, CAP);
        let pauses: Vec<_> = (0..10).map(|_| backoff.pause(u64::MAX).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
    }

    #[test]
    fn at_once_holds_once_until_a_session_has_lived() {
        let mut backoff = Backoff::new(BASE, CAP);
        let at_once = ending(Return::AtOnce);
        for _ in 0..5 {
            assert_eq!(backoff.after(at_once, u64::MAX), Next::Wait(part(AT_ONCE_JITTER, u64::MAX)));
            let Next::Wait(second) = backoff.after(at_once, u64::MAX) else { panic!("it comes back") };
            assert!(second > AT_ONCE_JITTER);
            let long = Ending { lived: SESSION_IS_WELL, ..at_once };
            assert_eq!(backoff.after(long, 0), Next::Wait(Duration::ZERO));
            backoff.reset();
        }
    }

    #[test]
    fn the_range_of_the_code_decides() {
        let mut backoff = Backoff::new(BASE, CAP);
        assert_eq!(backoff.after(ending(Return::Never), 0), Next::Stop);
        assert_eq!(backoff.after(ending(Return::Unasked), 0), Next::Stop);
        assert_eq!(backoff.after(ending(Return::WithNewCredential), 0), Next::Stop);
        let renewable = Ending { renewable: true, ..ending(Return::WithNewCredential) };
        assert_eq!(backoff.after(renewable, 0), Next::Wait(Duration::ZERO));
        assert_eq!(backoff.after(ending(Return::Later), 0), Next::Wait(Duration::ZERO));
    }

    #[test]
    fn sessions_that_lose_their_credential_soon_lead_to_growing_pauses() {
        let mut backoff = Backoff::new(BASE, CAP);
        let revoked = Ending { renewable: true, lived: SESSION_IS_WELL / 2, ..ending(Return::WithNewCredential) };
        for bound in [200, 400, 800, 1600] {
            let bound = Duration::from_millis(bound);
            assert_eq!(backoff.after(revoked, u64::MAX), Next::Wait(part(bound, u64::MAX)));
        }
    }

    #[test]
    fn the_brokers_advice_is_the_least_pause_and_has_an_end() {
        let mut backoff = Backoff::new(BASE, CAP);
        let advised = |retry_after| Ending { retry_after: Some(retry_after), ..ending(Return::AtOnce) };
        assert_eq!(backoff.after(advised(Duration::from_secs(90)), 0), Next::Wait(Duration::from_secs(90)));
        assert_eq!(backoff.after(advised(Duration::MAX), 0), Next::Wait(RETRY_AFTER_CAP));
    }

    proptest! {
        #[test]
        fn no_pause_is_above_the_cap(randoms in prop::collection::vec(any::<u64>(), 1..100)) {
            let mut backoff = Backoff::new(BASE, CAP);
            for random in randoms {
                prop_assert!(backoff.pause(random) <= CAP);
            }
        }
    }
}
