//! The body of `POST /v1/publish`, read: bounded in memory whatever it holds, and never repeated in what is said of it.

use std::fmt;
use std::marker::PhantomData;

use callboard_protocol::Payload;
use callboard_protocol::codec::decode_client;
use callboard_protocol::error::Class;
use callboard_protocol::frame::ClientFrame;
use callboard_protocol::limits::KEY_BYTES_MAX;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::denial::Denial;
use crate::dialect::{Dialect, Incoming, Refused};
use crate::upstream::PublishItem;

/// One message, or several of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishBody<'a> {
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    channel: Option<String>,
    #[serde(borrow)]
    channels: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// One message to one or more channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageBody<'a> {
    channel: Option<String>,
    #[serde(borrow)]
    channels: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// The messages of a body, one for each channel of each, and at most `most` of them.
///
/// # Errors
///
/// What is wrong with the body.
pub(crate) fn parse(most: usize, text: &[u8]) -> Result<Vec<PublishItem>, Denial> {
    let Object(body): Object<PublishBody<'_>> = serde_json::from_slice(text).map_err(|error| {
        bad(format!(
            "the body is not a publish request: {} at line {} column {}",
            told(&error),
            error.line(),
            error.column()
        ))
    })?;
    let PublishBody { messages, channel, channels, key, payload } = body;
    let items = match messages {
        None => vec![Object(MessageBody { channel, channels, key, payload })],
        Some(items) if channel.is_none() && channels.is_none() && key.is_none() && payload.is_none() => {
            few(most, items).map_err(|fault| fault.of("messages", most))?
        }
        Some(_) => return Err(bad("give either `messages`, or one message's `channel`, `key` and `payload`")),
    };
    let mut publishes = Vec::new();
    for (index, Object(item)) in items.into_iter().enumerate() {
        let (key, payload) = content(&item).map_err(|sentence| bad(format!("message {index}: {sentence}")))?;
        let channels = match (item.channel, item.channels) {
            (Some(channel), None) => vec![channel],
            (None, Some(channels)) => few(most, channels).map_err(|fault| fault.of("channels", most))?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(bad(format!("message {index}: give either `channel` or `channels`")));
            }
        };
        if publishes.len() + channels.len() > most {
            return Err(too_many(most));
        }
        let publish = |channel| PublishItem { channel, key: key.clone(), payload: payload.clone() };
        publishes.extend(channels.into_iter().map(publish));
    }
    if publishes.is_empty() { Err(bad("there is nothing to publish")) } else { Ok(publishes) }
}

/// What is wrong with a body that did not come whole, or is none of a publish.
pub(super) fn bad(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Denial {
    Denial::new(Class::BadRequest, sentence)
}

fn too_many(most: usize) -> Denial {
    Denial::new(Class::PayloadTooLarge, format!("one request publishes at most {most} messages"))
}

/// What serde_json says of a text, without its place and without what it repeats: a value stands before the last of
/// these words.
fn told(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = said.strip_suffix(&place).unwrap_or(&said);
    said.rsplit_once(", expected ").map_or_else(|| said.to_owned(), |(_, wanted)| format!("expected {wanted}"))
}

/// What is wrong with a list.
enum Fault {
    TooMany,
    Other(String),
}

impl Fault {
    fn of(self, name: &str, most: usize) -> Denial {
        match self {
            Self::TooMany => too_many(most),
            Self::Other(sentence) => bad(format!("`{name}`: {sentence}")),
        }
    }
}

/// What is written as an object: what serde derives takes an array of the fields' values as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads a list of at most `most`: two bytes of a body can ask for a hundred of memory.
fn few<'a, T: Deserialize<'a>>(most: usize, list: &'a RawValue) -> Result<Vec<T>, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(list.get());
    let read = Few { most, items: Vec::new() }.deserialize(&mut deserializer);
    let (items, is_all) = read.map_err(|error| Fault::Other(told(&error)))?;
    if is_all { Ok(items) } else { Err(Fault::TooMany) }
}

struct Few<T> {
    most: usize,
    items: Vec<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Few<T> {
    type Value = (Vec<T>, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
    type Value = (Vec<T>, bool);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
        while self.items.len() < self.most {
            let Some(item) = list.next_element()? else { return Ok((self.items, true)) };
            self.items.push(item);
        }
        let mut is_all = true;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_all = false;
        }
        Ok((self.items, is_all))
    }
}

/// Reads key and payload as the JSON dialect does, so that there is one way to write them.
fn content(item: &MessageBody<'_>) -> Result<(Option<String>, Payload), String> {
    let payload = item.payload.ok_or("there is no `payload`")?;
    let key = item.key.map_or("null", RawValue::get);
    let frame = format!(r#"{{"kind":"Publish","channel":"","key":{key},"payload":{payload}}}"#);
    let own_words = |refused: Refused| match refused.sentence.strip_prefix("Publish.") {
        Some(sentence) => sentence.to_owned(),
        None => refused.sentence,
    };
    let body = Dialect::Json.decode(Incoming::Text(&frame), [0; 16]).map_err(own_words)?;
    match decode_client(&body) {
        // Each channel's message has the key, so it is bounded before there are many of them.
        Ok(ClientFrame::Publish(publish)) if publish.key.is_some_and(|key| key.len() > KEY_BYTES_MAX) => {
            Err(format!("a message key has at most {KEY_BYTES_MAX} bytes"))
        }
        Ok(ClientFrame::Publish(publish)) => Ok((publish.key.map(str::to_owned), publish.payload.share(&body))),
        Ok(_) | Err(_) => Err("it is not a message".into()),
    }
}
