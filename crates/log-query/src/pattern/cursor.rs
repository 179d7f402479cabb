//! A place in a pattern, and the small steps that the parsers take from it.

use super::PatternError;

/// A place in a pattern.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'p> {
    pattern: &'p str,
    at: usize,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(pattern: &'p str) -> Cursor<'p> {
        Cursor { pattern, at: 0 }
    }

    /// The byte offset of the next character.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Goes past `token` if it is next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Goes past a word in any mixture of cases, if it is next and no longer word begins with it.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let found = rest[..end].eq_ignore_ascii_case(word);
        if found {
            self.at += end;
        }
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'p str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Reads up to `end` and past it; nothing is read when it does not come.
    pub(super) fn take_until(&mut self, end: char) -> Option<&'p str> {
        let rest = self.rest();
        let length = rest.find(end)?;
        self.at += length + end.len_utf8();
        Some(&rest[..length])
    }

    /// Reads a phrase in double quotes, in which `\"` and `\\` stand for a quote and a backslash.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let start = self.at;
        self.next();
        let mut phrase = String::new();
        while let Some(next) = self.next() {
            match (next, self.peek()) {
                ('"', _) => return Ok(phrase),
                ('\\', Some(escaped @ ('"' | '\\'))) => {
                    phrase.push(escaped);
                    self.next();
                }
                (plain, _) => phrase.push(plain),
            }
        }
        Err(self.error_at(start, "the double quote that begins here is not closed"))
    }

    /// The complaint that something else is expected here.
    pub(super) fn expected(&self, what: &str) -> PatternError {
        match self.peek() {
            Some(found) => self.error(format!("{what} is expected, not '{found}'")),
            None => self.error(format!("{what} is expected, but the pattern ends")),
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> PatternError {
        self.error_at(self.at, message)
    }

    /// A complaint about the place at a byte offset.
    pub(super) fn error_at(&self, at: usize, message: impl Into<String>) -> PatternError {
        PatternError { message: message.into(), at: self.pattern[..at].chars().count() }
    }
}
