//! The vectors of the protocol as bytes to send; what they mean is judged by the protocol's own tests, never here.

use serde_json::Value;

/// A golden frame.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Its name in the file.
    pub name: String,
    /// Who says it.
    pub speaker: Speaker,
    /// Its body.
    pub body: Vec<u8>,
}

/// A side of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The client.
    Client,
    /// The broker.
    Server,
}

/// What must be refused.
#[derive(Debug, Clone)]
pub struct Malformed {
    /// Its name in the file.
    pub name: String,
    /// What there is to send.
    pub what: Wrong,
    /// The error's name in the file.
    pub error: String,
}

/// What a malformed vector is.
#[derive(Debug, Clone)]
pub enum Wrong {
    /// One body that is no frame of this side's.
    Body(Speaker, Vec<u8>),
    /// The beginning of a stream.
    Stream(Vec<u8>),
    /// Frames in an order in which the last may not stand.
    Session(Vec<(Speaker, Vec<u8>)>),
}

/// Every frame of `frames.json`.
#[must_use]
pub fn golden() -> Vec<Golden> {
    let file = file("frames.json");
    let golden = |vector: &Value| Golden {
        name: text(vector, "name").to_owned(),
        speaker: speaker(text(vector, "direction")),
        body: bytes(vector),
    };
    list(&file, "frames").iter().map(golden).collect()
}

/// Every vector of `malformed.json`.
#[must_use]
pub fn malformed() -> Vec<Malformed> {
    let file = file("malformed.json");
    let malformed = |vector: &Value| {
        let what = match text(vector, "direction") {
            "stream" => Wrong::Stream(bytes(vector)),
            "session" => {
                let lines = list(vector, "lines").iter();
                Wrong::Session(lines.map(|line| (speaker(text(line, "from")), bytes(line))).collect())
            }
            direction => Wrong::Body(speaker(direction), bytes(vector)),
        };
        Malformed { name: text(vector, "name").to_owned(), what, error: text(vector, "error").to_owned() }
    };
    list(&file, "malformed").iter().map(malformed).collect()
}

/// A body as a stream carries it: behind its length.
#[must_use]
pub fn framed(body: &[u8]) -> Vec<u8> {
    let (mut stream, mut length) = (Vec::new(), body.len());
    while length > 0x7f {
        stream.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    stream.push(length as u8);
    stream.extend_from_slice(body);
    stream
}

fn file(name: &str) -> Value {
    let path = format!("{}/../protocol/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("`{field}` is a list in {value}"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("`{field}` is a text in {value}"))
}

fn speaker(name: &str) -> Speaker {
    match name {
        "client" => Speaker::Client,
        "server" => Speaker::Server,
        other => panic!("nobody is called {other}"),
    }
}

fn bytes(vector: &Value) -> Vec<u8> {
    let hex = text(vector, "hex");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits of base 16");
    (0..hex.len()).step_by(2).map(byte).collect()
}
