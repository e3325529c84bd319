//! What is asked of a `Hello` and of a credential before anything is done about them; pure, and it knows no session.

use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::{Credential, Hello};
use callboard_protocol::limits::{CREDENTIAL_BYTES_MAX, LABEL_BYTES_MAX};

pub(super) const NOT_PRIVATE: &str =
    "this credential came without TLS, so others may have read it; use wss and a new credential";

pub(super) const TOO_LONG_A_CREDENTIAL: &str = "the credential is too long: at most 16384 bytes";

/// PROTOCOL.md, "Limits": the texts of a `Hello`, before anything is done about them.
pub(super) fn check_hello(hello: &Hello<'_>) -> Result<(), Ending> {
    if hello.agent.len() > LABEL_BYTES_MAX {
        return Err(Ending::because(Code::Malformed, "the agent's name is too long"));
    }
    hello.credential.as_ref().map_or(Ok(()), check_shown)
}

/// The limits of a `Hello` for a credential that a door was shown before it.
pub(crate) fn check_shown(credential: &Credential<'_>) -> Result<(), Ending> {
    if fits(credential) { Ok(()) } else { Err(Ending::because(Code::Malformed, TOO_LONG_A_CREDENTIAL)) }
}

pub(super) fn fits(credential: &Credential<'_>) -> bool {
    credential.strategy.len() <= LABEL_BYTES_MAX && credential.secret.len() <= CREDENTIAL_BYTES_MAX
}
