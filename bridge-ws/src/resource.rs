//! Something small that a program has beside the bus, for pages to fetch: read anew for each request, and never kept.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderValue};
use http_body_util::Full;

/// What stands at a path of the door. Whoever may load the door's pages may read it: it is for nothing that takes a key.
#[derive(Clone)]
pub struct Resource {
    path: &'static str,
    read: Arc<dyn Fn() -> Bytes + Send + Sync>,
}

impl Resource {
    /// JSON that `read` gives. It is called on the threads that serve, so it must not wait for anything. A path that the
    /// door has itself stays the door's.
    pub fn json(path: &'static str, read: impl Fn() -> Bytes + Send + Sync + 'static) -> Self {
        Self { path, read: Arc::new(read) }
    }

    /// The answer to a request for `path`; `None` if it is not this one's.
    pub(crate) fn answer(&self, path: &str) -> Option<Response<Full<Bytes>>> {
        if path != self.path {
            return None;
        }
        let mut answer = Response::new(Full::new((self.read)()));
        let fields = answer.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(answer)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("path", &self.path).finish_non_exhaustive()
    }
}
