//! PROTOCOL.md says what this crate does: its tables are the registries, its lists decode the vectors, its examples are them.

mod golden;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use callboard_protocol::close::{Code, Return};
use callboard_protocol::error::Class;
use callboard_protocol::{limits, version};
use serde_json::{Map, Value, json};

use golden::{Speaker, hex_of, named_vectors};

const DOCUMENT: &str = include_str!("../../PROTOCOL.md");

/// A name and its type, as the document writes them.
type Field = (String, String);

/// What stands under one heading.
#[derive(Debug, Default)]
struct Section {
    /// Of a frame: its number.
    number: Option<u64>,
    fields: Vec<Field>,
    rows: Vec<Vec<String>>,
    /// Names and hex.
    examples: Vec<(String, String)>,
}

/// Sections by heading; a frame's heading is prefixed by who sends it.
fn sections() -> BTreeMap<String, Section> {
    let mut sections = BTreeMap::<String, Section>::new();
    let (mut heading, mut speaker) = (String::new(), "");
    for line in DOCUMENT.lines() {
        if let Some(title) = line.strip_prefix("#### ") {
            let (number, name) = title.split_once(' ').expect("a frame's heading is its number and its name");
            heading = format!("{speaker} {name}");
            sections.entry(heading.clone()).or_default().number = number.parse().ok();
        } else if let Some(title) = line.strip_prefix("### ").or(line.strip_prefix("## ")) {
            speaker = match title {
                "From client to broker" => "client",
                "From broker to client" => "server",
                _ => "",
            };
            title.clone_into(&mut heading);
        }
        let section = sections.entry(heading.clone()).or_default();
        if let Some((name, hex)) = line.strip_prefix("* example `").and_then(|rest| rest.split_once("`: `")) {
            section.examples.push((name.to_owned(), hex.trim_end_matches('`').to_owned()));
        } else if let Some((name, rest)) = line.strip_prefix("* `").and_then(|rest| rest.split_once("` (")) {
            let (kind, _) = rest.split_once("): ").expect("a field is `name` (type): meaning");
            section.fields.push((name.to_owned(), kind.to_owned()));
        } else if let Some(row) = line.strip_prefix("| ").filter(|row| !row.starts_with("---")) {
            let cells = row.trim_end_matches('|').split(" | ");
            section.rows.push(cells.map(|cell| cell.trim().trim_matches('|').trim().to_owned()).collect());
        }
    }
    sections
}

/// The rows of a table without its head, back-quotes taken off.
fn rows(heading: &str, head: &[&str]) -> Vec<Vec<String>> {
    let rows = sections().remove(heading).unwrap_or_else(|| panic!("PROTOCOL.md has a heading {heading:?}")).rows;
    let start = rows.iter().position(|row| row == head).expect("the table is there");
    let rows = rows[start + 1..].iter().map(|row| row.iter().map(|cell| cell.replace('`', "")).collect());
    rows.collect()
}

#[test]
fn the_close_codes_are_the_registry() {
    let registry = Code::ALL.iter().map(|c| [c.number().to_string(), c.name().to_owned(), c.sentence().to_owned()]);
    let registry: Vec<Vec<String>> = registry.map(Vec::from).collect();
    assert_eq!(rows("Close codes", &["code", "name", "sentence"]), registry);
}

#[test]
fn the_ranges_of_close_codes_are_what_a_client_reads_in_them() {
    let table = rows("Close codes", &["range", "come back"]);
    let ranges: Vec<(u16, u16)> = table
        .iter()
        .map_while(|row| row[0].split_once('–'))
        .map(|(first, last)| (first.parse().expect("a code"), last.parse().expect("a code")))
        .collect();
    assert_eq!(ranges.first().map(|range| range.0), Some(4000));
    assert_eq!(ranges.last().map(|range| range.1), Some(4499));
    assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "the ranges touch");
    let read = [Return::Unasked, Return::AtOnce, Return::Later, Return::WithNewCredential, Return::Never];
    assert_eq!(ranges.len(), read.len());
    for ((first, last), read) in ranges.into_iter().zip(read) {
        assert!((first..=last).all(|code| Return::of(code) == read), "{first} to {last}");
    }
}

