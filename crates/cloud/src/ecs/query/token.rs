//! The words and signs of an expression.

use super::QueryError;

/// A word or sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name, a keyword or a bare value.
    Word(String),
    /// A value in quotes.
    Quoted(String),
    /// Punctuation.
    Sign(&'static str),
}

impl Token {
    /// The error that it is not what is expected.
    pub fn unexpected(self, expected: &'static str) -> QueryError {
        let found = match self {
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Sign(sign) => sign.to_owned(),
        };
        QueryError::Unexpected { found, expected }
    }

    /// Whether it is one of these words or signs.
    pub fn is(&self, names: &[&str]) -> bool {
        match self {
            Self::Word(text) => names.contains(&text.as_str()),
            Self::Sign(sign) => names.contains(sign),
            Self::Quoted(_) => false,
        }
    }
}

/// Longer signs stand before those that they begin with.
const SIGNS: [&str; 15] = ["==", "!=", "=~", "!~", ">=", "<=", "&&", "||", ">", "<", "!", "(", ")", "[", "]"];

/// Cuts an expression into its words and signs.
///
/// # Errors
/// When a quote does not end, or something is neither word nor sign.
pub fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_gap);
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' || first == '\'' {
            let (value, after) = rest[1..].split_once(first).ok_or(QueryError::Quote)?;
            tokens.push(Token::Quoted(value.to_owned()));
            rest = after;
        } else {
            let end = rest.find(|c| is_gap(c) || "=!<>&|()[]\"'".contains(c)).unwrap_or(rest.len());
            // A lone `=`, `&` or `|` begins no sign and is no word.
            if end == 0 {
                return Err(QueryError::Unexpected {
                    found: first.to_string(),
                    expected: "a subject, an operator or a value",
                });
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(is_gap);
    }
    Ok(tokens)
}

/// Commas only ever part the values of a list.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || c == ','
}
