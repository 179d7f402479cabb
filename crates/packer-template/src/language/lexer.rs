//! From characters to tokens, by the rules of Go's `text/template/parse`.

use super::ExpressionError;

/// A token inside `{{` and `}}`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// Where it begins, in bytes of the string.
    pub(crate) offset: usize,
    /// Whether a blank stands before it: `.A .B` are two operands, `.A.B` is one.
    pub(crate) spaced: bool,
    pub(crate) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name: a function, a keyword, `true`, `nil`.
    Word(String),
    /// `.`
    Dot,
    /// `.Name`
    Field(String),
    /// `$`, `$name`, with the dollar sign.
    Variable(String),
    /// A quoted, raw or character constant, decoded.
    String(String),
    /// The number of a character constant.
    Character(i64),
    /// A number as written.
    Number(String),
    Open,
    Close,
    Pipe,
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// A string cut into text and actions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chunk {
    /// Text, trimmed where an action asks for it.
    Text(String),
    /// The tokens of an action, with the range of bytes that it takes.
    Action { tokens: Vec<Token>, start: usize, end: usize },
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// Cuts a string into chunks. Comments are dropped.
pub(crate) fn chunks(text: &str) -> Result<Vec<Chunk>, ExpressionError> {
    let mut chunks = Vec::new();
    let mut at = 0;
    let mut trim = false;
    while let Some(found) = text[at..].find(LEFT) {
        let start = at + found;
        let inside = start + LEFT.len();
        let trims_left = trims_left(&text[inside..]);
        push_text(&mut chunks, &text[at..start], trim, trims_left);
        let body = if trims_left { inside + 1 } else { inside };
        let (action, end, trims_right) = match comment(text, start, body)? {
            Some((end, trims)) => (None, end, trims),
            None => {
                let mut lexer = Lexer { text, at: body, start, tokens: Vec::new(), depth: 0 };
                let (end, trims) = lexer.action()?;
                (Some(Chunk::Action { tokens: lexer.tokens, start, end }), end, trims)
            }
        };
        chunks.extend(action);
        at = end;
        trim = trims_right;
    }
    push_text(&mut chunks, &text[at..], trim, false);
    Ok(chunks)
}

