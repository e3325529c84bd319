//! The usual lines of a dialogue, so that a test spells out only those that it is about.

use callboard_protocol::frame::{
    Answer, ClientFrame, Credential, Goodbye, Hello, Publish, ServerFrame, Start, Subscribe, SubscribeOptions,
    Subscribed, Unsubscribe,
};
use callboard_protocol::{ConnectionId, Payload, Position, RequestId, Sequence};

use super::body::{Body, Failure, Message};
use super::peer::Peer;

/// What a raw peer says it is.
const AGENT: &str = "callboard-tests";

impl Peer {
    /// Opens the session as an anonymous peer.
    pub async fn hello(&mut self) -> ConnectionId {
        self.hello_as(None).await
    }

    /// Says hello, where what comes of it is what the test is about.
    pub async fn send_hello(&mut self) {
        self.send_hello_as(None).await;
    }

    /// The same, showing a credential if there is one.
    pub async fn send_hello_as(&mut self, credential: Option<Credential<'_>>) {
        let hello = Hello { agent: AGENT, instance: self.instance, capabilities: 0, credential };
        self.send(&ClientFrame::Hello(hello)).await;
    }

    /// Opens the session, showing a credential if there is one.
    pub async fn hello_as(&mut self, credential: Option<Credential<'_>>) -> ConnectionId {
        self.send_hello_as(credential).await;
        let connection = |frame: ServerFrame<'_>| {
            let ServerFrame::Welcome(welcome) = frame else { return None };
            Some(welcome.connection)
        };
        self.expect("Welcome", connection).await
    }

    /// Subscribes to a channel's live messages.
    pub async fn subscribe(&mut self, channel: &str) -> Subscribed {
        self.subscribe_from(channel, Start::Live).await
    }

    /// Subscribes to a channel from where `start` says.
    pub async fn subscribe_from(&mut self, channel: &str, start: Start) -> Subscribed {
        self.try_subscribe(channel, start, SubscribeOptions::NONE)
            .await
            .unwrap_or_else(|failure| panic!("no subscription to {channel}: {failure:?}"))
    }

    /// Asks for a subscription, where the refusal may be what the test is about.
    ///
    /// # Errors
    ///
    /// The broker's.
    pub async fn try_subscribe(
        &mut self,
        channel: &str,
        start: Start,
        options: SubscribeOptions,
    ) -> Result<Subscribed, Failure> {
        let request = self.next_request();
        self.send(&ClientFrame::Subscribe(Subscribe { request, channel, start, options })).await;
        self.answer(request, |answer| if let Answer::Subscribed(subscribed) = answer { Some(subscribed) } else { None })
            .await
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&mut self, channel: &str) {
        let request = self.next_request();
        self.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).await;
        let done = self.answer(request, |answer| matches!(answer, Answer::Done).then_some(())).await;
        done.unwrap_or_else(|failure| panic!("{channel} was not unsubscribed: {failure:?}"));
    }

    /// Publishes and waits for the acknowledgement.
    pub async fn publish(&mut self, channel: &str, payload: impl Into<Payload>) -> Position {
        let published = self.try_publish(channel, payload).await;
        published.unwrap_or_else(|failure| panic!("{channel} took no message: {failure:?}"))
    }

    /// Publishes, where the refusal may be what the test is about.
    ///
    /// # Errors
    ///
    /// The broker's.
    pub async fn try_publish(&mut self, channel: &str, payload: impl Into<Payload>) -> Result<Position, Failure> {
        let (request, payload) = (self.next_request(), payload.into());
        self.say_publish(request, channel, &payload).await;
        self.answer(request, |answer| if let Answer::Published(position) = answer { Some(position) } else { None })
            .await
    }

    /// Publishes without asking for an acknowledgement.
    pub async fn cast(&mut self, channel: &str, payload: impl Into<Payload>) {
        self.say_publish(RequestId::ZERO, channel, &payload.into()).await;
    }

    async fn say_publish(&mut self, request: RequestId, channel: &str, payload: &Payload) {
        let publish = Publish { request, sequence: Sequence::ZERO, channel, key: None, payload: payload.borrowed() };
        self.send(&ClientFrame::Publish(publish)).await;
    }

    /// Hears the next message.
    pub async fn message(&mut self) -> Message {
        let message = |frame: ServerFrame<'_>| {
            let ServerFrame::Message(message) = frame else { return None };
            Some(message.into())
        };
        self.expect("Message", message).await
    }

    /// Hears the broker say goodbye; its code and sentence.
    pub async fn goodbye(&mut self) -> (u16, String) {
        let goodbye = |frame: ServerFrame<'_>| {
            let ServerFrame::Goodbye(goodbye) = frame else { return None };
            Some((goodbye.code, goodbye.sentence.to_owned()))
        };
        self.expect("Goodbye", goodbye).await
    }

    /// Says goodbye.
    pub async fn say_goodbye(&mut self, code: u16) {
        self.send(&ClientFrame::Goodbye(Goodbye { code, sentence: "", retry_after: None })).await;
    }

    /// Waits for a request's answer. What is heard before it is kept, in order, for [`Peer::receive`].
    ///
    /// # Errors
    ///
    /// The failure, if that is the answer.
    ///
    /// # Panics
    ///
    /// If the session ends before, or `pick` finds another kind of answer.
    pub async fn answer<T>(
        &mut self,
        request: RequestId,
        pick: impl FnOnce(Answer<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        let body = self.answered(request).await;
        if let ServerFrame::Ok { answer, .. } = body.frame() {
            return Ok(pick(answer).unwrap_or_else(|| panic!("request {request} was answered {answer:?}")));
        }
        let ServerFrame::Failed(failed) = body.frame() else { unreachable!("only these two answer a request") };
        Err(failed.into())
    }

    async fn answered(&mut self, request: RequestId) -> Body {
        loop {
            let body = self.read().await;
            let body =
                body.unwrap_or_else(|ending| panic!("request {request} had no answer, and it ended: {ending:?}"));
            if answered_by(body.frame()) == Some(request) {
                return body;
            }
            self.passed_over.push_back(body);
        }
    }
}

fn answered_by(frame: ServerFrame<'_>) -> Option<RequestId> {
    if let ServerFrame::Ok { request, .. } = frame {
        return Some(request);
    }
    let ServerFrame::Failed(failed) = frame else { return None };
    Some(failed.request)
}
