//! `callboard bench`: runs a case as often as asked, beside its limit if asked, and tells what came of it.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};

use super::args::{Bench, Case, Common, Door};
use super::case::{self, Stage};
use super::child::Child;
use super::crowd::Clock;
use super::dialer::Dialer;
use super::figures::{Figures, Outcome};
use super::json::{self, About};
use super::machine::Machine;
use super::progress::Progress;
use super::target::Server;
use super::{bare, bare_socket, table};
use crate::cli::exit::{self, Exit};
use crate::cli::output::{Output, nobody_reads};
use crate::cli::program;
use crate::shutdown::Signals;

const PROCESS_UNKNOWN: &str =
    "CPU time and memory are those of the broker's process: give its number with --pid, if it runs on this machine.";

/// Runs the command.
pub(in crate::cli) fn run(command: Bench) -> anyhow::Result<Exit> {
    // As many threads as a broker would have.
    if let Some(door) = command.bare_writer {
        let served = async {
            match door.dialect() {
                None => bare::run().await,
                Some(dialect) => bare_socket::run(dialect).await,
            }
        };
        return runtime(None)?.block_on(served).map(|()| Exit::Done);
    }
    let case = command.case.ok_or_else(|| exit::usage("name a case, as `bench fanout`; `bench --help` lists them"))?;
    let common = case.common();
    if common.limit.is_some() && matches!(case, Case::Channels { .. }) {
        return Err(exit::usage("--limit: a bare writer keeps no channels that could be compared"));
    }
    if case.is_about_memory() && !common.target.knows_process() {
        return Err(exit::usage(format!("there is nothing to measure. {PROCESS_UNKNOWN}")));
    }
    if let Some(limit) = common.limit
        && !limit.is_of(common.door)
    {
        let (limit, door) = (limit.name(), common.door.name());
        return Err(exit::usage(format!("--limit: {limit} says nothing about --door {door}")));
    }
    let shortest = common.form().bytes_min();
    if common.payload < shortest {
        let why = format!("--payload: at --door json a message has at least {shortest} bytes: its stamp is text there");
        return Err(exit::usage(why));
    }
    runtime(Some(common.threads))?.block_on(measure(&case, common))
}

/// A runtime with this many threads, or one for each core.
fn runtime(threads: Option<u32>) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        // The load's own thread is the lightest: it shares nothing with others.
        Some(1) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if let Some(threads) = threads.filter(|threads| *threads > 1) {
        builder.worker_threads(threads as usize);
    }
    builder.enable_all().build().context("the system refused threads or file descriptors; raise its limits")
}

async fn measure(case: &Case, common: &Common) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let outcome = tokio::select! {
        outcome = all_runs(case, common) => outcome?,
        // What was begun is dropped, and with it every server that was started.
        signal = signals.next() => return Ok(Exit::Interrupted(signal)),
    };
    let mut output = Output::open();
    let told = if common.json {
        output.raw(json::render(&about(case, common), &outcome).as_bytes()).await
    } else {
        let hint = (!common.target.knows_process()).then_some(PROCESS_UNKNOWN);
        let frame = table::Frame { title: title(case, common), machine: Machine::here().line(), hint };
        output.text(&table::render(&frame, &outcome)).await
    };
    match told {
        Err(error) if nobody_reads(&error) => {}
        told => told.context("standard output cannot be written")?,
    }
    let tally = outcome.tally();
    if !tally.is_clean() {
        let (lost, repeated, strange) = (tally.lost, tally.repeated, tally.strange);
        bail!("{lost} deliveries were lost, {repeated} came twice or out of order, {strange} were nobody's");
    }
    Ok(Exit::Done)
}

