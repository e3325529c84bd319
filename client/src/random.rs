//! The two random things of a client: its instance and its jitter.

/// 128 random bits.
pub(crate) fn instance() -> Result<[u8; 16], getrandom::Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(bits)
}

/// Any integer, drawn evenly. Without random numbers there is no jitter, which is a pity and no error.
pub(crate) fn jitter() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX)
}
