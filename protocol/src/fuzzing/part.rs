//! Laws about what stands inside frames: names, payloads, places and the numbers of the registries; never about bytes.

use bytes::Bytes;

use crate::close::{Code, Return};
use crate::error::Class;
use crate::frame::{Failed, Goodbye, Start, SubscribeOptions};
use crate::integer::{Nonce, Offset, Position, RequestId, TooLarge};
use crate::limits::INTEGER_MAX;
use crate::name::{ChannelName, NameError};
use crate::payload::{Kind, Payload, PayloadRef};

/// A channel's name is taken exactly if PROTOCOL.md, "Channel names", allows it, and then as it is.
pub(super) fn channel_name(name: &str) {
    let segments = name.as_bytes().split(|byte| *byte == b'/');
    let good_segments = segments.clone().all(|segment| !matches!(segment, b"" | b"*" | b"**"));
    // In UTF-8 the control characters above U+007F are C2 80 to C2 9F.
    let control = name.bytes().any(|byte| byte < 0x20 || byte == 0x7f)
        || name.as_bytes().windows(2).any(|pair| matches!(pair, [0xc2, 0x80..=0x9f]));
    let legal = good_segments && !control && name.len() <= 255;
    match name.parse::<ChannelName>() {
        Ok(parsed) => {
            assert!(legal, "{name:?} is taken");
            assert_eq!((parsed.as_str(), parsed.as_ref()), (name, name));
            assert!(parsed.segments().map(str::as_bytes).eq(segments));
            // A map of names is asked with plain text.
            assert_eq!(std::borrow::Borrow::<str>::borrow(&parsed), name);
            assert_eq!((parsed.to_string(), format!("{parsed:?}")), (name.to_owned(), format!("{name:?}")));
        }
        Err(error) => {
            assert!(!legal, "{name:?} is refused: {error}");
            let fits = match error {
                NameError::Empty => name.is_empty(),
                NameError::TooLong { bytes } => bytes == name.len() && bytes > 255,
                NameError::Control { character } => control && name.contains(character),
                NameError::EmptySegment | NameError::Pattern => !good_segments,
            };
            assert!(fits, "{name:?} is refused for what is not so: {error}");
            assert!(!error.to_string().chars().any(char::is_control), "a sentence for people, whatever the name has");
        }
    }
}

/// A payload means the same borrowed, shared and owned, and only text is given out as text.
pub(super) fn payload(payload: PayloadRef<'_>, body: &[u8]) {
    let (kind, bytes) = (payload.kind(), payload.bytes());
    let owned = payload.to_owned();
    assert_eq!((owned.kind(), &owned.bytes()[..], owned.borrowed()), (kind, bytes, payload));
    let again = match (kind, owned.as_str()) {
        (Kind::Text, Some(text)) => {
            assert_eq!((Payload::from(text), PayloadRef::text(text)), (owned.clone(), payload));
            Payload::from(text.to_owned())
        }
        (Kind::Json, Some(json)) => {
            assert_eq!(PayloadRef::json(json), payload);
            Payload::json(json)
        }
        (Kind::Binary, None) => {
            assert_eq!(PayloadRef::binary(bytes), payload);
            Payload::binary(Bytes::copy_from_slice(bytes))
        }
        (Kind::Text | Kind::Json, None) | (Kind::Binary, Some(_)) => panic!("{kind:?} is text, or is not, by its kind"),
    };
    assert_eq!(again, owned);
    // Sharing is for payloads that were decoded from the very body that they share.
    let range = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
    let whole = body.as_ptr() as usize..=body.as_ptr() as usize + body.len();
    assert!(whole.contains(&range.start) && whole.contains(&range.end), "a payload is borrowed, never copied");
}

/// A code of the registry names itself, and every code is read by its range.
pub(super) fn goodbye(goodbye: &Goodbye<'_>) {
    let known = Code::from_number(goodbye.code);
    assert_eq!(Code::ALL.iter().copied().find(|code| code.number() == goodbye.code), known);
    if let Some(code) = known {
        assert_eq!(code.number(), goodbye.code);
        assert!(!code.name().is_empty() && !code.sentence().is_empty());
        assert!((4000..=4499).contains(&goodbye.code), "every known code is in a range");
    }
    let by_range = match goodbye.code / 100 {
        40 => Return::Unasked,
        41 => Return::AtOnce,
        43 => Return::WithNewCredential,
        44 => Return::Never,
        _ => Return::Later,
    };
    assert_eq!(Return::of(goodbye.code), by_range);
}

/// A class of the registry names itself and has one code.
pub(super) fn failed(failed: &Failed<'_>) {
    if let Some(class) = Class::from_name(failed.class) {
        assert_eq!(class.name(), failed.class);
        assert!((400..600).contains(&class.code()) && Class::ALL.contains(&class));
    }
}

/// A start and its options say what they say.
pub(super) fn start(start: Start, options: SubscribeOptions) {
    if let Start::Recover(position) = start {
        place(position);
    }
    let own = options.contains(SubscribeOptions::EXCLUDE_OWN);
    assert_eq!(own, options.0 % 2 == 1);
    assert_eq!(options.unknown().0 | u32::from(own), options.0, "what is not known is left, and nothing else");
}

/// A place in a channel, and the one after it.
pub(super) fn place(position: Position) {
    let Position { epoch, offset } = position;
    assert_eq!(position.to_string(), format!("{}@{:x}", offset.value(), epoch.value()));
    assert_eq!(offset.next().value(), offset.value().saturating_add(1).min(INTEGER_MAX));
    assert!(offset <= offset.next());
}

/// An integer of the wire is one of 2^53; a larger one is refused, or the largest.
pub(super) fn integer(integer: Nonce) {
    let value = integer.value();
    assert!(value <= INTEGER_MAX);
    assert_eq!((Nonce::new(value), Nonce::saturating(value), u64::from(integer)), (Ok(integer), integer, value));
    assert_eq!(integer.to_string(), value.to_string());
    let beyond = INTEGER_MAX + 1 + value;
    let refused = RequestId::try_from(beyond).expect_err("it is above 2^53 - 1");
    assert_eq!((refused, Offset::saturating(beyond).value()), (TooLarge(beyond), INTEGER_MAX));
    assert!(refused.to_string().starts_with(&beyond.to_string()));
}
