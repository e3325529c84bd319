//! The kinds of values that settings have: how each is written in TOML, in a variable and in a flag. It judges no value.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use callboard_bridge_ws::rules::ProxyHeader;
use toml::de::DeValue;

use super::{LogFormat, WsListen};

/// A value as somebody wrote it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// In a variable or in a flag.
    Text(&'a OsStr),
    /// In a file of this directory.
    Toml(&'a DeValue<'a>, &'a Path),
}

impl Raw<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => text.to_str(),
            Raw::Toml(value, _) => value.as_str(),
        }
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Text(text) => write!(f, "`{}`", text.to_string_lossy()),
            Raw::Toml(DeValue::String(text), _) => write!(f, "{}", quoted(text)),
            Raw::Toml(DeValue::Integer(number), _) => write!(f, "{number}"),
            Raw::Toml(DeValue::Float(number), _) => write!(f, "{number}"),
            Raw::Toml(DeValue::Boolean(value), _) => write!(f, "{value}"),
            Raw::Toml(DeValue::Datetime(time), _) => write!(f, "{time}"),
            Raw::Toml(DeValue::Array(_), _) => f.write_str("a list"),
            Raw::Toml(DeValue::Table(_), _) => f.write_str("a table"),
        }
    }
}

/// A type that settings have.
pub(super) trait Datum: Sized {
    /// The value, if it is one.
    fn read(raw: &Raw<'_>) -> Option<Self>;

    /// As TOML; `None` if nothing is set.
    fn show(&self) -> Option<String>;
}

impl Datum for u64 {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) => text.to_str()?.replace('_', "").parse().ok(),
            Raw::Toml(value, _) => {
                let integer = value.as_integer()?;
                Self::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Datum for usize {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        u64::read(raw).and_then(|value| value.try_into().ok())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// In milliseconds.
impl Datum for Duration {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        u64::read(raw).map(Self::from_millis)
    }

    fn show(&self) -> Option<String> {
        Some(self.as_millis().to_string())
    }
}

impl Datum for bool {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw {
            Raw::Toml(value, _) => value.as_bool(),
            Raw::Text(text) => match text.to_str()?.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => None,
            },
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Datum for SocketAddr {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        raw.text()?.parse().ok()
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Datum for PathBuf {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) => (!text.is_empty()).then(|| Self::from(text)),
            Raw::Toml(value, directory) => {
                let text = value.as_str().filter(|text| !text.is_empty())?;
                Some(directory.join(text))
            }
        }
    }

    fn show(&self) -> Option<String> {
        (!self.as_os_str().is_empty()).then(|| quoted(&self.to_string_lossy()))
    }
}

impl Datum for String {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        raw.text().map(str::to_owned)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Datum for LogFormat {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.text()? {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Human => "human",
            Self::Json => "json",
        }))
    }
}

/// Texts that are judged one by one: a list in a file, divided by commas elsewhere.
impl<T: FromStr + fmt::Display> Datum for Vec<T> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        let parse = |text: &str| text.trim().parse().ok();
        match raw {
            Raw::Text(text) => text.to_str()?.split(',').filter(|part| !part.trim().is_empty()).map(parse).collect(),
            Raw::Toml(value, _) => match value.as_array() {
                Some(parts) => parts.iter().map(|part| parse(part.get_ref().as_str()?)).collect(),
                None => parse(value.as_str()?).map(|one| vec![one]),
            },
        }
    }

    fn show(&self) -> Option<String> {
        let parts: Vec<String> = self.iter().map(|part| quoted(&part.to_string())).collect();
        Some(format!("[{}]", parts.join(", ")))
    }
}

impl Datum for WsListen {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match bool::read(raw) {
            Some(true) => Some(Self::SamePort),
            Some(false) => Some(Self::Off),
            None => SocketAddr::read(raw).map(Self::At),
        }
    }

    fn show(&self) -> Option<String> {
        match self {
            Self::SamePort => Some("true".to_owned()),
            Self::At(address) => address.show(),
            Self::Off => Some("false".to_owned()),
        }
    }
}

impl Datum for ProxyHeader {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        match raw.text()?.to_ascii_lowercase().as_str() {
            "x-forwarded" => Some(Self::XForwarded),
            "forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
        }))
    }
}

impl<T: Datum> Datum for Option<T> {
    fn read(raw: &Raw<'_>) -> Option<Self> {
        T::read(raw).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }
}

/// Text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
