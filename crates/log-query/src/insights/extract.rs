//! `parse`: fields out of texts, by a glob or by a regular expression.

use std::borrow::Cow;

use memchr::memmem::Finder;
use regex::Regex;

use super::value::Value;

/// What a `parse` does.
#[derive(Debug, Clone)]
pub(super) struct Extraction {
    /// Where the text is.
    pub(super) source: usize,
    pub(super) pattern: Pattern,
    /// Where the parts go, in the order of the pattern.
    pub(super) targets: Vec<usize>,
}

/// How a text is taken apart.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Glob(Glob),
    /// With the numbers of the groups that are wanted.
    Regex(Regex, Vec<usize>),
}

/// Texts with a `*` between each two, which stands for a part.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    /// What stands before the first part, between parts, and after the last one.
    texts: Vec<Finder<'static>>,
}

impl Glob {
    pub(super) fn new(glob: &str) -> Glob {
        Glob { texts: glob.split('*').map(|text| Finder::new(text).into_owned()).collect() }
    }

    /// How many parts it takes out.
    pub(super) fn parts(&self) -> usize {
        self.texts.len() - 1
    }

    /// The parts, each as short as possible; the last one goes to the end if nothing follows it.
    fn split<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, further) = self.texts.split_first()?;
        let mut at = first.find(text.as_bytes())? + first.needle().len();
        let mut parts = Vec::with_capacity(further.len());
        for (index, next) in further.iter().enumerate() {
            let rest = &text[at..];
            let last = index + 1 == further.len();
            let length = match next.needle().is_empty() && last {
                true => rest.len(),
                false => next.find(rest.as_bytes())?,
            };
            parts.push(&rest[..length]);
            at += length + next.needle().len();
        }
        Some(parts)
    }
}

impl Pattern {
    fn split<'t>(&self, text: &'t str) -> Option<Vec<Option<&'t str>>> {
        match self {
            Pattern::Glob(glob) => Some(glob.split(text)?.into_iter().map(Some).collect()),
            Pattern::Regex(regex, groups) => {
                let captures = regex.captures(text)?;
                Some(groups.iter().map(|group| captures.get(*group).map(|part| part.as_str())).collect())
            }
        }
    }
}

impl Extraction {
    /// The parts of the text in a row, by their places; none where it does not match.
    pub(super) fn run<'r>(&self, values: &[Value<'r>]) -> Vec<(usize, Value<'r>)> {
        let parts = match values.get(self.source) {
            // The parts of a message's own text need no copy.
            Some(Value::Text(Cow::Borrowed(text))) => {
                let borrow =
                    |part: Option<&'r str>| part.map_or(Value::Null, |part| Value::Text(Cow::Borrowed(part)));
                self.pattern.split(text).map(|parts| parts.into_iter().map(borrow).collect::<Vec<_>>())
            }
            other => other.and_then(Value::text).and_then(|text| {
                let own = |part: Option<&str>| part.map_or(Value::Null, Value::owned_text);
                self.pattern.split(&text).map(|parts| parts.into_iter().map(own).collect())
            }),
        };
        let parts = parts.unwrap_or_default().into_iter().chain(std::iter::repeat(Value::Null));
        self.targets.iter().copied().zip(parts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn globs() {
        let line = "25 May 2019 10:24:39,474 [ERROR] {foo=2, bar=data} The error was: DataIntegrityException";
        for (glob, text, expected) in [
            (
                "[*] * The error was: *",
                line,
                Some(vec!["ERROR", "{foo=2, bar=data}", "DataIntegrityException"]),
            ),
            (
                "user=*, method:*, latency := *",
                "user=a, method:GET, latency := 7",
                Some(vec!["a", "GET", "7"]),
            ),
            ("* *", "a b c", Some(vec!["a", "b c"])),
            ("[*]", "x [y] z", Some(vec!["y"])),
            ("[*]", "x [y", None),
            ("*", "", Some(vec![""])),
            ("none", "none", Some(vec![])),
        ] {
            assert_eq!(Glob::new(glob).split(text), expected, "{glob}");
        }
    }
}
