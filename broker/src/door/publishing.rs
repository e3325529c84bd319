//! Publishes of HTTP requests in the broker's process: a session of its own for each, so that nothing is judged twice; it
//! speaks no HTTP.

use std::future::poll_fn;
use std::sync::Arc;

use callboard_bridge_ws::progress::{Outcome, Progress, in_doubt, refused};
use callboard_bridge_ws::upstream::{Interest, PublishItem, Publisher};
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_server;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Credential, Hello};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ConnectionId, Refusal};
use tokio::task::yield_now;

use super::local::Local;
use crate::connection::{Arrival, Registry, Session, Writer};
use crate::format::Format;
use crate::identity::{self, KeyBinding};
use crate::limit::Ticket;
use crate::metrics::Present;

/// Whether anybody knows the publisher.
///
/// # Errors
///
/// That nobody does.
pub(super) fn authenticate(local: &Local, publisher: &Publisher) -> Result<(), Refusal> {
    // Nothing outlasts the question.
    identity::authenticate(&local.rules.keys, credential(publisher), &KeyBinding::default()).map(drop)
}

/// Publishes `messages`; those of one channel in their order. Each has an outcome.
///
/// # Errors
///
/// What is wrong with the whole request.
pub(super) async fn publish(
    local: &Local,
    ticket: Ticket,
    publisher: &Publisher,
    messages: Vec<PublishItem>,
) -> Result<Vec<Outcome>, Refusal> {
    let mut progress = Progress::new(messages);
    let arrival = Arrival { publishes: Some(progress.publishes()), ..Arrival::default() };
    let (id, session) = local.open(ticket, Format::Stream, arrival);
    let mut publishing = PublishRequest::new(id, session, &local.registry);
    if let Err(ending) = publishing.greet(credential(publisher)) {
        publishing.session.outbox().end(ending.clone());
        return Err(refusal(&ending));
    }
    publishing.publish(&mut progress).await;
    Ok(progress.into_outcomes())
}

fn credential(publisher: &Publisher) -> Credential<'_> {
    Credential { strategy: identity::APIKEY, secret: publisher.secret.expose() }
}

/// One request on its way. As every session it is in the registry, so that it ends with its key.
struct PublishRequest {
    id: ConnectionId,
    session: Session,
    registry: Arc<Registry>,
    writer: Writer,
    deframer: Deframer,
    /// How many messages were handed over.
    handed_over: u64,
    /// Counts the session once it is open.
    present: Option<Present>,
}

impl PublishRequest {
    fn new(id: ConnectionId, session: Session, registry: &Arc<Registry>) -> Self {
        registry.insert(id, None, &session);
        Self {
            id,
            session,
            registry: Arc::clone(registry),
            writer: Writer::default(),
            deframer: Deframer::new(BODY_BYTES_MAX),
            handed_over: 0,
            present: None,
        }
    }

    /// Says hello.
    fn greet(&mut self, credential: Credential<'_>) -> Result<(), Ending> {
        let mut instance = [0; 16];
        getrandom::fill(&mut instance).map_err(|error| Ending::because(Code::Internal, error))?;
        let hello = Hello { agent: "http", instance, capabilities: 0, credential: Some(credential) };
        self.session.begin_read(0);
        self.session.handle(&ClientFrame::Hello(hello), &bytes::Bytes::new())?;
        self.present = Some(Present::new(self.registry.metrics(), |metrics| &metrics.sessions));
        Ok(())
    }

    /// Goes on until every message has its outcome.
    async fn publish(&mut self, progress: &mut Progress) {
        let (outbox, inbox) = (Arc::clone(self.session.outbox()), Arc::clone(self.session.inbox()));
        while !progress.is_done() {
            if self.hear(progress) {
                continue;
            }
            let (is_clear, has_more) = (self.session.is_clear(), progress.has_more());
            match outbox.ending() {
                Some((ending, true)) => self.give_up(&ending, progress),
                // What was answered before the end is heard first.
                Some((_, false)) => {}
                None if is_clear && has_more && !inbox.is_full() => {
                    self.say_some(progress);
                    if self.session.should_yield() {
                        yield_now().await;
                    }
                }
                None => tokio::select! {
                    biased;
                    () = poll_fn(|cx| outbox.poll_news(cx, Interest { output: true, ending: true })) => {}
                    () = self.session.room(), if !is_clear => {}
                    () = inbox.room(), if is_clear && has_more => {}
                },
            }
        }
    }

    /// Takes what was answered. Whether anything was.
    fn hear(&mut self, progress: &mut Progress) -> bool {
        self.writer.fill(self.session.outbox());
        for chunk in self.writer.chunks().drain(..) {
            self.deframer.handle_bytes(chunk);
        }
        let mut heard = false;
        while let Ok(Some(body)) = self.deframer.poll_body() {
            heard = true;
            if let Ok(frame) = decode_server(&body) {
                progress.hear(&frame);
            }
        }
        heard
    }

    /// Says the next messages and hands them over, unless the session ends meanwhile.
    fn say_some(&mut self, progress: &mut Progress) {
        self.session.begin_read(progress.next_bytes());
        progress.say_some(|publish, payload| {
            if self.session.commands_are_full() {
                self.hand_over(publish.request.value() - 1);
            }
            if self.session.outbox().check().is_ok()
                && let Err(ending) = self.session.handle(&ClientFrame::Publish(*publish), payload)
            {
                self.session.outbox().end(ending);
            }
            Ok(())
        });
        self.hand_over(progress.said() as u64);
    }

    /// Hands over what was said up to this request.
    fn hand_over(&mut self, request: u64) {
        if self.session.outbox().check().is_ok() {
            self.session.hand_over();
            self.handed_over = request;
        }
    }

    /// The session is over. What was not handed over has done nothing.
    fn give_up(&self, ending: &Ending, progress: &mut Progress) {
        let done_nothing = refusal(ending);
        progress.give_up(&done_nothing, &in_doubt(&done_nothing), |request| request.value() <= self.handed_over);
    }
}

impl Drop for PublishRequest {
    fn drop(&mut self) {
        self.registry.remove(self.id);
        let code = self.session.outbox().ending().map_or(Code::Finished, |(ending, _)| ending.code);
        self.registry.metrics().closed(code);
    }
}

fn refusal(ending: &Ending) -> Refusal {
    refused(ending.code.number(), &ending.sentence, ending.retry_after)
}
