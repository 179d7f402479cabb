//! Texts to compare with.

use memchr::memmem::Finder;

/// A text in which `*` at the start and at the end stands for anything; in between it stands for itself.
#[derive(Debug, Clone)]
pub(super) enum TextMatcher {
    /// `*`
    Any,
    /// `text`
    Exact(Box<str>),
    /// `text*`
    Prefix(Box<str>),
    /// `*text`
    Suffix(Box<str>),
    /// `*text*`
    Within(Box<Finder<'static>>),
}

impl TextMatcher {
    pub(super) fn new(operand: &str) -> TextMatcher {
        let (text, open_start) = match operand.strip_prefix('*') {
            Some(text) => (text, true),
            None => (operand, false),
        };
        let (text, open_end) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        match (open_start, open_end) {
            (false, false) => TextMatcher::Exact(text.into()),
            (true | false, true | false) if text.is_empty() => TextMatcher::Any,
            (false, true) => TextMatcher::Prefix(text.into()),
            (true, false) => TextMatcher::Suffix(text.into()),
            (true, true) => TextMatcher::Within(Box::new(Finder::new(text).into_owned())),
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            TextMatcher::Any => true,
            TextMatcher::Exact(exact) => text == &**exact,
            TextMatcher::Prefix(prefix) => text.starts_with(&**prefix),
            TextMatcher::Suffix(suffix) => text.ends_with(&**suffix),
            TextMatcher::Within(part) => part.find(text.as_bytes()).is_some(),
        }
    }

    /// The substring that every text that matches contains.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            TextMatcher::Any => None,
            TextMatcher::Exact(text) | TextMatcher::Prefix(text) | TextMatcher::Suffix(text) => Some(text),
            TextMatcher::Within(part) => str::from_utf8(part.needle()).ok(),
        }
    }
}
