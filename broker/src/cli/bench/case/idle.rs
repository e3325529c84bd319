//! `idle`: connections with one subscription and nothing to do. What they cost is memory, and keeping them alive.

use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;

use super::super::crowd::{Ear, Heard};
use super::super::figures::Figures;
use super::super::machine;
use super::super::stamp::Pen;
use super::super::verify::Verifier;
use super::stage::{Cast, Stage};

/// This many connections, all subscribed to one channel.
pub(in crate::cli::bench) async fn idle(stage: &Stage<'_>, connections: u32) -> anyhow::Result<Figures> {
    // Its session is open before anything is counted.
    let mut speaker = stage.dialer.open().await?;
    let before = machine::usage(stage.pid);
    let channel = stage.channel("idle", 0);
    let listeners = stage.open(connections as usize, |_| vec![channel.clone()]).await?;

    let (mut cast, heard) = (Cast::default(), Arc::new(Heard::default()));
    for session in listeners {
        let ear = Ear {
            verifier: Mutex::new(Verifier::new(stage.run, 0, 1)),
            heard: Arc::clone(&heard),
            form: stage.form,
            latencies: None,
        };
        let silent = cast.crowd.seat(session, ear);
        cast.silent.push(silent);
    }
    stage.progress.phase("nothing happens");
    let trouble = cast.crowd.trouble();
    let opened = machine::usage(stage.pid);
    stage.wait(stage.duration, &trouble, &mut cast.players).await?;
    let after = machine::usage(stage.pid);

    stage.progress.phase("checking that all listen");
    let mut pen = Pen::new(&channel, stage.form, stage.run, 0);
    let mut frame = BytesMut::new();
    pen.write(stage.clock.now_ns(), &mut frame);
    speaker.send.write(frame.freeze()).await?;
    tokio::select! {
        reached = heard.reach(u64::from(connections)) => reached?,
        why = trouble.comes() => return Err(why),
    }

    let count = f64::from(connections);
    let grown = before.resident_bytes.zip(after.resident_bytes).map(|(before, after)| (after - before) / 1024.0);
    let cpu_s = opened.cpu_s.zip(after.cpu_s).map(|(opened, after)| after - opened);
    let busy = cpu_s.map(|cpu_s| cpu_s * 1e3 / stage.duration.as_secs_f64() / count * 1e3);
    let mut figures = Figures::default();
    figures.add("kib_per_connection", "server memory per connection, KiB", grown.map(|kib| kib / count));
    figures.add("resident_kib", "server memory, KiB", after.resident_bytes.map(|bytes| bytes / 1024.0));
    figures.add("cpu_ms_per_s_and_thousand", "server CPU, ms per second and thousand connections", busy);
    figures.tally = cast.crowd.tally(|_| 1);
    Ok(figures)
}
