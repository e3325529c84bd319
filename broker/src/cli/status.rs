//! What `sub` says about its connection, on standard error so that pipes stay clean; each change once, never a secret.

use std::fmt::Display;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};
use callboard_client::State;

use super::escape::escape;

const DIM: Style = Style::new().effects(Effects::DIMMED);
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Remembers what was said, so that a long outage does not fill the screen.
#[derive(Debug, Default)]
pub(super) struct Status {
    was_online: bool,
    trouble: Option<String>,
}

impl Status {
    /// The sentence about a state that the client is in now, if it is news.
    pub(super) fn sentence(&mut self, state: &State) -> Option<String> {
        match state {
            State::Online(online) => {
                let identity = online.identity.as_ref().map(|identity| identity.key.as_str());
                let broker = SocketAddr::new(online.broker.ip().to_canonical(), online.broker.port());
                self.online(&broker, identity)
            }
            State::Waiting { until, why } => {
                self.waiting(&why.to_string(), until.saturating_duration_since(tokio::time::Instant::now()))
            }
            // How it closed is told where the command ends.
            State::Connecting | State::Closed { .. } | _ => None,
        }
    }

    fn online(&mut self, broker: &impl Display, identity: Option<&str>) -> Option<String> {
        let again = std::mem::replace(&mut self.was_online, true);
        if again && self.trouble.take().is_none() {
            return None;
        }
        let identity = identity.map_or("without a key".into(), |key| format!("as {}", escape(key)));
        let verb = if again { "back again at" } else { "connected to" };
        Some(format!("{DIM}{verb} {broker}, {identity}{DIM:#}"))
    }

    fn waiting(&mut self, why: &str, pause: Duration) -> Option<String> {
        if self.trouble.as_deref() == Some(why) {
            return None;
        }
        self.trouble = Some(why.to_owned());
        let why = escape(why);
        // A shorter pause is over before anybody has read of it.
        let when =
            if pause < Duration::from_secs(1) { String::new() } else { format!(" in {:.0} s", pause.as_secs_f32()) };
        Some(format!("{WARNING}{why}; trying again{when}{WARNING:#}"))
    }
}

/// Writes a sentence to standard error.
pub(super) fn tell(sentence: &str) {
    // If standard error is closed the sentence has no reader.
    let _ = writeln!(anstream::stderr(), "{sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(sentence: Option<String>) -> Option<String> {
        sentence.map(|sentence| anstream::adapter::strip_str(&sentence).to_string())
    }

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let mut status = Status::default();
        let second = Duration::from_secs(1);
        assert_eq!(
            plain(status.online(&"127.0.0.1:4480", None)).as_deref(),
            Some("connected to 127.0.0.1:4480, without a key")
        );
        assert_eq!(
            plain(status.waiting("the connection was lost: timed out", second)).as_deref(),
            Some("the connection was lost: timed out; trying again in 1 s")
        );
        assert_eq!(status.waiting("the connection was lost: timed out", second), None);
        assert_eq!(
            plain(status.waiting("the broker was not reached: refused", second / 5)).as_deref(),
            Some("the broker was not reached: refused; trying again")
        );
        assert_eq!(
            plain(status.online(&"127.0.0.1:4480", Some("me\u{7}"))).as_deref(),
            Some("back again at 127.0.0.1:4480, as me\\u{7}")
        );
        assert_eq!(status.online(&"127.0.0.1:4480", None), None);
    }
}
