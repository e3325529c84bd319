//! Clients of a broker under test: they pin its certificate, and come back sooner than a person would notice.

use std::time::Duration;

use callboard_client::{Builder, Client, Fingerprint, Trust};

use crate::soon;

/// The first pause before coming back, and the longest one: tests restart brokers, and wait for their clients.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

pub(crate) fn builder(url: String, fingerprint: Fingerprint) -> Builder {
    Client::builder(url).trust(Trust::pinned(fingerprint)).backoff(BACKOFF.0, BACKOFF.1)
}

pub(crate) async fn connected(builder: Builder) -> Client {
    let client = soon("the client's session", builder.connect()).await;
    client.unwrap_or_else(|error| panic!("the client did not connect: {error}"))
}
