//! Who a session's peer says it is: its hello, and what it says of itself later. Here alone its identity changes.

use std::sync::Arc;

use callboard_protocol::Refusal;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, Authenticate, Credential, Hello, Logout, ServerFrame, Welcome};

use super::State;
use crate::channel::{Instance, Requester};
use crate::connection::arrival::Shown;
use crate::connection::hello::{NOT_PRIVATE, TOO_LONG_A_CREDENTIAL, check_hello, fits};
use crate::identity::{self, Identity};

impl State {
    pub(super) fn hello(&mut self, hello: &Hello<'_>) -> Result<(), Ending> {
        check_hello(hello)?;
        let shown = self.arrival.shown.take();
        let identity = match hello.credential.or(shown.as_ref().map(Shown::credential)) {
            None => None,
            Some(_) if !self.arrival.is_private => return Err(Ending::because(Code::Forbidden, NOT_PRIVATE)),
            Some(credential) => {
                Some(self.verify(&credential).map_err(|refusal| Ending::refused(Code::BadCredential, refusal))?)
            }
        };
        if let Some(publishes) = self.arrival.publishes {
            self.count(identity.as_ref(), publishes)?;
        }
        let Requester { connection, outbox, .. } = &*self.requester;
        self.requester = Arc::new(Requester {
            connection: *connection,
            instance: Instance(hello.instance),
            key: None,
            outbox: Arc::clone(outbox),
        });
        self.become_known_as(identity);
        self.open = true;
        let welcome = Welcome {
            agent: concat!("callboard/", env!("CARGO_PKG_VERSION")),
            connection: self.requester.connection,
            capabilities: 0,
            payload_bytes_max: u32::try_from(self.rules.payload_bytes_max).unwrap_or(u32::MAX),
            subscriptions_max: u32::try_from(self.rules.subscriptions_max).unwrap_or(u32::MAX),
            ping_interval: self.arrival.ping_interval,
            identity: self.identity.as_ref().map(Identity::borrowed),
        };
        self.say(&ServerFrame::Welcome(welcome));
        Ok(())
    }

    pub(super) fn authenticate(&mut self, frame: &Authenticate<'_>) {
        if !fits(&frame.credential) {
            return self.refuse(frame.request, &Refusal::new(Class::BadRequest, TOO_LONG_A_CREDENTIAL));
        }
        if !self.arrival.is_private {
            return self.refuse(frame.request, &Refusal::new(Class::Forbidden, NOT_PRIVATE));
        }
        match self.verify(&frame.credential) {
            Ok(identity) => {
                self.become_known_as(Some(identity));
                let identity = self.identity.as_ref().map(Identity::borrowed);
                self.answer(frame.request, Answer::Identity(identity));
            }
            Err(refusal) => self.refuse(frame.request, &refusal),
        }
    }

    pub(super) fn log_out(&mut self, frame: Logout) {
        self.key_binding.note(None);
        self.become_known_as(None);
        self.answer(frame.request, Answer::Identity(None));
    }

    /// Who shows this credential. The session relies on its key from here on.
    fn verify(&self, credential: &Credential<'_>) -> Result<Identity, Refusal> {
        identity::authenticate(&self.rules.keys, *credential, &self.key_binding)
    }

    /// PROTOCOL.md, "Visitors": what one request over HTTP publishes is taken of what its key may publish by all of them.
    fn count(&self, identity: Option<&Identity>, publishes: u32) -> Result<(), Ending> {
        let Some(Identity { key, .. }) = identity else {
            return Err(Ending::because(Code::BadCredential, "publishing over HTTP needs a key"));
        };
        let taken = self.rules.key_rates.take(key, publishes, self.now);
        taken.map_err(|refusal| Ending::refused(Code::RateExceeded, refusal))
    }

    fn become_known_as(&mut self, identity: Option<Identity>) {
        let Requester { connection, instance, outbox, .. } = &*self.requester;
        let key = identity.as_ref().map(|identity| Arc::clone(&identity.key));
        self.requester =
            Arc::new(Requester { connection: *connection, instance: *instance, key, outbox: Arc::clone(outbox) });
        self.identity = identity;
        self.grants.clear();
    }
}
