//! `callboard pub`: publishes one payload, or each line of standard input, and waits until the broker has it. It never
//! prints what it published.

use std::io::{self, IsTerminal};
use std::pin::pin;

use anyhow::{Context, bail};
use bytes::Bytes;
use callboard_client::{Client, Offline, PublishOptions, Receipt};
use callboard_protocol::{ChannelName, Payload, Position, limits};
use clap::Args;
use futures_util::stream::{self, StreamExt};
use serde::de::IgnoredAny;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::{Instant, timeout_at};

use super::exit::{self, Exit, Failed};
use super::link::Link;
use super::output::{Output, nobody_reads};
use crate::shutdown::Signals;

/// Lines that are on their way at once: enough to fill a connection, and in order all the same.
const LINES_AT_ONCE: usize = 64;

const AFTER_HELP: &str = "\
Examples:
  callboard pub demo/hello \"hi\"
  callboard pub --json sensors/7 '{\"celsius\": 21.5}'
  tail -f app.log | callboard pub logs/app
  callboard pub --binary images/new < image.png

Exit codes:
  0    everything is published, as the broker confirmed
  1    refused, or input that cannot be published
  2    the command line is wrong
  3    the broker could not be reached in time
  130  interrupted (SIGINT); 143 after SIGTERM: the rest is in doubt";

/// Publish to a channel.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Publish {
    /// The channel
    channel: ChannelName,

    /// What to publish; `-`, or nothing with a pipe, publishes each line of standard input
    #[arg(allow_negative_numbers = true)]
    payload: Option<String>,

    /// The payload is JSON; it is checked and sent verbatim
    #[arg(long, conflicts_with = "binary")]
    json: bool,

    /// The payload is bytes; all of standard input is one message
    #[arg(long)]
    binary: bool,

    /// What the message is about, for readers who keep only the last message of a key
    #[arg(long, value_name = "KEY")]
    message_key: Option<String>,

    /// Print each message's position, `offset@epoch`
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    link: Link,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Text,
    Json,
    Binary,
}

/// Runs the command.
pub(super) async fn run(command: Publish) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    // What cannot be published is found before anybody is asked.
    let single = tokio::select! {
        single = command.single() => single?,
        signal = signals.next() => return Ok(Exit::Interrupted(signal)),
    };
    let publish = async |client: &Client| {
        let mut output = Output::open();
        let outcome = match single {
            Some(payload) => Outcome { count: 1, last: Some(command.send(client, payload).await?), single: true },
            None => command.send_lines(client, BufReader::new(tokio::io::stdin()), &mut output).await?,
        };
        command.tell(&mut output, outcome).await
    };
    command.link.during(&mut signals, Offline::default(), publish).await
}

/// What came of it all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    count: u64,
    last: Option<Position>,
    /// Whether it was one payload, not lines.
    single: bool,
}

impl Publish {
    fn form(&self) -> As {
        match (self.json, self.binary) {
            (true, _) => As::Json,
            (false, true) => As::Binary,
            (false, false) => As::Text,
        }
    }

    /// The one payload; `None` if each line of standard input is one.
    async fn single(&self) -> anyhow::Result<Option<Payload>> {
        let form = self.form();
        if self.payload.is_none() && io::stdin().is_terminal() {
            return Err(exit::usage("nothing to publish: give a payload, pipe lines into it, or type them after `-`"));
        }
        Ok(match self.payload.as_deref().filter(|payload| *payload != "-") {
            Some(text) => Some(payload(Bytes::copy_from_slice(text.as_bytes()), form).map_err(exit::usage)?),
            None if form == As::Binary => Some(Payload::binary(all(&mut tokio::io::stdin()).await?)),
            None => None,
        })
    }

    async fn send(&self, client: &Client, payload: Payload) -> anyhow::Result<Position> {
        let deadline = self.deadline();
        let receipt = self.queued(client, payload, deadline).await?;
        self.answered(receipt, deadline).await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.link.timeout
    }

    /// Gives a payload its place among those on their way.
    async fn queued(&self, client: &Client, payload: Payload, deadline: Instant) -> anyhow::Result<Receipt> {
        let options = PublishOptions { key: self.message_key.clone() };
        let queued = timeout_at(deadline, client.publish_receipt_with(&self.channel, payload, options)).await;
        Ok(queued.map_err(|_| self.late("the message is not published"))??)
    }

    /// Waits until the broker has it.
    async fn answered(&self, receipt: Receipt, deadline: Instant) -> anyhow::Result<Position> {
        let answered = timeout_at(deadline, receipt).await;
        Ok(answered.map_err(|_| self.late("the message may or may not be published"))??)
    }

    fn late(&self, so: &str) -> Failed {
        let timeout = self.link.timeout.as_secs_f32();
        Failed::Unreachable(format!("{}: no answer within {timeout} s; {so}", self.channel))
    }

