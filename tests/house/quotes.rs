//! What comments quote stands where they say: headings and sentences of the documents in the root; never what they mean.

use std::collections::HashMap;

use crate::source::{Source, file, hold, rust_files, script_files};

#[test]
fn what_comments_quote_of_the_documents_stands_there() {
    let document =
        Source::example("RULES.md", "# Rules\n\n## One\n\nIt is so,\nand stays.\n\n### 0 Deep\n\n## Two\n\nNo.\n");
    for (code, count) in [
        ("// RULES.md, \"One\".", 0),
        ("// RULES.md, \"Deep\".", 0),
        ("// RULES.md, \"Three\".", 1),
        ("    /// \"It is so, and\n    /// stays\" (RULES.md, \"One\").", 0),
        ("//! RULES.md, \"One\": \"It is so […] stays.\"", 0),
        ("/**\n * \"It is not so\" (RULES.md, \"One\").\n */", 1),
        ("// \"No\" (RULES.md, \"One\").", 1),
        ("let text = \"RULES.md, \\\"Three\\\"\";", 0),
    ] {
        let quoted = |path: &str| (path == "RULES.md").then(|| Sections::of(&document.text));
        assert_eq!(misquotes(&Source::example("a.rs", code), quoted).len(), count, "{code}");
    }
    let documents: HashMap<&str, Sections> = ["ARCHITECTURE.md", "CONTRIBUTING.md", "PROTOCOL.md", "README.md"]
        .map(|path| (path, Sections::of(&file(path).text)))
        .into();
    hold(
        "a comment that quotes a document quotes a heading that it has, and words that stand below that heading",
        rust_files()
            .iter()
            .chain(&script_files())
            .flat_map(|source| misquotes(source, |path| documents.get(path).cloned())),
    );
}

/// The headings of a document, each with what stands below it, white space as single spaces.
#[derive(Clone)]
struct Sections(Vec<(String, String)>);

impl Sections {
    fn of(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let depth = |line: &str| line.starts_with('#').then(|| line.bytes().take_while(|byte| *byte == b'#').count());
        let section = |(at, line): (usize, &&str)| {
            let own = depth(line)?;
            let below = lines[at + 1..].iter().take_while(|line| depth(line).is_none_or(|other| other > own));
            // A frame's number stands in its heading, and is not said.
            let heading = line.trim_start_matches('#').trim().trim_start_matches(|first: char| first.is_ascii_digit());
            Some((heading.trim().to_owned(), joined(below.copied())))
        };
        Self(lines.iter().enumerate().filter_map(section).collect())
    }
}

/// What this file quotes of documents and does not stand there.
fn misquotes(source: &Source, sections_of: impl Fn(&str) -> Option<Sections>) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, comment) in comments(&source.text) {
        for (at, _) in comment.match_indices(".md, \"") {
            let (before, behind) = (&comment[..at], &comment[at + ".md, \"".len()..]);
            let name_at = before.rfind(|mark: char| !mark.is_ascii_alphanumeric()).map_or(0, |mark| mark + 1);
            let path = format!("{}.md", &before[name_at..]);
            let Some((heading, behind)) = behind.split_once('"') else { continue };
            let sections = sections_of(&path);
            let Some((_, below)) = sections.iter().flat_map(|sections| &sections.0).find(|(name, _)| name == heading)
            else {
                faults.push(source.fault(line, &format!("{path} has no heading \"{heading}\"")));
                continue;
            };
            let ahead =
                before[..name_at].strip_suffix("\" (").and_then(|text| text.rsplit_once('"')).map(|(_, text)| text);
            let following = behind.strip_prefix(": \"").and_then(|text| text.split_once('"')).map(|(text, _)| text);
            for quote in ahead.into_iter().chain(following) {
                let stands = |part: &str| below.contains(part.trim().trim_end_matches(['.', ',', ';']));
                if !quote.split("[…]").all(stands) {
                    faults.push(source.fault(line, &format!("below \"{heading}\" {path} does not say \"{quote}\"")));
                }
            }
        }
    }
    faults
}

/// The comments of a file that have lines of their own, each with the number of its first line.
fn comments(text: &str) -> Vec<(usize, String)> {
    let said = |line: &str| {
        let line = line.trim_start();
        let marks = ["///", "//!", "//", "/**", "/*", "*/", "*"];
        marks.iter().find_map(|mark| line.strip_prefix(mark)).map(str::to_owned)
    };
    let lines: Vec<(usize, Option<String>)> = text.lines().enumerate().map(|(at, line)| (at + 1, said(line))).collect();
    let runs = lines.chunk_by(|one, other| one.1.is_some() == other.1.is_some());
    runs.filter(|run| run[0].1.is_some())
        .map(|run| (run[0].0, joined(run.iter().filter_map(|(_, said)| said.as_deref()))))
        .collect()
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}
