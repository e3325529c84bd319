//! The text of the file of API keys: what is kept of each, written and read. It opens no file.

use serde::{Deserialize, Serialize};

use super::apikey::{Digest, KeyId};
use super::who::Rights;

/// What the file begins with, for whoever opens it.
const HEADER: &str = "\
# Callboard's API keys. `callboard token new`, `list` and `revoke` change this file; a running broker follows it.
# It has the SHA-256 of each secret, never the secret.
";

/// A line that the header has in a file which must have [`END`] too: in those from before, nothing tells where they end.
const ENDS: &str = "# Its last line says that it is whole.\n";

/// How a file ends of which nothing was cut off, be it between two keys.
const END: &str = "\n# These are all keys.\n";

/// A key as it is stored and listed.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The part of the key that names it.
    pub id: KeyId,
    /// What its bearer is called: the key of the identity. Several keys may share a name while one replaces another.
    pub name: String,
    /// When it was made: RFC 3339, in UTC.
    pub created: String,
    /// What its bearer may do beside what every authenticated peer may.
    pub rights: Rights,
    pub(super) digest: Digest,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// Never left out: a file without keys is told from one that is empty.
    key: Vec<KeyTable>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    id: String,
    name: String,
    created: String,
    /// Left out where there are none, as in files from before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rights: Vec<Right>,
    sha256: String,
}

/// A right, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Right {
    Bridge,
}

/// The keys in a file's text; otherwise what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<StoredKey>, String> {
    if text.contains(ENDS) && !text.trim_end().ends_with(END.trim_end()) {
        return Err(format!("its last line is not `{}`, so that some of it may be missing", END.trim()));
    }
    let file: KeyFile = toml::from_str(text).map_err(|error| error.to_string())?;
    file.key.into_iter().map(StoredKey::try_from).collect()
}

/// The text of a file with these keys.
pub(super) fn text(keys: &[StoredKey]) -> Result<String, toml::ser::Error> {
    let key = keys.iter().map(KeyTable::from).collect();
    Ok(format!("{HEADER}{ENDS}\n{}{END}", toml::to_string(&KeyFile { key })?))
}

impl TryFrom<KeyTable> for StoredKey {
    type Error = String;

    fn try_from(table: KeyTable) -> Result<Self, String> {
        let KeyTable { id, name, created, rights, sha256 } = table;
        let id = KeyId::parse(&id).ok_or_else(|| format!("`{id}` is not the id of a key"))?;
        let digest = Digest::parse(&sha256).ok_or_else(|| format!("key {id} has no SHA-256 in hexadecimal"))?;
        let rights = Rights { bridge: rights.contains(&Right::Bridge) };
        Ok(Self { id, name, created, rights, digest })
    }
}

impl From<&StoredKey> for KeyTable {
    fn from(stored: &StoredKey) -> Self {
        let StoredKey { id, name, created, rights, digest } = stored;
        let rights = if rights.bridge { vec![Right::Bridge] } else { Vec::new() };
        Self { id: id.to_string(), name: name.clone(), created: created.clone(), rights, sha256: digest.to_text() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as it was written before keys had rights.
    fn old() -> String {
        let digest = "5f".repeat(32);
        format!(
            "[[key]]\nid = \"0123abcd\"\nname = \"reporter\"\ncreated = \"2026-01-01T00:00:00Z\"\nsha256 = \"{digest}\"\n"
        )
    }

    #[test]
    fn a_key_from_before_there_were_rights_has_none_and_is_written_as_it_was() {
        let keys = parse(&old()).expect("keys");
        assert_eq!((keys.len(), keys[0].rights), (1, Rights::default()));
        assert_eq!(text(&keys).expect("text"), format!("{HEADER}{ENDS}\n{}{END}", old()));
    }

    #[test]
    fn a_file_without_keys_says_so_and_an_empty_one_is_none() {
        let none = text(&[]).expect("text");
        assert!(parse(&none).expect("no keys").is_empty(), "{none}");
        assert!(parse(&format!("{HEADER}\nkey = []\n")).expect("as it was before").is_empty());
        for emptied in ["", "\n", HEADER] {
            assert!(parse(emptied).expect_err("an error").contains("key"), "{emptied}");
        }
    }

    #[test]
    fn a_part_of_a_file_is_never_a_file_with_fewer_keys() {
        let keys = parse(&old().repeat(3)).expect("keys");
        let whole = text(&keys).expect("text");
        for end in 0..whole.len() - 1 {
            assert!(parse(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
        assert_eq!(parse(&whole).expect("keys").len(), 3);
    }

    #[test]
    fn a_key_behind_the_last_line_is_refused_for_a_part_of_such_a_file_would_look_whole() {
        let whole = text(&parse(&old().repeat(2)).expect("keys")).expect("text");
        assert_eq!(parse(&format!("{whole}\n\n")).expect("keys").len(), 2, "blank lines are nothing");
        let error = parse(&format!("{whole}\n{}", old())).expect_err("an error");
        assert!(error.contains(END.trim()), "{error}");
    }

    #[test]
    fn rights_are_written_and_read_and_an_unknown_one_is_told() {
        let mut keys = parse(&old()).expect("keys");
        keys[0].rights.bridge = true;
        let written = text(&keys).expect("text");
        assert!(written.contains("rights = [\"bridge\"]"), "{written}");
        assert!(parse(&written).expect("keys")[0].rights.bridge);
        let error = parse(&written.replace("bridge", "emperor")).expect_err("an error");
        assert!(error.contains("emperor") && error.contains("bridge"), "{error}");
    }
}
