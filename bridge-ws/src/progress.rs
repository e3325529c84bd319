//! How far one HTTP request has come that publishes, whichever door it came by: what is said in its session, and what the
//! broker's answers and the session's end mean for each message. It reads no socket and writes none.

use std::ops::Range;

use bytes::Bytes;
use callboard_protocol::close::{Code, Return};
use callboard_protocol::error::Class;
use callboard_protocol::frame::{Answer, Failed, Publish, ServerFrame};
use callboard_protocol::{Millis, Position, Refusal, RequestId, Sequence};
use serde::Deserialize;

use crate::upstream::PublishItem;

/// What became of one message.
pub type Outcome = Result<Position, Refusal>;

/// Bytes that are said at once: what is said waits in memory, and one payload may go to many channels.
const SAID_BYTES: usize = 64 << 10;

/// One request on its way.
#[derive(Debug)]
pub struct Progress {
    messages: Vec<PublishItem>,
    /// How many of them were said.
    said: usize,
    /// By message, from the first on; the request's number is one more than its place.
    outcomes: Vec<Option<Outcome>>,
}

impl Progress {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(messages: Vec<PublishItem>) -> Self {
        Self { said: 0, outcomes: vec![None; messages.len()], messages }
    }

    /// How many messages there are: so many publishes are taken of what the key may have.
    #[must_use]
    pub fn publishes(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap_or(u32::MAX)
    }

    /// How many messages were said.
    #[must_use]
    pub fn said(&self) -> usize {
        self.said
    }

    /// Whether there is more to say.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.said < self.messages.len()
    }

    /// Whether every message has its outcome.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcomes.iter().all(Option::is_some)
    }

    /// The payloads of what [`Progress::say_some`] says next, in bytes.
    #[must_use]
    pub fn next_bytes(&self) -> usize {
        self.messages[self.next()].iter().map(|item| item.payload.bytes().len()).sum()
    }

    /// Says the next messages, each with the memory that its payload lies in, and stops behind the one that makes it much.
    /// One that cannot be said fails alone.
    pub fn say_some(&mut self, mut say: impl FnMut(&Publish<'_>, &Bytes) -> Result<(), Refusal>) {
        for place in self.next() {
            let item = &self.messages[place];
            let publish = Publish {
                request: RequestId::saturating(place as u64 + 1),
                sequence: Sequence::ZERO,
                channel: &item.channel,
                key: item.key.as_deref(),
                payload: item.payload.borrowed(),
            };
            if let Err(refusal) = say(&publish, item.payload.bytes()) {
                self.outcomes[place] = Some(Err(refusal));
            }
            self.said += 1;
        }
    }

    fn next(&self) -> Range<usize> {
        let (mut bytes, mut end) = (0, self.said);
        while bytes < SAID_BYTES
            && let Some(item) = self.messages.get(end)
        {
            bytes += item.channel.len() + item.payload.bytes().len();
            end += 1;
        }
        self.said..end
    }

    /// Takes an answer. Whether it says that a message was published.
    pub fn hear(&mut self, frame: &ServerFrame<'_>) -> bool {
        let (request, outcome) = if let ServerFrame::Ok { request, answer: Answer::Published(position) } = frame {
            (*request, Ok(*position))
        } else if let ServerFrame::Failed(failed) = frame {
            (failed.request, Err(refusal(failed)))
        } else {
            return false;
        };
        let is_published = outcome.is_ok();
        if let Some(slot) = place(request).and_then(|place| self.outcomes.get_mut(place)) {
            *slot = Some(outcome);
        }
        is_published
    }

    /// The session is over: gives each message that was not answered its outcome, by whether it may have been published.
    pub fn give_up(&mut self, done_nothing: &Refusal, in_doubt: &Refusal, may_be_done: impl Fn(RequestId) -> bool) {
        for (outcome, request) in self.outcomes.iter_mut().zip(1..) {
            let why = if may_be_done(RequestId::saturating(request)) { in_doubt } else { done_nothing };
            outcome.get_or_insert_with(|| Err(why.clone()));
        }
    }

    /// The outcomes in the order of the messages.
    #[must_use]
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.outcomes.into_iter().flatten().collect()
    }
}

/// What a session's end means for what was not published in it.
#[must_use]
pub fn refused(code: u16, sentence: &str, retry_after: Option<Millis>) -> Refusal {
    Refusal { retry_after, ..Refusal::new(class_of(code), sentence.to_owned()) }
}

/// The same for what may have been published before the end.
#[must_use]
pub fn in_doubt(refused: &Refusal) -> Refusal {
    let sentence = format!("{}; this may have been published before that", refused.sentence);
    Refusal { retry_after: refused.retry_after, ..Refusal::new(refused.class, sentence) }
}

