//! From tokens to pieces.

use super::{
    ExpressionError,
    ast::{Command, Operand, OperandKind, Piece, Pipeline},
    functions,
    lexer::{self, Chunk, Token, TokenKind},
};
use template_text::suggest::did_you_mean;

use crate::field::Field;

/// How deep parentheses and blocks may be nested.
const DEEPEST: usize = 64;

/// Actions of Go's templates that make no sense in an option.
const REFUSED: [&str; 5] = ["block", "break", "continue", "define", "template"];

/// Parses a string.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, ExpressionError> {
    let mut parser = Parser { chunks: lexer::chunks(text)?.into_iter(), depth: 0, end: text.len() };
    let (pieces, stop) = parser.list()?;
    match stop {
        Stop::Text => Ok(pieces),
        Stop::Else { offset, .. } => {
            Err(ExpressionError::new(offset, "'else' belongs to no 'if', 'with' or 'range'"))
        }
        Stop::End { offset } => {
            Err(ExpressionError::new(offset, "'end' belongs to no 'if', 'with' or 'range'"))
        }
    }
}

/// What ended a list of pieces.
enum Stop {
    /// The end of the string.
    Text,
    /// `{{else}}`, or `{{else if …}}` with the tokens of the `if`.
    Else { offset: usize, chained: Option<Vec<Token>> },
    /// `{{end}}`
    End { offset: usize },
}

struct Parser {
    chunks: std::vec::IntoIter<Chunk>,
    depth: usize,
    end: usize,
}

impl Parser {
    /// Pieces up to `else`, `end` or the end of the string.
    fn list(&mut self) -> Result<(Vec<Piece>, Stop), ExpressionError> {
        let mut pieces = Vec::new();
        while let Some(chunk) = self.chunks.next() {
            let (tokens, start, end) = match chunk {
                Chunk::Text(text) => {
                    pieces.push(Piece::Text(text));
                    continue;
                }
                Chunk::Action { tokens, start, end } => (tokens, start, end),
            };
            match keyword(&tokens) {
                Some("end") => return Ok((pieces, Stop::End { offset: start })),
                Some("else") => {
                    let rest = tokens.get(1..).unwrap_or_default().to_vec();
                    let chained = (!rest.is_empty()).then_some(rest);
                    return Ok((pieces, Stop::Else { offset: start, chained }));
                }
                Some(word @ ("if" | "with" | "range")) => {
                    let word = word.to_owned();
                    pieces.push(self.control(&word, &tokens[1..], start)?);
                }
                Some(word) if REFUSED.contains(&word) => {
                    return Err(ExpressionError::new(
                        start,
                        format!("'{word}' is not supported in templates of Packer"),
                    ));
                }
                _ => {
                    let pipeline = Tokens::new(&tokens, start).pipeline(false)?;
                    pieces.push(Piece::Action { pipeline, written: start..end });
                }
            }
        }
        Ok((pieces, Stop::Text))
    }

    /// The rest of an `if`, `with` or `range`, whose own action has been read.
    fn control(&mut self, word: &str, tokens: &[Token], start: usize) -> Result<Piece, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ExpressionError::new(start, "blocks are nested too deep"));
        }
        let pipeline = Tokens::new(tokens, start).pipeline(word == "range")?;
        let (body, stop) = self.list()?;
        let otherwise = match stop {
            Stop::End { .. } => Vec::new(),
            Stop::Text => return Err(self.unclosed(word, start)),
            Stop::Else { chained: None, .. } => {
                let (otherwise, stop) = self.list()?;
                match stop {
                    Stop::End { .. } => otherwise,
                    Stop::Text => return Err(self.unclosed(word, start)),
                    Stop::Else { offset, .. } => {
                        return Err(ExpressionError::new(offset, "a second 'else' for the same block"));
                    }
                }
            }
            Stop::Else { offset, chained: Some(tokens) } => {
                match keyword(&tokens) {
                    // `else if` and `else with` take the `end` of the whole chain.
                    Some(next) if next == word && word != "range" => {
                        let next = next.to_owned();
                        vec![self.control(&next, &tokens[1..], offset)?]
                    }
                    _ => {
                        return Err(ExpressionError::new(
                            offset,
                            format!("only '{word}' may follow 'else' here"),
                        ));
                    }
                }
            }
        };
        self.depth -= 1;
        Ok(match word {
            "range" => Piece::Range { over: pipeline, body, otherwise },
            _ => Piece::Branch { with: word == "with", condition: pipeline, then: body, otherwise },
        })
    }

    fn unclosed(&self, word: &str, start: usize) -> ExpressionError {
        ExpressionError::new(start.min(self.end), format!("'{word}' has no 'end'"))
    }
}

