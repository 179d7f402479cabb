//! Values that template expressions work on.

use std::{collections::BTreeMap, fmt};

/// A value in a template expression: what `{{ .SourceAMI }}` and the arguments of functions are.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// No value; shown as Go shows it, `<no value>`.
    Nil,
    /// A string.
    String(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A list.
    List(Vec<Field>),
    /// A map, such as `.SourceAMITags`.
    Map(BTreeMap<String, Field>),
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<BTreeMap<String, String>> for Field {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self::Map(map.into_iter().map(|(key, value)| (key, Self::String(value))).collect())
    }
}

/// As Go's `fmt.Print` shows the value.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<no value>"),
            Self::String(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => f.write_str(&float(*number)),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(" "))
            }
            Self::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                write!(f, "map[{}]", entries.join(" "))
            }
        }
    }
}

/// A number with a fraction as Go's `%v` writes it: the shortest digits, an exponent for the very small and the very
/// large.
pub(crate) fn float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
                Some(exponent) => format!("{mantissa}e-{exponent:0>2}"),
                None => format!("{mantissa}e+{exponent:0>2}"),
            },
            None => text,
        };
    }
    format!("{number}")
}
