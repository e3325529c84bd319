//! How many seats of tonight are sold: data that changes now and then, for pages to fetch. Nobody is sold anything.

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Seats of the house. When all are sold, the next ticket is one for tomorrow.
const SEATS: u32 = 400;

/// The box office.
#[derive(Debug)]
pub struct BoxOffice {
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    sold: u32,
    /// Counts the changes.
    revision: u64,
    changed: Instant,
}

impl BoxOffice {
    /// The box office in the morning.
    #[must_use]
    pub fn open() -> Self {
        Self { ledger: Mutex::new(Ledger { sold: 0, revision: 0, changed: Instant::now() }) }
    }

    /// Sells a seat.
    pub(super) fn sell(&self) {
        let mut ledger = self.ledger.lock();
        ledger.sold = ledger.sold % SEATS + 1;
        ledger.revision += 1;
        ledger.changed = Instant::now();
    }

    /// What is sold, as JSON: `age_ms` is how long that has been so, so that no clock is compared with another one.
    #[must_use]
    pub fn report(&self) -> Bytes {
        let Ledger { sold, revision, changed } = *self.ledger.lock();
        let age_ms = u64::try_from(changed.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = serde_json::json!({ "sold": sold, "seats": SEATS, "revision": revision, "age_ms": age_ms });
        Bytes::from(report.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(office: &BoxOffice) -> serde_json::Value {
        serde_json::from_slice(&office.report()).expect("JSON")
    }

    #[tokio::test(start_paused = true)]
    async fn a_sale_is_a_change_and_grows_old() {
        let office = BoxOffice::open();
        tokio::time::advance(Duration::from_secs(2)).await;
        office.sell();
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(report(&office), serde_json::json!({ "sold": 1, "seats": SEATS, "revision": 1, "age_ms": 5 }));
    }

    #[tokio::test(start_paused = true)]
    async fn no_seat_is_sold_twice() {
        let office = BoxOffice::open();
        for _ in 0..=SEATS {
            office.sell();
        }
        let report = report(&office);
        assert_eq!((&report["sold"], &report["revision"]), (&1.into(), &(SEATS + 1).into()));
    }
}
