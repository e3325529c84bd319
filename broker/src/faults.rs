//! Faults on purpose, for tests of what a panic costs. Without the feature `faults` there is nothing here that can fail.

/// Where a fault can be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// In a channel, while it takes a publish.
    Channel,
    /// In a connection, while it takes a publish.
    Connection,
}

/// Panics if the feature is on and the channel's name asks for a fault in this place: `faults/channel/**` or
/// `faults/connection/**`, with a payload of `panic`.
pub(crate) fn strike(place: Place, channel: &str, payload: &[u8]) {
    let wanted = match place {
        Place::Channel => "faults/channel/",
        Place::Connection => "faults/connection/",
    };
    let asked = cfg!(feature = "faults") && payload == b"panic" && channel.starts_with(wanted);
    assert!(!asked, "a fault on purpose in `{channel}`");
}
