//! A secret that comes by the browser's door, wherever it stands and however broken that is, shows in no log, metric, answer or close.

use std::net::SocketAddr;

use callboard::identity::KeyStore;
use callboard_bridge_ws::{Dialect, Outgoing};
use callboard_protocol::frame::{Authenticate, ClientFrame, Credential, Hello, Publish};
use callboard_protocol::limits::CREDENTIAL_BYTES_MAX;
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::{Process, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONFIGURATION: &str = r#"
log = "trace"
anonymous_publish = false
metrics_listen = "127.0.0.1:0"
[ws]
origins = ["https://app.example.org"]
cookie = "callboard_key"
query_credential = "key"
"#;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// What every handshake has.
const GOOD: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

/// What stands for the secret in the lines below.
const SECRET: &str = "SECRET";

/// A place where a secret may stand, and what is said with one there.
type Place = (&'static str, Said);

/// What is said to the door.
enum Said {
    /// These bytes.
    Raw(&'static str),
    /// A handshake for this target with these further fields, and a `Hello` behind it.
    Handshake(&'static str, &'static str),
    /// A first message, of this type and with this content, in this dialect.
    Message(Dialect, u8, &'static [u8]),
    /// A publish with these further fields.
    Order(&'static str, &'static str),
}

use Said::{Handshake, Message, Order, Raw};

const PLACES: &[Place] = &[
    ("Authorization", Handshake("/v1/bus", "Authorization: Bearer SECRET\r\n")),
    ("another scheme", Handshake("/v1/bus", "Authorization: Basic SECRET\r\n")),
    ("no scheme", Handshake("/v1/bus", "Authorization: SECRET\r\n")),
    ("Authorization twice", Handshake("/v1/bus", "Authorization: Bearer a\r\nAuthorization: Bearer SECRET\r\n")),
    ("Authorization with a byte of none", Handshake("/v1/bus", "Authorization: Bearer SECRET\u{1}\r\n")),
    ("Authorization of a foreign page", Handshake("/v1/bus", "Origin: null\r\nAuthorization: Bearer SECRET\r\n")),
    ("Authorization at another name", Handshake("/v1/bus", "Host: evil.org\r\nAuthorization: Bearer SECRET\r\n")),
    ("Authorization at no place", Handshake("/v1/bu", "Authorization: Bearer SECRET\r\n")),
    ("Proxy-Authorization", Handshake("/v1/bus", "Proxy-Authorization: Bearer SECRET\r\n")),
    ("a cookie", Handshake("/v1/bus", "Origin: https://app.example.org\r\nCookie: a=b; callboard_key=SECRET\r\n")),
    ("a cookie twice", Handshake("/v1/bus", "Cookie: callboard_key=SECRET; callboard_key=SECRET\r\n")),
    ("a cookie without a page", Handshake("/v1/bus", "Cookie: callboard_key=SECRET\r\n")),
    ("another cookie", Handshake("/v1/bus", "Cookie: session=SECRET\r\n")),
    ("a foreign page's cookie", Handshake("/v1/bus", "Origin: https://b.org\r\nCookie: callboard_key=SECRET\r\n")),
    ("the query", Handshake("/v1/bus?key=SECRET", "")),
    ("the query twice", Handshake("/v1/bus?key=SECRET&key=SECRET", "")),
    ("another query", Handshake("/v1/bus?token=SECRET", "")),
    ("a query at no place", Handshake("/v1/bu?key=SECRET", "")),
    ("the target's user", Handshake("http://me:SECRET@localhost/v1/bus", "")),
    ("the subprotocol", Handshake("/v1/bus", "Sec-WebSocket-Protocol: SECRET\r\n")),
    ("the WebSocket's key", Handshake("/v1/bus", "Sec-WebSocket-Key: SECRET\r\n")),
    ("a line without a colon", Raw("GET / HTTP/1.1\r\nHost: localhost\r\nBearer SECRET\r\n\r\n")),
    ("a request's first word", Raw("SECRET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
    ("a request of another version", Raw("GET /?key=SECRET HTTP/9\r\nHost: localhost\r\n\r\n")),
    ("a header that is not whole", Raw("GET / HTTP/1.1\r\nAuthorization: Bearer SECRET")),
    ("Hello", json(br#"{"kind":"Hello","credential":{"strategy":"apikey","secret":"SECRET"}}"#)),
    ("an unknown strategy", json(br#"{"kind":"Hello","credential":{"strategy":"jwt","secret":"SECRET"}}"#)),
    ("a message cut short", json(br#"{"kind":"Hello","credential":{"strategy":"apikey","secret":"SECRET"#)),
    ("a message with something behind it", json(br#"{"kind":"Hello","credential":null}SECRET"#)),
    ("a secret twice", json(br#"{"kind":"Hello","credential":{"secret":"SECRET","secret":"SECRET"}}"#)),
    ("a credential of text", json(br#"{"kind":"Hello","credential":"SECRET"}"#)),
    ("a credential of a list", json(br#"{"kind":"Hello","credential":["SECRET"]}"#)),
    ("a secret of a list", json(br#"{"kind":"Hello","credential":{"strategy":"apikey","secret":["SECRET"]}}"#)),
    ("a field that Hello has not", json(br#"{"kind":"Hello","secret":"SECRET"}"#)),
    ("an instance", json(br#"{"kind":"Hello","instance":"SECRET"}"#)),
    ("a number", json(br#"{"kind":"Hello","capabilities":"SECRET"}"#)),
    ("a kind", json(br#"{"kind":"SECRET"}"#)),
    ("Authenticate before Hello", json(br#"{"kind":"Authenticate","request":1,"credential":"SECRET"}"#)),
    ("a text alone", json(br#""SECRET""#)),
    ("no JSON", json(b"Bearer SECRET")),
    ("no UTF-8", json(b"SECRET\xff")),
    ("the reason of a close", Message(Dialect::Json, 0x88, b"\x03\xe8SECRET")),
    ("a reserved bit", Message(Dialect::Json, 0xc1, b"SECRET")),
    ("binary to the dialect of text", Message(Dialect::Json, BINARY, b"SECRET")),
    ("text to the binary dialect", Message(Dialect::Binary, TEXT, b"SECRET")),
    ("no body", Message(Dialect::Binary, BINARY, b"SECRET")),
    ("a wrong key", Order("Authorization: Bearer SECRET\r\n", ORDER)),
    ("a key of another scheme", Order("Authorization: Digest SECRET\r\n", ORDER)),
    ("a key in a cookie", Order("Cookie: callboard_key=SECRET\r\n", ORDER)),
    ("a key in the query", Raw("POST /v1/publish?key=SECRET HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
    (
        "a key that is only shown",
        Raw("GET /v1/publish HTTP/1.1\r\nHost: [::1]\r\nAuthorization: Bearer SECRET\r\n\r\n"),
    ),
    ("a stranger's body", Order("", r#"{"key":"SECRET"}"#)),
    ("a body of another type", Order("Content-Type: text/plain\r\n", "SECRET")),
];

/// What stands in a body whose sender may publish.
const BODIES: &[(&str, &str)] = &[
    ("a body's messages", r#"{"messages":"SECRET"}"#),
    ("a body's message", r#"{"messages":["SECRET"]}"#),
    ("a body's channels", r#"{"channels":"SECRET","payload":"x"}"#),
    ("a field that no body has", r#"{"channel":"news","payload":"x","authorization":"SECRET"}"#),
    ("a body cut short", r#"{"channel":"news","payload":"SECRET"#),
    ("a message's key", r#"{"channel":"news","key":["SECRET"],"payload":"x"}"#),
    ("a payload's kind", r#"{"channel":"news","payload":{"kind":"SECRET"}}"#),
    ("a payload's digits", r#"{"channel":"news","payload":{"kind":"binary","hex":"SECRET"}}"#),
    ("a payload", r#"{"channel":"news","key":"SECRET","payload":"SECRET"}"#),
    ("a payload to where nobody may publish", r#"{"channel":"everyone","payload":"SECRET"}"#),
    ("a body that is no JSON", "SECRET"),
];

const ORDER: &str = r#"{"channel":"news","payload":"x"}"#;

const fn json(content: &'static [u8]) -> Said {
    Message(Dialect::Json, TEXT, content)
}

impl Said {
    fn bytes(&self, secret: &str) -> Vec<u8> {
        let text = |text: &str| text.replace(SECRET, secret);
        match self {
            Raw(bytes) => text(bytes).into_bytes(),
            Handshake(target, fields) => {
                let upgrade = upgrade(Dialect::Json, &text(target), &text(fields));
                [upgrade, message(TEXT, br#"{"kind":"Hello"}"#), close()].concat()
            }
            Message(dialect, first, content) => {
                let at = content.windows(SECRET.len()).position(|window| window == SECRET.as_bytes());
                let (before, behind) = content.split_at(at.expect("it has a place"));
                let content = [before, secret.as_bytes(), &behind[SECRET.len()..]].concat();
                [upgrade(*dialect, "/v1/bus", ""), message(*first, &content), close()].concat()
            }
            Order(fields, body) => post(&text(fields), &text(body)),
        }
    }
}

#[tokio::test]
async fn no_secret_shows_at_any_level_of_any_log_or_in_any_answer() {
    for format in ["human", "json"] {
        let broker = Process::start_for_browsers(&format!("log_format = \"{format}\"\n{CONFIGURATION}")).await;
        let door = broker.ws_addr().await;
        let keys = KeyStore::open(broker.data_dir()).expect("a store");
        let good = keys.create("reporter").expect("a key").reveal();
        let mut canaries = Canaries::default();
        let mut heard = Vec::new();
        for (place, said) in PLACES {
            heard.extend(answered(door, &said.bytes(&canaries.next(place))).await);
        }
        for request in too_long(&mut canaries) {
            heard.extend(answered(door, &request).await);
        }
        let authorization = format!("Authorization: Bearer {good}\r\n");
        for (place, body) in BODIES {
            let body = body.replace(SECRET, &canaries.next(place));
            heard.extend(answered(door, &post(&authorization, &body)).await);
        }
        for dialect in [Dialect::Binary, Dialect::Json] {
            heard.extend(answered(door, &session(dialect, &good, &mut canaries)).await);
        }
        heard.extend(answered(door, &PLACES[0].1.bytes(&good)).await);
        canaries.0.push(("the good key", good.rsplit('_').next().expect("a secret").to_owned()));

        let metrics = broker.metrics().await.expect("metrics").page().to_owned();
        let printed = broker.terminate().await.printed;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        for status in [101, 200, 400, 401, 403, 404, 405, 415, 421, 431] {
            assert!(heard.contains(&format!("HTTP/1.1 {status} ")), "no {status}: the cases are not what they were");
        }
        for code in [4300, 4400, 4401] {
            assert!(heard.contains(&format!(r#""code":{code},"#)), "no {code}: the cases are not what they were");
        }
        for said in ["a browser's session opened", "a browser's session ended", "request refused"] {
            assert!(printed.contains(said), "nothing was logged of {said}");
        }
        for (shown, text) in [("the log", &printed), ("a metric", &metrics), ("an answer", &heard)] {
            canaries.assert_none_in(shown, text);
        }
    }
}

/// A key before a door that speaks TLS, by a client that does not.
#[tokio::test]
async fn a_key_that_is_sent_in_the_open_to_a_door_of_tls_is_not_logged() {
    let broker = Process::start_for_browsers(&format!("{CONFIGURATION}tls = true\n")).await;
    let mut canaries = Canaries::default();
    let heard = answered(broker.ws_addr().await, &PLACES[0].1.bytes(&canaries.next("Authorization in the open"))).await;
    let printed = broker.terminate().await.printed;
    canaries.assert_none_in("an answer", &String::from_utf8_lossy(&heard));
    assert!(printed.contains("HTTP without TLS"), "{printed}");
    canaries.assert_none_in("the log", &printed);
}

/// Secrets that were said, one a place, so that one that shows tells where it came from.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    /// A key as the broker's own look, and none of them.
    fn next(&mut self, place: &'static str) -> String {
        let number = format!("5ec2e7{:06x}", self.0.len());
        let key = format!("cb_0badc0de_{number:0>64}");
        self.0.push((place, number));
        key
    }

    fn assert_none_in(&self, shown: &str, text: &str) {
        for (place, secret) in &self.0 {
            // As debugging output shows bytes, too.
            let listed = format!("{:?}", secret.as_bytes());
            for canary in [secret, listed.trim_matches(['[', ']'])] {
                let line = text.lines().find(|line| line.contains(canary));
                assert_eq!(line, None, "{shown} shows what stood in {place}");
            }
        }
    }
}

/// Says bytes and nothing more; what comes back to the end.
async fn answered(door: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = soon("a TCP connection", TcpStream::connect(door)).await.expect("a door that is open");
    let mut heard = Vec::new();
    let (mut read, mut write) = stream.split();
    let saying = async {
        // A door that heard enough may be gone.
        drop(write.write_all(bytes).await);
        // A WebSocket ends by itself, behind its close.
        let is_begun = !bytes.windows(4).any(|window| window == b"\r\n\r\n");
        if is_begun {
            drop(write.shutdown().await);
        }
    };
    let hearing = async { while !is_answer(&heard) && read.read_buf(&mut heard).await.is_ok_and(|bytes| bytes > 0) {} };
    soon("the door's end", async { tokio::join!(saying, hearing) }).await;
    heard
}

/// Whether this is all of an HTTP answer. A WebSocket goes on to its end.
fn is_answer(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// Requests that are refused before they are read.
fn too_long(canaries: &mut Canaries) -> [Vec<u8>; 2] {
    let field = |secret: &str| format!("Authorization: Bearer {secret}\r\n");
    let long = format!("{}X-Long: {}\r\n", field(&canaries.next("a header that is too long")), "x".repeat(64 << 10));
    let many = field(&canaries.next("too many fields")).repeat(100);
    [long, many].map(|fields| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes())
}

fn upgrade(dialect: Dialect, target: &str, fields: &str) -> Vec<u8> {
    let mut head = format!("GET {target} HTTP/1.1\r\n{GOOD}{fields}");
    let (key, protocol) = ("dGhlIHNhbXBsZSBub25jZQ==", dialect.subprotocol());
    // A place that is one of these fields itself stands in for it.
    for (name, value) in [("Host", "localhost"), ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Protocol", protocol)] {
        if !fields.contains(name) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    (head + "\r\n").into_bytes()
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    let mut head = format!(
        "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{fields}",
        body.len()
    );
    if !fields.contains("Content-Type") {
        head += "Content-Type: application/json\r\n";
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// A whole WebSocket message under a mask of zeros.
fn message(first: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("these are short");
    let header = match length {
        0..=125 => vec![first, 0x80 | content.len() as u8],
        126.. => [&[first, 0x80 | 126][..], &length.to_be_bytes()].concat(),
    };
    [&header[..], &[0; 4], content].concat()
}

/// A close, so that a session ends that nothing else has ended.
fn close() -> Vec<u8> {
    message(0x88, b"\x03\xe8")
}

fn encoded(dialect: Dialect, frame: &ClientFrame<'_>) -> Vec<u8> {
    match dialect.encode_client(frame).expect("these are short") {
        Outgoing::Text(text) => message(TEXT, text.as_bytes()),
        Outgoing::Binary(body) => message(BINARY, &body),
    }
}

/// A session under a good key that says secrets wherever it may.
fn session(dialect: Dialect, good: &str, canaries: &mut Canaries) -> Vec<u8> {
    let strategy = "apikey";
    let hello = |secret| {
        let credential = Some(Credential { strategy, secret });
        encoded(dialect, &ClientFrame::Hello(Hello { agent: "a", instance: [0; 16], capabilities: 0, credential }))
    };
    let authenticate = |request, secret: &str| {
        let request = RequestId::saturating(request);
        encoded(
            dialect,
            &ClientFrame::Authenticate(Authenticate { request, credential: Credential { strategy, secret } }),
        )
    };
    let publish = |request, channel, secret: &str| {
        let (request, sequence) = (RequestId::saturating(request), Sequence::ZERO);
        let publish = Publish { request, sequence, channel, key: Some(secret), payload: PayloadRef::text(secret) };
        encoded(dialect, &ClientFrame::Publish(publish))
    };
    let long = canaries.next("Authenticate, and it is too long").repeat(CREDENTIAL_BYTES_MAX / 70);
    [
        upgrade(dialect, "/v1/bus", ""),
        hello(good),
        authenticate(1, &canaries.next("Authenticate")),
        authenticate(2, &long),
        authenticate(3, good),
        publish(4, "news", &canaries.next("a message")),
        publish(5, "everyone", &canaries.next("a message that is refused")),
        // Out of order, so that the session ends with a reason.
        hello(&canaries.next("a second Hello")),
    ]
    .concat()
}
