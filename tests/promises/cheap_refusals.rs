//! To refuse a handshake costs the broker less than a millisecond of a processor, however much is wrong with it.

use std::net::SocketAddr;
use std::time::Duration;

use callboard_tests::{Process, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONFIGURATION: &str = r#"
[ws]
origins = ["https://*.example.org", "capacitor://localhost"]
cookie = "callboard_key"
query_credential = "key"
trusted_proxies = ["10.0.0.0/8", "127.0.0.0/8"]
"#;

/// Enough for the processor's time to be told in hundredths of a second.
const HANDSHAKES: u32 = 500;

/// In a build without optimization, too, that takes several times as long.
const COST: Duration = Duration::from_millis(1);

/// About as much header as is read.
const LONG: usize = 30_000;

#[tokio::test]
async fn refusing_a_handshake_is_cheap_whatever_is_wrong_with_it() {
    let broker = Process::start_for_browsers(CONFIGURATION).await;
    let door = broker.ws_addr().await;
    let mut costs = Vec::new();
    for (what, status, target, fields) in cases() {
        let request = handshake(&target, &fields);
        let Some(before) = broker.busy() else { return };
        for _ in 0..HANDSHAKES {
            assert_eq!(refused(door, request.as_bytes()).await, status, "{what}");
        }
        let each = (broker.busy().expect("it lives") - before) / HANDSHAKES;
        costs.push((what, each));
    }
    let told: Vec<String> = costs.iter().map(|(what, each)| format!("{:>5} µs  {what}", each.as_micros())).collect();
    println!("{}", told.join("\n"));
    assert!(costs.iter().all(|(_, each)| *each < COST), "{}", told.join("\n"));
}

/// What is wrong, the status that tells it, the target, and further header fields.
fn cases() -> Vec<(&'static str, u16, String, String)> {
    let filled = |name: &str, with: &str| format!("{name}: {}\r\n", with.repeat(LONG / with.len()));
    let bus = || "/v1/bus".to_owned();
    let subprotocol = "Sec-WebSocket-Protocol: callboard.v1\r\n";
    vec![
        ("2,000 header fields", 431, bus(), "X-Field: 1\r\n".repeat(2_000)),
        ("a header of 64 KiB", 431, bus(), format!("X-Field: {}\r\n", "x".repeat(64 << 10))),
        ("a target of 64 KiB", 431, format!("/v1/bus?{}", "x".repeat(64 << 10)), String::new()),
        ("a foreign Origin", 403, bus(), "Origin: https://evil.org\r\n".to_owned()),
        ("an Origin that is long", 403, bus(), format!("Origin: https://{}org\r\n", "a.".repeat(LONG / 2))),
        ("a Host that is long", 400, bus(), filled("Host", "a.")),
        ("another subprotocol", 400, bus(), "Sec-WebSocket-Protocol: callboard.v9\r\n".to_owned()),
        ("subprotocols of blanks", 400, bus(), filled("Sec-WebSocket-Protocol", " \t , ")),
        ("subprotocols of commas", 400, bus(), filled("Sec-WebSocket-Protocol", ",")),
        ("an Upgrade of commas", 426, bus(), filled("Upgrade", ",")),
        ("a key that is long", 400, bus(), filled("Sec-WebSocket-Key", "dGhl")),
        ("a cookie of semicolons", 400, bus(), subprotocol.to_owned() + &filled("Cookie", "callboard_key=a;")),
        ("a query of ampersands", 400, format!("/v1/bus?{}", "key=%41&".repeat(LONG / 8)), subprotocol.to_owned()),
        ("proxies without end", 400, bus(), filled("X-Forwarded-For", "10.0.0.1,")),
        ("no handshake", 426, "/v1/bus".to_owned(), "Upgrade: h2c\r\n".to_owned()),
    ]
}

/// The request, in which a field of `fields` stands in for the one that a good handshake has.
fn handshake(target: &str, fields: &str) -> String {
    let good = [
        ("Host", "localhost"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let good = good.into_iter().filter(|(name, _)| !fields.contains(&format!("{name}: ")));
    let good: String = good.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\n{good}{fields}\r\n")
}

/// The status of the answer.
async fn refused(door: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = soon("a TCP connection", TcpStream::connect(door)).await.expect("a door that is open");
    let (mut read, mut write) = stream.split();
    let mut head = [0; 12];
    // What is too long is not read to its end.
    let (_, heard) =
        soon("an answer", async { tokio::join!(write.write_all(request), read.read_exact(&mut head)) }).await;
    heard.expect("the beginning of an answer");
    str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok()).expect("a status")
}
