//! What a program that embeds the broker does to messages on their way in. Empty unless it asks for something, and then it
//! holds for every door.

use std::fmt;
use std::sync::Arc;

use callboard_protocol::error::Class;
use callboard_protocol::{Payload, Refusal};

/// A message that a peer publishes and may publish, before a channel takes it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming<'a> {
    /// The channel's name.
    pub channel: &'a str,
    /// The key of the publisher's identity; `None` is anonymous.
    pub publisher: Option<&'a str>,
    /// What the message is about. Changed here, it is changed for every subscriber.
    pub key: &'a mut Option<Box<str>>,
    /// What it says. Changed here, it is changed for every subscriber; the limit on its size holds again afterwards.
    pub payload: &'a mut Payload,
}

type Transform = dyn Fn(&mut Incoming<'_>) -> Result<(), String> + Send + Sync;

/// What is done to messages on their way in, in the order in which it was given.
#[derive(Clone, Default)]
pub struct Hooks {
    incoming: Vec<Arc<Transform>>,
}

impl Hooks {
    /// Has `transform` see each message that a peer publishes, after those that were given before. It may change the
    /// message; an error refuses it, and the publisher is answered `forbidden` with the error as the sentence.
    ///
    /// It is called on the publisher's own task, so it must be quick and never wait; what it costs, it costs that
    /// publisher. A panic ends that publisher's session and nothing else. A publish that is sent again after a lost
    /// connection is seen again.
    pub fn incoming(
        &mut self,
        transform: impl Fn(&mut Incoming<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> &mut Self {
        self.incoming.push(Arc::new(transform));
        self
    }

    /// Whether nothing is done.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// Does it all, up to the first refusal.
    pub(crate) fn apply(&self, incoming: &mut Incoming<'_>) -> Result<(), Refusal> {
        let refused = |sentence| Refusal::new(Class::Forbidden, sentence);
        self.incoming.iter().try_for_each(|transform| transform(incoming).map_err(refused))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("incoming", &self.incoming.len()).finish()
    }
}
