//! How messages and gaps are printed: for people, for pipes, as JSON; pure, and the payload is never read as anything
//! but what its kind says.

use anstyle::{AnsiColor, Effects, Style};
use callboard_protocol::{Kind, Millis, Payload, Position};
use data_encoding::{BASE64, HEXLOWER};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::value::RawValue;

use super::escape::{escape, escape_json};

const DIM: Style = Style::new().effects(Effects::DIMMED);
const CHANNEL: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Bytes of a binary payload that people are shown.
const BINARY_SHOWN: usize = 16;

/// For whom a line is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// People at a terminal: time, channel and payload, with colours, and nothing in it that the terminal acts upon.
    Terminal(TimeZone),
    /// A program that reads one channel: the payload as it came, and a line feed.
    Payload,
    /// A program that reads several: channel, tab, payload as it came, line feed.
    Tabbed,
    /// A program that reads JSON: one object a line.
    Json,
}

/// A message, borrowed from the client's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) channel: &'a str,
    pub(super) position: Position,
    pub(super) published: Millis,
    pub(super) publisher: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) payload: &'a Payload,
}

/// A stretch that is missing, borrowed from the client's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap<'a> {
    pub(super) channel: &'a str,
    pub(super) from: Option<Position>,
    pub(super) to: Position,
    /// For programs, in kebab case.
    pub(super) why: &'static str,
    /// For people.
    pub(super) sentence: &'a str,
}

/// The line of a message, with its line feed.
pub(super) fn message(message: &Message<'_>, format: &Format) -> Vec<u8> {
    match format {
        Format::Terminal(zone) => terminal(message, zone).into_bytes(),
        Format::Payload => [message.payload.bytes(), b"\n".as_slice()].concat(),
        Format::Tabbed => [message.channel.as_bytes(), b"\t", message.payload.bytes(), b"\n"].concat(),
        Format::Json => json_line(&JsonMessage::new(message)),
    }
}

/// The line of a gap on standard output: programs that read JSON get one, others only what standard error says.
pub(super) fn gap(gap: &Gap<'_>, format: &Format) -> Option<Vec<u8>> {
    match format {
        Format::Terminal(_) | Format::Payload | Format::Tabbed => None,
        Format::Json => {
            let gap_json = JsonGap { from: gap.from.map(Into::into), to: gap.to.into(), why: gap.why };
            Some(json_line(&JsonGapLine { channel: gap.channel, gap: gap_json }))
        }
    }
}

/// The sentence about a gap, for standard error.
pub(super) fn gap_sentence(gap: &Gap<'_>) -> String {
    let channel = escape(gap.channel);
    let (why, to) = (gap.sentence, gap.to.offset.value());
    match gap.from {
        Some(from) if from.epoch == gap.to.epoch && from.offset < gap.to.offset => {
            let first = from.offset.value() + 1;
            let missing =
                if first == to { format!("message {to} is") } else { format!("messages {first} to {to} are") };
            format!("{WARNING}{channel}: {missing} missing: {why}{WARNING:#}")
        }
        Some(_) | None => format!("{WARNING}{channel}: messages may be missing here: {why}{WARNING:#}"),
    }
}

fn terminal(message: &Message<'_>, zone: &TimeZone) -> String {
    let time = time(message.published, zone);
    let channel = escape(message.channel);
    format!("{DIM}{time}{DIM:#} {CHANNEL}{channel}{CHANNEL:#} {}\n", shown(message.payload))
}

/// The time of day to the millisecond.
fn time(at: Millis, zone: &TimeZone) -> String {
    i64::try_from(at.value())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "--:--:--.---".to_owned(), |at| at.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string())
}

fn shown(payload: &Payload) -> String {
    if let Some(text) = payload.as_str() {
        return escape(text).into_owned();
    }
    let bytes = payload.bytes();
    let first: Vec<String> = bytes.iter().take(BINARY_SHOWN).map(|byte| HEXLOWER.encode(&[*byte])).collect();
    let more = if bytes.len() > BINARY_SHOWN { " …" } else { "" };
    format!("{DIM}<{} bytes>{DIM:#} {}{more}", bytes.len(), first.join(" "))
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_string(value).expect("texts, numbers and checked JSON have a form in JSON");
    let mut line = escape_json(&json).into_owned();
    line.push('\n');
    line.into_bytes()
}

#[derive(Serialize)]
struct JsonMessage<'a> {
    channel: &'a str,
    offset: u64,
    epoch: u64,
    published: u64,
    publisher: Option<&'a str>,
    key: Option<&'a str>,
    kind: &'static str,
    payload: JsonPayload<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonPayload<'a> {
    Text(&'a str),
    Value(Box<RawValue>),
    Base64(String),
}

#[derive(Serialize)]
struct JsonGapLine<'a> {
    channel: &'a str,
    gap: JsonGap,
}

#[derive(Serialize)]
struct JsonGap {
    from: Option<JsonPosition>,
    to: JsonPosition,
    why: &'static str,
}

#[derive(Serialize)]
struct JsonPosition {
    offset: u64,
    epoch: u64,
}

impl From<Position> for JsonPosition {
    fn from(position: Position) -> Self {
        Self { offset: position.offset.value(), epoch: position.epoch.value() }
    }
}

impl<'a> JsonMessage<'a> {
    fn new(message: &Message<'a>) -> Self {
        let (kind, payload) = json_payload(message.payload);
        Self {
            channel: message.channel,
            offset: message.position.offset.value(),
            epoch: message.position.epoch.value(),
            published: message.published.value(),
            publisher: message.publisher,
            key: message.key,
            kind,
            payload,
        }
    }
}

