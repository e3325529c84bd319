//! Trials of chaos, one after the other until the time is over; a trial that fails tells its seed and what to run again.

use std::fmt::Write as _;
use std::time::Duration;

use callboard_tests::checker::{Fact, Log, Sample, Trial, judge};
use tokio::time::Instant;

use super::plan::{self, ROUNDS};
use super::stage::{BACK_WITHIN, Stage};

/// How long it goes on unless `CALLBOARD_CHAOS` says otherwise: about one trial.
const USUALLY: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_untold_and_ten_seconds_after_the_last_fault_all_are_back() {
    let budget = budget();
    let until = Instant::now() + budget;
    let first = seed();
    for trial in 0.. {
        let seed = first.wrapping_add(trial);
        eprintln!("chaos: trial {trial}, CALLBOARD_SEED={seed}");
        let mut stage = match Stage::set(seed).await {
            Ok(stage) => stage,
            Err(why) => panic!("{why}\n{}", again(seed)),
        };
        match play(&mut stage, seed, until).await {
            Ok(counts) => eprintln!("chaos: {counts}"),
            Err(why) => {
                // They are read one after the other while everybody goes on, so that they do not agree on what came last.
                let logs = stage.logs();
                panic!("{why}\nby the logs so far:\n{}\n{}", judge(&Trial::cut(&logs).with_strangers()), again(seed));
            }
        }
        if Instant::now() >= until {
            return;
        }
    }
}

/// One trial: round by round, each to its rest, and the judgement at the end.
async fn play(stage: &mut Stage, seed: u64, until: Instant) -> Result<String, String> {
    for (number, round) in plan::rounds(seed).into_iter().enumerate() {
        let mut told = format!("chaos: round {number}");
        for step in &round {
            let _ = write!(told, "\n  {step}");
        }
        eprintln!("{told}");
        let began = Instant::now();
        for step in round {
            stage.strike(step).await.map_err(|why| format!("in round {number}: {why}"))?;
        }
        let healed = Instant::now();
        stage.rest().await.map_err(|why| format!("after round {number}: {why}"))?;
        eprintln!("  all are back after {:.1?}; {:.1?} in all", healed.elapsed(), began.elapsed());
        if Instant::now() >= until {
            break;
        }
    }
    let (logs, last_fault_ms, memory) = stage.end().await.map_err(|why| format!("at the end: {why}"))?;
    let within_ms = u64::try_from(BACK_WITHIN.as_millis()).expect("it is short");
    let faults = judge(&Trial::quiet(&logs, Some(last_fault_ms), within_ms).with_memory(&memory));
    if !faults.is_empty() {
        return Err(format!("the checker found:\n{faults}"));
    }
    Ok(told(&logs, &memory))
}

fn told(logs: &[Log], memory: &[Sample]) -> String {
    let count = |is_so: fn(&Fact) -> bool| logs.iter().flat_map(Log::facts).filter(|(_, fact)| is_so(fact)).count();
    format!(
        "{} published, {} acknowledged, {} delivered, {} gaps told, {} sessions lost, {} subscriptions, {} of {} MiB \
         needed at most",
        count(|fact| matches!(fact, Fact::Published { .. })),
        count(|fact| matches!(fact, Fact::Acknowledged { .. })),
        count(|fact| matches!(fact, Fact::Message { .. })),
        count(|fact| matches!(fact, Fact::Gap { .. })),
        count(|fact| matches!(fact, Fact::Disconnected { .. })),
        count(|fact| matches!(fact, Fact::Subscribing { .. })),
        memory.iter().map(|sample| sample.measured_bytes).max().unwrap_or_default() >> 20,
        memory.iter().map(|sample| sample.allowed_bytes).min().unwrap_or_default() >> 20,
    )
}

/// How to see a trial again. The seed decides on the faults and the fate of datagrams; threads and sockets take their
/// own time, so what follows from it may differ.
fn again(seed: u64) -> String {
    format!(
        "the same faults again: CALLBOARD_CHAOS={}s CALLBOARD_SEED={seed} cargo test -p callboard-tests --test promises \
         chaos -- --nocapture",
        ROUNDS * 20
    )
}

/// `CALLBOARD_CHAOS`: a duration, as `10m` or `2h`.
fn budget() -> Duration {
    let Ok(text) = std::env::var("CALLBOARD_CHAOS") else { return USUALLY };
    let duration = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.unwrap_or_else(|| panic!("CALLBOARD_CHAOS is a duration, as 10m or 2h, and not {text:?}"))
}

/// `CALLBOARD_SEED`, or another one each time.
fn seed() -> u64 {
    let Ok(text) = std::env::var("CALLBOARD_SEED") else { return u64::from(fastrand::u32(..)) };
    text.parse().unwrap_or_else(|_| panic!("CALLBOARD_SEED is a number, and not {text:?}"))
}
