//! The package for pages comes whole, is kept for good and fetched at once; what stays at its path is sent again only when it
//! is another.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_bridge_ws::Resource;
use flate2::read::GzDecoder;

use crate::house::House;
use crate::peer::{Answer, Peer};

const GZIP: &str = "Accept-Encoding: gzip, deflate, br\r\n";

/// What the door answers to one request, on a connection of its own.
async fn ask(house: &House, request: &str, lines: &str) -> (Answer, Vec<u8>) {
    let mut peer = Peer::dial(house.door.address()).await;
    peer.say(format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n")).await;
    let answered = peer.read_out().await;
    let end = answered.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answered[..end].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    (Answer { status, head, body: String::new() }, answered[end..].to_vec())
}

async fn get(house: &House, path: &str, lines: &str) -> (Answer, Vec<u8>) {
    ask(house, &format!("GET {path}"), lines).await
}

/// The text of a file that must be there.
async fn read(house: &House, path: &str) -> String {
    let (answer, content) = get(house, path, "").await;
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(content).unwrap()
}

/// What stands between each `open` and the next `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).map(|rest| rest.split_once(close).unwrap().0).collect()
}

/// The paths of the modules that a module at `path` imports.
fn imports(path: &str, text: &str) -> Vec<String> {
    let folder = &path[..=path.rfind('/').unwrap()];
    let lines = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("export "));
    lines.flat_map(|line| between(line, "'./", "'")).map(|name| format!("{folder}{name}")).collect()
}

/// Every module that a browser loads for the package, each with its text, as imports lead to it.
async fn package(house: &House) -> BTreeMap<String, String> {
    loaded(house, "/callboard/index.js").await
}

/// The same for a module, without the package.
async fn loaded(house: &House, module: &str) -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    let mut next = vec![module.to_owned()];
    while let Some(path) = next.pop() {
        if modules.contains_key(&path) {
            continue;
        }
        let text = read(house, &path).await;
        next.extend(imports(&path, &text));
        modules.insert(path, text);
    }
    modules
}

