//! What can be said to `callboard bench`: a case, its size, and what all cases share.

use std::time::Duration;

use callboard_bridge_ws::Dialect;
use callboard_protocol::limits::PAYLOAD_BYTES_DEFAULT;
use clap::{Args, Subcommand, ValueEnum};

use super::child::BARE;
use super::stamp::{Form, STAMP_BYTES};
use super::target::Target;

const AFTER_HELP: &str = "\
Every message is stamped with its time, publisher and number, so that each run also checks that every delivery came, \
once and in order.

Unless --url names a broker, one is started for the measurement, on this machine, on a free port and with a data \
directory of its own; each run has a fresh one. The load shares the machine with it, so compare processor time and \
ratios, not deliveries per second.

Examples:
  callboard bench fanout
  callboard bench fanout --subscribers 5000 --window 16 --limit quic
  callboard bench fanout --door ws --limit ws
  callboard bench latency --rate 20 --json > latency.json
  callboard bench idle --connections 10000 --runs 1
  callboard bench ping --url callboard://localhost --pid 4242

Exit codes:
  0    measured, and every delivery came once and in order
  1    failed, or a delivery was lost, came twice or out of order
  2    the command line is wrong
  3    the broker could not be reached in time
  130  interrupted (SIGINT); 143 after SIGTERM";

/// What stands below the help of each case.
macro_rules! after_help {
    ($example:literal) => {
        concat!(
            "Examples:\n  callboard bench ",
            $example,
            "\n\nExit codes:\n  0    measured, and every delivery came once and in order\n  1    failed, or a delivery was \
             lost, came twice or out of order\n  2    the command line is wrong\n  3    the broker could not be reached in time\n  130  interrupted (SIGINT); 143 after \
             SIGTERM"
        )
    };
}

/// Measure a broker: processor time, memory and latency, with every delivery checked.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, arg_required_else_help = true)]
pub(in crate::cli) struct Bench {
    #[command(subcommand)]
    pub(super) case: Option<Case>,

    /// Be the bare writer that `--limit` starts.
    #[arg(long = BARE, hide = true, exclusive = true)]
    pub(super) bare_writer: Option<Door>,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub(super) enum Case {
    /// One publisher, many subscribers: publish a window, wait until all have it, publish the next
    #[command(after_help = after_help!("fanout --subscribers 5000 --window 16 --limit quic"))]
    Fanout {
        /// Subscribers of the one channel
        #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        subscribers: u32,
        /// Messages that are published before their deliveries are waited for
        #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        window: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Pairs of one publisher and one subscriber, each on a channel of its own
    #[command(after_help = after_help!("pairs --pairs 1 --window 512"))]
    Pairs {
        /// Pairs
        #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        pairs: u32,
        /// Messages that are published before their deliveries are waited for
        #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        window: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Two sessions that answer each other: how long a message each way takes
    #[command(after_help = after_help!("ping --duration 30s --limit quic"))]
    Ping {
        #[command(flatten)]
        common: Common,
    },
    /// One publisher at a steady rate, whether or not deliveries keep up: how long each takes from when it was due
    #[command(after_help = after_help!("latency --subscribers 1000 --rate 20 --limit quic"))]
    Latency {
        /// Subscribers of the one channel
        #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        subscribers: u32,
        /// Messages a second
        #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rate: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Idle connections with one subscription: the memory of each
    #[command(after_help = after_help!("idle --connections 10000 --runs 1"))]
    Idle {
        /// Connections
        #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        connections: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Idle channels with one subscriber: the memory of each
    #[command(after_help = after_help!("channels --channels 1000000 --connections 200"))]
    Channels {
        /// Channels
        #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        channels: u32,
        /// Connections that share the subscriptions
        #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        connections: u32,
        /// New channels per second
        #[arg(long, value_name = "N", default_value = "20000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        births: u32,
        #[command(flatten)]
        common: Common,
    },
}

/// What all cases share.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Bytes of each payload
    #[arg(long, value_name = "BYTES", default_value = "128", value_parser = parse_payload)]
    pub(super) payload: usize,

    /// How long each run measures, such as 10s, 300ms or 1m; a tenth of it, at most a second, warms up first
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(super) duration: Duration,

    /// Runs; printed are their median, smallest and largest value
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) runs: u32,

    /// Door that the load uses
    #[arg(long, value_name = "DOOR", default_value = "quic")]
    pub(super) door: Door,

    /// Also measure what the same bytes cost without a broker, and print the ratio
    #[arg(long, value_name = "WHAT")]
    pub(super) limit: Option<Limit>,

    /// Threads of the load; more of them leave less of the machine to the broker
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) threads: u32,

    /// Print one JSON object with all figures of all runs, the machine, the versions and this command
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) target: Target,
}

/// What a broker is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Limit {
    /// A writer on bare QUIC, tuned as the broker's door is
    Quic,
    /// A writer on bare WebSockets, which says the same messages as the door
    Ws,
}

