//! Who a client says it is, and where it gets that from before each attempt; a secret is never shown.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use callboard_protocol::frame;
use callboard_protocol::limits::{CREDENTIAL_BYTES_MAX, LABEL_BYTES_MAX};

/// Any error of a token provider.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a client shows to say who it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credential {
    /// The name of the way to tell: `apikey` is one.
    pub strategy: String,
    /// The secret, in the strategy's own form.
    pub secret: String,
}

impl Credential {
    /// A secret under a strategy of this name.
    #[must_use]
    pub fn new(strategy: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { strategy: strategy.into(), secret: secret.into() }
    }

    /// An API key.
    #[must_use]
    pub fn api_key(key: impl Into<String>) -> Self {
        Self::new("apikey", key)
    }

    /// Whether a broker reads a credential of this size.
    pub(crate) fn fits(&self) -> bool {
        self.strategy.len() <= LABEL_BYTES_MAX && self.secret.len() <= CREDENTIAL_BYTES_MAX
    }

    pub(crate) fn borrowed(&self) -> frame::Credential<'_> {
        frame::Credential { strategy: &self.strategy, secret: &self.secret }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}

type Asked = Pin<Box<dyn Future<Output = Result<Credential, BoxError>> + Send>>;

/// Where credentials come from.
#[derive(Clone, Default)]
pub(crate) enum Source {
    #[default]
    Anonymous,
    Fixed(Credential),
    Provider(Arc<dyn Fn() -> Asked + Send + Sync>),
}

impl Source {
    pub(crate) fn provider<F, T>(provide: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<Credential, BoxError>> + Send + 'static,
    {
        Self::Provider(Arc::new(move || Box::pin(provide())))
    }

    /// Whether the next credential can be another one.
    pub(crate) fn is_renewable(&self) -> bool {
        match self {
            Self::Provider(_) => true,
            Self::Anonymous | Self::Fixed(_) => false,
        }
    }

    pub(crate) async fn ask(&self) -> Result<Option<Credential>, BoxError> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Fixed(credential) => Ok(Some(credential.clone())),
            Self::Provider(provide) => provide().await.map(Some),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Fixed(_) => "Fixed",
            Self::Provider(_) => "Provider",
        })
    }
}