#[test]
fn the_failures_are_the_registry() {
    let table = rows("Failures", &["code", "class", "meaning"]).into_iter().map(|mut row| {
        assert!(!row.pop().expect("a meaning").is_empty());
        row
    });
    let registry = Class::ALL.iter().map(|class| vec![class.code().to_string(), class.name().to_owned()]);
    assert!(table.eq(registry));
}

#[test]
fn the_limits_are_the_constants() {
    let values = [
        ("BODY_BYTES_MAX", limits::BODY_BYTES_MAX as u64),
        ("HELLO_BYTES_MAX", limits::HELLO_BYTES_MAX as u64),
        ("LENGTH_BYTES_MAX", limits::LENGTH_BYTES_MAX as u64),
        ("PAYLOAD_BYTES_CEILING", limits::PAYLOAD_BYTES_CEILING as u64),
        ("PAYLOAD_BYTES_DEFAULT", limits::PAYLOAD_BYTES_DEFAULT as u64),
        ("CHANNEL_NAME_BYTES_MAX", limits::CHANNEL_NAME_BYTES_MAX as u64),
        ("KEY_BYTES_MAX", limits::KEY_BYTES_MAX as u64),
        ("LABEL_BYTES_MAX", limits::LABEL_BYTES_MAX as u64),
        ("ORIGIN_BYTES_MAX", limits::ORIGIN_BYTES_MAX as u64),
        ("SENTENCE_BYTES_MAX", limits::SENTENCE_BYTES_MAX as u64),
        ("CREDENTIAL_BYTES_MAX", limits::CREDENTIAL_BYTES_MAX as u64),
        ("INTEGER_MAX", limits::INTEGER_MAX),
        ("UNACKNOWLEDGED_MAX", limits::UNACKNOWLEDGED_MAX as u64),
        ("PUBLISH_WINDOW", limits::PUBLISH_WINDOW as u64),
        ("FRAME_BYTES_OVERHEAD", limits::FRAME_BYTES_OVERHEAD as u64),
    ];
    let table = rows("Limits", &["name", "value", "of"]);
    let table: Vec<(&str, u64)> =
        table.iter().map(|row| (row[0].as_str(), row[1].parse().expect("a number"))).collect();
    assert_eq!(table, values);
    let declared = include_str!("../src/limits.rs").lines().filter_map(|line| line.strip_prefix("pub const "));
    let declared: Vec<&str> = declared.filter_map(|line| line.split(':').next()).collect();
    assert_eq!(declared, values.map(|(name, _)| name), "every constant is in the table");
}

#[test]
fn the_names_of_the_version_are_the_constants() {
    let names: Vec<String> = rows("Versions", &["door", "negotiated by", "name", "a session is"])
        .into_iter()
        .map(|mut row| row.swap_remove(2))
        .collect();
    let alpn = std::str::from_utf8(version::ALPN).expect("text");
    assert_eq!(names, [alpn, version::WEBSOCKET_BINARY, version::WEBSOCKET_JSON]);
    assert!(DOCUMENT.contains(&format!("default port of every door is {}.", version::DEFAULT_PORT)));
}

#[test]
fn every_example_is_a_vector_and_every_frame_has_one() {
    let vectors: BTreeMap<String, (String, String)> = named_vectors()
        .into_iter()
        .map(|v| {
            (v.name, (format!("{} {}", v.speaker.name(), v.frame["kind"].as_str().expect("a kind")), hex_of(&v.body)))
        })
        .collect();
    for (heading, section) in sections().iter().filter(|(_, section)| section.number.is_some()) {
        assert!(!section.examples.is_empty(), "{heading} has an example");
        for (name, hex) in &section.examples {
            assert_eq!(vectors.get(name), Some(&(heading.clone(), hex.clone())), "the example of {heading}");
        }
    }
}

