//! PROTOCOL.md, "JSON", says what the dialect does: its dialogues, its defaults and its refusals are tried here.

#[path = "../../protocol/tests/golden/mod.rs"]
mod golden;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use callboard_bridge_ws::{Dialect, Incoming, Refused};
use callboard_protocol::codec::{decode_client, decode_server};
use callboard_protocol::session::{FromClient, FromServer, request_of};
use serde_json::{Map, Value};

use golden::json_file;

const DOCUMENT: &str = include_str!("../../PROTOCOL.md");

/// What the broker draws for a Hello that names no instance.
const DRAWN: [u8; 16] = [0xaa; 16];

fn section() -> &'static str {
    let (_, section) = DOCUMENT.split_once("\n## JSON\n").expect("the section is there");
    section.split("\n## ").next().expect("a section ends")
}

/// The rows of the table with this head, back-quotes around a whole cell taken off.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    let (_, table) = section().split_once(&format!("{head}\n")).expect("the table is there");
    let rows = table.lines().map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(whole_cell).collect()).collect()
}

fn whole_cell(cell: &'static str) -> &'static str {
    let inside = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    inside.filter(|inside| !inside.contains('`')).unwrap_or(cell)
}

fn decode(text: &str) -> Result<Bytes, Refused> {
    Dialect::Json.decode(Incoming::Text(text), DRAWN)
}

#[test]
fn every_line_of_the_dialogues_is_a_frame_in_its_place() {
    let (mut from_client, mut from_server) = (FromClient::default(), FromServer::default());
    let mut lines = 0;
    for line in section().lines() {
        lines += 1;
        if let Some(said) = line.strip_prefix("> ") {
            let body = decode(said).unwrap_or_else(|refused| panic!("{said}: {refused}"));
            let frame = decode_client(&body).expect("what the dialect takes is a frame");
            request_of(&frame).into_iter().for_each(|request| from_server.asked(request));
            from_client.handle(&frame).unwrap_or_else(|violation| panic!("{said}: {violation}"));
        } else if let Some(said) = line.strip_prefix("< ") {
            let body = Dialect::Json.decode_server(Incoming::Text(said));
            let body = body.unwrap_or_else(|refused| panic!("{said}: {refused}"));
            let frame = decode_server(&body).expect("what the dialect takes is a frame");
            from_server.handle(&frame).unwrap_or_else(|violation| panic!("{said}: {violation}"));
            let mut message = BytesMut::new();
            Dialect::Json.encode(&frame, &mut message).expect("a short frame");
            assert!(message.ends_with(said.as_bytes()), "the broker writes it so: {said}");
        } else {
            lines -= 1;
        }
    }
    assert!(lines > 15, "the dialogues are there");
}

#[test]
fn what_the_table_lets_out_has_the_default_that_it_names() {
    let table = rows("| frame | field | default |\n| --- | --- | --- |");
    let frames: Vec<String> = json_file("frames").iter().map(|line| line.text("text")).collect();
    for row in &table {
        let [frame, field, default] = row[..] else { panic!("{row:?}") };
        let full = frames.iter().find(|text| text.starts_with(&format!("{{\"kind\":\"{frame}\"")));
        let mut message: Value = serde_json::from_str(full.expect("a golden frame")).expect("JSON");
        let named = if field == "instance" { format!("\"{}\"", "aa".repeat(16)) } else { default.to_owned() };
        message[field] = serde_json::from_str(&named).expect("a default is JSON");
        let with = decode(&message.to_string()).expect("the default is legal");
        assert!(message.as_object_mut().expect("an object").remove(field).is_some());
        assert_eq!(decode(&message.to_string()), Ok(with), "{frame} without {field}");
    }
    let named = table.iter().map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    assert_eq!(left_out(&frames), named, "no other field may be left out");
}

/// The fields that are no options and without which a golden message of a client is still one.
fn left_out(frames: &[String]) -> BTreeSet<(String, String)> {
    const OPTIONS: [&str; 4] = ["credential", "origin", "retry_after", "key"];
    let mut found = BTreeSet::new();
    for text in frames.iter().filter(|text| decode(text).is_ok()) {
        let message: Map<String, Value> = serde_json::from_str(text).expect("an object");
        for field in message.keys().filter(|field| !OPTIONS.contains(&field.as_str())) {
            let mut without = message.clone();
            without.remove(field);
            if decode(&Value::Object(without).to_string()).is_ok() {
                found.insert((message["kind"].as_str().expect("a kind").to_owned(), field.clone()));
            }
        }
    }
    found
}

#[test]
fn the_depth_is_the_constant() {
    assert!(section().contains(&format!("nested at most {} deep", callboard_bridge_ws::JSON_DEPTH_MAX)));
}