/// The word that an action begins with, if it is a keyword of actions.
fn keyword(tokens: &[Token]) -> Option<&str> {
    const KEYWORDS: [&str; 5] = ["if", "with", "range", "else", "end"];
    match &tokens.first()?.kind {
        TokenKind::Word(word) => {
            KEYWORDS.iter().chain(&REFUSED).find(|keyword| *keyword == word).map(|_| word.as_str())
        }
        _ => None,
    }
}

struct Tokens<'a> {
    tokens: &'a [Token],
    at: usize,
    start: usize,
    depth: usize,
}

impl<'a> Tokens<'a> {
    fn new(tokens: &'a [Token], start: usize) -> Self {
        Self { tokens, at: 0, start, depth: 0 }
    }

    fn peek(&self) -> Option<&'a TokenKind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn offset(&self) -> usize {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(self.start, |token| token.offset)
    }

    /// A whole action's pipeline.
    fn pipeline(mut self, range: bool) -> Result<Pipeline, ExpressionError> {
        let pipeline = self.commands(range)?;
        if self.at < self.tokens.len() {
            return Err(ExpressionError::new(self.offset(), "unexpected end of an expression"));
        }
        Ok(pipeline)
    }

    fn commands(&mut self, range: bool) -> Result<Pipeline, ExpressionError> {
        let (declares, assigns) = self.declaration(range)?;
        let mut commands = Vec::new();
        loop {
            match self.peek() {
                Some(TokenKind::Pipe) if commands.is_empty() => break,
                Some(TokenKind::Pipe) => self.at += 1,
                None | Some(TokenKind::Close) => break,
                _ => {
                    let command = self.command()?;
                    commands.push(command);
                }
            }
        }
        if commands.is_empty() {
            return Err(ExpressionError::new(self.offset(), "an expression is missing"));
        }
        // Only functions can take what is handed on to them.
        for command in &commands[1..] {
            let callable = command.operands.iter().take(1).any(|operand| match operand.kind {
                OperandKind::Function(_) | OperandKind::Dot | OperandKind::Variable(_) => true,
                OperandKind::Constant(_) | OperandKind::Nil | OperandKind::Pipeline(_) => false,
            });
            if !callable {
                let offset = command.operands.first().map_or(self.start, |operand| operand.offset);
                return Err(ExpressionError::new(offset, "only a function can stand behind '|'"));
            }
        }
        Ok(Pipeline { declares, assigns, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$key, $value :=`.
    fn declaration(&mut self, range: bool) -> Result<(Vec<String>, bool), ExpressionError> {
        let Some(TokenKind::Variable(first)) = self.peek() else { return Ok((Vec::new(), false)) };
        let kind = |index: usize| self.tokens.get(self.at + index).map(|token| &token.kind);
        match (kind(1), kind(2), kind(3)) {
            (Some(TokenKind::Declare), ..) => {
                self.at += 2;
                Ok((vec![first.clone()], false))
            }
            (Some(TokenKind::Assign), ..) => {
                self.at += 2;
                Ok((vec![first.clone()], true))
            }
            (Some(TokenKind::Comma), Some(TokenKind::Variable(second)), Some(TokenKind::Declare))
                if range =>
            {
                self.at += 4;
                Ok((vec![first.clone(), second.clone()], false))
            }
            (Some(TokenKind::Comma), ..) => {
                Err(ExpressionError::new(self.offset(), "too many variables are declared at once"))
            }
            _ => Ok((Vec::new(), false)),
        }
    }

    fn command(&mut self) -> Result<Command, ExpressionError> {
        let mut operands = Vec::new();
        while let Some(kind) = self.peek() {
            if matches!(kind, TokenKind::Pipe | TokenKind::Close) {
                break;
            }
            let offset = self.offset();
            if !operands.is_empty() && !self.tokens[self.at].spaced {
                return Err(ExpressionError::new(offset, "a blank is missing between two values"));
            }
            let operand = self.operand()?;
            operands.push(operand);
        }
        Ok(Command { operands })
    }

    fn operand(&mut self) -> Result<Operand, ExpressionError> {
        let offset = self.offset();
        let mut fields = Vec::new();
        let Some(kind) = self.peek() else {
            return Err(ExpressionError::new(offset, "a value is missing"));
        };
        self.at += 1;
        let kind = match kind {
            TokenKind::Word(word) => self.word(word, offset)?,
            TokenKind::Dot => OperandKind::Dot,
            TokenKind::Field(name) => {
                fields.push(name.clone());
                OperandKind::Dot
            }
            TokenKind::Variable(name) => OperandKind::Variable(name.clone()),
            TokenKind::String(text) => OperandKind::Constant(Field::String(text.clone())),
            TokenKind::Character(number) => OperandKind::Constant(Field::Int(*number)),
            TokenKind::Number(written) => OperandKind::Constant(number(written, offset)?),
            TokenKind::Open => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(ExpressionError::new(offset, "parentheses are nested too deep"));
                }
                let inner = self.commands(false)?;
                self.depth -= 1;
                if !matches!(self.peek(), Some(TokenKind::Close)) {
                    return Err(ExpressionError::new(offset, "the parenthesis is not closed"));
                }
                self.at += 1;
                OperandKind::Pipeline(Box::new(inner))
            }
            TokenKind::Close
            | TokenKind::Pipe
            | TokenKind::Comma
            | TokenKind::Declare
            | TokenKind::Assign => {
                return Err(ExpressionError::new(offset, "a value is missing"));
            }
        };
        while let Some(Token { spaced: false, kind: TokenKind::Field(name), .. }) = self.tokens.get(self.at) {
            fields.push(name.clone());
            self.at += 1;
        }
        Ok(Operand { offset, kind, fields })
    }

    fn word(&self, word: &str, offset: usize) -> Result<OperandKind, ExpressionError> {
        match word {
            "true" => Ok(OperandKind::Constant(Field::Bool(true))),
            "false" => Ok(OperandKind::Constant(Field::Bool(false))),
            "nil" => Ok(OperandKind::Nil),
            _ if functions::names().any(|name| name == word) => Ok(OperandKind::Function(word.to_owned())),
            _ => {
                let error = ExpressionError::new(offset, format!("there is no template function '{word}'"));
                Err(match did_you_mean(word, functions::names()) {
                    Some(hint) => error.help(hint),
                    None => error.help("for two braces as they are write {{`{{`}}"),
                })
            }
        }
    }
}

/// A number as Go writes them.
fn number(written: &str, offset: usize) -> Result<Field, ExpressionError> {
    let digits = written.replace('_', "");
    let (sign, bare) = match digits.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let lower = bare.to_ascii_lowercase();
    let radix = |prefix: &str, radix: u32| {
        lower.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    let octal = || {
        let zero = lower.len() > 1 && lower.starts_with('0');
        zero.then(|| i64::from_str_radix(&lower, 8).ok()).flatten()
    };
    let whole = radix("0x", 16)
        .or_else(|| radix("0b", 2))
        .or_else(|| radix("0o", 8))
        .or_else(octal)
        .or_else(|| bare.parse::<i64>().ok());
    if let Some(whole) = whole {
        return Ok(Field::Int(whole * sign));
    }
    let fraction =
        lower.starts_with(|c: char| c.is_ascii_digit() || c == '.').then(|| lower.parse::<f64>().ok());
    match fraction.flatten() {
        Some(number) => Ok(Field::Float(number * sign as f64)),
        None => Err(ExpressionError::new(offset, format!("'{written}' is not a number"))),
    }
}
