//! Faults on purpose: panics, for tests of what they cost, and sabotage, for tests of those who are to notice it. Without
//! the feature `faults` there is nothing here that can fail.

use crate::Config;

/// Where a fault can be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Site {
    /// In a channel, while it takes a publish.
    Channel,
    /// In a connection, while it takes a publish.
    Connection,
    /// In the sweep, at each channel that it comes to.
    Sweep,
}

/// Panics if the feature is on and the channel's name asks for a fault at this site: `faults/channel/**`,
/// `faults/connection/**` or `faults/sweep/**`, with a payload of `panic`.
pub(crate) fn strike(site: Site, channel: &str, payload: &[u8]) {
    let wanted = match site {
        Site::Channel => "faults/channel/",
        Site::Connection => "faults/connection/",
        Site::Sweep => "faults/sweep/",
    };
    let asked = cfg!(feature = "faults") && payload == b"panic" && channel.starts_with(wanted);
    assert!(!asked, "a fault on purpose in `{channel}`");
}

/// A bug on purpose, in every channel of a broker: whoever judges brokers must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "faults"), expect(unreachable_pub, reason = "only a broker with faults can be told of them"))]
pub enum Sabotage {
    /// The member that came first is not handed the chunk with the fifth message.
    LostChunk,
    /// The first two messages of each chunk change places.
    SwappedPair,
    /// What is replayed is replayed twice.
    RepeatedReplay,
    /// Who leaves is told so, and stays.
    LateLeave,
    /// A message that says `struck` is answered with a place and not stored.
    AckedNotStored,
    /// Each answer to a publish is given twice.
    DuplicateAnswer,
    /// Who recovers is told that nothing is missing, though the history was overtaken.
    SilentGap,
    /// A publish that is sent again is stored again.
    StoredAgain,
    /// The members of a channel that begins another epoch are not told.
    UntoldReset,
    /// Who does not want its own messages gets them.
    OwnDelivered,
}

/// What a channel is to do wrong. Without the feature: nothing, in no bytes and no time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    #[cfg(feature = "faults")]
    sabotage: Option<Sabotage>,
}

impl Orders {
    /// The orders of a broker.
    pub(crate) fn of(config: &Config) -> Self {
        #[cfg(feature = "faults")]
        return Self { sabotage: config.sabotage };
        #[cfg(not(feature = "faults"))]
        {
            let _ = config;
            Self {}
        }
    }

    /// Whether this is to be done wrong.
    pub(crate) fn has(self, sabotage: Sabotage) -> bool {
        #[cfg(feature = "faults")]
        return self.sabotage == Some(sabotage);
        #[cfg(not(feature = "faults"))]
        {
            let _ = sabotage;
            false
        }
    }
}
