//! A JSON object whose fields are asked for by name; every fault says where it is and what would be right, never a value.

use std::borrow::Cow;
use std::fmt;

use callboard_protocol::close::Code;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::dialect::Refused;

/// More fields than any object of a message has, so that a stranger's object stays small in memory.
const FIELDS_MAX: usize = 16;

/// How much of an unknown field's name is said back.
const NAME_CHARS_SHOWN: usize = 40;

/// What is wrong with a message, and where.
#[derive(Debug)]
pub(super) struct Fault {
    code: Code,
    /// The names of the fields that lead there, with dots between.
    path: String,
    what: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { code: Code::Malformed, path: String::new(), what: what.into() }
    }

    /// The message is a frame, and longer than one may be.
    pub(super) fn too_long(what: impl Into<String>) -> Self {
        Self { code: Code::FrameTooLong, ..Self::new(what) }
    }

    /// This fault, seen from the object that has it in field `name`.
    pub(super) fn within(mut self, name: &str) -> Self {
        self.path = if self.path.is_empty() { name.to_owned() } else { format!("{name}.{}", self.path) };
        self
    }
}

impl From<Fault> for Refused {
    fn from(Fault { code, path, what }: Fault) -> Self {
        Self { code, sentence: if path.is_empty() { what } else { format!("{path}: {what}") } }
    }
}

/// An object: its fields' names, and their values unread.
pub(super) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// The object that is a whole message.
    pub(super) fn of_message(text: &'a str) -> Result<Self, Fault> {
        let not_json = |error: &serde_json::Error| Fault::new(format!("the message is not JSON: {error}"));
        if !text.trim_ascii_start().starts_with('{') {
            return Err(match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Fault::new("the message is JSON, but must be an object with a `kind`"),
                Err(error) => not_json(&error),
            });
        }
        Self::read(text).map_err(|error| if error.is_data() { own_words(&error) } else { not_json(&error) })
    }

    /// An object inside of one.
    pub(super) fn of_value(value: &'a RawValue) -> Result<Self, Fault> {
        Self::of_choice(value, "must be an object")
    }

    /// An object inside of one, where something else could stand as well: `otherwise` says what.
    pub(super) fn of_choice(value: &'a RawValue, otherwise: &str) -> Result<Self, Fault> {
        if !value.get().starts_with('{') {
            return Err(Fault::new(otherwise));
        }
        Self::read(value.get()).map_err(|error| own_words(&error))
    }

    fn read(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// Refuses fields that are not among `names`.
    pub(super) fn only(self, names: &[&str]) -> Result<Self, Fault> {
        match self.fields.iter().find(|(name, _)| !names.contains(&&**name)) {
            None => Ok(self),
            Some((name, _)) => {
                let names = names.join("`, `");
                Err(Fault::new(format!("there is no field {}, only `{names}`", shown(name))))
            }
        }
    }

    /// The value of a field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// A field that must be there.
    pub(super) fn must<T>(&self, name: &str, read: impl FnOnce(&'a RawValue) -> Result<T, Fault>) -> Result<T, Fault> {
        let value = self.get(name).ok_or_else(|| Fault::new(format!("`{name}` is missing")))?;
        read(value).map_err(|fault| fault.within(name))
    }

    /// A field that may be left out.
    pub(super) fn or<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Fault>,
        default: T,
    ) -> Result<T, Fault> {
        if self.get(name).is_some() { self.must(name, read) } else { Ok(default) }
    }

    /// An option: a field that may be left out or null.
    pub(super) fn option<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(value) if value.get() == "null" => Ok(None),
            Some(value) => read(value).map(Some).map_err(|fault| fault.within(name)),
        }
    }
}

/// A name of a field between back-quotes, cut and without control characters.
fn shown(name: &str) -> String {
    let mut chars = name.chars();
    let beginning: String = chars.by_ref().take(NAME_CHARS_SHOWN).flat_map(char::escape_debug).collect();
    format!("`{beginning}{}`", if chars.next().is_some() { "…" } else { "" })
}

/// What was said of an object, without the place that serde_json adds: it counts from the object's beginning.
fn own_words(error: &serde_json::Error) -> Fault {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    Fault::new(said.strip_suffix(&place).unwrap_or(&said))
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields).map(|fields| Self { fields })
    }
}

/// Reads the fields of an object.
struct Fields;

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Self::Value::new();
        while let Some(Name(name)) = map.next_key()? {
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format_args!("the field {} stands twice", shown(&name))));
            }
            if fields.len() == FIELDS_MAX {
                return Err(A::Error::custom(format_args!("there are more than {FIELDS_MAX} fields")));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(fields)
    }
}
