//! `fanout` and `pairs`: each publisher publishes a window, waits until its subscribers have it, and goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use parking_lot::Mutex;

use super::super::crowd::{Clock, Ear, Heard};
use super::super::figures::Figures;
use super::super::line::Outward;
use super::super::stamp::Pen;
use super::super::verify::Verifier;
use super::stage::{Cast, Published, Stage};

/// `publishers` of them, each with a channel of its own and this many subscribers to it.
pub(in crate::cli::bench) async fn windowed(
    stage: &Stage<'_>,
    publishers: u32,
    subscribers: u32,
    window: u32,
) -> anyhow::Result<Figures> {
    let resident_before = stage.resident_bytes();
    let channel = |publisher: u32| stage.channel("window", publisher as usize);
    let listening = publishers as usize * subscribers as usize;
    let publisher_of = |listener: usize| u32::try_from(listener / subscribers as usize).unwrap_or(u32::MAX);
    let listeners = stage.open(listening, |listener| vec![channel(publisher_of(listener))]).await?;
    let speakers = stage.open(publishers as usize, |_| Vec::new()).await?;

    let mut cast = Cast { resident_before, sessions: listening + publishers as usize, ..Cast::default() };
    cast.heard = (0..publishers).map(|_| Arc::new(Heard::default())).collect();
    let ear = |publisher: u32, count: usize, heard: &Arc<Heard>| Ear {
        verifier: Mutex::new(Verifier::new(stage.run, publisher, count)),
        heard: Arc::clone(heard),
        form: stage.form,
        latencies: None,
    };
    for (number, session) in listeners.into_iter().enumerate() {
        let publisher = publisher_of(number);
        let silent = cast.crowd.seat(session, ear(publisher, 1, &cast.heard[publisher as usize]));
        cast.silent.push(silent);
    }
    for (publisher, session) in (0_u32..).zip(speakers) {
        let heard = Arc::clone(&cast.heard[publisher as usize]);
        let player = Player {
            send: cast.crowd.seat(session, ear(publisher, 0, &heard)),
            pen: Pen::new(&channel(publisher), stage.form, stage.run, publisher),
            heard,
            clock: stage.clock,
            stop: Arc::clone(&cast.stop),
        };
        cast.players.spawn(player.play(publisher, window, subscribers));
    }
    stage.play(cast).await
}

struct Player {
    send: Outward,
    pen: Pen,
    heard: Arc<Heard>,
    clock: Clock,
    stop: Arc<AtomicBool>,
}

impl Player {
    async fn play(mut self, publisher: u32, window: u32, subscribers: u32) -> anyhow::Result<Published> {
        let mut frames = BytesMut::new();
        while !self.stop.load(Ordering::Relaxed) {
            let now_ns = self.clock.now_ns();
            (0..window).for_each(|_| self.pen.write(now_ns, &mut frames));
            self.send.write(frames.split().freeze()).await?;
            self.heard.reach(self.pen.written() * u64::from(subscribers)).await?;
        }
        Ok(Published { counts: vec![(publisher, self.pen.written())], ways: vec![self.send] })
    }
}
