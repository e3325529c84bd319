//! The configuration file: TOML whose every key is known and optional. Never read twice, and never a place for secrets.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::datum::{Datum, Raw};
use super::draft::{Draft, Mistake, Source};
use super::setting::{Setting, nearest};
use super::{History, Pattern};

/// The list of rules about what channels remember; the only part of the file that is nowhere else.
pub(super) const HISTORY: &str = "history";

/// The keys of a rule.
const RULE: &[&str] = &["pattern", "messages", "bytes", "age_ms"];

/// Writes what `text` says over `draft`. Gives the mistakes, in the order of the file.
pub(super) fn parse(path: &Path, text: &str, draft: &mut Draft) -> Vec<Mistake> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader { path, directory, text, draft, mistakes: Vec::new() };
    match DeTable::parse(text) {
        Ok(document) => reader.table("", document.get_ref()),
        Err(error) => reader.mistake(error.span().map_or(0, |span| span.start), error.message().to_owned()),
    }
    reader.mistakes.sort_by_key(|(at, _)| *at);
    reader.mistakes.into_iter().map(|(_, mistake)| mistake).collect()
}

struct Reader<'a> {
    path: &'a Path,
    directory: &'a Path,
    text: &'a str,
    draft: &'a mut Draft,
    mistakes: Vec<(usize, Mistake)>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let full =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            let value = value.get_ref();
            if let Some(setting) = Setting::of(&full) {
                self.setting(setting, key, value);
            } else if let (Some(table), true) = (value.as_table(), is_table(&full)) {
                self.table(&full, table);
            } else if let (Some(rules), HISTORY) = (value.as_array(), full.as_str()) {
                rules.iter().for_each(|rule| self.rule(rule));
            } else {
                self.mistake(key.span().start, unknown(&full));
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, key: &Spanned<DeString<'_>>, value: &DeValue<'_>) {
        let at = key.span().start;
        let source = self.source(at);
        if let Err(sentence) = self.draft.write(setting, &Raw::Toml(value, self.directory), source) {
            self.mistake(at, sentence);
        }
    }

    /// A rule about what channels remember.
    fn rule(&mut self, rule: &Spanned<DeValue<'_>>) {
        let at = rule.span().start;
        let Some(table) = rule.get_ref().as_table() else {
            return self.mistake(at, "a rule about history is a table: [[history]]".to_owned());
        };
        let (mut history, mut pattern, mistakes) = (History::default(), None, self.mistakes.len());
        for (key, value) in table {
            let raw = Raw::Toml(value.get_ref(), self.directory);
            if let Err(sentence) = set_in_rule(key.get_ref(), &raw, &mut history, &mut pattern) {
                self.mistake(key.span().start, sentence);
            }
        }
        match pattern {
            Some(pattern) => {
                self.draft.config.history.push((pattern, history));
                let source = self.source(at);
                self.draft.rules.push(source);
            }
            None if self.mistakes.len() == mistakes => {
                let sentence = "history.pattern is missing: the channels that the rule is about, such as \"chat/**\"";
                self.mistake(at, sentence.to_owned());
            }
            None => {}
        }
    }

    fn source(&self, at: usize) -> Source {
        Source::File { path: self.path.to_owned(), line: self.line_and_column(at).0 }
    }

    fn mistake(&mut self, at: usize, sentence: String) {
        let (line, column) = self.line_and_column(at);
        let place = format!("{}:{line}:{column}", self.path.display());
        self.mistakes.push((at, Mistake { place, sentence }));
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }
}

/// What is said of a key that no setting has with this value.
fn unknown(full: &str) -> String {
    if full == HISTORY {
        return "history is a list of rules, each under [[history]]".to_owned();
    }
    if is_table(full) {
        return format!("{full} is a table: [{full}]");
    }
    match nearest(full, Setting::all().iter().map(|setting| setting.key).chain([HISTORY])) {
        Some(known) => format!("`{full}` is not a setting; did you mean `{known}`?"),
        None => format!("`{full}` is not a setting; `callboard check --example` shows every one"),
    }
}

fn set_in_rule(key: &str, raw: &Raw<'_>, history: &mut History, pattern: &mut Option<Pattern>) -> Result<(), String> {
    let wrong = |allowed: &str| format!("history.{key} is {raw}; expected {allowed}");
    match key {
        "pattern" => {
            let text = String::read(raw).ok_or_else(|| wrong("a pattern of channel names, such as \"chat/**\""))?;
            *pattern = Some(Pattern::parse(&text)?);
        }
        "messages" => history.messages = Datum::read(raw).ok_or_else(|| wrong("a whole number"))?,
        "bytes" => history.bytes = Datum::read(raw).ok_or_else(|| wrong("a whole number of bytes"))?,
        "age_ms" => history.age = Datum::read(raw).ok_or_else(|| wrong("a whole number of milliseconds"))?,
        _ => {
            return Err(match nearest(key, RULE.iter().copied()) {
                Some(known) => format!("`history.{key}` is not a setting; did you mean `history.{known}`?"),
                None => format!("`history.{key}` is not a setting; a rule has {}", RULE.join(", ")),
            });
        }
    }
    Ok(())
}

/// Whether settings stand in a table of this name.
fn is_table(name: &str) -> bool {
    Setting::all().iter().any(|setting| setting.key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
