//! Where the broker's chance comes from: the operating system, or in a simulation a seed. It decides nothing itself.

use std::hash::{BuildHasher, RandomState};
#[cfg(feature = "simulation")]
use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use callboard_protocol::limits::INTEGER_MAX;
use callboard_protocol::{ChannelName, Epoch};

/// What is left to chance.
#[derive(Debug)]
pub(crate) enum Chance {
    /// By the operating system: nobody outside can tell what comes.
    System(RandomState),
    /// By a seed: the same in each run.
    #[cfg(feature = "simulation")]
    Seed(AtomicU64),
}

impl Chance {
    /// The operating system's.
    pub(crate) fn of_the_system() -> Self {
        Self::System(RandomState::new())
    }

    /// The chance of `seed`.
    #[cfg(feature = "simulation")]
    pub(crate) fn of_seed(seed: u64) -> Self {
        Self::Seed(AtomicU64::new(seed))
    }

    /// Draws the name of a channel's new life: never zero.
    pub(crate) fn epoch(&self) -> Epoch {
        let random = match self {
            Self::System(_) => getrandom::u64().expect("the operating system gives random numbers"),
            #[cfg(feature = "simulation")]
            Self::Seed(state) => mixed(state.fetch_add(1, Ordering::Relaxed)),
        };
        Epoch::saturating(random % INTEGER_MAX + 1)
    }

    /// Whether a thread that found a channel alone is to think that somebody else was at it.
    pub(crate) fn pretends_contention(&self) -> bool {
        match self {
            Self::System(_) => false,
            #[cfg(feature = "simulation")]
            Self::Seed(state) => mixed(state.fetch_add(1, Ordering::Relaxed)).is_multiple_of(4),
        }
    }

    /// Where in the directory this name belongs.
    pub(crate) fn hash(&self, name: &ChannelName) -> u64 {
        match self {
            Self::System(hasher) => hasher.hash_one(name),
            #[cfg(feature = "simulation")]
            Self::Seed(_) => {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                hasher.finish()
            }
        }
    }
}

/// SplitMix64: neighbours in, strangers out.
#[cfg(feature = "simulation")]
fn mixed(state: u64) -> u64 {
    let z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
