//! The words of the language.

use std::ops::Range;

use super::error::QueryError;
use super::period::{Period, Unit};

/// A word of the language.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A field, a command, a function or a keyword. `quoted` ones are fields and nothing else.
    Name {
        name: String,
        quoted: bool,
    },
    Number(f64),
    /// `5m`
    Period(Period),
    /// Between single or double quotes.
    Text(String),
    Symbol(&'static str),
    End,
}

/// What is between the words. Longer ones first.
const SYMBOLS: [&str; 19] =
    ["!=", "<=", ">=", "=~", "=", "<", ">", "(", ")", "[", "]", ",", "|", "+", "-", "*", "/", "%", "^"];

/// How many parts a name may have, divided by dots.
const MAX_PARTS: usize = 100;

/// Reads a query word by word. A regular expression is read by [`Lexer::regex`] where the grammar has one: a `/` alone
/// does not tell it from a division.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'q> {
    query: &'q str,
    at: usize,
}

impl<'q> Lexer<'q> {
    pub(super) fn new(query: &'q str) -> Lexer<'q> {
        Lexer { query, at: 0 }
    }

    pub(super) fn query(&self) -> &'q str {
        self.query
    }

    /// The next word and its place.
    pub(super) fn next(&mut self) -> Result<(Token, Range<usize>), QueryError> {
        self.skip_blank();
        let start = self.at;
        let token = match self.rest().chars().next() {
            None => Token::End,
            Some('\'' | '"') => self.text()?,
            Some('`') => self.name()?,
            Some(c) if c.is_ascii_alphabetic() || matches!(c, '_' | '@') => self.name()?,
            Some(c) if c.is_ascii_digit() || (c == '.' && self.digit_at(1)) => self.number()?,
            Some(c) => match SYMBOLS.into_iter().find(|symbol| self.rest().starts_with(symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Token::Symbol(symbol)
                }
                None => return Err(self.unexpected(c)),
            },
        };
        Ok((token, start..self.at))
    }

    /// Reads a regular expression whose first `/` is at `start`, and gives it without its slashes.
    pub(super) fn regex(&mut self, start: usize) -> Result<(String, Range<usize>), QueryError> {
        let mut expression = String::new();
        let mut chars = self.query[start + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match (c, chars.as_str().chars().next()) {
                ('/', _) => {
                    self.at = start + 1 + offset + 1;
                    return Ok((expression, start..self.at));
                }
                ('\\', Some('/')) => {
                    expression.push('/');
                    chars.next();
                }
                ('\\', Some(escaped)) => {
                    expression.extend(['\\', escaped]);
                    chars.next();
                }
                (plain, _) => expression.push(plain),
            }
        }
        Err(self.error(start..self.query.len(), "the regular expression that begins here has no closing '/'"))
    }

    fn rest(&self) -> &'q str {
        &self.query[self.at..]
    }

    fn digit_at(&self, offset: usize) -> bool {
        self.rest().as_bytes().get(offset).is_some_and(u8::is_ascii_digit)
    }

    /// Goes past spaces and comments, which reach from `#` to the end of the line.
    fn skip_blank(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    /// A text in quotes; a backslash takes its meaning from a quote and from a backslash.
    fn text(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, quote)| quote);
        let mut text = String::new();
        while let Some((offset, c)) = chars.next() {
            match (c, chars.as_str().chars().next()) {
                (c, _) if c == quote => {
                    self.at = start + offset + c.len_utf8();
                    return Ok(Token::Text(text));
                }
                ('\\', Some(escaped)) if escaped == quote || escaped == '\\' => {
                    text.push(escaped);
                    chars.next();
                }
                (plain, _) => text.push(plain),
            }
        }
        Err(self.error(start..self.query.len(), format!("the text that begins here has no closing {quote}")))
    }

    /// A name: letters, digits, `@`, `_`, `.`; parts in backticks may have anything; `[3]` is short for `.3`.
    fn name(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let (mut name, mut quoted) = (String::new(), false);
        loop {
            if self.rest().starts_with('`') {
                let start = self.at;
                let Some(length) = self.rest()[1..].find('`') else {
                    return Err(
                        self.error(start..self.query.len(), "the name that begins here has no closing `")
                    );
                };
                name.push_str(&self.rest()[1..=length]);
                quoted = true;
                self.at += length + 2;
            }
            let rest = self.rest();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '@' | '.'));
            let plain = &rest[..end.unwrap_or(rest.len())];
            name.push_str(plain);
            self.at += plain.len();
            // The keyword `in` may touch its list.
            let index = if name.eq_ignore_ascii_case("in") { None } else { self.index() };
            if let Some(index) = index {
                name.push('.');
                name.push_str(index);
                self.at += index.len() + 2;
            } else if !(name.ends_with('.') && self.rest().starts_with('`')) {
                return match name.matches('.').count() {
                    0..MAX_PARTS => Ok(Token::Name { name, quoted }),
                    _ => Err(self.error(start..self.at, format!("the name has more than {MAX_PARTS} parts"))),
                };
            }
        }
    }

    /// The digits of `[3]`, if that is next.
    fn index(&self) -> Option<&'q str> {
        let (index, _) = self.rest().strip_prefix('[')?.split_once(']')?;
        let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(index)
    }

    /// A number, or a period of time when a unit follows.
    fn number(&mut self) -> Result<Token, QueryError> {
        let start = self.at;
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        self.at += digits(self.rest());
        if self.rest().starts_with('.') && self.digit_at(1) {
            self.at += 1 + digits(&self.rest()[1..]);
        }
        if let Some(after) = self.rest().strip_prefix(['e', 'E']) {
            let sign = usize::from(after.starts_with(['+', '-']));
            let exponent = digits(&after[sign..]);
            if exponent > 0 {
                self.at += 1 + sign + exponent;
            }
        }
        let digits = &self.query[start..self.at];
        let letters =
            self.rest().bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let unit = &self.rest()[..letters];
        self.at += letters;
        if unit.is_empty() {
            let unreadable = || self.error(start..self.at, format!("'{digits}' is not a number"));
            return digits.parse().map(Token::Number).map_err(|_| unreadable());
        }
        let period =
            digits.parse().ok().zip(Unit::parse(unit)).and_then(|(count, unit)| Period::new(count, unit));
        period.map(Token::Period).ok_or_else(|| {
            let message =
                format!("'{digits}{unit}' is neither a number nor a period of time such as 5m or 1h");
            self.error(start..self.at, message)
        })
    }

    fn unexpected(&self, c: char) -> QueryError {
        let hint = match c {
            '&' => "; write 'and'",
            '!' => "; write 'not' or '!='",
            '~' => "; write '=~'",
            _ => "",
        };
        self.error(self.at..self.at + c.len_utf8(), format!("unexpected symbol '{c}'{hint}"))
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> QueryError {
        QueryError::new(self.query, span, message)
    }
}
