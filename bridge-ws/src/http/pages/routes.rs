//! Which file stands where: the package below the hash of all of it, its entry points and the pages at names that stay.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use super::files::{ENTRY_POINTS, File, MODULES, NOT_FOUND, OTHERS, PAGES, Route};
use super::page::{CachePolicy, Page, hash, text};

/// Where the package stands.
const PACKAGE: &str = "/callboard/";

/// The line by which a page asks for the package before a script of it does. Those for all its modules are put behind it, so
/// that a browser fetches them at once, and not each when it has read another.
const PRELOAD: &str = "<link rel=\"modulepreload\" href=\"/callboard/index.js\">";

/// The files by their paths.
#[derive(Debug)]
pub(in crate::http) struct Pages {
    files: HashMap<String, Page>,
    not_found: Page,
}

impl Pages {
    /// The files of this build. They are hashed and compressed when the first door of the process opens.
    pub(in crate::http) fn of_this_build() -> &'static Self {
        static THIS_BUILD: LazyLock<Pages> = LazyLock::new(|| Pages::new(MODULES, OTHERS, ENTRY_POINTS, PAGES));
        &THIS_BUILD
    }

    fn new(modules: &[File], others: &[File], entry_points: &[&str], pages: &[Route]) -> Self {
        let package = || modules.iter().chain(others);
        let release = release(package());
        let below = |name: &str| format!("{PACKAGE}{release}/{name}");
        let links: String =
            modules.iter().map(|file| format!("<link rel=\"modulepreload\" href=\"{}\">", below(file.name))).collect();
        let package = package().map(|&File { name, content }| {
            let page = Page::new(name, Bytes::from_static(content), CachePolicy::Immutable);
            (below(name), page)
        });
        let entry_points = entry_points.iter().map(|name| {
            let passes_on = format!("export * from './{release}/{name}';\n");
            (format!("{PACKAGE}{name}"), Page::new(name, passes_on.into(), CachePolicy::Revalidate))
        });
        let pages = pages.iter().map(|&(path, File { name, content })| {
            let content = if name.ends_with(".html") {
                text(content).replace(PRELOAD, &format!("{PRELOAD}{links}")).into()
            } else {
                Bytes::from_static(content)
            };
            (path.to_owned(), Page::new(name, content, CachePolicy::Revalidate))
        });
        let not_found = Page::new(NOT_FOUND.name, Bytes::from_static(NOT_FOUND.content), CachePolicy::Revalidate);
        Self { files: package.chain(entry_points).chain(pages).collect(), not_found }
    }

    /// The answer to a request for `path`; `None` if there is no such file.
    pub(in crate::http) fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        Some(self.files.get(path)?.answer(asked))
    }

    /// What is shown to people where nothing is; `None` for programs, which read the refusal itself.
    pub(in crate::http) fn not_found(&self, asked: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let mut wanted = asked.get_all(header::ACCEPT).into_iter().filter_map(|accept| accept.to_str().ok());
        if !wanted.any(|accept| accept.contains("text/html")) {
            return None;
        }
        let mut response = self.not_found.answer(&HeaderMap::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        // A later release may have something there.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }
}

/// What identifies a package: the hash of its files' names and contents.
fn release<'a>(package: impl Iterator<Item = &'a File>) -> String {
    let files = package.map(|File { name, content }| format!("{name} {}\n", hash(content)));
    hash(files.collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const INDEX: File = File { name: "index.js", content: b"export {}" };

    #[test]
    fn there_is_nothing_but_the_files() {
        let home = File { name: "home.html", content: PRELOAD.as_bytes() };
        let pages = Pages::new(&[INDEX], &[], &["index.js"], &[("/", home)]);
        let below = format!("{PACKAGE}{}/index.js", release([INDEX].iter()));
        let paths: HashSet<&str> = pages.files.keys().map(String::as_str).collect();
        assert_eq!(paths, HashSet::from(["/", &below, "/callboard/index.js"]));
        for path in ["", "/home.html", "/callboard/", "/callboard/../index.js", "/callboard/%69ndex.js", "/index.js"] {
            assert!(pages.answer(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }

    #[test]
    fn another_content_and_another_name_make_another_release() {
        let of = |file: File| release([file].iter());
        assert_eq!(of(INDEX), of(INDEX));
        assert_ne!(of(INDEX), of(File { content: b"export {};", ..INDEX }));
        assert_ne!(of(INDEX), of(File { name: "other.js", ..INDEX }));
    }

    #[test]
    fn no_two_files_stand_at_one_path() {
        let count = MODULES.len() + OTHERS.len() + ENTRY_POINTS.len() + PAGES.len();
        assert_eq!(Pages::of_this_build().files.len(), count);
    }
}