/// A payload that says it is JSON and is none comes as the text that it is: the broker does not look.
fn json_payload(payload: &Payload) -> (&'static str, JsonPayload<'_>) {
    match (payload.kind(), payload.as_str()) {
        (Kind::Json, Some(text)) => match one_line(text) {
            Some(value) => ("json", JsonPayload::Value(value)),
            None => ("text", JsonPayload::Text(text)),
        },
        (Kind::Text, Some(text)) => ("text", JsonPayload::Text(text)),
        (Kind::Binary, _) | (Kind::Text | Kind::Json, None) => {
            ("binary", JsonPayload::Base64(BASE64.encode(payload.bytes())))
        }
    }
}

/// The JSON text, otherwise unchanged, on one line: a string in it has no raw line feed, so each one is a blank.
fn one_line(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.trim().replace(['\n', '\r'], " ")).ok()
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{Epoch, Offset};

    use super::*;

    fn position(offset: u64) -> Position {
        Position { epoch: Epoch::saturating(171), offset: Offset::saturating(offset) }
    }

    fn line(payload: &Payload, format: &Format) -> String {
        let line = message(
            &Message {
                channel: "demo/hello",
                position: position(12),
                published: Millis::saturating(1_800_000_000_123),
                publisher: Some("reporter"),
                key: None,
                payload,
            },
            format,
        );
        String::from_utf8_lossy(&line).into_owned()
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn people_see_time_channel_and_payload_in_colours() {
        let line = line(&Payload::text("hi"), &Format::Terminal(TimeZone::UTC));
        assert_eq!(line, "\u{1b}[2m08:00:00.123\u{1b}[0m \u{1b}[36mdemo/hello\u{1b}[0m hi\n");
    }

    #[test]
    fn a_payload_cannot_speak_to_the_terminal() {
        let line = line(&Payload::text("\u{1b}[2J\nfake"), &Format::Terminal(TimeZone::UTC));
        assert_eq!(plain(&line), "08:00:00.123 demo/hello \\u{1b}[2J\\nfake\n");
    }

    #[test]
    fn people_see_the_size_and_the_beginning_of_bytes() {
        let format = Format::Terminal(TimeZone::UTC);
        assert_eq!(plain(&line(&Payload::binary(vec![0, 255]), &format)), "08:00:00.123 demo/hello <2 bytes> 00 ff\n");
        assert!(
            plain(&line(&Payload::binary(vec![7; 17]), &format))
                .ends_with("<17 bytes> 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 …\n")
        );
    }

    #[test]
    fn pipes_get_the_payload_as_it_came() {
        assert_eq!(line(&Payload::text("\u{1b}[1mhi"), &Format::Payload), "\u{1b}[1mhi\n");
        assert_eq!(line(&Payload::json("{ }"), &Format::Tabbed), "demo/hello\t{ }\n");
    }

    #[test]
    fn json_lines_are_one_object_a_line() {
        let head = r#"{"channel":"demo/hello","offset":12,"epoch":171,"published":1800000000123,"publisher":"reporter","key":null,"#;
        for (payload, tail) in [
            (Payload::text("a\n\"b\""), r#""kind":"text","payload":"a\n\"b\""}"#),
            (Payload::json("{ \"b\": 1e400,\n \"a\": [] }\n"), r#""kind":"json","payload":{ "b": 1e400,  "a": [] }}"#),
            (Payload::json("{broken"), r#""kind":"text","payload":"{broken"}"#),
            (Payload::json("1} , {\"x\":1"), r#""kind":"text","payload":"1} , {\"x\":1"}"#),
            (Payload::binary(vec![0, 255]), r#""kind":"binary","payload":"AP8="}"#),
        ] {
            assert_eq!(line(&payload, &Format::Json), format!("{head}{tail}\n"));
        }
    }

    #[test]
    fn json_lines_cannot_speak_to_the_terminal_and_mean_the_same() {
        for payload in [Payload::text("\u{9b}31m\u{7f}\u{202e}ü"), Payload::json("\t\"\u{9b}31m\u{7f}\u{202e}ü\"")] {
            let line = line(&payload, &Format::Json);
            assert!(line.contains(r#""\u009b31m\u007f\u202eü""#), "{line}");
            let meant: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(meant["payload"], "\u{9b}31m\u{7f}\u{202e}ü");
        }
    }

    #[test]
    fn depth_in_a_payload_is_no_way_to_end_the_program() {
        let deep = "[".repeat(100_000);
        assert!(line(&Payload::json(deep), &Format::Json).contains(r#""kind":"text""#));
    }

    #[test]
    fn gaps_are_told_to_whom_they_concern() {
        let mut the_gap = Gap {
            channel: "demo/hello",
            from: Some(position(4)),
            to: position(9),
            why: "slow-consumer",
            sentence: "the reader was too slow",
        };
        let wanted = "demo/hello: messages 5 to 9 are missing: the reader was too slow";
        assert_eq!(plain(&gap_sentence(&the_gap)), wanted);
        assert_eq!(gap(&the_gap, &Format::Payload), None);
        let line = String::from_utf8(gap(&the_gap, &Format::Json).expect("a line")).expect("text");
        let wanted = r#"{"channel":"demo/hello","gap":{"from":{"offset":4,"epoch":171},"to":{"offset":9,"epoch":171},"why":"slow-consumer"}}"#;
        assert_eq!(line, format!("{wanted}\n"));
        the_gap.from = Some(position(8));
        assert!(plain(&gap_sentence(&the_gap)).contains("message 9 is missing"));
        the_gap.from = None;
        assert!(plain(&gap_sentence(&the_gap)).contains("messages may be missing here"));
    }
}