impl Limit {
    /// Whether it says what a broker says at this door.
    pub(super) fn is_of(self, door: Door) -> bool {
        match self {
            Self::Quic => door == Door::Quic,
            Self::Ws => door != Door::Quic,
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quic => "bare QUIC",
            Self::Ws => "bare WebSocket",
        }
    }

    /// What it is called by programs.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Quic => "bare_quic",
            Self::Ws => "bare_ws",
        }
    }
}

/// Door that the load uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Door {
    /// QUIC
    Quic,
    /// The browser's door, in binary messages
    Ws,
    /// The browser's door, in JSON, with payloads of text
    Json,
}

impl Door {
    /// What is spoken there, if it is the browser's.
    pub(super) fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Quic => None,
            Self::Ws => Some(Dialect::Binary),
            Self::Json => Some(Dialect::Json),
        }
    }

    /// Its name, as on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Ws => "ws",
            Self::Json => "json",
        }
    }
}

impl Common {
    /// What its payloads look like.
    pub(super) fn form(&self) -> Form {
        Form { bytes: self.payload, is_text: self.door == Door::Json }
    }
}

impl Case {
    /// What all cases share.
    pub(super) fn common(&self) -> &Common {
        match self {
            Self::Fanout { common, .. }
            | Self::Pairs { common, .. }
            | Self::Ping { common }
            | Self::Latency { common, .. }
            | Self::Idle { common, .. }
            | Self::Channels { common, .. } => common,
        }
    }

    /// Its name, as on the command line.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fanout { .. } => "fanout",
            Self::Pairs { .. } => "pairs",
            Self::Ping { .. } => "ping",
            Self::Latency { .. } => "latency",
            Self::Idle { .. } => "idle",
            Self::Channels { .. } => "channels",
        }
    }

    /// Whether what it measures is what a server keeps, which one that served a run before cannot tell.
    pub(super) fn is_about_memory(&self) -> bool {
        matches!(self, Self::Idle { .. } | Self::Channels { .. })
    }

    /// Its sizes by name.
    pub(super) fn sizes(&self) -> Vec<(&'static str, u32)> {
        match self {
            Self::Fanout { subscribers, window, .. } => vec![("subscribers", *subscribers), ("window", *window)],
            Self::Pairs { pairs, window, .. } => vec![("pairs", *pairs), ("window", *window)],
            Self::Latency { subscribers, rate, .. } => vec![("subscribers", *subscribers), ("rate", *rate)],
            Self::Idle { connections, .. } => vec![("connections", *connections)],
            Self::Channels { channels, connections, births, .. } => {
                vec![("channels", *channels), ("connections", *connections), ("births", *births)]
            }
            Self::Ping { .. } => Vec::new(),
        }
    }
}

fn parse_payload(text: &str) -> Result<usize, String> {
    let legal = STAMP_BYTES..=PAYLOAD_BYTES_DEFAULT;
    text.parse()
        .ok()
        .filter(|bytes| legal.contains(bytes))
        .ok_or_else(|| format!("{} to {} bytes: a message begins with its stamp", legal.start(), legal.end()))
}

/// A time as people write it.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_s = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit_s);
    seconds
        .filter(|seconds| (0.1..=3600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a time from 100ms to an hour, such as 10s, 300ms or 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "0s", "99ms", "2h", "-1s", "inf", "NaN", "61m"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_payload_has_room_for_its_stamp() {
        assert_eq!(parse_payload("24"), Ok(24));
        for text in ["23", "65537", "x"] {
            assert!(parse_payload(text).is_err(), "{text}");
        }
    }
}
