//! From the text of a query to its plan, by recursive descent.

mod commands;
mod expression;
mod stats;

#[cfg(test)]
pub(super) use commands::REFUSED;

use std::ops::Range;

use super::aggregate::Aggregate;
use super::error::QueryError;
use super::lexer::{Lexer, Token};
use super::plan::{Plan, Stage, Step};
use super::scope::Scope;

/// How long a query may be, in characters (the service's own limit).
pub(super) const MAX_CHARS: usize = 10_000;

/// How deep expressions may nest. The service names no limit.
const MAX_DEPTH: usize = 64;

/// How many operators a query may have: each may be one level of the tree that a row is worked out along.
const MAX_OPERATIONS: usize = 256;

/// How many regular expressions a query may have: each may hold some megabytes while it is matched.
const MAX_REGEXES: usize = 64;

/// How many `stats` a query may have (the service's own limit).
const MAX_STATS: usize = 2;

/// Reads a query.
pub(super) fn parse(query: &str) -> Result<Plan, QueryError> {
    let chars = query.chars().count();
    if chars > MAX_CHARS {
        let message = format!("the query has {chars} characters; at most {MAX_CHARS} are allowed");
        return Err(QueryError::new(query, 0..query.len(), message));
    }
    let mut parser = Parser::new(query)?;
    parser.commands()?;
    Ok(parser.finish())
}

/// A place in a query, and what the commands before it have come to.
struct Parser<'q> {
    lexer: Lexer<'q>,
    /// The next word.
    token: Token,
    span: Range<usize>,
    /// Where the word before it ended.
    end: usize,
    depth: usize,
    /// Operators so far.
    operations: usize,
    /// Regular expressions so far.
    regexes: usize,
    stages: Vec<Stage>,
    /// The fields that the next command can name.
    scope: Scope,
    /// The fields of events, once a `stats` has left them behind.
    events: Option<Scope>,
    /// What results show.
    shown: Shown,
    /// The `stats` that is being read, where its own expressions are.
    draft: Option<Draft>,
    /// How many `stats` there are so far.
    stats: usize,
}

/// What a `stats` gives, as far as it is read.
#[derive(Default)]
struct Draft {
    aggregates: Vec<Aggregate>,
    steps: Vec<Step>,
    /// Columns: names and steps. Later ones can name earlier ones.
    outputs: Vec<(String, usize)>,
}

/// What results show as far as it is known.
#[derive(Default)]
struct Shown {
    /// What a `stats` gives.
    stats: Vec<(String, usize)>,
    /// What `fields` and `parse` name, in their order.
    named: Vec<(String, usize)>,
    /// Whether there is a `fields`.
    fields: bool,
    /// What the last `display` names.
    display: Option<Vec<(String, usize)>>,
}

impl<'q> Parser<'q> {
    fn new(query: &'q str) -> Result<Parser<'q>, QueryError> {
        let mut parser = Parser {
            lexer: Lexer::new(query),
            token: Token::End,
            span: 0..0,
            end: 0,
            depth: 0,
            operations: 0,
            regexes: 0,
            stages: Vec::new(),
            scope: Scope::default(),
            events: None,
            shown: Shown::default(),
            draft: None,
            stats: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    fn finish(mut self) -> Plan {
        let defaults = match (self.shown.fields, &self.events) {
            (true, _) => Vec::new(),
            (false, Some(_)) => std::mem::take(&mut self.shown.stats),
            (false, None) => ["@timestamp", "@message"]
                .into_iter()
                .filter_map(|name| self.slot(name).map(|slot| (name.to_owned(), slot)))
                .collect(),
        };
        let shown = self.shown.display.unwrap_or_else(|| {
            let mut shown = defaults;
            shown.extend(self.shown.named);
            shown
        });
        let mut distinct: Vec<(String, usize)> = Vec::new();
        for (name, slot) in shown {
            match distinct.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = slot,
                None => distinct.push((name, slot)),
            }
        }
        Plan::new(self.stages, self.events.unwrap_or(self.scope), distinct)
    }

    /// Goes to the next word and gives the one that was next.
    fn advance(&mut self) -> Result<Token, QueryError> {
        let (token, span) = self.lexer.next()?;
        self.end = self.span.end;
        self.span = span;
        Ok(std::mem::replace(&mut self.token, token))
    }

    /// Whether the next word is `word`, in any mixture of cases.
    fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Name { name, quoted: false } if name.eq_ignore_ascii_case(word))
    }

    /// Goes past `word` if it is next.
    fn eat_word(&mut self, word: &str) -> Result<bool, QueryError> {
        let found = self.is_word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(next) if next == symbol)
    }

    /// Goes past `symbol` if it is next.
    fn eat(&mut self, symbol: &str) -> Result<bool, QueryError> {
        let found = self.is_symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), QueryError> {
        match self.eat(symbol)? {
            true => Ok(()),
            false => Err(self.expected(&format!("'{symbol}'"))),
        }
    }

    /// What is written from a byte offset to the word before the next one.
    fn source(&self, start: usize) -> &'q str {
        &self.lexer.query()[start..self.end]
    }

    /// The complaint that something else is expected here.
    fn expected(&self, what: &str) -> QueryError {
        let found = match &self.token {
            Token::End => "the query ends".to_owned(),
            _ => format!("'{}' was found", &self.lexer.query()[self.span.clone()]),
        };
        self.error(self.span.clone(), format!("{found} where {what} is expected"))
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> QueryError {
        QueryError::new(self.lexer.query(), span, message)
    }
}
