//! `callboard serve`: runs a broker until a signal asks it to end; what the broker does is not decided here.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use callboard::config::{Config, LogFormat};
use callboard::demo::Program;
use callboard::{BindError, Broker, StartError};
use clap::Args;

use super::demo::Demo;
use super::exit::{self, Exit};
use super::output::print;
use super::settings::Settings;
use super::{logging, program, summary};
use crate::shutdown::{Signal, Signals};

const AFTER_HELP: &str = "\
By default it listens on this machine only, with a self-signed certificate.

A flag overrides its variable, a variable the configuration file, the file the defaults. `--help` shows every flag; `callboard check --example` prints a configuration file with every setting.

Examples:
  callboard serve
  callboard serve --demo
  callboard serve --listen 127.0.0.1:5000 --data-dir ./state
  callboard serve --listen 0.0.0.0:4480 --cert chain.pem --key key.pem
  callboard serve --config callboard.toml
  callboard serve --metrics 127.0.0.1:4490 --log-format json

Exit codes:
  0    stopped by SIGINT or SIGTERM, after clients were told
  1    could not start
  2    the command line or the configuration is wrong
  130  stopped at once by a second SIGINT; 143 by a second SIGTERM";

/// Run a broker.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,

    /// End at once when standard input does: for whoever starts a broker that must not outlive it.
    #[arg(long = UNTIL_INPUT_ENDS, hide = true)]
    until_input_ends: bool,

    /// Whether the program was started without a command.
    #[arg(skip)]
    pub(super) is_implicit: bool,
}

/// The hidden flag of a broker that ends with the program that started it.
pub(super) const UNTIL_INPUT_ENDS: &str = "until-input-ends";

/// How long the demo may take to say goodbye to the broker beside it, of which it needs a few milliseconds.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs the command.
pub(super) async fn run(command: Serve) -> anyhow::Result<Exit> {
    let config = command.config()?;
    logging::start(config.log.as_deref(), config.log_format, logging::SERVE)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let deadline = config.drain.deadline;
    let demo = Demo::new(&config, command.is_implicit);
    let broker = Broker::builder(config.clone())
        .resource(demo.resource())
        .start()
        .await
        .map_err(|error| explain(error, "serve"))?;
    let program = demo.start(&broker)?;
    if config.log_format == LogFormat::Human {
        print_summary(&config, &broker, program.is_some())?;
    }

    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = input_ends(), if command.until_input_ends => return Ok(Exit::Done),
    };
    logging::tell(&format!(
        "{}: shutting down: clients have {} s to go; a second signal stops at once",
        signal.name(),
        deadline.as_secs_f32()
    ));
    // What a demo's farewell takes is taken from nobody's time to leave.
    let end = async { tokio::join!(farewell(program), broker.drain()) };
    tokio::select! {
        ((), ()) = end => Ok(Exit::Done),
        second = signals.next() => Ok(at_once(second)),
    }
}

async fn farewell(program: Option<Program>) {
    if let Some(program) = program {
        // What is not said by then was of no lasting worth.
        let _ = tokio::time::timeout(FAREWELL, program.end()).await;
    }
}

async fn input_ends() {
    // Whatever is said there means nothing; that it cannot be read is its end.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

pub(super) fn at_once(signal: Signal) -> Exit {
    logging::tell(&format!("{}: stopped at once", signal.name()));
    Exit::Interrupted(signal)
}

impl Serve {
    /// What the flags, the variables and the configuration file say together.
    fn config(&self) -> anyhow::Result<Config> {
        let config = self.settings.draft()?.config().clone();
        config.check().map_err(exit::usage)?;
        Ok(config)
    }
}

/// What an operator can do about a door that does not open.
pub(super) fn explain(error: StartError, command: &str) -> anyhow::Error {
    let (address, source, flag) = if let StartError::Bind(BindError::Bind { address, source }) = &error {
        (address, source, "listen")
    } else if let StartError::Browsers(callboard_bridge_ws::BindError::Bind { address, source }) = &error {
        (address, source, "ws-listen")
    } else if let StartError::Metrics { address, source } = &error {
        (address, source, "metrics")
    } else {
        return error.into();
    };
    let port = address.port();
    let kind = source.kind();
    let hint = if kind == ErrorKind::AddrInUse {
        let free = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(0));
        let program = program::invoked();
        format!(
            "the address is in use, perhaps by another broker. Stop it, or choose another port: {program} {command} \
             --{flag} {free}"
        )
    } else if kind == ErrorKind::AddrNotAvailable {
        "this machine does not have that address; 0.0.0.0 or [::] listens on all it has".to_owned()
    } else if kind == ErrorKind::PermissionDenied {
        format!("port {port} needs rights that this user does not have; choose one above 1023")
    } else {
        return error.into();
    };
    anyhow::anyhow!("{error}; {hint}")
}

fn print_summary(config: &Config, broker: &Broker, has_demo: bool) -> anyhow::Result<()> {
    let text = summary::render(&summary::Facts {
        config,
        address: broker.addr(),
        fingerprint: broker.fingerprint(),
        browsers: broker.ws_addr(),
        metrics: broker.metrics_addr(),
        has_demo,
        usual_data_dir: callboard::config::platform_data_dir(),
        program: program::invoked(),
    });
    print(&text)
}

#[cfg(test)]
mod tests {
    use callboard::config::Tls;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        serve: Serve,
    }

    fn config(arguments: &[&str]) -> anyhow::Result<Config> {
        let home = tempfile::tempdir().expect("a directory");
        let data_dir = home.path().to_str().expect("a path").to_owned();
        let arguments = ["serve", "--data-dir", &data_dir].into_iter().chain(arguments.iter().copied());
        Alone::try_parse_from(arguments)?.serve.config()
    }

    #[test]
    fn flags_win_over_the_file() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("callboard.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\nanonymous_publish = true\nsubscriptions_max = 3")
            .expect("written");
        let path = path.to_str().expect("a path");
        let config =
            config(&["--config", path, "--listen", "127.0.0.1:2", "--anonymous-publish=false"]).expect("a config");
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.anonymous_publish, Some(false));
        assert_eq!(config.subscriptions_max, 3);
    }

    #[test]
    fn a_bare_flag_means_yes() {
        assert_eq!(config(&["--anonymous-publish"]).expect("a config").anonymous_publish, Some(true));
        assert_eq!(config(&[]).expect("a config").anonymous_publish, None);
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        assert!(config(&["--cert", "chain.pem"]).is_err());
        let config = config(&["--cert", "chain.pem", "--key", "key.pem"]).expect("a config");
        assert_eq!(config.tls, Tls::Pem { chain: "chain.pem".into(), key: "key.pem".into() });
    }

    #[test]
    fn to_stand_open_takes_a_flag() {
        let error = config(&["--listen", "0.0.0.0:4480"]).expect_err("a refusal").to_string();
        assert!(error.contains("--expose-anyway") && error.contains("--cert"), "{error}");
        assert!(config(&["--listen", "0.0.0.0:4480", "--expose-anyway"]).is_ok());
    }

    #[test]
    fn an_address_in_use_says_what_to_do_next() {
        let source = std::io::Error::from(ErrorKind::AddrInUse);
        let address = SocketAddr::from(([127, 0, 0, 1], 4480));
        let sentence = explain(StartError::Bind(BindError::Bind { address, source }), "serve").to_string();
        assert!(sentence.contains("--listen 127.0.0.1:4481"), "{sentence}");
    }
}
