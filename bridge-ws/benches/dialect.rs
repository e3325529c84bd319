//! What one message of 128 bytes costs to write in each dialect; never a promise, the budgets are measured end to end.

use std::hint::black_box;

use bytes::BytesMut;
use callboard_bridge_ws::{Dialect, Incoming};
use callboard_protocol::codec::encode_stream;
use callboard_protocol::frame::{Message, ServerFrame};
use callboard_protocol::{ChannelId, Millis, Offset, PayloadRef};
use criterion::{Criterion, criterion_group, criterion_main};

/// A JSON value of 128 bytes.
const JSON: &str = r#"{"door":3,"open":true,"since":"2026-02-02T02:40:00Z","by":{"user":7,"name":"Ada Lovelace"},"tags":["night","north","unlocked", 12]}"#;

const PUBLISH: &str = r#"{"kind":"Publish","request":70000,"sequence":70000,"channel":"visitor-management/arrival","payload":{"kind":"json","json":{"door":3,"open":true,"since":"2026-02-02T02:40:00Z"}}}"#;

fn message(payload: PayloadRef<'static>) -> ServerFrame<'static> {
    ServerFrame::Message(Message {
        channel: ChannelId::saturating(4_211),
        offset: Offset::saturating(1_000_000),
        published: Millis::saturating(1_770_000_000_000),
        publisher: Some("feed"),
        key: None,
        payload,
    })
}

fn dialect(criterion: &mut Criterion) {
    let mut out = BytesMut::with_capacity(1 << 20);
    let text = "x".repeat(128).leak();
    for (payload_name, payload) in [
        ("json", PayloadRef::json(JSON)),
        ("text", PayloadRef::text(text)),
        ("binary", PayloadRef::binary(text.as_bytes())),
    ] {
        let frame = message(payload);
        for (name, dialect) in [("binary", Dialect::Binary), ("json", Dialect::Json)] {
            criterion.bench_function(&format!("encode_{payload_name}_in_{name}"), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    dialect.encode(black_box(&frame), &mut out).expect("a short frame");
                });
            });
        }
    }
    let mut stream = BytesMut::new();
    encode_stream(&message(PayloadRef::json(JSON)), &mut stream).expect("a short frame");
    for (name, dialect) in [("binary", Dialect::Binary), ("json", Dialect::Json)] {
        criterion.bench_function(&format!("transcode_in_{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                dialect.transcode(black_box(&stream), &mut out).expect("a whole frame");
            });
        });
    }
    criterion.bench_function("decode_publish_in_json", |bencher| {
        bencher.iter(|| Dialect::Json.decode(Incoming::Text(black_box(PUBLISH)), [0; 16]).is_ok());
    });
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = dialect }
criterion_main!(benches);
