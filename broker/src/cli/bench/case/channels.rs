//! `channels`: channels with one subscriber each and nothing to do. Their births are spread; what they cost is memory.

use std::sync::Arc;

use anyhow::Context;
use bytes::BytesMut;
use parking_lot::Mutex;

use super::super::crowd::{Ear, Heard};
use super::super::dialer::Session;
use super::super::figures::Figures;
use super::super::line::Outward;
use super::super::pacer::Pacer;
use super::super::stamp::Pen;
use super::super::verify::Verifier;
use super::stage::{Cast, Stage};

/// Channels that are subscribed to at once.
const BIRTHS_AT_ONCE: usize = 250;

/// Channels that are published to in the end, at most, to see that they are there.
const SAMPLES: usize = 1000;

/// This many channels, subscribed to by this many connections.
pub(in crate::cli::bench) async fn channels(
    stage: &Stage<'_>,
    channels: u32,
    connections: u32,
    births: u32,
) -> anyhow::Result<Figures> {
    let (channels, connections) = (channels as usize, (connections as usize).min(channels as usize));
    let mut speaker = stage.dialer.open().await?;
    let mut sessions = stage.open(connections, |_| Vec::new()).await?;
    let before = stage.resident_bytes();
    // Connection `n` has the channels from `first(n)` up to `first(n + 1)`.
    let first = |connection: usize| channels * connection / connections;
    subscribe(stage, &mut sessions, first, births).await?;

    let (mut cast, heard) = (Cast::default(), Arc::new(Heard::default()));
    for (number, session) in sessions.into_iter().enumerate() {
        let ear = Ear {
            verifier: Mutex::new(Verifier::new(stage.run, index(first(number)), first(number + 1) - first(number))),
            heard: Arc::clone(&heard),
            form: stage.form,
            latencies: None,
        };
        let silent = cast.crowd.seat(session, ear);
        cast.silent.push(silent);
    }
    stage.progress.phase("nothing happens");
    let trouble = cast.crowd.trouble();
    stage.wait(stage.duration, &trouble, &mut cast.players).await?;
    let after = stage.resident_bytes();

    stage.progress.phase("checking some of the channels");
    let step = channels.div_ceil(SAMPLES);
    let published = sample(stage, &mut speaker.send, channels, step).await?;
    tokio::select! {
        reached = heard.reach(published) => reached?,
        why = trouble.comes() => return Err(why),
    }
    let grown = before.zip(after).map(|(before, after)| (after - before) / channels as f64);
    let mut figures = Figures::default();
    figures.add("bytes_per_channel", "server memory per channel, bytes", grown);
    figures.add("resident_kib", "server memory, KiB", after.map(|bytes| bytes / 1024.0));
    figures.tally = cast.crowd.tally(|channel| u64::from((channel as usize).is_multiple_of(step)));
    Ok(figures)
}

/// Subscribes each session to its channels, so many a second.
async fn subscribe(
    stage: &Stage<'_>,
    sessions: &mut [Session],
    first: impl Fn(usize) -> usize,
    births: u32,
) -> anyhow::Result<()> {
    let mut pacer = Pacer::start(f64::from(births) / BIRTHS_AT_ONCE as f64, stage.clock)?;
    for (number, session) in sessions.iter_mut().enumerate() {
        let names: Vec<String> = (first(number)..first(number + 1)).map(|channel| name(stage, channel)).collect();
        for some in names.chunks(BIRTHS_AT_ONCE) {
            stage.progress.phase(&format!("{} channels", first(number)));
            pacer.next().await.context("the pacer stopped")?;
            session.subscribe(some).await?;
        }
    }
    Ok(())
}

/// Publishes one message to every `step`th channel. Gives how many.
async fn sample(stage: &Stage<'_>, send: &mut Outward, channels: usize, step: usize) -> anyhow::Result<u64> {
    let (mut frames, mut published) = (BytesMut::new(), 0);
    for channel in (0..channels).step_by(step) {
        let mut pen = Pen::new(&name(stage, channel), stage.form, stage.run, index(channel));
        pen.write(stage.clock.now_ns(), &mut frames);
        send.write(frames.split().freeze()).await?;
        published += 1;
    }
    Ok(published)
}

fn name(stage: &Stage<'_>, channel: usize) -> String {
    stage.channel("many", channel)
}

/// A channel's number as its publisher's.
fn index(channel: usize) -> u32 {
    u32::try_from(channel).unwrap_or(u32::MAX)
}
