//! `callboard sub`: prints the messages of channels as they come. Standard output has messages and nothing else.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use callboard_client::{Client, Event, GapWhy, Offline, Overflow, SubscribeOptions};
use callboard_protocol::ChannelName;
use clap::Args;
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, SelectAll, StreamExt, TryStreamExt, select_all};
use jiff::tz::TimeZone;

use super::exit::{Exit, Failed};
use super::link::Link;
use super::output::{Output, nobody_reads};
use super::render::{self, Format};
use super::status::{Status, tell};
use crate::shutdown::Signals;

/// What is written at once when messages come faster than they are written, in bytes.
const WRITE_BYTES: usize = 64 << 10;

const AFTER_HELP: &str = "\
It reconnects by itself, and prints what was missed meanwhile if the broker still has it.

On a terminal each message is a line with its time, channel and payload. In a pipe it is the payload alone, or with \
several channels the channel, a tab and the payload; both verbatim, so a payload with line feeds is several lines: \
use --json where that matters. Connection problems and missing messages are reported on standard error.

Examples:
  callboard sub demo/hello
  callboard sub --rewind 10 logs/app logs/db
  callboard sub --json sensors/7 | jq .payload.celsius
  callboard sub --count 1 jobs/42/done && echo finished

Exit codes:
  0    --count is reached, or nobody reads the pipe any more
  1    refused, or ended by the broker
  2    the command line is wrong
  3    the broker could not be reached in time
  130  interrupted (SIGINT); 143 after SIGTERM";

/// Print the messages of channels as they come.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Subscribe {
    /// The channels
    #[arg(required = true)]
    channels: Vec<ChannelName>,

    /// Begin with the last N messages of each channel
    #[arg(long, value_name = "N")]
    rewind: Option<u32>,

    /// Print one JSON object per line, with everything known about the message
    #[arg(long)]
    json: bool,

    /// End after N messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    #[command(flatten)]
    link: Link,
}

/// What comes of the channels, each with its name.
type Events = BoxStream<'static, anyhow::Result<(ChannelName, Event)>>;

/// Runs the command.
pub(super) async fn run(command: Subscribe) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let subscribe = async |client: &Client| {
        tokio::select! {
            biased;
            () = tell_states(client) => Ok(Exit::Done),
            ended = print(&command, client) => ended,
        }
    };
    command.link.during(&mut signals, Offline::default(), subscribe).await
}

/// Tells what becomes of the connection; never ends, so that what ends the command is told where it is known.
async fn tell_states(client: &Client) {
    let mut status = Status::default();
    let mut states = client.states();
    let mut state = Some(client.state());
    while let Some(known) = state {
        if let Some(sentence) = status.sentence(&known) {
            tell(&sentence);
        }
        state = states.next().await;
    }
    std::future::pending().await
}

async fn print(command: &Subscribe, client: &Client) -> anyhow::Result<Exit> {
    let mut events = command.open(client);
    let mut output = Output::open();
    let mut printer = Printer { format: command.format(), left: command.count, lines: Vec::new() };
    while let Some(event) = events.next().await {
        let (channel, event) = event?;
        let mut ended = printer.take(&channel, &event);
        // What came meanwhile goes out in the same write.
        while ended.is_none() && printer.lines.len() < WRITE_BYTES {
            let Some(Some(event)) = events.next().now_or_never() else { break };
            ended = match event {
                Ok((channel, event)) => printer.take(&channel, &event),
                Err(error) => Some(Err(error)),
            };
        }
        match printer.write(&mut output).await {
            Err(error) if nobody_reads(&error) => return Ok(Exit::Done),
            written => written.context("standard output cannot be written")?,
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
    Ok(Exit::Done)
}

impl Subscribe {
    /// Asks for all channels at once and reads each from its answer on: while one is not read, nothing is, and the
    /// answers for the others would be waited for in vain.
    fn open(&self, client: &Client) -> SelectAll<Events> {
        // A reader that is slow slows the client, not the broker: what it misses it gets from history.
        let options =
            SubscribeOptions { rewind: self.rewind, overflow: Overflow::Block, ..SubscribeOptions::default() };
        select_all(
            self.channels().into_iter().map(|channel| events(client.clone(), channel, options, self.link.timeout)),
        )
    }

    /// The channels, each once.
    fn channels(&self) -> BTreeSet<ChannelName> {
        self.channels.iter().cloned().collect()
    }

    fn format(&self) -> Format {
        match (self.json, io::stdout().is_terminal(), self.channels().len()) {
            (true, _, _) => Format::Json,
            (false, true, _) => Format::Terminal(TimeZone::system()),
            (false, false, 1) => Format::Payload,
            (false, false, _) => Format::Tabbed,
        }
    }
}

/// The events of a channel; asks for it when it is first read.
fn events(client: Client, channel: ChannelName, options: SubscribeOptions, timeout: Duration) -> Events {
    let subscribing = async move {
        match tokio::time::timeout(timeout, client.subscribe_with(&channel, options)).await {
            Ok(subscription) => {
                let subscription = subscription.with_context(|| channel.to_string())?;
                Ok(subscription.map(move |event| Ok((channel.clone(), event))))
            }
            Err(_) => {
                let timeout = timeout.as_secs_f32();
                Err(anyhow::Error::from(Failed::Unreachable(format!("{channel}: no answer within {timeout} s"))))
            }
        }
    };
    stream::once(subscribing).try_flatten().boxed()
}

/// Turns events into lines until there were enough.
#[derive(Debug)]
struct Printer {
    format: Format,
    left: Option<u64>,
    lines: Vec<u8>,
}

impl Printer {
    /// Takes an event; tells how the command ends if this was the last one.
    fn take(&mut self, channel: &ChannelName, event: &Event) -> Option<anyhow::Result<Exit>> {
        match event {
            Event::Message(message) => {
                self.lines.extend(render::message(
                    &render::Message {
                        channel: message.channel.as_str(),
                        position: message.position,
                        published: message.published,
                        publisher: message.publisher.as_deref(),
                        key: message.key.as_deref(),
                        payload: &message.payload,
                    },
                    &self.format,
                ));
                let left = self.left.as_mut()?;
                *left = left.saturating_sub(1);
                (*left == 0).then_some(Ok(Exit::Done))
            }
            Event::Gap(gap) => {
                let sentence = gap.why.to_string();
                let (channel, why) = (channel.as_str(), kebab(gap.why));
                let gap = render::Gap { channel, from: gap.from, to: gap.to, why, sentence: &sentence };
                tell(&render::gap_sentence(&gap));
                self.lines.extend(render::gap(&gap, &self.format).unwrap_or_default());
                None
            }
            Event::Closed(ended) => Some(Err(anyhow::anyhow!("{channel}: {ended}"))),
            _ => None,
        }
    }

    async fn write(&mut self, output: &mut Output) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        match self.format {
            Format::Terminal(_) => output.text(&String::from_utf8_lossy(&lines)).await,
            Format::Payload | Format::Tabbed | Format::Json => output.raw(&lines).await,
        }
    }
}

fn kebab(why: GapWhy) -> &'static str {
    match why {
        GapWhy::NotRecoverable => "not-recoverable",
        GapWhy::NewEpoch => "new-epoch",
        GapWhy::Reset => "reset",
        GapWhy::SlowConsumer => "slow-consumer",
        _ => "other",
    }
}
