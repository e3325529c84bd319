//! Whom `pub`, `sub`, `bridge` and `bench` believe, and what to look at when the broker was not reached or not believed. It asks nobody.

use std::path::PathBuf;

use callboard::tls;
use callboard_client::{Fingerprint, Trust};
use callboard_protocol::version;
use clap::Args;

use super::program;

/// Whom to believe.
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Trust the broker whose certificate has this fingerprint, as `callboard serve` prints it
    #[arg(long, value_name = "FINGERPRINT", group = "trust", help_heading = "Trust")]
    pin: Option<Fingerprint>,

    /// Trust a broker whose certificate is signed by one in this file, instead of the system's roots
    #[arg(long, value_name = "PEM", group = "trust", help_heading = "Trust")]
    ca: Option<PathBuf>,

    /// Trust any certificate: anyone in between can read and change everything, and steal the API key
    #[arg(long, group = "trust", help_heading = "Trust")]
    insecure: bool,
}

impl TrustArgs {
    /// Whether it was said.
    pub(super) fn is_chosen(&self) -> bool {
        self.pin.is_some() || self.ca.is_some() || self.insecure
    }

    /// Whom to believe at `url`, by what was asked and by what lies in the data directory.
    pub(super) fn choose(
        &self,
        url: &str,
        data_dir: impl FnOnce() -> anyhow::Result<PathBuf>,
    ) -> anyhow::Result<TrustChoice> {
        if let Some(pin) = self.pin {
            return Ok(TrustChoice::Pinned(pin));
        }
        if let Some(path) = &self.ca {
            return Ok(TrustChoice::Ca(path.clone()));
        }
        if self.insecure {
            return Ok(TrustChoice::Anyone);
        }
        // The development certificate of this machine says nothing about brokers on others.
        if !is_on_loopback(url) {
            return Ok(TrustChoice::System(None));
        }
        let Ok(data_dir) = data_dir() else { return Ok(TrustChoice::System(None)) };
        Ok(match tls::development_fingerprint(&data_dir)? {
            Some(fingerprint) => TrustChoice::Development(fingerprint, data_dir),
            None => TrustChoice::System(Some(data_dir)),
        })
    }
}

/// Whom a client believes, and how that was decided.
#[derive(Debug)]
pub(super) enum TrustChoice {
    Pinned(Fingerprint),
    Ca(PathBuf),
    Anyone,
    /// The development certificate of a broker on this machine.
    Development(Fingerprint, PathBuf),
    /// What the system trusts; on loopback, with the directory that has no development certificate.
    System(Option<PathBuf>),
}

impl TrustChoice {
    pub(super) fn trust(&self) -> Trust {
        match self {
            Self::Pinned(pin) | Self::Development(pin, _) => Trust::pinned(*pin),
            Self::Ca(path) => Trust::pem_file(path),
            Self::Anyone => Trust::insecure(),
            Self::System(_) => Trust::platform(),
        }
    }

    /// What to look at when no session could be opened.
    pub(super) fn if_unreached(&self) -> String {
        let serve = format!("`{} serve` starts one", program::invoked());
        match self {
            Self::Development(_, data_dir) => format!(
                "Is a broker running there ({serve}), with {} as its data directory? For another one, give --data-dir \
                 or --pin",
                data_dir.display()
            ),
            Self::System(Some(_)) => format!("Is a broker running there ({serve})?"),
            Self::System(None) | Self::Pinned(_) | Self::Ca(_) | Self::Anyone => {
                "Is it running, and does UDP get through to it?".to_owned()
            }
        }
    }

    /// What to do when somebody answered whose certificate is not the right one.
    pub(super) fn if_untrusted(&self) -> String {
        match self {
            Self::Development(_, data_dir) => format!(
                "That one is the development certificate in {}. If the broker keeps its data elsewhere, give that \
                 directory with --data-dir, or what the broker prints as its fingerprint with --pin",
                data_dir.display()
            ),
            Self::System(Some(data_dir)) => format!(
                "There is no development certificate in {}. If the broker keeps its data elsewhere, give that \
                 directory with --data-dir, or what the broker prints as its fingerprint with --pin",
                data_dir.display()
            ),
            Self::System(None) => {
                "Give the certificate that signed it with --ca; or, once whoever runs the broker has \
                                   confirmed the fingerprint, that with --pin"
                    .to_owned()
            }
            Self::Ca(path) => format!(
                "Is {} what signed it? Give the right file with --ca; or, once whoever runs the broker has confirmed \
                 the fingerprint, that with --pin",
                path.display()
            ),
            Self::Pinned(_) => {
                "If the broker has a new certificate on purpose, give what it prints as its fingerprint \
                                with --pin; if not, somebody else answers in its place"
                    .to_owned()
            }
            Self::Anyone => "The certificate itself is malformed; --insecure accepts any well-formed one".to_owned(),
        }
    }
}

/// Whether the address names this machine. An address that is none is judged by the client.
fn is_on_loopback(url: &str) -> bool {
    let rest = url
        .split_once("://")
        .map_or(url, |(scheme, rest)| if scheme.eq_ignore_ascii_case(version::URL_SCHEME) { rest } else { "" });
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let host = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => rest.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |ip: std::net::IpAddr| ip.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_believed_there_is_something_to_do() {
        let (pin, path) = (Fingerprint::of(b"a certificate"), PathBuf::from("/some/where"));
        for (choice, wanted) in [
            (TrustChoice::Development(pin, path.clone()), "/some/where. If the broker keeps its data elsewhere"),
            (TrustChoice::System(Some(path.clone())), "--data-dir"),
            (TrustChoice::System(None), "--ca"),
            (TrustChoice::Ca(path), "Is /some/where what signed it?"),
            (TrustChoice::Pinned(pin), "somebody else answers"),
        ] {
            let hint = choice.if_untrusted();
            assert!(hint.contains(wanted) && hint.contains("--pin"), "{hint}");
        }
    }
}