/// Whether `{{` is followed by a dash and a blank, which takes blanks away before it.
fn trims_left(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

fn push_text(chunks: &mut Vec<Chunk>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start_matches(is_space) } else { text };
    let text = if trim_end { text.trim_end_matches(is_space) } else { text };
    if !text.is_empty() {
        chunks.push(Chunk::Text(text.to_owned()));
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The end of a comment action and whether it takes blanks away behind it; none when it is no comment.
fn comment(text: &str, start: usize, body: usize) -> Result<Option<(usize, bool)>, ExpressionError> {
    let inner = text[body..].trim_start_matches(is_space);
    // Go allows blanks before the comment only together with a trim marker.
    if !inner.starts_with("/*") {
        return Ok(None);
    }
    let opening = text.len() - inner.len();
    let Some(length) = inner.find("*/") else {
        return Err(ExpressionError::new(start, "the comment is not closed"));
    };
    let after = &text[opening + length + 2..];
    let position = |rest: &str| text.len() - rest.len() + RIGHT.len();
    if let Some(rest) = after.trim_start_matches(is_space).strip_prefix('-')
        && after.starts_with(is_space)
        && rest.starts_with(RIGHT)
    {
        return Ok(Some((position(rest), true)));
    }
    if after.starts_with(RIGHT) {
        return Ok(Some((position(after), false)));
    }
    Err(ExpressionError::new(start, "a comment must end the action it stands in"))
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    start: usize,
    tokens: Vec<Token>,
    depth: usize,
}

impl Lexer<'_> {
    /// Reads tokens up to `}}`; returns what is behind it and whether blanks are taken away there.
    fn action(&mut self) -> Result<(usize, bool), ExpressionError> {
        let mut spaced = true;
        loop {
            let rest = &self.text[self.at..];
            if let Some(dash) = rest.trim_start_matches(is_space).strip_prefix('-')
                && rest.starts_with(is_space)
                && dash.starts_with(RIGHT)
            {
                return self.finish(self.text.len() - dash.len() + RIGHT.len(), true);
            }
            if rest.starts_with(RIGHT) {
                return self.finish(self.at + RIGHT.len(), false);
            }
            let Some(next) = rest.chars().next() else {
                return Err(ExpressionError::new(self.start, "'{{' is not closed by '}}'")
                    .help("for two braces as they are write {{`{{`}}"));
            };
            if is_space(next) {
                self.at += next.len_utf8();
                spaced = true;
                continue;
            }
            let offset = self.at;
            let kind = self.token(next)?;
            self.tokens.push(Token { offset, spaced, kind });
            spaced = false;
        }
    }

    fn finish(&self, end: usize, trims: bool) -> Result<(usize, bool), ExpressionError> {
        if self.depth > 0 {
            return Err(ExpressionError::new(self.start, "a parenthesis is not closed"));
        }
        Ok((end, trims))
    }

    fn token(&mut self, next: char) -> Result<TokenKind, ExpressionError> {
        let offset = self.at;
        match next {
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '(' => {
                self.depth += 1;
                Ok(self.symbol(TokenKind::Open, 1))
            }
            ')' => {
                let unopened = || ExpressionError::new(offset, "a parenthesis is closed that was not opened");
                self.depth = self.depth.checked_sub(1).ok_or_else(unopened)?;
                Ok(self.symbol(TokenKind::Close, 1))
            }
            '|' => Ok(self.symbol(TokenKind::Pipe, 1)),
            ',' => Ok(self.symbol(TokenKind::Comma, 1)),
            '=' => Ok(self.symbol(TokenKind::Assign, 1)),
            ':' if self.text[offset..].starts_with(":=") => Ok(self.symbol(TokenKind::Declare, 2)),
            '.' => Ok(self.dotted()),
            '$' => Ok(self.variable()),
            '+' | '-' | '0'..='9' => self.number(),
            c if is_word(c) => {
                let word = self.word();
                Ok(TokenKind::Word(word))
            }
            other => Err(ExpressionError::new(offset, format!("unexpected '{other}' in an expression"))),
        }
    }

    fn symbol(&mut self, kind: TokenKind, length: usize) -> TokenKind {
        self.at += length;
        kind
    }

    /// A run of letters, digits and underscores.
    fn word(&mut self) -> String {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    fn dotted(&mut self) -> TokenKind {
        let rest = &self.text[self.at + 1..];
        // `.5` is a number, as in Go.
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number().unwrap_or(TokenKind::Dot);
        }
        self.at += 1;
        let name = self.word();
        if name.is_empty() { TokenKind::Dot } else { TokenKind::Field(name) }
    }

    fn variable(&mut self) -> TokenKind {
        self.at += 1;
        let name = self.word();
        TokenKind::Variable(format!("${name}"))
    }

    fn number(&mut self) -> Result<TokenKind, ExpressionError> {
        let offset = self.at;
        let rest = &self.text[offset..];
        let mut length = 0;
        let mut before = '\0';
        for c in rest.chars() {
            let sign = matches!(c, '+' | '-') && (length == 0 || matches!(before, 'e' | 'E' | 'p' | 'P'));
            if !(sign || c.is_ascii_alphanumeric() || c == '.' || c == '_') {
                break;
            }
            length += c.len_utf8();
            before = c;
        }
        let written = &rest[..length];
        if !written.bytes().any(|b| b.is_ascii_digit()) {
            return Err(ExpressionError::new(offset, format!("'{written}' is not a number")));
        }
        self.at += length;
        Ok(TokenKind::Number(written.to_owned()))
    }

    fn raw(&mut self) -> Result<TokenKind, ExpressionError> {
        let rest = &self.text[self.at + 1..];
        let Some(length) = rest.find('`') else {
            return Err(ExpressionError::new(self.at, "the string in backquotes is not closed"));
        };
        self.at += length + 2;
        Ok(TokenKind::String(rest[..length].to_owned()))
    }

    fn quoted(&mut self) -> Result<TokenKind, ExpressionError> {
        let offset = self.at;
        let decoded = self.escaped('"')?;
        decoded
            .map(TokenKind::String)
            .ok_or_else(|| ExpressionError::new(offset, "the string in quotes is not closed"))
    }

    fn character(&mut self) -> Result<TokenKind, ExpressionError> {
        let offset = self.at;
        let decoded = self.escaped('\'')?;
        let mut characters = decoded.iter().flat_map(|text| text.chars());
        match (characters.next(), characters.next()) {
            (Some(c), None) => Ok(TokenKind::Character(i64::from(u32::from(c)))),
            _ => Err(ExpressionError::new(offset, "a constant in single quotes has exactly one character")
                .help("strings stand in backquotes or double quotes")),
        }
    }

    /// Reads up to the closing quote, escapes resolved; none when it does not come.
    fn escaped(&mut self, quote: char) -> Result<Option<String>, ExpressionError> {
        let mut decoded = String::new();
        let mut characters = self.text[self.at + 1..].char_indices();
        let base = self.at + 1;
        while let Some((index, c)) = characters.next() {
            match c {
                '\n' => return Ok(None),
                '\\' => {
                    let escape: String = self.text[base + index..].chars().take(10).collect();
                    let Some((c, taken)) = unescape(&escape) else {
                        let shown: String = escape.chars().take(2).collect();
                        return Err(ExpressionError::new(
                            base + index,
                            format!("unknown escape '{shown}' in a string"),
                        ));
                    };
                    decoded.push(c);
                    // All escapes are ASCII, so characters are bytes.
                    for _ in 1..taken {
                        characters.next();
                    }
                }
                c if c == quote => {
                    self.at = base + index + 1;
                    return Ok(Some(decoded));
                }
                c => decoded.push(c),
            }
        }
        Ok(None)
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The character that an escape at the beginning of `text` stands for, and how many characters it takes.
fn unescape(text: &str) -> Option<(char, usize)> {
    let kind = text.chars().nth(1)?;
    let numeric = |radix: u32, from: usize, digits: usize| {
        let number = u32::from_str_radix(text.get(from..from + digits)?, radix).ok()?;
        Some((char::from_u32(number)?, from + digits))
    };
    let simple = match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' => kind,
        'x' => return numeric(16, 2, 2),
        'u' => return numeric(16, 2, 4),
        'U' => return numeric(16, 2, 8),
        '0'..='7' => return numeric(8, 1, 3),
        _ => return None,
    };
    Some((simple, 2))
}
