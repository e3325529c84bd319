//! What a broker shows of itself agrees with what was done to it, and no secret is in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use callboard_client::{Client, SubscribeOptions, Trust};
use tokio::time::Instant;

use crate::program::{Broker, callboard, run, text};
#[cfg(unix)]
use crate::program::{signal, terminate};

/// The status and the body of an answer to `GET path`.
fn get(broker: &Broker, path: &str) -> (u16, String) {
    let metrics = broker.metrics.as_deref().expect("it serves metrics");
    let address = metrics.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/metrics")).expect("an address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, body.to_owned())
}

/// The value of one line of the metrics.
fn metric(page: &str, name: &str) -> u64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {page}"))
}

/// Waits until the metrics say so: what ends is counted a moment after its peer knows.
async fn until(broker: &Broker, name: &str, wanted: u64) -> String {
    until_page(broker, &format!("{name} is {wanted}"), |page| metric(page, name) == wanted).await
}

/// The same for more than one number.
async fn until_page(broker: &Broker, what: &str, is_so: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut page = String::new();
    while Instant::now() < deadline {
        page = get(broker, "/metrics").1;
        if is_so(&page) {
            return page;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not come to this that {what}: {page}");
}

async fn client(broker: &Broker, home: &Path) -> Client {
    let trust = Trust::pem_file(home.join("development-cert.pem"));
    Client::builder(&broker.url).trust(trust).connect().await.expect("a session")
}

#[tokio::test]
async fn metrics_agree_with_what_was_sent() {
    const MESSAGES: u64 = 500;
    let home = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(home.path(), &["--metrics", "127.0.0.1:0"]);
    let (one, two) = (client(&broker, home.path()).await, client(&broker, home.path()).await);
    let mut heard = one.subscribe("a/b").await.expect("subscribed");
    let own = SubscribeOptions { exclude_own: true, ..SubscribeOptions::default() };
    let _unheard = two.subscribe_with("a/b", own).await.expect("subscribed");
    for number in 0..MESSAGES {
        two.publish("a/b", format!("message {number}")).await.expect("published");
    }
    for _ in 0..MESSAGES {
        heard.next().await.expect("a message");
    }
    // The first batch of a session is measured, and counted once it is written, as all bytes are.
    let page = until_page(&broker, "all is taken, written and measured", |page| {
        metric(page, "callboard_publishes_total") == MESSAGES
            && metric(page, "callboard_delivery_seconds_count") >= 1
            && metric(page, "callboard_written_bytes_total") > metric(page, "callboard_published_bytes_total")
    })
    .await;
    let counted = |name: &str| metric(&page, &format!("callboard_{name}"));
    assert_eq!(counted("deliveries_total"), MESSAGES, "{page}");
    assert_eq!(counted("skipped_total"), MESSAGES, "{page}");
    assert_eq!(counted("connections"), 2, "{page}");
    assert_eq!(counted("sessions"), 2, "{page}");
    let channels = counted("channels{state=\"awake\"}") + counted("channels{state=\"asleep\"}");
    assert_eq!((channels, counted("subscriptions"), counted("inbox_bytes")), (1, 2, 0), "{page}");
    assert!(counted("read_bytes_total") > counted("published_bytes_total") / 2, "{page}");
    let measured = counted("delivery_seconds_count");
    assert_eq!(counted("delivery_seconds_bucket{le=\"+Inf\"}"), measured, "{page}");

    let late = client(&broker, home.path()).await;
    let rewind = SubscribeOptions { rewind: Some(100), ..SubscribeOptions::default() };
    let mut missed = late.subscribe_with("a/b", rewind).await.expect("subscribed");
    for _ in 0..100 {
        missed.next().await.expect("a message");
    }
    let page = until(&broker, "callboard_replayed_total", 100).await;
    assert_eq!(metric(&page, "callboard_replays_total"), 1, "{page}");
    assert_eq!(metric(&page, "callboard_deliveries_total"), MESSAGES, "{page}");

    for client in [&one, &two, &late] {
        client.close().await.expect("closed");
    }
    let page = until(&broker, "callboard_closes_total{code=\"4000\",reason=\"Finished\"}", 3).await;
    assert_eq!(metric(&page, "callboard_connections_opened_total"), 3, "{page}");
    until(&broker, "callboard_sessions", 0).await;
    assert!(page.ends_with("# EOF\n"), "{page}");
}

/// The status of the answer to a request for `/` with these header fields.
fn ask(door: SocketAddr, fields: &str) -> u16 {
    let mut stream = TcpStream::connect(door).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    write!(stream, "GET /v1/bus HTTP/1.1\r\n{fields}Connection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn whoever_runs_a_broker_is_told_once_why_pages_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let log = home.path().join("log");
    let process = callboard(&home.path().join("data"))
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).expect("a file"))
        .spawn()
        .expect("a broker");
    let broker = Broker::of(process);
    let told = std::fs::read_to_string(&log).expect("a log");
    let (_, address) = told.split_once("serving browsers address=").expect("where it serves them");
    let door = address.split(' ').next().and_then(|address| address.parse().ok()).expect("an address");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: callboard.v1\r\n";
    for (fields, status) in [
        ("Host: localhost\r\nOrigin: http://localhost:5173\r\n".to_owned(), 403),
        ("Host: bus.example.org\r\n".to_owned(), 421),
        (format!("Host: localhost\r\nVia: 1.1 proxy\r\nAuthorization: Bearer x\r\n{upgrade}"), 403),
    ] {
        assert_eq!([ask(door, &fields), ask(door, &fields)], [status; 2], "{fields}");
    }
    let page = get(&broker, "/metrics").1;
    assert_eq!(metric(&page, "callboard_http_refused_total{status=\"403\"}"), 4, "{page}");
    assert_eq!(metric(&page, "callboard_http_refused_total{status=\"421\"}"), 2, "{page}");
    let log = std::fs::read_to_string(&log).expect("a log");
    for (name, setting) in [
        ("http://localhost:5173", "ws.origins"),
        ("bus.example.org", "ws.hosts"),
        ("127.0.0.1", "ws.trusted_proxies, and"),
    ] {
        let told = log.lines().filter(|line| line.contains("WARN") && line.contains(setting) && line.contains(name));
        assert_eq!(told.count(), 1, "{setting}: {log}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_broker_is_ready_until_it_drains_and_healthy_until_it_ends() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(home.path(), &["--metrics", "127.0.0.1:0"]);
    assert_eq!((get(&broker, "/readyz").0, get(&broker, "/healthz").0, get(&broker, "/nowhere").0), (200, 200, 404));
    let mut subscriber = callboard(home.path())
        .args(["sub", "--url", &broker.url, "a/b"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a subscriber");
    until(&broker, "callboard_sessions", 1).await;
    // One that does not answer keeps the broker draining.
    signal(&subscriber, "-STOP");
    terminate(&broker.process);
    let page = until(&broker, "callboard_accepting", 0).await;
    assert_eq!(metric(&page, "callboard_sessions"), 1, "{page}");
    assert_eq!((get(&broker, "/readyz").0, get(&broker, "/healthz").0), (503, 200));
    signal(&subscriber, "-KILL");
    subscriber.wait().expect("an end");
}

#[cfg(unix)]
#[test]
fn machines_read_a_line_an_event_and_nothing_else() {
    let home = tempfile::tempdir().expect("a directory");
    // A directory that the broker makes itself gives no reason for a warning.
    let mut process = callboard(&home.path().join("data"))
        .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a broker");
    let mut log = BufReader::new(process.stderr.take().expect("its log")).lines().map_while(Result::ok);
    let mut lines: Vec<String> = log.by_ref().take(3).collect();
    terminate(&process);
    lines.extend(log);
    assert_eq!(process.wait().expect("an end").code(), Some(0));
    let event = |line: &String| -> serde_json::Value { serde_json::from_str(line).expect("JSON") };
    let messages: Vec<String> =
        lines.iter().map(|line| event(line)["message"].as_str().unwrap_or_default().to_owned()).collect();
    let of_life: Vec<&str> =
        messages.iter().map(String::as_str).filter(|message| !message.contains("SIGTERM")).collect();
    assert_eq!(of_life, ["started", "serving browsers", "listening", "draining", "ended"], "{lines:?}");
    assert!(event(&lines[2])["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{lines:?}");
    let mut said = String::new();
    process.stdout.take().expect("its output").read_to_string(&mut said).expect("text");
    assert_eq!(said, "", "the summary is for people");
}

#[test]
fn no_secret_is_logged_at_any_level() {
    for format in ["human", "json"] {
        let home = tempfile::tempdir().expect("a directory");
        let log = home.path().join("log");
        let process = callboard(home.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--anonymous-publish=false"])
            .args(["--log", "trace", "--log-format", format])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("a broker");
        let broker = Broker::logging_to(&log, process);
        let key = text(&run(home.path(), &["token", "new", "reporter"]).stdout).trim().to_owned();
        let secret = key.rsplit('_').next().expect("a secret").to_owned();
        let wrong = key.replace(&secret, &secret.chars().rev().collect::<String>());
        let publish = |key: &str| {
            let mut command = callboard(home.path());
            command.env("CALLBOARD_API_KEY", key).args(["--log", "trace", "--log-format", format]);
            command.args(["pub", "--url", &broker.url, "--message-key", "canary-key", "a/b", "canary-payload"]);
            command.output().expect("the program runs")
        };
        let (taken, refused) = (publish(&key), publish(&wrong));
        assert_eq!((taken.status.code(), refused.status.code()), (Some(0), Some(1)), "{}", text(&taken.stderr));
        let heard = callboard(home.path())
            .env("CALLBOARD_API_KEY", &key)
            .args(["--log", "trace", "--log-format", format, "sub", "--url", &broker.url])
            .args(["--rewind", "1", "--count", "1", "a/b"])
            .output()
            .expect("the program runs");
        assert!(text(&heard.stdout).contains("canary-payload"), "{}", text(&heard.stderr));
        drop(broker);
        let mut logs = std::fs::read_to_string(&log).expect("a log");
        assert!(logs.contains("session opened"), "the log is one: {logs}");
        for output in [&taken, &refused, &heard] {
            logs.push_str(&text(&output.stderr));
        }
        let wrong = wrong.rsplit('_').next().expect("a secret");
        // As debugging output shows bytes, too.
        let listed = |text: &str| format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
        let listed = [listed(&secret), listed("canary-payload"), listed("canary-key")];
        let listed = listed.iter().map(String::as_str);
        for canary in [secret.as_str(), wrong, "canary-payload", "canary-key"].into_iter().chain(listed) {
            let line = logs.lines().find(|line| line.contains(canary));
            assert_eq!(line, None, "{canary}");
        }
    }
}