/// Every run has a fresh broker, unless a given one is measured; the one of the limit follows it at once, so that the
/// two see the same machine.
async fn all_runs(case: &Case, common: &Common) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome { kind: common.limit, ..Outcome::default() };
    let sides = if common.limit.is_some() { 2 } else { 1 };
    // A server that runs already keeps what earlier runs made it take, so that only the first would tell.
    let runs = if case.is_about_memory() && common.target.url.is_some() { 1 } else { common.runs };
    let length = common.duration + case::warm_up(common.duration);
    let mut progress = Progress::new(u64::from(runs) * sides, length);
    for number in 1..=runs {
        progress.run(format!("run {number} of {runs}"));
        let server = common.target.open(common.door.dialect()).await?;
        outcome.runs.push(one_run(case, common, server, &progress).await?);
        if let Some(kind) = common.limit {
            progress.run(format!("run {number} of {runs}, {}", kind.name()));
            let server = Child::bare(common.door).await?.into();
            let limit = one_run(case, common, server, &progress).await.context(kind.name())?;
            if !limit.tally.is_clean() {
                bail!("the bare writer lost deliveries: {:?}; there is nothing to compare with", limit.tally);
            }
            outcome.limits.push(limit);
        }
    }
    Ok(outcome)
}

async fn one_run(case: &Case, common: &Common, server: Server, progress: &Progress) -> anyhow::Result<Figures> {
    let mut run = [0; 4];
    getrandom::fill(&mut run).map_err(|error| anyhow::anyhow!("this system has no randomness: {error}"))?;
    let dialer = Dialer::new(server.peer.clone())?;
    let stage = Stage {
        dialer: &dialer,
        pid: server.pid,
        run: u32::from_le_bytes(run),
        clock: Clock::start(),
        form: common.form(),
        duration: common.duration,
        progress,
    };
    let figures = match case {
        Case::Fanout { subscribers, window, .. } => case::windowed(&stage, 1, *subscribers, *window).await,
        Case::Pairs { pairs, window, .. } => case::windowed(&stage, *pairs, 1, *window).await,
        Case::Ping { .. } => case::ping(&stage).await,
        Case::Latency { subscribers, rate, .. } => case::latency(&stage, *subscribers, *rate).await,
        Case::Idle { connections, .. } => case::idle(&stage, *connections).await,
        Case::Channels { channels, connections, births, .. } => {
            case::channels(&stage, *channels, *connections, *births).await
        }
    };
    dialer.close().await;
    figures
}

/// What was measured, in a line.
fn title(case: &Case, common: &Common) -> String {
    let sizes: String = case.sizes().iter().map(|(name, size)| format!("{name} {size}, ")).collect();
    let (seconds, bytes) = (common.duration.as_secs_f64(), common.payload);
    let runs = if common.runs == 1 {
        "1 run".to_owned()
    } else {
        format!("medians of {} runs (smallest–largest)", common.runs)
    };
    let door = if common.door == Door::Quic { String::new() } else { format!(", door {}", common.door.name()) };
    format!("{}: {sizes}payload {bytes} bytes, {seconds} s, {runs}{door}", case.name())
}

fn about(case: &Case, common: &Common) -> About {
    let mut parameters: Map<String, Value> =
        case.sizes().into_iter().map(|(name, size)| (name.to_owned(), size.into())).collect();
    parameters.insert("payload_bytes".to_owned(), common.payload.into());
    parameters.insert("duration_s".to_owned(), common.duration.as_secs_f64().into());
    parameters.insert("runs".to_owned(), common.runs.into());
    parameters.insert("threads".to_owned(), common.threads.into());
    parameters.insert("door".to_owned(), common.door.name().into());
    // A key never stands in what is told.
    let mut arguments = std::env::args().skip(1);
    let mut command = program::invoked();
    while let Some(argument) = arguments.next() {
        let secret = argument == "--api-key" || argument.starts_with("--api-key=");
        let shown = if secret { "--api-key=…".to_owned() } else { program::quoted(&argument) };
        if argument == "--api-key" {
            arguments.next();
        }
        command.push(' ');
        command.push_str(&shown);
    }
    About { case: case.name(), parameters, command, version: env!("CARGO_PKG_VERSION"), machine: Machine::here() }
}
