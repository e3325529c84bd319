//! The checkout as the rules see it: files, and their code without comments and literals; never a judgement.

use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// A file of the checkout.
pub(crate) struct Source {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// A made-up file, for the example that a rule must find fault with.
    pub(crate) fn example(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// A fault at a line of this file.
    pub(crate) fn fault(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    pub(crate) fn syntax(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{} does not parse: {error}", self.path))
    }

    /// The code's words in order; comments are left out, and a literal is `"` whatever it says.
    pub(crate) fn words(&self) -> Vec<Word> {
        let tokens: TokenStream =
            self.text.parse().unwrap_or_else(|error| panic!("{} does not parse: {error}", self.path));
        let mut words = Vec::new();
        flatten(tokens, &mut words);
        words
    }
}

/// An identifier, a punctuation mark or a bracket.
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The lines where these words stand one after the other.
pub(crate) fn lines_with(words: &[Word], phrase: &[&str]) -> Vec<usize> {
    words
        .windows(phrase.len())
        .filter(|window| window.iter().map(|word| word.text.as_str()).eq(phrase.iter().copied()))
        .map(|window| window[0].line)
        .collect()
}

fn flatten(tokens: TokenStream, words: &mut Vec<Word>) {
    for token in tokens {
        let line = token.span().start().line;
        match token {
            TokenTree::Ident(ident) => words.push(Word { text: ident.to_string(), line }),
            TokenTree::Punct(mark) => words.push(Word { text: mark.as_char().to_string(), line }),
            TokenTree::Literal(_) => words.push(Word { text: "\"".to_owned(), line }),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                words.push(Word { text: open.to_owned(), line });
                flatten(group.stream(), words);
                words.push(Word { text: close.to_owned(), line: group.span_close().start().line });
            }
        }
    }
}

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests' folder stands in the root")
}

/// The Rust files of every crate, the fuzz targets among them.
pub(crate) fn rust_files() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["protocol", "client", "bridge-ws", "broker", "tests", "fuzz"] {
        collect(&root().join(folder), "rs", &mut files);
    }
    assert!(files.len() > 20, "the walk found {} files, so it walks in the wrong place", files.len());
    files
}

/// The JavaScript files of the package, its pages and its tests.
pub(crate) fn script_files() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["bridge-ws/web", "tests/browser"] {
        collect(&root().join(folder), "js", &mut files);
    }
    assert!(files.len() > 20, "the walk found {} files, so it walks in the wrong place", files.len());
    files
}

fn collect(folder: &Path, ending: &str, files: &mut Vec<Source>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder of the checkout is readable").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", "node_modules", "corpus", "artifacts"].contains(&name) {
                collect(&path, ending, files);
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            files.push(read(&path));
        }
    }
}

/// The file at a path from the root.
pub(crate) fn file(path: &str) -> Source {
    read(&root().join(path))
}

fn read(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).expect("every file that is read stands below the root");
    Source { path: path.to_string_lossy().replace('\\', "/"), text }
}

/// Fails with every fault and the rule's reason.
pub(crate) fn hold(reason: &str, faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n  {}\n\nThe rule: {reason}\n", faults.join("\n  "));
}
