//! Where `serve` shows its demo: decides whether there is one, and starts it beside the broker. What it does stands in
//! `callboard::demo`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use callboard::config::Config;
use callboard::demo::{BoxOffice, Options, Program};
use callboard::{Broker, Resource};
use callboard_client::{BuildError, Client, Trust};
use callboard_protocol::version;

/// Where pages fetch what the box office reports; `null` if no demo runs.
const BOX_OFFICE: &str = "/demo/box-office";

/// The demo, before the broker runs that it needs.
pub(super) struct Demo {
    office: Option<Arc<BoxOffice>>,
}

impl Demo {
    /// As the configuration says. Where it says nothing, there is a demo only if nobody asked for anything else and
    /// nobody on another machine could see it.
    pub(super) fn new(config: &Config, is_implicit: bool) -> Self {
        let is_fit = config.on_loopback() && config.may_publish_anonymously() && config.ws_address().is_some();
        let has_demo = config.demo.unwrap_or(is_implicit && is_fit);
        Self { office: has_demo.then(|| Arc::new(BoxOffice::open())) }
    }

    /// What a bridge serves in the place of the report, which stands in the broker's process: a page tells it from a box
    /// office that is closed.
    pub(super) fn elsewhere() -> Resource {
        Resource::json(BOX_OFFICE, || r#"{"elsewhere":true}"#.into())
    }

    /// What the browser's door serves for it.
    pub(super) fn resource(&self) -> Resource {
        let office = self.office.clone();
        Resource::json(BOX_OFFICE, move || office.as_ref().map_or("null".into(), |office| office.report()))
    }

    /// Starts the demo's program, if there is to be one: a client of the broker, over QUIC as any other.
    pub(super) fn start(self, broker: &Broker) -> Result<Option<Program>, BuildError> {
        let Some(office) = self.office else { return Ok(None) };
        let client = Client::builder(format!("{}://{}", version::URL_SCHEME, reachable(broker.addr())))
            .trust(Trust::pinned(broker.fingerprint()))
            .agent(concat!("callboard-demo/", env!("CARGO_PKG_VERSION")))
            .connect_lazy()?;
        Ok(Some(Program::start(client, office, Options::default())))
    }
}

/// The address by which this machine reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use callboard::config::WsListen;

    use super::*;

    fn has_demo(is_implicit: bool, change: impl FnOnce(&mut Config)) -> bool {
        let mut config = Config::new("data");
        change(&mut config);
        Demo::new(&config, is_implicit).office.is_some()
    }

    #[test]
    fn a_broker_that_was_asked_for_nothing_shows_a_demo_to_this_machine() {
        assert!(has_demo(true, |_| ()));
        assert!(!has_demo(false, |_| ()), "serve was asked for");
        assert!(!has_demo(true, |config| config.demo = Some(false)));
        assert!(has_demo(false, |config| config.demo = Some(true)));
    }

    #[test]
    fn nobody_else_is_shown_a_demo_that_was_not_asked_for() {
        let beyond = SocketAddr::from(([0, 0, 0, 0], 4480));
        assert!(!has_demo(true, |config| config.listen = beyond));
        assert!(!has_demo(true, |config| {
            config.ws.listen = WsListen::At(beyond);
            config.anonymous_publish = Some(true);
        }));
        assert!(!has_demo(true, |config| config.anonymous_publish = Some(false)));
        assert!(!has_demo(true, |config| config.ws.listen = WsListen::Off));
    }
}
