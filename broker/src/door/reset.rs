//! The secret by which a restarted broker tells peers of its former life that their connections are gone; kept, never sent.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::EndpointConfig;
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;

use crate::data_dir::{self, HoldError, Mode};

/// The file in the data directory.
const FILE: &str = "quic-reset.key";

/// The HMAC key, and behind it the key of the connection ids.
const HMAC_BYTES: usize = 64;
const ID_BYTES: usize = 8;

/// Between two stateless resets: a restarted broker tells a thousand peers in a second, and no flood of strays makes it
/// send more.
const RESET_INTERVAL: Duration = Duration::from_millis(1);

/// The secret of stateless resets (RFC 9000, section 10.3).
#[derive(Debug, Clone)]
pub(crate) struct ResetSecret {
    hmac: Arc<hmac::Key>,
    ids: u64,
}

impl ResetSecret {
    /// Reads the secret from the data directory, or makes it at the first start.
    ///
    /// # Errors
    ///
    /// What the operating system says, or that somebody else holds the data directory.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, HoldError> {
        let kept = match read(data_dir)? {
            Some(kept) => kept,
            None => make(data_dir)?,
        };
        let (hmac, ids) = kept.split_at(HMAC_BYTES);
        let mut id_bytes = [0; ID_BYTES];
        id_bytes.copy_from_slice(ids);
        Ok(Self { hmac: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, hmac)), ids: u64::from_le_bytes(id_bytes) })
    }

    /// The configuration of an endpoint that sends resets under this secret.
    pub(crate) fn endpoint(&self) -> EndpointConfig {
        let ids = self.ids;
        let mut config = EndpointConfig::new(Arc::clone(&self.hmac) as Arc<_>);
        config
            .cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)))
            .min_reset_interval(RESET_INTERVAL);
        config
    }
}

/// The secret that is kept. A file of another length is of another version or torn: peers then wait for their idle timeout
/// once.
fn read(data_dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(data_dir.join(FILE)) {
        Ok(kept) => Ok((kept.len() == HMAC_BYTES + ID_BYTES).then_some(kept)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn make(data_dir: &Path) -> Result<Vec<u8>, HoldError> {
    let hold = data_dir::hold(data_dir)?;
    // Another broker that was started at the same time may have made one meanwhile.
    if let Some(kept) = read(data_dir)? {
        return Ok(kept);
    }
    let mut secret = vec![0; HMAC_BYTES + ID_BYTES];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    hold.write(FILE, &secret, Mode::Secret)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_outlives_the_broker_and_a_torn_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let first = ResetSecret::load(directory.path()).unwrap();
        assert_eq!(ResetSecret::load(directory.path()).unwrap().ids, first.ids);
        std::fs::write(directory.path().join(FILE), b"torn").unwrap();
        assert_ne!(ResetSecret::load(directory.path()).unwrap().ids, first.ids);
    }
}
