//! What one frame of 128 bytes costs to encode, decode and cut; never a promise, the budgets are measured end to end.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{decode_client, decode_server, encode, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Message, Publish, ServerFrame};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelId, Millis, Offset, PayloadRef, RequestId, Sequence};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PAYLOAD: [u8; 128] = [b'x'; 128];

/// How many frames lie in one read of the deframer's benchmark: about what a full socket buffer gives.
const FRAMES_A_READ: usize = 64;

fn message() -> ServerFrame<'static> {
    ServerFrame::Message(Message {
        channel: ChannelId::saturating(4_211),
        offset: Offset::saturating(1_000_000),
        published: Millis::saturating(1_770_000_000_000),
        publisher: Some("feed"),
        key: None,
        payload: PayloadRef::binary(&PAYLOAD),
    })
}

fn publish() -> ClientFrame<'static> {
    ClientFrame::Publish(Publish {
        request: RequestId::saturating(70_000),
        sequence: Sequence::saturating(70_000),
        channel: "visitor-management/arrival",
        key: None,
        payload: PayloadRef::binary(&PAYLOAD),
    })
}

fn codec(criterion: &mut Criterion) {
    let mut out = BytesMut::with_capacity(1 << 20);
    criterion.bench_function("encode_message", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_stream(black_box(&message()), &mut out).expect("a short frame");
        });
    });
    criterion.bench_function("encode_publish", |bencher| {
        bencher.iter(|| {
            out.clear();
            encode_stream(black_box(&publish()), &mut out).expect("a short frame");
        });
    });
    let (mut message_body, mut publish_body) = (BytesMut::new(), BytesMut::new());
    encode(&message(), &mut message_body).expect("a short frame");
    encode(&publish(), &mut publish_body).expect("a short frame");
    criterion.bench_function("decode_message", |bencher| {
        bencher.iter(|| decode_server(black_box(&message_body)).is_ok());
    });
    criterion.bench_function("decode_publish", |bencher| {
        bencher.iter(|| decode_client(black_box(&publish_body)).is_ok());
    });
}

fn deframe(criterion: &mut Criterion) {
    let mut stream = BytesMut::new();
    for _ in 0..FRAMES_A_READ {
        encode_stream(&publish(), &mut stream).expect("a short frame");
    }
    let stream = stream.freeze();
    let mut group = criterion.benchmark_group("deframe");
    group.throughput(Throughput::Elements(FRAMES_A_READ as u64));
    for (name, read_bytes) in [("whole", stream.len()), ("reads_of_1200_bytes", 1200)] {
        let chunks: Vec<Bytes> = (0..stream.len())
            .step_by(read_bytes)
            .map(|at| stream.slice(at..stream.len().min(at + read_bytes)))
            .collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut deframer = Deframer::new(BODY_BYTES_MAX);
                let mut bodies = 0_usize;
                for chunk in &chunks {
                    deframer.handle_bytes(chunk.clone());
                    while let Ok(Some(body)) = deframer.poll_body() {
                        bodies += black_box(body).len();
                    }
                }
                bodies
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = codec, deframe }
criterion_main!(benches);
