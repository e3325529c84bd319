//! `latency`: messages that are due at a steady rate, stamped with when they were due and not with when they were sent,
//! so that a broker that keeps the publisher waiting pays for all who would have waited (no coordinated omission).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use parking_lot::Mutex;

use super::super::crowd::{Ear, Heard, Latencies};
use super::super::figures::{Figures, Percentile};
use super::super::pacer::Pacer;
use super::super::stamp::Pen;
use super::super::verify::Verifier;
use super::stage::{Cast, Published, Stage, Timing};

const LATENCY_MS: [Percentile; 5] = [
    Percentile { key: "p50_ms", label: "latency p50, ms", percentile: 50.0 },
    Percentile { key: "p90_ms", label: "latency p90, ms", percentile: 90.0 },
    Percentile { key: "p99_ms", label: "latency p99, ms", percentile: 99.0 },
    Percentile { key: "p999_ms", label: "latency p99.9, ms", percentile: 99.9 },
    Percentile { key: "max_ms", label: "latency at most, ms", percentile: 100.0 },
];

/// One publisher at `rate` messages a second.
pub(in crate::cli::bench) async fn latency(stage: &Stage<'_>, subscribers: u32, rate: u32) -> anyhow::Result<Figures> {
    let resident_before = stage.resident_bytes();
    let channel = stage.channel("latency", 0);
    let listeners = stage.open(subscribers as usize, |_| vec![channel.clone()]).await?;
    let speaker = stage.dialer.open().await?;

    let (heard, latencies) = (Arc::new(Heard::default()), Arc::new(Latencies::new()));
    let mut cast = Cast { resident_before, sessions: listeners.len() + 1, ..Cast::default() };
    cast.heard = vec![Arc::clone(&heard)];
    cast.latencies = Some(Timing { latencies: Arc::clone(&latencies), names: &LATENCY_MS, unit_ns: 1e6 });
    let ear = |count: usize| Ear {
        verifier: Mutex::new(Verifier::new(stage.run, 0, count)),
        heard: Arc::clone(&heard),
        form: stage.form,
        latencies: Some((Arc::clone(&latencies), stage.clock)),
    };
    for session in listeners {
        let silent = cast.crowd.seat(session, ear(1));
        cast.silent.push(silent);
    }
    let mut send = cast.crowd.seat(speaker, ear(0));
    let mut pen = Pen::new(&channel, stage.form, stage.run, 0);
    let mut pacer = Pacer::start(f64::from(rate), stage.clock)?;
    let stop = Arc::clone(&cast.stop);
    cast.players.spawn(async move {
        let mut frame = BytesMut::new();
        while !stop.load(Ordering::Relaxed)
            && let Some(due_ns) = pacer.next().await
        {
            pen.write(due_ns, &mut frame);
            send.write(frame.split().freeze()).await?;
        }
        heard.reach(pen.written() * u64::from(subscribers)).await?;
        Ok(Published { counts: vec![(0, pen.written())], ways: vec![send] })
    });
    stage.play(cast).await
}
