//! The files that the door serves: the package's modules, inside the binary; nothing is read from disk, nothing is listed.

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use ring::digest::{SHA256, digest};

/// Where the files stand.
pub(super) const PREFIX: &str = "/callboard/";

/// A file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    /// Its path below [`PREFIX`].
    pub(super) path: &'static str,
    pub(super) content: &'static [u8],
}

/// Names the files in `bridge-ws/web/`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File { path: $path, content: include_bytes!(concat!("../../web/", $path)) }),*]
    };
}

/// Every file that the door serves.
const FILES: &[File] = files![];

/// The files, each with what identifies its content.
#[derive(Debug)]
pub(super) struct Pages(Vec<(File, HeaderValue)>);

impl Pages {
    /// The files of this build.
    pub(super) fn new() -> Self {
        Self::of(FILES)
    }

    fn of(files: &[File]) -> Self {
        Self(files.iter().map(|file| (*file, tag(file.content))).collect())
    }

    /// The answer to a request for `path` below [`PREFIX`]; `None` if there is no such file.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let (file, tag) = self.0.iter().find(|(file, _)| file.path == path)?;
        let is_known = headers.get_all(header::IF_NONE_MATCH).into_iter().any(|known| names(known, tag));
        let content = if is_known { Bytes::new() } else { Bytes::from_static(file.content) };
        let mut response = Response::new(Full::new(content));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(file.path)));
        fields.insert(header::ETAG, tag.clone());
        // The name stays when a new release changes the content: it may be kept, and is asked about each time.
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Some(response)
    }
}

fn tag(content: &[u8]) -> HeaderValue {
    let hash = BASE64URL_NOPAD.encode(&digest(&SHA256, content).as_ref()[..16]);
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

    const EXAMPLE: &[File] = &[File { path: "index.js", content: b"export {}" }];

    #[test]
    fn a_file_has_its_type_and_is_sent_once() {
        let pages = Pages::of(EXAMPLE);
        let first = pages.answer("index.js", &HeaderMap::new()).unwrap();
        assert_eq!(
            (first.status(), &first.headers()["content-type"]),
            (StatusCode::OK, &HeaderValue::from_static("text/javascript; charset=utf-8"))
        );
        let tag = first.headers()[header::ETAG].clone();
        for (known, status) in [(HeaderValue::from_static("\"other\""), 200), (tag, 304)] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, known)]);
            assert_eq!(pages.answer("index.js", &headers).unwrap().status(), status);
        }
        assert!(names(&HeaderValue::from_static("\"a\", W/\"b\""), &HeaderValue::from_static("\"b\"")));
    }

    #[test]
    fn there_is_nothing_but_the_files() {
        for path in ["", "../index.js", "index.js/", "INDEX.JS", "%69ndex.js"] {
            assert!(Pages::of(EXAMPLE).answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }
}
