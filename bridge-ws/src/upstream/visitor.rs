//! Who comes to the bus by HTTP, what they showed of themselves and what they want to publish; nothing here judges it.

use std::fmt;
use std::net::IpAddr;

use callboard_protocol::Payload;

/// Who opens a socket, as its handshake tells.
#[derive(Debug)]
pub struct Visitor {
    /// The visitor's address; that of the browser where a trusted proxy says so.
    pub address: IpAddr,
    /// The page that opens it. None is no browser.
    pub origin: Option<String>,
    /// What was shown in the handshake; it counts where `Hello` shows nothing.
    pub credential: Option<Shown>,
    /// Whether nobody on the way can read along: TLS, or this very machine.
    pub is_private: bool,
}

/// Who publishes over HTTP.
#[derive(Debug)]
pub struct Publisher {
    /// The publisher's address; that of a trusted proxy's client.
    pub address: IpAddr,
    /// What stood in `Authorization`.
    pub secret: Secret,
}

/// A credential of a handshake.
#[derive(Debug)]
pub struct Shown {
    /// Where it stood.
    pub source: CredentialSource,
    /// What it is.
    pub secret: Secret,
}

/// Where a credential stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialSource {
    /// In the header `Authorization`.
    Authorization,
    /// In the cookie that the configuration names; its Origin was checked.
    Cookie,
    /// In the query, where the configuration lets it.
    Query,
}

/// A secret, which nothing shows by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for whoever must check it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A message to be published over HTTP. The upstream judges names, sizes and rights, as it does at every door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishItem {
    /// The channel's name, as given.
    pub channel: String,
    /// What the message is about.
    pub key: Option<String>,
    /// What it says.
    pub payload: Payload,
}
