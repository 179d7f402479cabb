//! Patterns of terms: `ERROR "connection reset" -healthcheck`, `?WARN ?ERROR`.

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::PatternError;
use super::cursor::Cursor;

/// Terms by their kind.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// All of these must be there.
    required: Vec<Finder<'static>>,
    /// One of these must be there.
    optional: Option<AhoCorasick>,
    /// None of these may be there.
    excluded: Option<AhoCorasick>,
}

impl Terms {
    pub(super) fn parse(pattern: &str) -> Result<Terms, PatternError> {
        let mut cursor = Cursor::new(pattern);
        let (mut required, mut optional, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            cursor.skip_spaces();
            let (kind, marked) = match cursor.peek() {
                None => break,
                Some('?') => (&mut optional, true),
                Some('-') => (&mut excluded, true),
                Some(_) => (&mut required, false),
            };
            if marked {
                cursor.next();
                cursor.skip_spaces();
            }
            let term = term(&mut cursor)?;
            match (term.is_empty(), marked) {
                (false, _) => kind.push(term),
                (true, true) => return Err(cursor.expected("a term after '?' or '-'")),
                // `""` asks for nothing.
                (true, false) => {}
            }
        }
        // The service disregards optional terms beside terms of another kind.
        if !(required.is_empty() && excluded.is_empty()) {
            optional.clear();
        }
        Ok(Terms {
            required: required.iter().map(|term| Finder::new(term).into_owned()).collect(),
            optional: one_of(&optional)?,
            excluded: one_of(&excluded)?,
        })
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.required.iter().all(|term| term.find(message.as_bytes()).is_some())
            && self.optional.as_ref().is_none_or(|terms| terms.is_match(message))
            && self.excluded.as_ref().is_none_or(|terms| !terms.is_match(message))
    }

    pub(super) fn literals(&self) -> Vec<String> {
        self.required.iter().map(|term| String::from_utf8_lossy(term.needle()).into_owned()).collect()
    }
}

/// A word or a quoted phrase; empty where neither is next.
fn term(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    let mark = cursor.clone();
    match cursor.peek() {
        Some('"') => cursor.quoted(),
        Some('%') => {
            let message = "a regular expression stands alone in a pattern: it cannot be combined with terms";
            Err(mark.error(message))
        }
        _ => {
            let word = cursor.take_while(|c| !c.is_whitespace());
            match word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                true => Ok(word.to_owned()),
                false => Err(mark.error(format!(
                    "Invalid character(s) in term '{word}': put into double quotes what has other characters than \
                     letters, digits and underscores"
                ))),
            }
        }
    }
}

/// A search for any of some terms; nothing when there is none to look for.
fn one_of(terms: &[String]) -> Result<Option<AhoCorasick>, PatternError> {
    if terms.is_empty() {
        return Ok(None);
    }
    let too_large = |error: aho_corasick::BuildError| PatternError { message: error.to_string(), at: 0 };
    AhoCorasick::new(terms).map(Some).map_err(too_large)
}