    async fn send_lines(
        &self,
        client: &Client,
        input: impl AsyncBufRead + Unpin,
        output: &mut Output,
    ) -> anyhow::Result<Outcome> {
        let lines = stream::unfold((input, 1_u64), async |(mut input, number)| {
            let line = line(&mut input).await.transpose()?;
            Some(((number, line), (input, number + 1)))
        });
        // Each line has its place before the next one is read; only the answers are waited for side by side.
        let queued = lines.then(async |(number, line)| {
            let deadline = self.deadline();
            let queued = async { self.queued(client, payload(line?, self.form())?, deadline).await };
            (number, deadline, queued.await)
        });
        let answered = queued.map(async |(number, deadline, queued)| {
            let answered = async { self.answered(queued?, deadline).await };
            answered.await.with_context(|| format!("line {number}"))
        });
        let mut answered = pin!(answered.buffered(LINES_AT_ONCE));
        let mut outcome = Outcome::default();
        while let Some(position) = answered.next().await {
            let position = position?;
            outcome = Outcome { count: outcome.count + 1, last: Some(position), single: false };
            if self.verbose {
                print(output, &self.sentence(1, position)).await?;
            }
        }
        Ok(outcome)
    }

    /// Tells what came of it all, if it was asked for or if people look. With `--verbose` lines were told one by one.
    async fn tell(&self, output: &mut Output, outcome: Outcome) -> anyhow::Result<Exit> {
        let wanted = if self.verbose { outcome.single } else { output.terminal };
        match outcome.last {
            Some(last) if wanted => print(output, &self.sentence(outcome.count, last)).await.map(|()| Exit::Done),
            Some(_) | None => Ok(Exit::Done),
        }
    }

    fn sentence(&self, count: u64, last: Position) -> String {
        match count {
            1 => format!("published to {} at {last}\n", self.channel),
            _ => format!("published {count} messages to {}, the last at {last}\n", self.channel),
        }
    }
}

async fn print(output: &mut Output, text: &str) -> anyhow::Result<()> {
    match output.text(text).await {
        // It was asked to publish; that nobody reads about it does not matter.
        Err(error) if nobody_reads(&error) => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

fn payload(bytes: Bytes, form: As) -> anyhow::Result<Payload> {
    if form == As::Binary {
        return Ok(Payload::binary(bytes));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        bail!("the payload is not UTF-8 text; send bytes with --binary");
    };
    if form == As::Text {
        return Ok(Payload::text(text));
    }
    serde_json::from_str::<IgnoredAny>(text).context("the payload is not JSON")?;
    Ok(Payload::json(text))
}

/// The next line without its end; `None` behind the last. A line longer than any payload is an error, and is not read
/// into memory first.
async fn line(input: &mut (impl AsyncBufRead + Unpin)) -> anyhow::Result<Option<Bytes>> {
    let mut line = Vec::new();
    let most = u64::try_from(limits::PAYLOAD_BYTES_CEILING).unwrap_or(u64::MAX) + 2;
    let read = input.take(most).read_until(b'\n', &mut line).await.context("standard input cannot be read")?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    check_size(line.len())?;
    Ok(Some(line.into()))
}

async fn all(input: &mut (impl tokio::io::AsyncRead + Unpin)) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limits::PAYLOAD_BYTES_CEILING).unwrap_or(u64::MAX) + 1;
    input.take(most).read_to_end(&mut bytes).await.context("standard input cannot be read")?;
    check_size(bytes.len())?;
    Ok(bytes.into())
}

fn check_size(bytes: usize) -> anyhow::Result<()> {
    let most = limits::PAYLOAD_BYTES_CEILING;
    if bytes > most {
        bail!("a payload has at most {most} bytes; publish a reference to what is larger");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use callboard_protocol::Kind;

    use super::*;

    #[tokio::test]
    async fn lines_lose_their_ends_and_nothing_else() {
        let mut input: &[u8] = b"one\r\n\n two \nlast";
        let mut lines = Vec::new();
        while let Some(read) = line(&mut input).await.expect("a line") {
            lines.push(String::from_utf8(read.to_vec()).expect("text"));
        }
        assert_eq!(lines, ["one", "", " two ", "last"]);
    }

    #[tokio::test]
    async fn an_endless_line_is_not_read_to_its_end() {
        let longest = vec![b'a'; limits::PAYLOAD_BYTES_CEILING];
        assert_eq!(line(&mut longest.as_slice()).await.expect("a line").map(|line| line.len()), Some(longest.len()));
        let mut endless = BufReader::new(tokio::io::repeat(b'a'));
        assert!(line(&mut endless).await.expect_err("an error").to_string().contains("at most"));
        assert!(all(&mut tokio::io::repeat(b'a')).await.is_err());
    }

    #[test]
    fn payloads_are_what_they_are_said_to_be() {
        let kind = |bytes: &'static [u8], form| payload(Bytes::from_static(bytes), form).map(|payload| payload.kind());
        assert_eq!(kind(b"hi", As::Text).expect("text"), Kind::Text);
        assert_eq!(kind(b" {\"a\": 1} ", As::Json).expect("JSON"), Kind::Json);
        assert_eq!(kind(b"\xff", As::Binary).expect("bytes"), Kind::Binary);
        assert!(kind(b"\xff", As::Text).expect_err("an error").to_string().contains("--binary"));
        assert!(kind(b"{a: 1}", As::Json).is_err());
        assert!(kind(b"", As::Json).is_err());
    }
}
