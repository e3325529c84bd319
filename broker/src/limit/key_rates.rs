//! What each key may still publish over HTTP, added up over all its requests at every door: a session that lasts one request
//! keeps no count. It refuses; it never waits.

use std::collections::HashMap;
use std::sync::Arc;

use callboard_protocol::error::Class;
use callboard_protocol::{Millis, Refusal};
use parking_lot::Mutex;

use super::bucket::Bucket;
use crate::config::Rate;

/// The rates of all keys. There is no more of it than there are keys, and only of those that published of late.
#[derive(Debug)]
pub(crate) struct KeyRates {
    rate: Rate,
    /// By what the keys' bearers are called: a key that replaces another has no more than that had.
    buckets: Mutex<HashMap<Arc<str>, Bucket>>,
}

impl KeyRates {
    /// Nothing was published yet.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes so many publishes of what the bearer of a key may have: all or none.
    ///
    /// # Errors
    ///
    /// That there are not so many now, and how long until there are; or that there never are so many at once.
    pub(crate) fn take(&self, key: &Arc<str>, publishes: u32, now: Millis) -> Result<(), Refusal> {
        let (rate, publishes) = (self.rate, u64::from(publishes));
        if publishes > rate.burst {
            let sentence = format!(
                "this broker accepts at most {} messages of a key at once; send them in several requests",
                rate.burst
            );
            return Err(Refusal::new(Class::TooManyRequests, sentence));
        }
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry(Arc::clone(key)).or_insert_with(|| Bucket::full(rate, now));
        bucket.fill(rate, now);
        bucket.take_all(rate, publishes).map_err(|wait| Refusal::too_fast("this key publishes over HTTP", wait))
    }

    /// Forgets the keys whose allowance is whole again: they are as good as new.
    pub(crate) fn sweep(&self, now: Millis) {
        let rate = self.rate;
        self.buckets.lock().retain(|_, bucket| {
            bucket.fill(rate, now);
            *bucket != Bucket::full(rate, now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: u64) -> Millis {
        Millis::saturating(now)
    }

    #[test]
    fn a_key_has_one_allowance_and_a_request_all_that_it_asks_for_or_nothing() {
        let rates = KeyRates::new(Rate { per_second: 10, burst: 5 });
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        assert_eq!(rates.take(&one, 3, at(0)), Ok(()));
        let refusal = rates.take(&one, 4, at(0)).expect_err("two are left");
        assert_eq!((refusal.class, refusal.retry_after), (Class::TooManyRequests, Some(at(200))), "for both that lack");
        assert_eq!(rates.take(&one, 2, at(0)), Ok(()), "nothing was taken of them");
        assert_eq!(rates.take(&other, 5, at(0)), Ok(()), "another key has its own");
        assert_eq!(rates.take(&one, 4, at(399)).expect_err("a moment too early").retry_after, Some(at(1)));
        assert_eq!(rates.take(&one, 4, at(400)), Ok(()));
    }

    #[test]
    fn what_never_goes_is_told_without_a_time_to_wait() {
        let rates = KeyRates::new(Rate { per_second: 10, burst: 5 });
        let refusal = rates.take(&"one".into(), 6, at(0)).expect_err("a burst is less");
        assert_eq!((refusal.class, refusal.retry_after), (Class::TooManyRequests, None));
        assert!(refusal.sentence.contains("at most 5 messages"), "{refusal}");
        assert!(rates.buckets.lock().is_empty());
    }

    #[test]
    fn only_keys_that_lack_something_are_kept() {
        let rates = KeyRates::new(Rate { per_second: 10, burst: 5 });
        for key in ["one", "other"] {
            assert_eq!(rates.take(&key.into(), if key == "one" { 1 } else { 5 }, at(0)), Ok(()));
        }
        rates.sweep(at(100));
        assert_eq!(rates.buckets.lock().keys().map(|key| &**key).collect::<Vec<_>>(), ["other"]);
        rates.sweep(at(500));
        assert!(rates.buckets.lock().is_empty());
    }
}