#[tokio::test]
async fn the_package_stands_below_its_hash_and_its_door_at_a_name_that_stays() {
    let house = House::open().await;
    let (door, _) = get(&house, "/callboard/index.js", "").await;
    assert_eq!(door.field("cache-control"), Some("no-cache"));
    let modules = package(&house).await;
    let folders: BTreeSet<&str> = modules.keys().map(|path| &path[..path.rfind('/').unwrap()]).collect();
    assert_eq!(folders.len(), 2, "the door, and one release: {folders:?}");
    assert!(modules.len() > 20, "every module was reached");
    for path in modules.keys().filter(|path| *path != "/callboard/index.js") {
        let (module, _) = get(&house, path, "").await;
        assert_eq!(module.field("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        assert_eq!(module.field("content-type"), Some("text/javascript; charset=utf-8"));
    }
}

#[tokio::test]
async fn a_page_asks_at_once_for_every_module_that_it_runs() {
    let house = House::open().await;
    for (page, script) in [("/", Some("/pages/board.js")), ("/hello", None)] {
        let text = read(&house, page).await;
        let named = [("<link rel=\"modulepreload\" href=\"", "\">"), ("<script type=\"module\" src=\"", "\">")];
        let asked: BTreeSet<&str> = named.iter().flat_map(|(open, close)| between(&text, open, close)).collect();
        let mut runs = package(&house).await;
        if let Some(script) = script {
            runs.extend(loaded(&house, script).await);
        }
        assert_eq!(asked, runs.keys().map(String::as_str).collect(), "{page}");
    }
}

#[tokio::test]
async fn where_nothing_is_people_see_a_page_and_programs_read_why() {
    let house = House::open().await;
    for (accept, media_type) in [
        ("Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n", "text/html; charset=utf-8"),
        ("Accept: application/json\r\n", "application/json"),
        ("", "application/json"),
    ] {
        let (answer, content) = get(&house, "/nowhere", &format!("{accept}If-None-Match: *\r\n")).await;
        assert_eq!((answer.status, answer.field("content-type")), (404, Some(media_type)), "{accept}");
        assert_eq!(answer.field("cache-control"), Some("no-store"), "something may be there later");
        assert!(!content.is_empty());
    }
}

#[tokio::test]
async fn what_a_program_has_beside_the_bus_is_read_anew_each_time() {
    let count = Arc::new(AtomicUsize::new(0));
    let read = Arc::clone(&count);
    let house = House::with(move |config| {
        let tell = move || read.fetch_add(1, Ordering::Relaxed).to_string().into();
        config.resources = vec![Resource::json("/count", tell), Resource::json("/", || "never".into())];
    })
    .await;
    for told in ["0", "1"] {
        let (answer, content) = get(&house, "/count", "").await;
        assert_eq!((answer.status, content), (200, told.into()));
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    assert_eq!(ask(&house, "POST /count", "Content-Length: 0\r\n").await.0.status, 405);
    assert!(self::read(&house, "/").await.contains("<h1>"), "what the door has stays its own");
    let stranger = "Origin: https://stranger.example\r\n";
    assert_eq!(get(&house, "/count", stranger).await.0.field("access-control-allow-origin"), None);
}

#[tokio::test]
async fn another_release_is_not_here_and_nobody_keeps_that() {
    let house = House::open().await;
    let (answer, _) = get(&house, "/callboard/AAAAAAAAAAAAAAAAAAAAAA/index.js", "").await;
    assert_eq!((answer.status, answer.field("cache-control")), (404, Some("no-store")));
}

#[tokio::test]
async fn a_file_is_compressed_for_who_wants_that_and_the_same() {
    let house = House::open().await;
    let mut saved = 0;
    let modules = package(&house).await;
    for path in modules.keys().map(String::as_str).chain(["/"]) {
        let (plain, content) = get(&house, path, "").await;
        let (small, compressed) = get(&house, path, GZIP).await;
        assert_eq!((plain.field("content-encoding"), plain.field("vary")), (None, Some("Accept-Encoding")), "{path}");
        assert_eq!(small.field("vary"), Some("Accept-Encoding"));
        assert_eq!(plain.field("content-length"), Some(content.len().to_string().as_str()));
        assert_eq!(small.field("content-length"), Some(compressed.len().to_string().as_str()));
        if small.field("content-encoding").is_none() {
            assert_eq!((compressed, small.field("etag")), (content, plain.field("etag")), "{path} is too short");
            continue;
        }
        assert_eq!(small.field("content-encoding"), Some("gzip"));
        assert_ne!(small.field("etag"), plain.field("etag"), "a tag names the very bytes");
        let mut decoded = Vec::new();
        GzDecoder::new(&compressed[..]).read_to_end(&mut decoded).unwrap();
        assert_eq!(decoded, content, "{path}");
        assert!(compressed.len() < content.len());
        saved += content.len() - compressed.len();
    }
    assert!(saved > 50_000, "{saved} bytes");
}

#[tokio::test]
async fn who_has_a_file_is_told_so_and_not_sent_it() {
    let house = House::open().await;
    let home = read(&house, "/").await;
    let module = between(&home, "<link rel=\"modulepreload\" href=\"", "\">")[1];
    for path in ["/", "/callboard/index.js", module] {
        for coding in ["", GZIP] {
            let (first, _) = get(&house, path, coding).await;
            let tag = first.field("etag").unwrap();
            assert!(tag.starts_with('"'), "it is a strong one: {tag}");
            let (again, content) = get(&house, path, &format!("{coding}If-None-Match: \"old\", {tag}\r\n")).await;
            assert_eq!((again.status, content.len()), (304, 0), "{path}");
            for field in ["etag", "cache-control", "content-security-policy", "vary"] {
                assert_eq!(again.field(field), first.field(field), "{field}");
            }
            assert_eq!(get(&house, path, &format!("{coding}If-None-Match: \"old\"\r\n")).await.0.status, 200);
        }
    }
    let (plain, _) = get(&house, module, "").await;
    let has_plain = format!("{GZIP}If-None-Match: {}\r\n", plain.field("etag").unwrap());
    assert_eq!(get(&house, module, &has_plain).await.0.status, 200, "what would be sent is another form");
}

#[tokio::test]
async fn a_head_is_what_a_get_has_before_its_content() {
    let house = House::open().await;
    for (path, coding) in [("/", ""), ("/", GZIP), ("/callboard/index.js", "")] {
        let (whole, _) = get(&house, path, coding).await;
        let (head, content) = ask(&house, &format!("HEAD {path}"), coding).await;
        assert_eq!((head.status, content.len()), (200, 0));
        for field in ["content-length", "content-type", "content-encoding", "etag", "cache-control", "vary"] {
            assert_eq!(head.field(field), whole.field(field), "{field}");
        }
        let known = format!("{coding}If-None-Match: {}\r\n", whole.field("etag").unwrap());
        assert_eq!(ask(&house, &format!("HEAD {path}"), &known).await.0.status, 304);
    }
}

#[tokio::test]
async fn a_page_runs_nothing_but_what_this_door_serves() {
    let house = House::open().await;
    for (page, scripts) in [("/", "'self';"), ("/hello", "'self' 'sha256-")] {
        let (home, content) = get(&house, page, "").await;
        let policy = home.field("content-security-policy").unwrap();
        assert!(policy.starts_with(&format!("default-src 'none'; script-src {scripts}")), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
        assert_eq!(home.field("x-content-type-options"), Some("nosniff"));
        let text = String::from_utf8(content).unwrap();
        for forbidden in ["http:", "https:", "\"//", " on", "style="] {
            let attributes = text.split('<').filter(|element| element.split('>').next().unwrap().contains(forbidden));
            assert_eq!(attributes.count(), 0, "{page} has {forbidden}");
        }
    }
    let (module, _) = get(&house, "/callboard/index.js", "").await;
    assert!(module.field("content-security-policy").unwrap().starts_with("default-src 'none'; base-uri 'none'"));
}

#[tokio::test]
async fn a_page_that_is_listed_may_load_the_package_and_caches_tell_pages_apart() {
    let house = House::with(|config| config.rules.origins = vec!["https://app.example".parse().unwrap()]).await;
    for path in package(&house).await.keys() {
        let (module, _) = get(&house, path, "Origin: https://app.example\r\n").await;
        assert_eq!(module.field("access-control-allow-origin"), Some("https://app.example"));
        assert_eq!(module.field("cross-origin-resource-policy"), Some("cross-origin"));
        let own = get(&house, path, "").await.0;
        assert_eq!(own.field("access-control-allow-origin"), None);
        assert_eq!(own.field("cross-origin-resource-policy"), Some("same-origin"));
        for answer in [module, own] {
            assert!(answer.head.to_ascii_lowercase().contains("\r\nvary: origin\r\n"), "{}", answer.head);
        }
    }
}
