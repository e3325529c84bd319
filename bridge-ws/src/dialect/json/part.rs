//! What the frames' fields hold, read from JSON values: one reader a type of PROTOCOL.md, and no frame.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{Frame, encode};
use callboard_protocol::frame::{Credential, Goodbye, Identity, Start};
use callboard_protocol::limits::INTEGER_MAX;
use callboard_protocol::{PayloadRef, Position};
use serde_json::value::RawValue;

use super::object::{Fault, Object};
use super::value::flaw;

/// The body of a frame that was read.
pub(super) fn body_of<F: Frame>(frame: &F) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    encode(frame, &mut body).map_err(|error| Fault::too_long(error.to_string()))?;
    Ok(body.freeze())
}

/// An integer of the wire.
pub(super) fn integer<T: TryFrom<u64>>(value: &RawValue) -> Result<T, Fault> {
    number(value, INTEGER_MAX)
}

/// A u32.
pub(super) fn wide(value: &RawValue) -> Result<u32, Fault> {
    number(value, u32::MAX.into())
}

/// A u16.
pub(super) fn short(value: &RawValue) -> Result<u16, Fault> {
    number(value, u16::MAX.into())
}

/// PROTOCOL.md, "JSON": an integer is digits alone; `1.0` and `1e3` are other numbers to some readers.
fn number<T: TryFrom<u64>>(value: &RawValue, max: u64) -> Result<T, Fault> {
    // Each type knows its own maximum; `max` is what is said of it.
    let number = value.get().parse::<u64>().ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| Fault::new(format!("must be an integer from 0 to {max}, in digits alone")))
}

/// A bool.
pub(super) fn boolean(value: &RawValue) -> Result<bool, Fault> {
    match value.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::new("must be true or false")),
    }
}

/// A text; it borrows where nothing is escaped.
pub(super) fn text(value: &RawValue) -> Result<Cow<'_, str>, Fault> {
    let json = value.get();
    let Some(inside) = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) else {
        return Err(Fault::new("must be a string"));
    };
    if !inside.contains('\\') {
        return Ok(Cow::Borrowed(inside));
    }
    // The grammar was seen to, so only one thing can be wrong.
    let text = serde_json::from_str::<String>(json);
    text.map(Cow::Owned).map_err(|_| Fault::new("has half of a surrogate pair, which is no text"))
}

/// The 16 bytes of an instance or an address.
pub(super) fn sixteen_bytes(value: &RawValue) -> Result<[u8; 16], Fault> {
    let wrong = || Fault::new("must be a string of 32 hex digits");
    let digits = text(value).map_err(|_| wrong())?;
    unhex(&digits).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

/// The bytes that `digits` write, two digits of either case each.
fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

/// A position.
pub(super) fn position(value: &RawValue) -> Result<Position, Fault> {
    let object = Object::of_value(value)?.only(&["epoch", "offset"])?;
    Ok(Position { epoch: object.must("epoch", integer)?, offset: object.must("offset", integer)? })
}

/// The two texts of a credential or an identity, which borrow from the message or own what was unescaped.
pub(super) struct Pair<'a>(Cow<'a, str>, Cow<'a, str>);

impl Pair<'_> {
    pub(super) fn credential(&self) -> Credential<'_> {
        Credential { strategy: &self.0, secret: &self.1 }
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        Identity { strategy: &self.0, key: &self.1 }
    }
}

/// A credential.
pub(super) fn credential(value: &RawValue) -> Result<Pair<'_>, Fault> {
    // PROTOCOL.md, "Credential": a secret is put into no sentence, and it might stand where a name should.
    let object = Object::of_value(value).and_then(|object| object.only(&["strategy", "secret"]));
    let object = object.map_err(|_| Fault::new("must be an object with `strategy` and `secret`, each once, only"))?;
    Ok(Pair(object.must("strategy", text)?, object.must("secret", text)?))
}

/// An identity.
pub(super) fn identity(value: &RawValue) -> Result<Pair<'_>, Fault> {
    let object = Object::of_value(value)?.only(&["strategy", "key"])?;
    Ok(Pair(object.must("strategy", text)?, object.must("key", text)?))
}

