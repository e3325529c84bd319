//! Every file inside the binary and where it stands; a file that is not named here is not served.

/// A file of `bridge-ws/web/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    /// Its path there.
    pub(super) name: &'static str,
    pub(super) content: &'static [u8],
}

/// A file with the path that it is asked for by.
pub(super) type Route = (&'static str, File);

macro_rules! file {
    ($name:literal) => {
        File { name: $name, content: include_bytes!(concat!("../../../web/", $name)) }
    };
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(file!($name)),*] };
}

macro_rules! routes {
    ($($path:literal => $name:literal),* $(,)?) => { &[$(($path, file!($name))),*] };
}

/// The pages and what belongs to them alone. The paths stay from release to release, so a browser asks each time whether
/// the content has.
pub(super) const PAGES: &[Route] = routes! {
    "/" => "pages/board.html",
    "/hello" => "hello.html",
    "/pages/board.css" => "pages/board.css",
    "/pages/board.js" => "pages/board.js",
    "/pages/cable.js" => "pages/cable.js",
    "/pages/cut.js" => "pages/cut.js",
    "/pages/elements.js" => "pages/elements.js",
    "/pages/jobs.js" => "pages/jobs.js",
    "/pages/line.js" => "pages/line.js",
    "/pages/office.js" => "pages/office.js",
    "/pages/talk.js" => "pages/talk.js",
};

/// What a visitor sees where nothing is.
pub(super) const NOT_FOUND: File = file!("pages/lost.html");

/// The modules that `index.js` loads, and itself: they stand below the hash of the package, where a browser keeps them for
/// good, and pages preload them.
pub(super) const MODULES: &[File] = files![
    "address.js",
    "backoff.js",
    "bytes.js",
    "channel.js",
    "client.js",
    "close.js",
    "codec.js",
    "connection.js",
    "credential.js",
    "defaults.js",
    "dial.js",
    "driver.js",
    "error.js",
    "index.js",
    "limits.js",
    "liveness.js",
    "name.js",
    "named.js",
    "observers.js",
    "options.js",
    "pace.js",
    "page.js",
    "pauses.js",
    "payload.js",
    "poll.js",
    "publish.js",
    "random.js",
    "recovery.js",
    "session.js",
    "state.js",
    "subscription.js",
    "table.js",
    "timer.js",
    "transform.js",
];

/// What else the package has: it stands beside the modules and is loaded by who asks for it.
pub(super) const OTHERS: &[File] = files!["react.js", "source.js", "types.js"];

/// The modules that pages name. Each has a name that stays, too: a module that passes on what the one below the hash has.
pub(super) const ENTRY_POINTS: &[&str] = &["index.js", "react.js"];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[File]) -> Vec<&'static str> {
        files.iter().map(|file| file.name).collect()
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
        let mut served = names(&[MODULES, OTHERS].concat());
        served.sort_unstable();
        assert_eq!(served, modules);
    }

    #[test]
    fn every_file_of_the_pages_is_served_under_its_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web/pages");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for name in files.filter(|name| name.ends_with(".js") || name.ends_with(".css")) {
            let route = PAGES.iter().find(|(path, _)| *path == format!("/pages/{name}"));
            assert_eq!(route.unwrap_or_else(|| panic!("{name} is not served")).1.name, format!("pages/{name}"));
        }
    }

    #[test]
    fn what_is_preloaded_is_what_the_index_names() {
        let index = MODULES.iter().find(|file| file.name == "index.js").unwrap();
        let lines = std::str::from_utf8(index.content).unwrap().lines();
        let imports = lines.filter(|line| line.starts_with("import ") || line.starts_with("export "));
        let mut named: Vec<&str> =
            imports.map(|line| line.split_once("'./").unwrap().1.split_once('\'').unwrap().0).collect();
        named.push("index.js");
        named.sort_unstable();
        assert_eq!(names(MODULES), named);
    }
}
