//! `callboard serve`: runs a broker until a signal asks it to end; what the broker does is not decided here.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use callboard::config::{Config, File, Tls};
use callboard::{BindError, Broker, StartError};
use clap::Args;
use clap::builder::BoolishValueParser;

use super::exit::{self, Exit};
use super::output::nobody_reads;
use super::place::Place;
use super::{program, summary};
use crate::shutdown::{Signal, Signals};

const AFTER_HELP: &str = "\
It listens on this machine alone unless told otherwise, with a certificate that it makes for itself.

A flag wins over its variable, a variable over the configuration file, the file over the defaults.

Examples:
  callboard serve
  callboard serve --listen 127.0.0.1:5000 --data-dir ./state
  callboard serve --listen 0.0.0.0:4480 --cert chain.pem --key key.pem
  callboard serve --config callboard.toml

Exit codes:
  0    ended as SIGINT or SIGTERM asked, after clients were told
  1    could not start
  2    the command line or the configuration is wrong
  130  a second SIGINT ended it at once; 143 after a second SIGTERM";

/// Run a broker.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Serve {
    /// Where to listen (UDP); port 0 takes a free one [default: 127.0.0.1:4480]
    #[arg(long, value_name = "ADDR", env = "CALLBOARD_LISTEN", value_parser = parse_listen)]
    listen: Option<SocketAddr>,

    /// A configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "CALLBOARD_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    place: Place,

    /// The certificate chain, the broker's own first [default: a self-signed one for development]
    #[arg(long, value_name = "PEM", env = "CALLBOARD_CERT", requires = "key", help_heading = "Certificate")]
    cert: Option<PathBuf>,

    /// The certificate's private key
    #[arg(long, value_name = "PEM", env = "CALLBOARD_CERT_KEY", requires = "cert", help_heading = "Certificate")]
    key: Option<PathBuf>,

    /// Whether peers without a key may publish [default: only while nothing but this machine can connect]
    #[arg(
        long,
        value_name = "true|false",
        env = "CALLBOARD_ANONYMOUS_PUBLISH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        help_heading = "Access"
    )]
    anonymous_publish: Option<bool>,

    /// Listen beyond this machine although the certificate is for development or peers without a key may publish
    #[arg(long, env = "CALLBOARD_EXPOSE_ANYWAY", value_parser = BoolishValueParser::new(), help_heading = "Access")]
    expose_anyway: bool,
}

/// Runs the command.
pub(super) async fn run(command: Serve) -> anyhow::Result<Exit> {
    let config = command.config()?;
    let mut signals = Signals::listen().context("signals cannot be listened for")?;
    let deadline = config.drain.deadline;
    let broker = Broker::start(config.clone()).await.map_err(explain)?;
    print_summary(&config, &broker)?;

    let signal = signals.next().await;
    tell(&format!(
        "{}: telling clients goodbye, for {} s at most; a second signal ends it at once",
        signal.name(),
        deadline.as_secs_f32()
    ));
    tokio::select! {
        () = broker.drain() => Ok(Exit::Done),
        second = signals.next() => Ok(at_once(second)),
    }
}

fn at_once(signal: Signal) -> Exit {
    tell(&format!("{}: ended at once", signal.name()));
    Exit::Interrupted(signal)
}

impl Serve {
    /// What the flags, the variables and the configuration file say together.
    fn config(&self) -> anyhow::Result<Config> {
        let file = self.config.as_deref().map(File::read).transpose().map_err(exit::usage)?;
        let data_dir = self.place.data_dir(file.as_ref().and_then(File::data_dir))?;
        let mut config = Config::new(&data_dir);
        if let Some(file) = file {
            file.apply(&mut config);
        }
        config.data_dir = data_dir;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let (Some(chain), Some(key)) = (&self.cert, &self.key) {
            config.tls = Tls::Pem { chain: chain.clone(), key: key.clone() };
        }
        config.anonymous_publish = self.anonymous_publish.or(config.anonymous_publish);
        config.expose_anyway |= self.expose_anyway;
        config.check().map_err(exit::usage)?;
        Ok(config)
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is an IP and a port, as 127.0.0.1:4480, 0.0.0.0:4480 or [::1]:4480".to_owned())
}

/// What an operator can do about a door that does not open.
fn explain(error: StartError) -> anyhow::Error {
    let StartError::Bind(BindError::Bind { address, source }) = &error else { return error.into() };
    let port = address.port();
    let kind = source.kind();
    let hint = if kind == ErrorKind::AddrInUse {
        let free = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(0));
        let program = program::invoked();
        format!(
            "something listens there already, perhaps another broker. Stop it, or choose another port: {program} serve \
             --listen {free}"
        )
    } else if kind == ErrorKind::AddrNotAvailable {
        "this machine does not have that address; 0.0.0.0 or [::] are all that it has".to_owned()
    } else if kind == ErrorKind::PermissionDenied {
        format!("port {port} takes rights that this user has not; choose one above 1023")
    } else {
        return error.into();
    };
    anyhow::anyhow!("{error}; {hint}")
}

fn print_summary(config: &Config, broker: &Broker) -> anyhow::Result<()> {
    let text = summary::render(&summary::Facts {
        config,
        address: broker.addr(),
        fingerprint: broker.fingerprint(),
        usual_data_dir: callboard::config::platform_data_dir(),
        program: program::invoked(),
    });
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if nobody_reads(&error) => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

fn tell(sentence: &str) {
    // If standard error is closed the sentence has no reader.
    let _ = writeln!(anstream::stderr(), "{sentence}");
}

#[cfg(test)]
mod tests {
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
        let sentence = explain(StartError::Bind(BindError::Bind { address, source })).to_string();
        assert!(sentence.contains("--listen 127.0.0.1:4481"), "{sentence}");
    }
}