/// A start; `Live` may be its name alone.
pub(super) fn start(value: &RawValue) -> Result<Start, Fault> {
    if value.get() == "\"Live\"" {
        return Ok(Start::Live);
    }
    let object = Object::of_choice(value, "must be \"Live\" or an object of kind Live, Recover or Rewind")?;
    match &*object.must("kind", text)? {
        "Live" => object.only(&["kind"]).map(|_| Start::Live),
        "Recover" => Ok(Start::Recover(object.only(&["kind", "position"])?.must("position", position)?)),
        "Rewind" => Ok(Start::Rewind(object.only(&["kind", "messages"])?.must("messages", wide)?)),
        _ => Err(Fault::new("must be Live, Recover or Rewind").within("kind")),
    }
}

/// A payload that borrows from the message, or owns what was unescaped.
pub(super) enum Carried<'a> {
    Text(Cow<'a, str>),
    Json(Cow<'a, str>),
    Binary(Vec<u8>),
}

impl Carried<'_> {
    pub(super) fn borrowed(&self) -> PayloadRef<'_> {
        match self {
            Self::Text(text) => PayloadRef::text(text),
            Self::Json(json) => PayloadRef::json(json),
            Self::Binary(bytes) => PayloadRef::binary(bytes),
        }
    }
}

const PAYLOAD_FORMS: &str = "must be a string, or an object with a `kind`, such as {\"kind\":\"json\",\"json\":…}";

/// A payload; a string alone is one of text.
pub(super) fn payload(value: &RawValue) -> Result<Carried<'_>, Fault> {
    if value.get().starts_with('"') {
        return text(value).map(Carried::Text);
    }
    let object = Object::of_choice(value, PAYLOAD_FORMS)?;
    if object.get("kind").is_none() {
        // Who comes here has most likely written the value itself.
        return Err(Fault::new(PAYLOAD_FORMS));
    }
    match &*object.must("kind", text)? {
        "text" => object.only(&["kind", "text"])?.must("text", text).map(Carried::Text),
        "json" => json_payload(&object.only(&["kind", "json", "text"])?),
        "binary" => object.only(&["kind", "hex"])?.must("hex", hex).map(Carried::Binary),
        _ => Err(Fault::new("must be text, json or binary").within("kind")),
    }
}

/// PROTOCOL.md, "JSON": the value itself, whose text is carried as it stands, or its text, which need not parse.
fn json_payload<'a>(object: &Object<'a>) -> Result<Carried<'a>, Fault> {
    match (object.get("json"), object.get("text")) {
        (Some(_), None) => object.must("json", |value| match flaw(value) {
            None => Ok(Carried::Json(Cow::Borrowed(value.get()))),
            Some(flaw) => Err(Fault::new(format!("{flaw}; it may go as `text`"))),
        }),
        (None, Some(_)) => object.must("text", text).map(Carried::Json),
        (Some(_), Some(_)) | (None, None) => {
            Err(Fault::new("must have one of `json`, any value, and `text`, the value's text"))
        }
    }
}

fn hex(value: &RawValue) -> Result<Vec<u8>, Fault> {
    let wrong = || Fault::new("must be a string of hex digits, two a byte");
    unhex(&text(value).map_err(|_| wrong())?).ok_or_else(wrong)
}

/// A `Goodbye`, the same from either side; what it says is handed to `say`.
pub(super) fn goodbye(
    object: Object<'_>,
    say: impl FnOnce(Goodbye<'_>) -> Result<Bytes, Fault>,
) -> Result<Bytes, Fault> {
    let object = object.only(&["kind", "code", "sentence", "retry_after"])?;
    let finished = callboard_protocol::close::Code::Finished.number();
    let sentence = object.or("sentence", text, Cow::Borrowed(""))?;
    let retry_after = object.option("retry_after", integer)?;
    say(Goodbye { code: object.or("code", short, finished)?, sentence: &sentence, retry_after })
}
