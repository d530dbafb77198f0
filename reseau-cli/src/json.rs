//! JSON, written by hand: the report needs six shapes and one kind of escaping.
use std::fmt::{self, Write};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Flag(bool),
    Count(u64),
    Text(String),
    List(Vec<Self>),
    /// In the order in which the fields were added.
    Table(Vec<(String, Self)>),
}

impl Json {
    pub(crate) fn text(value: impl fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    pub(crate) fn table<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Table(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn write(&self, to: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Self::Null => to.write_str("null"),
            Self::Flag(value) => write!(to, "{value}"),
            Self::Count(value) => write!(to, "{value}"),
            Self::Text(value) => quote(to, value),
            Self::List(items) => {
                let items = items.iter().map(|item| (None, item));
                enclose(to, depth, ('[', ']'), items)
            }
            Self::Table(fields) => {
                let fields = fields.iter().map(|(name, value)| (Some(name.as_str()), value));
                enclose(to, depth, ('{', '}'), fields)
            }
        }
    }
}

/// Over several lines, indented by two.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

fn enclose<'a>(
    to: &mut fmt::Formatter<'_>,
    depth: usize,
    (open, close): (char, char),
    items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Json)>,
) -> fmt::Result {
    to.write_char(open)?;
    let last = items.len();
    for (at, (name, value)) in items.enumerate() {
        write!(to, "\n{:1$}", "", (depth + 1) * 2)?;
        if let Some(name) = name {
            quote(to, name)?;
            to.write_str(": ")?;
        }
        value.write(to, depth + 1)?;
        if at + 1 < last {
            to.write_char(',')?;
        }
    }
    if last > 0 {
        write!(to, "\n{:1$}", "", depth * 2)?;
    }
    to.write_char(close)
}

fn quote(to: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    to.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => to.write_str("\\\"")?,
            '\\' => to.write_str("\\\\")?,
            '\n' => to.write_str("\\n")?,
            '\r' => to.write_str("\\r")?,
            '\t' => to.write_str("\\t")?,
            // Control characters must be escaped; DEL and C1 need not be, but spoil terminals.
            letter if letter.is_control() => write!(to, "\\u{:04x}", u32::from(letter))?,
            letter => to.write_char(letter)?,
        }
    }
    to.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_survives_a_foreign_parser() {
        let all: String =
            (0..0x3000).filter_map(char::from_u32).chain("😀\u{10ffff}".chars()).collect();
        let text = Json::text(&all).to_string();
        assert!(!text.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), all);
    }

    #[test]
    fn nesting_survives_a_foreign_parser() {
        let value = Json::table([
            ("empty", Json::List(Vec::new())),
            ("nothing", Json::table([])),
            ("list", Json::List(vec![Json::Count(u64::MAX), Json::Null, Json::Flag(true)])),
            ("table", Json::table([("k\"ey", Json::text("v"))])),
        ]);
        let read: serde_json::Value = serde_json::from_str(&value.to_string()).unwrap();
        let wanted = serde_json::json!({
            "empty": [], "nothing": {}, "list": [u64::MAX, null, true], "table": {"k\"ey": "v"},
        });
        assert_eq!(read, wanted);
    }
}
