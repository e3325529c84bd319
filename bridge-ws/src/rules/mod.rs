//! Who may come in: pure judgements over one request's header and where it came from.

mod credential;
mod handshake;
mod host;
mod origin;
mod policy;
#[cfg(test)]
mod policy_tests;
mod proxy;

pub(crate) use credential::bearer;
pub(crate) use handshake::{Handshake, is_upgrade};
pub use host::{HostPattern, NoHost};
pub use origin::{NoOrigin, OriginPattern};
pub(crate) use policy::{Arrival, Caller};
pub use policy::{Rules, RulesError};
pub use proxy::ProxyHeader;
