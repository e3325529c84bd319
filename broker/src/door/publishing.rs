//! Publishes of HTTP requests: a session of its own for each, so that nothing is judged twice; it speaks no HTTP.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;

use callboard_bridge_ws::upstream::{Interest, Parcel, Publisher};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_server;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, ClientFrame, Credential, Failed, Hello, Publish, ServerFrame};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{Position, Refusal, RequestId, Sequence};
use parking_lot::Mutex;

use super::local::Local;
use crate::connection::{Arrival, Session, Writer};
use crate::defaults::PUBLISHERS_KEPT;
use crate::format::Format;
use crate::identity::{self, Identity, KeyBinding};
use crate::limit::Bucket;

type Outcome = Result<Position, Refusal>;

/// Where HTTP requests publish.
#[derive(Debug)]
pub(crate) struct Publishing {
    local: Arc<Local>,
    /// What each key may still publish, over all its requests: a session that lasts one request keeps no count.
    rates: Mutex<HashMap<Arc<str>, Bucket>>,
}

impl Publishing {
    /// Nothing was published yet.
    pub(crate) fn new(local: Arc<Local>) -> Self {
        Self { local, rates: Mutex::default() }
    }

    /// Who the publisher is.
    ///
    /// # Errors
    ///
    /// That nobody knows.
    pub(crate) fn recognise(&self, publisher: &Publisher) -> Result<Identity, Refusal> {
        // Nothing outlasts the request.
        let binding = KeyBinding::default();
        identity::authenticate(&self.local.rules.keys, credential(publisher), &binding)
    }

    /// Publishes `messages`; those of one channel in their order. Each has an outcome.
    ///
    /// # Errors
    ///
    /// What is wrong with the whole request.
    pub(crate) async fn publish(&self, publisher: Publisher, messages: Vec<Parcel>) -> Result<Vec<Outcome>, Refusal> {
        let identity = self.recognise(&publisher)?;
        let credential = credential(&publisher);
        self.take(&identity, messages.len())?;
        let ticket =
            self.local.admit(publisher.address).map_err(|full| unavailable(Ending::because(Code::Overloaded, full)))?;
        let (_, session) = self.local.open(ticket, Format::Stream, Arrival::default());
        let mut order = Order {
            session,
            writer: Writer::default(),
            deframer: Deframer::new(BODY_BYTES_MAX),
            outcomes: vec![None; messages.len()],
        };
        order.place(credential, &messages).map_err(unavailable)?;
        Ok(order.outcomes().await)
    }

    /// Takes so many publishes of what this identity may have.
    fn take(&self, identity: &Identity, messages: usize) -> Result<(), Refusal> {
        let (rate, now) = (self.local.rules.limits.publishes, self.local.directory.now());
        let mut rates = self.rates.lock();
        if rates.len() >= PUBLISHERS_KEPT {
            // Who has all of it again is as good as new.
            rates.retain(|_, bucket| {
                bucket.fill(rate, now);
                *bucket != Bucket::full(rate, now)
            });
        }
        let bucket = rates.entry(Arc::clone(&identity.key)).or_insert_with(|| Bucket::full(rate, now));
        bucket.fill(rate, now);
        let mut left = *bucket;
        for _ in 0..messages {
            left.take(rate).map_err(|wait| Refusal::too_fast("publishes", wait))?;
        }
        *bucket = left;
        Ok(())
    }
}

fn credential(publisher: &Publisher) -> Credential<'_> {
    Credential { strategy: identity::APIKEY, secret: publisher.secret.expose() }
}

/// One request on its way.
struct Order {
    session: Session,
    writer: Writer,
    deframer: Deframer,
    /// By message, from the first on; the request's number is one more than its place.
    outcomes: Vec<Option<Outcome>>,
}

impl Order {
    /// Says hello and publishes everything.
    fn place(&mut self, credential: Credential<'_>, messages: &[Parcel]) -> Result<(), Ending> {
        let mut instance = [0; 16];
        getrandom::fill(&mut instance).map_err(|error| Ending::because(Code::Internal, error))?;
        let hello = Hello { agent: "http", instance, capabilities: 0, credential: Some(credential) };
        self.session.begin_read(messages.iter().map(|parcel| parcel.payload.bytes().len()).sum());
        self.session.handle(&ClientFrame::Hello(hello), &bytes::Bytes::new())?;
        for (request, parcel) in (1..).zip(messages) {
            let publish = Publish {
                request: RequestId::saturating(request),
                sequence: Sequence::ZERO,
                channel: &parcel.channel,
                key: parcel.key.as_deref(),
                payload: parcel.payload.borrowed(),
            };
            self.session.handle(&ClientFrame::Publish(publish), parcel.payload.bytes())?;
        }
        self.session.hand_over();
        Ok(())
    }

    /// Waits until every message has its outcome.
    async fn outcomes(mut self) -> Vec<Outcome> {
        while self.outcomes.iter().any(Option::is_none) {
            if self.hear() {
                continue;
            }
            if let Some((ending, _)) = self.session.outbox().ending() {
                return self
                    .outcomes
                    .into_iter()
                    .map(|outcome| outcome.unwrap_or(Err(unavailable(ending.clone()))))
                    .collect();
            }
            let outbox = Arc::clone(self.session.outbox());
            let is_clear = self.session.is_clear();
            tokio::select! {
                () = poll_fn(|cx| outbox.poll_news(cx, Interest { output: true, ending: true })) => {}
                () = self.session.room(), if !is_clear => {}
            }
        }
        self.outcomes.into_iter().flatten().collect()
    }

    /// Takes what was answered. Whether anything was.
    fn hear(&mut self) -> bool {
        self.writer.fill(self.session.outbox());
        for chunk in self.writer.chunks().drain(..) {
            self.deframer.handle_bytes(chunk);
        }
        let mut heard = false;
        while let Ok(Some(body)) = self.deframer.poll_body() {
            heard = true;
            let (request, outcome) = match decode_server(&body) {
                Ok(ServerFrame::Ok { request, answer: Answer::Published(position) }) => (request, Ok(position)),
                Ok(ServerFrame::Failed(failed)) => (failed.request, Err(refusal(&failed))),
                // The welcome, and nothing else.
                Ok(_) | Err(_) => continue,
            };
            let place = usize::try_from(request.value()).unwrap_or_default().checked_sub(1);
            if let Some(slot) = place.and_then(|place| self.outcomes.get_mut(place)) {
                *slot = Some(outcome);
            }
        }
        heard
    }
}

fn refusal(failed: &Failed<'_>) -> Refusal {
    let class = Class::from_name(failed.class).unwrap_or(Class::GeneralError);
    Refusal::new(class, failed.sentence.to_owned())
}

fn unavailable(ending: Ending) -> Refusal {
    Refusal { class: Class::Unavailable, sentence: ending.sentence, retry_after: ending.retry_after }
}
