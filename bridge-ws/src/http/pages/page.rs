//! One file, ready to be sent as it is or in gzip, with all that is told of it; made once, never changed.

use std::io::Write;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use ring::digest::{SHA256, digest};

use super::conditions::{is_known, takes_gzip};
use super::policy::policy;

/// How long a browser may keep what stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CachePolicy {
    /// For good: the path has the hash of the content.
    Immutable,
    /// Until it asked whether it still holds: the path stays when a new release changes the content.
    Revalidate,
}

#[derive(Debug)]
pub(super) struct Page {
    media_type: &'static str,
    cache: CachePolicy,
    /// What it may do in a browser, if it is one that does something.
    policy: Option<HeaderValue>,
    plain: Form,
    /// The page in gzip, where that is shorter.
    gzip: Option<Form>,
}

/// What is sent of a file, in one coding.
#[derive(Debug)]
struct Form {
    content: Bytes,
    /// What identifies these very bytes.
    tag: HeaderValue,
}

impl Page {
    /// A file of that name.
    pub(super) fn new(name: &str, content: Bytes, cache: CachePolicy) -> Self {
        let hash = hash(&content);
        let shorter = Some(zipped(&content)).filter(|zipped| zipped.len() < content.len());
        Self {
            media_type: media_type(name),
            cache,
            policy: name.ends_with(".html").then(|| policy(text(&content))),
            gzip: shorter.map(|content| Form { content, tag: tag(&format!("{hash}-gzip")) }),
            plain: Form { content, tag: tag(&hash) },
        }
    }

    /// The answer to a request with these fields.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response<Full<Bytes>> {
        let gzip = self.gzip.as_ref().filter(|_| takes_gzip(asked));
        let form = gzip.unwrap_or(&self.plain);
        let is_known = is_known(asked, &form.tag);
        let mut response = Response::new(Full::new(if is_known { Bytes::new() } else { form.content.clone() }));
        let fields = response.headers_mut();
        // All of it stands in a 304 as in a 200: a cache renews what it has with it.
        fields.insert(header::ETAG, form.tag.clone());
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache.control()));
        fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        if gzip.is_some() {
            fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(policy) = &self.policy {
            fields.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response
    }
}

impl CachePolicy {
    fn control(self) -> &'static str {
        match self {
            Self::Immutable => "public, max-age=31536000, immutable",
            Self::Revalidate => "no-cache",
        }
    }
}

/// What identifies content, in a path and in a tag.
pub(super) fn hash(content: &[u8]) -> String {
    BASE64URL_NOPAD.encode(&digest(&SHA256, content).as_ref()[..16])
}

/// A page's or a module's text.
pub(super) fn text(content: &[u8]) -> &str {
    std::str::from_utf8(content).expect("pages and modules of the project are UTF-8")
}

fn tag(name: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{name}\"")).expect("base64 is ASCII")
}

fn zipped(content: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).and_then(|()| gzip.finish()).expect("memory takes what is written").into()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "ts" | "txt" | "md" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
