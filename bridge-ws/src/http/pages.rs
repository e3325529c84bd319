//! The files that the door serves: the package's modules and a page that uses them, inside the binary; nothing is read from
//! disk, nothing is listed.

use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use ring::digest::{SHA256, digest};

/// Where the files stand.
const PREFIX: &str = "/callboard/";

/// The file that also stands at `/`.
const HOME: &str = "hello.html";

/// A file.
#[derive(Debug, Clone, Copy)]
struct File {
    /// Its path below [`PREFIX`].
    path: &'static str,
    content: &'static str,
}

/// Names the files in `bridge-ws/web/`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File { path: $path, content: include_str!(concat!("../../web/", $path)) }),*]
    };
}

/// Every file that the door serves.
const FILES: &[File] = files![
    "address.js",
    "backoff.js",
    "bytes.js",
    "channel.js",
    "client.js",
    "close.js",
    "codec.js",
    "connection.js",
    "defaults.js",
    "driver.js",
    "error.js",
    "hello.html",
    "index.js",
    "limits.js",
    "liveness.js",
    "name.js",
    "named.js",
    "observers.js",
    "options.js",
    "pace.js",
    "page.js",
    "payload.js",
    "poll.js",
    "publish.js",
    "random.js",
    "recovery.js",
    "session.js",
    "table.js",
    "timer.js",
    "transform.js",
    "types.js",
];

/// The files, each with what is told of it.
#[derive(Debug)]
pub(super) struct Pages(Vec<Page>);

#[derive(Debug)]
struct Page {
    file: File,
    /// What identifies its content.
    tag: HeaderValue,
    /// What it may do in a browser, if it is one that does something.
    policy: Option<HeaderValue>,
}

impl Pages {
    /// The files of this build.
    pub(super) fn new() -> Self {
        Self::of(FILES)
    }

    fn of(files: &[File]) -> Self {
        let page = |file: &File| Page {
            file: *file,
            tag: tag(file.content),
            policy: file.path.ends_with(".html").then(|| policy(file.content)),
        };
        Self(files.iter().map(page).collect())
    }

    /// The answer to a request for `path`; `None` if there is no such file.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let path = if path == "/" { HOME } else { path.strip_prefix(PREFIX)? };
        let Page { file, tag, policy } = self.0.iter().find(|page| page.file.path == path)?;
        let is_known = headers.get_all(header::IF_NONE_MATCH).into_iter().any(|known| names(known, tag));
        let content = if is_known { Bytes::new() } else { Bytes::from_static(file.content.as_bytes()) };
        let mut response = Response::new(Full::new(content));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(file.path)));
        fields.insert(header::ETAG, tag.clone());
        // The name stays when a new release changes the content: it may be kept, and is asked about each time.
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(policy) = policy {
            fields.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        Some(response)
    }
}

/// What a page may do: run the scripts that stand in it, load modules from this door, and speak with it. No script that
/// somebody brings into it runs.
fn policy(page: &str) -> HeaderValue {
    let scripts =
        page.split(SCRIPT).skip(1).map(|rest| rest.split_once("</script>").map_or(rest, |(script, _)| script));
    let hashes: String = scripts.map(|script| format!(" 'sha256-{}'", BASE64.encode(&sha256(script)))).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'{hashes}; connect-src 'self'; img-src data:; base-uri 'none'; form-action \
         'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is ASCII")
}

/// How a script in a page begins.
const SCRIPT: &str = "<script type=\"module\">";

fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

fn tag(content: &str) -> HeaderValue {
    let hash = BASE64URL_NOPAD.encode(&sha256(content)[..16]);
    HeaderValue::try_from(format!("\"{hash}\"")).expect("base64 is ASCII")
}

/// RFC 9110, section 13.1.2: a list of tags, weak ones included, or `*`.
fn names(known: &HeaderValue, tag: &HeaderValue) -> bool {
    known
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "ts" | "txt" | "md" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &[File] = &[File { path: "index.js", content: "export {}" }];

    #[test]
    fn a_file_has_its_type_and_is_sent_once() {
        let pages = Pages::of(EXAMPLE);
        let first = pages.answer("/callboard/index.js", &HeaderMap::new()).unwrap();
        assert_eq!(
            (first.status(), &first.headers()["content-type"]),
            (StatusCode::OK, &HeaderValue::from_static("text/javascript; charset=utf-8"))
        );
        let tag = first.headers()[header::ETAG].clone();
        for (known, status) in [(HeaderValue::from_static("\"other\""), 200), (tag, 304)] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, known)]);
            assert_eq!(pages.answer("/callboard/index.js", &headers).unwrap().status(), status);
        }
        assert!(names(&HeaderValue::from_static("\"a\", W/\"b\""), &HeaderValue::from_static("\"b\"")));
    }

    #[test]
    fn there_is_nothing_but_the_files() {
        for path in ["", "../index.js", "index.js/", "INDEX.JS", "%69ndex.js"] {
            let path = format!("{PREFIX}{path}");
            assert!(Pages::of(EXAMPLE).answer(&path, &HeaderMap::new()).is_none(), "{path}");
        }
        assert!(Pages::of(EXAMPLE).answer("/index.js", &HeaderMap::new()).is_none());
    }

    #[test]
    fn every_module_of_the_package_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        let mut modules: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".js"))
            .collect();
        modules.sort();
        let served: Vec<&str> = FILES.iter().map(|file| file.path).filter(|path| path.ends_with(".js")).collect();
        assert_eq!(served, modules);
    }

    #[test]
    fn a_page_runs_the_scripts_that_stand_in_it_and_no_other() {
        let page = "<script type=\"module\">\n1;\n</script><script>2</script>";
        // As `printf '\n1;\n' | openssl dgst -sha256 -binary | base64` says.
        let allowed = "script-src 'self' 'sha256-o/XC9OlEggfse39RlivbQFMYA0QAu6G2MgWEuPWdudM='; connect-src 'self';";
        let policy = policy(page);
        assert!(policy.to_str().unwrap().contains(allowed), "{policy:?}");
        let home = Pages::new().answer("/", &HeaderMap::new()).unwrap();
        assert!(home.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
