//! The vector files as Rust values; read at compile time, never written.

use serde_json::Value;

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
}

impl Speaker {
    fn of(name: &str) -> Self {
        match name {
            "client" => Self::Client,
            "server" => Self::Server,
            _ => panic!("no such speaker: {name}"),
        }
    }

    /// As the files write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// One line of `vectors/frames.json`.
#[derive(Debug, Clone)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) speaker: Speaker,
    pub(crate) body: Vec<u8>,
    pub(crate) frame: Value,
}

/// One line of `vectors/malformed.json`: what is wrong, and what it is refused as.
#[derive(Debug, Clone)]
pub(crate) enum Malformed {
    /// A body.
    Body { name: String, speaker: Speaker, body: Vec<u8>, error: String },
    /// A stream against [`callboard_protocol::limits::BODY_BYTES_MAX`].
    Stream { name: String, bytes: Vec<u8>, error: String },
    /// A dialogue; its last line may not stand there.
    Session { name: String, lines: Vec<(Speaker, Vec<u8>)>, error: String },
}

/// `vectors/frames.json`.
pub(crate) fn named_vectors() -> Vec<Vector> {
    list(include_str!("../../vectors/frames.json"), "frames")
        .iter()
        .map(|line| Vector {
            name: text(line, "name"),
            speaker: Speaker::of(&text(line, "direction")),
            body: bytes_of(&text(line, "hex")),
            frame: line["frame"].clone(),
        })
        .collect()
}

/// `vectors/malformed.json`.
pub(crate) fn malformed_vectors() -> Vec<Malformed> {
    list(include_str!("../../vectors/malformed.json"), "malformed").iter().map(malformed).collect()
}

/// `vectors/names.json`: the legal names, and the others with what is wrong.
pub(crate) fn names_file() -> (Vec<String>, Vec<(String, String)>) {
    let file = include_str!("../../vectors/names.json");
    let legal = list(file, "legal").iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
    (legal, list(file, "illegal").iter().map(|line| (text(line, "name"), text(line, "error"))).collect())
}

/// One line of a list of `vectors/json.json`.
#[derive(Debug, Clone)]
pub(crate) struct Line(Value);

impl Line {
    /// Its field `name`.
    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.0, name)
    }
}

/// A list of `vectors/json.json`: `frames`, `short` or `refused`.
pub(crate) fn json_file(key: &str) -> Vec<Line> {
    list(include_str!("../../vectors/json.json"), key).into_iter().map(Line).collect()
}

fn malformed(line: &Value) -> Malformed {
    let (name, error) = (text(line, "name"), text(line, "error"));
    match text(line, "direction").as_str() {
        "stream" => Malformed::Stream { name, bytes: bytes_of(&text(line, "hex")), error },
        "session" => {
            let lines = line["lines"].as_array().expect("lines").iter();
            let lines = lines.map(|l| (Speaker::of(&text(l, "from")), bytes_of(&text(l, "hex")))).collect();
            Malformed::Session { name, lines, error }
        }
        speaker => Malformed::Body { name, speaker: Speaker::of(speaker), body: bytes_of(&text(line, "hex")), error },
    }
}

fn list(file: &str, key: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).expect("the vector file is JSON");
    file[key].as_array().unwrap_or_else(|| panic!("the vector file has a list {key:?}")).clone()
}

fn text(line: &Value, key: &str) -> String {
    line[key].as_str().unwrap_or_else(|| panic!("{line} has a text {key:?}")).to_owned()
}

/// The bytes that `hex` writes.
pub(crate) fn bytes_of(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "half a byte: {hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits")).collect()
}

/// Lower-case hex.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of `vectors/frames.json`, for a person to paste.
pub(crate) fn line_of(name: &str, speaker: Speaker, body: &[u8], frame: &Value) -> String {
    format!(
        r#"    {{ "name": "{name}", "direction": "{}", "hex": "{}", "frame": {} }}"#,
        speaker.name(),
        hex_of(body),
        kind_first(frame)
    )
}

/// JSON on one line, each choice's `kind` before its fields.
fn kind_first(value: &Value) -> String {
    let Value::Object(fields) = value else { return value.to_string() };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| (*name != "kind", *name));
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {}", kind_first(value))).collect();
    format!("{{ {} }}", fields.join(", "))
}
