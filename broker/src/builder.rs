//! How a program that embeds the broker starts one with more than a configuration. It starts nothing by itself.

use callboard_bridge_ws::Resource;

use crate::broker::{Broker, StartError};
use crate::config::Config;
use crate::hooks::Hooks;

/// A broker to be.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) hooks: Hooks,
    pub(crate) resources: Vec<Resource>,
}

impl Builder {
    /// Lets `configure` say what is done to messages on their way in.
    ///
    /// ```
    /// # let data_dir = tempfile::tempdir().unwrap();
    /// let builder = callboard::Broker::builder(callboard::Config::new(data_dir.path())).configure(|hooks| {
    ///     hooks.incoming(|message| match message.payload.as_str() {
    ///         Some(text) if text.contains("secret") => Err("leave the secret out".to_owned()),
    ///         _ => Ok(()),
    ///     });
    /// });
    /// # drop(builder);
    /// ```
    pub fn configure(mut self, configure: impl FnOnce(&mut Hooks)) -> Self {
        configure(&mut self.hooks);
        self
    }

    /// Lets the browser's door serve something small of the program's own beside the pages. Whoever may load those may
    /// read it.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Starts it, as [`Broker::start`] does.
    ///
    /// # Errors
    ///
    /// As `start`.
    pub async fn start(self) -> Result<Broker, StartError> {
        Broker::start_built(self).await
    }
}
