//! Configurations that cannot work or are not safe, each with its refusal.

use super::*;
use crate::config::WsListen;

fn exposed() -> Config {
    let mut config = Config::new("data");
    config.listen = SocketAddr::from(([0, 0, 0, 0], 4480));
    config.tls = Tls::Pem { chain: "chain.pem".into(), key: "key.pem".into() };
    config
}

#[test]
fn the_defaults_are_legal() {
    assert_eq!(Config::new("data").check(), Ok(()));
}

#[test]
fn each_bound_has_its_own_refusal() {
    let refusal = |change: fn(&mut Config)| {
        let mut config = Config::new("data");
        change(&mut config);
        config.check().expect_err("a refusal").to_string()
    };
    assert!(refusal(|c| c.payload_bytes_max = limits::PAYLOAD_BYTES_CEILING + 1).contains("lower it"));
    assert!(refusal(|c| c.payload_bytes_max = 0).contains("payload_bytes_max is 0"));
    assert!(refusal(|c| c.subscriptions_max = usize::MAX).contains("subscriptions_max is above"));
    assert!(refusal(|c| c.outbox.messages = 0).contains("outbox.messages is 0"));
    assert!(refusal(|c| c.outbox.bytes = c.payload_bytes_max).contains("raise outbox.bytes"));
    assert!(refusal(|c| c.idle_timeout = Duration::ZERO).contains("idle_timeout_ms is 0"));
    assert!(refusal(|c| c.idle_timeout = Duration::from_millis(999)).contains("raise it to at least 1000"));
    assert!(refusal(|c| c.limits.frames.burst = 0).contains("limits.frames.burst is 0"));
    assert!(refusal(|c| c.limits.subscriptions = 0).contains("limits.subscriptions is 0"));
    assert!(refusal(|c| c.limits.inbox_bytes = 0).contains("raise it to at least 2097152"));
    assert!(refusal(|c| c.ws.publish_bytes = 4095).contains("ws.publish_bytes is 4095, too little"));
    assert!(refusal(|c| c.ws.publish_bytes = 0).contains("raise it to at least 4096"));
    assert!(refusal(|c| c.limits.bridge_sessions = 0).contains("limits.bridge_sessions is 0"));
    assert!(refusal(|c| c.limits.channels = 0).contains("limits.channels is 0"));
    assert!(refusal(|c| c.tls = Tls::Pem { chain: "a".into(), key: "".into() }).contains("tls.key is not set"));
    assert!(refusal(|c| c.drain.deadline = Duration::MAX).contains("drain.deadline_ms is above a day"));
}

#[test]
fn the_least_for_publishes_over_http_has_room_for_one_message() {
    let mut config = Config::new("data");
    config.ws.publish_bytes = defaults::HTTP_PUBLISH_BYTES_MIN;
    assert_eq!(config.check(), Ok(()));
    let door = config.door(|| Err("no TLS")).expect("no TLS is asked for").expect("a door");
    assert_eq!(door.limits.publish_messages, 1);
}

#[test]
fn loopback_needs_no_flag_in_either_family() {
    for listen in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:4480", "[::ffff:127.0.0.1]:4480"] {
        let mut config = Config::new("data");
        config.listen = listen.parse().expect("an address");
        assert!(config.may_publish_anonymously());
        assert_eq!(config.check(), Ok(()), "{listen}");
    }
}

#[test]
fn a_browsers_door_beyond_loopback_is_judged_as_the_other_one_is() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 443));
    let mut config = Config::new("data");
    config.ws.listen = WsListen::At(listen);
    assert!(config.ws_has_tls() && !config.may_publish_anonymously());
    assert_eq!(config.check(), Err(ConfigError::ExposedDevelopmentCertificate { listen }));
    config.anonymous_publish = Some(true);
    assert_eq!(config.check(), Err(ConfigError::ExposedAnonymousPublish { listen }));
    config.anonymous_publish = None;
    config.ws.tls = Some(false);
    assert_eq!(config.check(), Err(ConfigError::ExposedPlain { listen }));
    config.ws.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
    assert_eq!(config.check(), Ok(()), "the proxy shows a certificate of its own");
    config.ws.listen = WsListen::Off;
    assert_eq!((config.check(), config.ws_address(), config.may_publish_anonymously()), (Ok(()), None, true));
}

#[test]
fn a_cookie_goes_with_no_page_of_anywhere() {
    let mut config = Config::new("data");
    config.ws.cookie = Some("key".to_owned());
    assert_eq!(config.check(), Ok(()));
    config.ws.origins = vec!["*".parse().expect("all")];
    assert!(config.check().expect_err("a refusal").to_string().contains("any page could use"));
}

#[test]
fn beyond_loopback_anonymous_publishing_is_off_unless_asked_for() {
    let mut config = exposed();
    assert!(!config.may_publish_anonymously());
    assert_eq!(config.check(), Ok(()));
    config.anonymous_publish = Some(true);
    assert_eq!(config.check(), Err(ConfigError::ExposedAnonymousPublish { listen: config.listen }));
    config.expose_anyway = true;
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn a_demo_stands_where_its_page_may_publish_and_beyond_this_machine_only_if_all_of_that_was_said() {
    let mut config = Config::new("data");
    config.demo = Some(true);
    assert_eq!(config.check(), Ok(()));
    config.anonymous_publish = Some(false);
    assert_eq!(config.check(), Err(ConfigError::DemoWithoutPublishing));
    config = exposed();
    config.demo = Some(true);
    assert_eq!(config.check(), Err(ConfigError::DemoWithoutPublishing));
    config.anonymous_publish = Some(true);
    assert_eq!(config.check(), Err(ConfigError::ExposedAnonymousPublish { listen: config.listen }));
    config.expose_anyway = true;
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn metrics_stay_on_this_machine_unless_asked_for() {
    let mut config = Config::new("data");
    config.metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 4490)));
    assert_eq!(config.check(), Ok(()));
    let listen = SocketAddr::from(([0, 0, 0, 0], 4490));
    config.metrics_listen = Some(listen);
    config.expose_anyway = true;
    assert_eq!(config.check(), Err(ConfigError::ExposedMetrics { listen }));
    config.metrics_expose = true;
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn beyond_loopback_a_development_certificate_needs_a_flag() {
    let mut config = exposed();
    config.tls = Tls::Development;
    let error = config.check().expect_err("a refusal");
    assert_eq!(error, ConfigError::ExposedDevelopmentCertificate { listen: config.listen });
    assert!(error.to_string().contains("--expose-anyway"));
    config.expose_anyway = true;
    assert_eq!(config.check(), Ok(()));
}