#[test]
fn the_lists_alone_decode_every_vector() {
    let sections = sections();
    let mut seen = BTreeSet::new();
    for vector in named_vectors() {
        let mut reader = Reader { sections: &sections, rest: &vector.body };
        let frame = reader.frame(vector.speaker);
        assert_eq!(frame, vector.frame, "{}", vector.name);
        assert!(reader.rest.is_empty(), "{} is read to its end", vector.name);
        seen.insert((vector.speaker.name(), vector.body[0]));
    }
    let documented = sections.values().filter(|section| section.number.is_some()).count();
    assert_eq!(documented, seen.len(), "every frame is documented, and no other");
}

/// Reads a body by the words of PROTOCOL.md, knowing no frame.
struct Reader<'a> {
    sections: &'a BTreeMap<String, Section>,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn frame(&mut self, speaker: Speaker) -> Value {
        let number = self.integer();
        let prefix = format!("{} ", speaker.name());
        let (kind, section) = self
            .sections
            .iter()
            .find_map(|(heading, section)| {
                heading.strip_prefix(&prefix).filter(|_| section.number == Some(number)).map(|kind| (kind, section))
            })
            .unwrap_or_else(|| panic!("{prefix}{number} is in PROTOCOL.md"));
        self.fields(Some(kind), &section.fields)
    }

    fn fields(&mut self, kind: Option<&str>, fields: &[Field]) -> Value {
        let mut object = Map::new();
        object.extend(kind.map(|kind| ("kind".to_owned(), json!(kind))));
        for (name, kind) in fields {
            let value = self.value(kind);
            object.insert(name.clone(), value);
        }
        Value::Object(object)
    }

    fn value(&mut self, kind: &str) -> Value {
        if let Some(inner) = kind.strip_prefix("option of ") {
            return match self.take(1)[0] {
                0 => Value::Null,
                1 => self.value(inner),
                tag => panic!("an option's tag is {tag}"),
            };
        }
        match kind {
            "integer" | "u32" | "u16" => json!(self.integer()),
            "bool" => json!(self.take(1)[0] == 1),
            "text" => json!(String::from_utf8(self.counted()).expect("UTF-8")),
            "bytes" => json!(hex_of(&self.counted())),
            "16 bytes" => json!(hex_of(&self.take(16))),
            part => self.part(part),
        }
    }

    fn part(&mut self, part: &str) -> Value {
        let section = self.sections.get(part).unwrap_or_else(|| panic!("PROTOCOL.md says what {part} is"));
        if !section.fields.is_empty() {
            return self.fields(None, &section.fields);
        }
        let number = self.integer().to_string();
        let row = section.rows.iter().find(|row| row[0] == number).unwrap_or_else(|| panic!("{part} has {number}"));
        let fields = row[2].split(", ").filter(|field| !field.is_empty()).map(|field| {
            let (name, kind) = field.split_once("`: ").expect("a choice's field is `name`: type");
            (name.trim_start_matches('`').to_owned(), kind.to_owned())
        });
        self.fields(Some(&row[1]), &fields.collect::<Vec<_>>())
    }

    fn integer(&mut self) -> u64 {
        let mut integer = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            integer |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        integer
    }

    fn counted(&mut self) -> Vec<u8> {
        let length = self.integer();
        self.take(usize::try_from(length).expect("a vector is short"))
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken.to_vec()
    }
}

#[test]
fn every_heading_that_the_code_quotes_is_there() {
    let sections = sections();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut quotes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source file");
            for quote in text.split("PROTOCOL.md, \"").skip(1) {
                let heading = quote.split('"').next().expect("the quote ends");
                assert!(sections.contains_key(heading), "{heading:?} in {}", path.display());
                quotes += 1;
            }
        }
    }
    assert!(quotes > 5, "the code quotes the document");
}