fn class_of(code: u16) -> Class {
    if code == Code::RateExceeded.number() {
        return Class::TooManyRequests;
    }
    match Return::of(code) {
        Return::WithNewCredential => Class::NotAuthenticated,
        Return::Unasked | Return::AtOnce | Return::Later | Return::Never => Class::Unavailable,
    }
}

fn place(request: RequestId) -> Option<usize> {
    usize::try_from(request.value()).ok()?.checked_sub(1)
}

fn refusal(failed: &Failed<'_>) -> Refusal {
    /// PROTOCOL.md, "Failures": what the data of `too-many-requests` may tell.
    #[derive(Deserialize)]
    struct Data {
        retry_after_ms: u64,
    }
    let class = Class::from_name(failed.class).unwrap_or(Class::GeneralError);
    let data: Option<Data> = failed.data.and_then(|data| serde_json::from_slice(data.bytes()).ok());
    let retry_after = data.map(|data| Millis::saturating(data.retry_after_ms));
    Refusal { retry_after, ..Refusal::new(class, failed.sentence.to_owned()) }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{Epoch, Offset, Payload, PayloadRef};

    use super::*;

    fn progress(messages: usize, payload: &Payload) -> Progress {
        let item = |number| PublishItem { channel: format!("c/{number}"), key: None, payload: payload.clone() };
        Progress::new((0..messages).map(item).collect())
    }

    /// Says once; the requests' numbers, and how many bytes they took.
    fn say_once(progress: &mut Progress) -> (Vec<u64>, usize) {
        let (expected, mut numbers, mut bytes) = (progress.next_bytes(), Vec::new(), 0);
        progress.say_some(|publish, payload| {
            numbers.push(publish.request.value());
            bytes += payload.len();
            Ok(())
        });
        assert_eq!(bytes, expected);
        (numbers, bytes)
    }

    #[test]
    fn a_payload_for_many_channels_is_said_for_a_few_of_them_at_a_time() {
        let payload = Payload::text("x".repeat(50_000));
        let mut progress = progress(1000, &payload);
        let mut all = Vec::new();
        while progress.has_more() {
            let (numbers, bytes) = say_once(&mut progress);
            assert!(bytes <= SAID_BYTES + payload.bytes().len(), "{bytes} bytes at once");
            all.extend(numbers);
        }
        assert_eq!(all, (1..=1000).collect::<Vec<u64>>());
        assert!(say_once(&mut progress).0.is_empty());
    }

    #[test]
    fn what_cannot_be_said_fails_alone() {
        let mut progress = progress(2, &Payload::text("x"));
        let mut first = Some(Refusal::new(Class::PayloadTooLarge, "too long"));
        progress.say_some(|_, _| first.take().map_or(Ok(()), Err));
        assert!(!progress.is_done());
        let position = Position { epoch: Epoch::saturating(1), offset: Offset::saturating(1) };
        let request = RequestId::saturating(2);
        assert!(progress.hear(&ServerFrame::Ok { request, answer: Answer::Published(position) }));
        let told: Vec<_> = progress.into_outcomes().into_iter().map(|told| told.map_err(|told| told.class)).collect();
        assert_eq!(told, [Err(Class::PayloadTooLarge), Ok(position)]);
    }

    #[test]
    fn an_end_refuses_with_what_its_code_means() {
        for (code, class) in [
            (Code::BadCredential, Class::NotAuthenticated),
            (Code::RateExceeded, Class::TooManyRequests),
            (Code::Overloaded, Class::Unavailable),
        ] {
            let refused = refused(code.number(), code.sentence(), None);
            assert_eq!((refused.class, &*refused.sentence), (class, code.sentence()));
        }
    }

    #[test]
    fn only_what_may_have_been_done_and_was_not_answered_is_in_doubt() {
        let mut progress = progress(3, &Payload::text("x"));
        let (request, class) = (RequestId::saturating(1), Class::TooManyRequests);
        let data = Some(PayloadRef::json("{\"retry_after_ms\":70}"));
        let failed = Failed { request, code: class.code(), class: class.name(), sentence: "no", data };
        assert!(!progress.hear(&ServerFrame::Failed(failed)));
        let revoked = refused(Code::BadCredential.number(), "revoked", None);
        progress.give_up(&revoked, &in_doubt(&revoked), |request| request.value() <= 2);
        assert!(progress.is_done());
        let told: Vec<_> = progress.into_outcomes().into_iter().flat_map(Result::err).collect();
        assert_eq!(told[0].retry_after, Some(Millis::saturating(70)), "as the failure says");
        let sentences: Vec<&str> = told.iter().map(|told| &*told.sentence).collect();
        assert_eq!(sentences, ["no", "revoked; this may have been published before that", "revoked"]);
        assert_eq!((told[1].class, told[2].class), (Class::NotAuthenticated, Class::NotAuthenticated));
    }
}
