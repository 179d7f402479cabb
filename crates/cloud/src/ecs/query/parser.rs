//! From words and signs to an expression.

use regex::Regex;

use super::token::{Token, tokens};
use super::{Comparison, Expression, MAX_DEPTH, QueryError, Subject, Test};

/// Reads a whole expression.
///
/// # Errors
/// When it is not one.
pub fn expression(text: &str) -> Result<Expression, QueryError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.any()?;
    match parser.next() {
        None => Ok(expression),
        Some(token) => Err(token.unexpected("`and`, `or` or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn eat(&mut self, names: &[&str]) -> bool {
        let found = self.peek().is_some_and(|token| token.is(names));
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.all()?];
        while self.eat(&["or", "||"]) {
            parts.push(self.all()?);
        }
        Ok(Expression::Any(parts))
    }

    fn all(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.one()?];
        while self.eat(&["and", "&&"]) {
            parts.push(self.one()?);
        }
        Ok(Expression::All(parts))
    }

    fn one(&mut self) -> Result<Expression, QueryError> {
        if self.eat(&["not", "!"]) {
            self.deeper()?;
            let part = self.one()?;
            self.depth -= 1;
            return Ok(Expression::Not(Box::new(part)));
        }
        if self.eat(&["("]) {
            self.deeper()?;
            let inner = self.any()?;
            self.depth -= 1;
            return if self.eat(&[")"]) { Ok(inner) } else { Err(self.wrong("`)`")) };
        }
        self.test()
    }

    fn deeper(&mut self) -> Result<(), QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(QueryError::Depth) } else { Ok(()) }
    }

    fn wrong(&mut self, expected: &'static str) -> QueryError {
        self.next().map_or(QueryError::Ends(expected), |token| token.unexpected(expected))
    }

    fn test(&mut self) -> Result<Expression, QueryError> {
        let subject = match self.next() {
            Some(Token::Word(name)) => Subject::parse(&name)?,
            Some(token) => return Err(token.unexpected("a subject")),
            None => return Err(QueryError::Ends("a subject")),
        };
        let (test, negated) = self.operation(&subject)?;
        let test = Expression::Test(subject, test);
        Ok(if negated { Expression::Not(Box::new(test)) } else { test })
    }

    /// The operator with its values, and whether the opposite is meant.
    fn operation(&mut self, subject: &Subject) -> Result<(Test, bool), QueryError> {
        const EXPECTED: &str = "an operator";
        let operator = self.next().ok_or(QueryError::Ends(EXPECTED))?;
        if operator.is(&["!"]) {
            return match self.next() {
                Some(next) if next.is(&["exists"]) => Ok((Test::Exists, true)),
                Some(next) if next.is(&["in"]) => Ok((Test::In(self.values()?), true)),
                Some(next) => Err(next.unexpected("`exists` or `in`")),
                None => Err(QueryError::Ends("`exists` or `in`")),
            };
        }
        for (names, negated) in [(["==", "equals"], false), (["!=", "not_equals"], true)] {
            if operator.is(&names) {
                return Ok((Test::In(vec![self.value()?]), negated));
            }
        }
        for (names, negated) in [(["=~", "matches"], false), (["!~", "not_matches"], true)] {
            if operator.is(&names) {
                let pattern = self.value()?;
                let whole = Regex::new(&format!("^(?:{pattern})$"));
                return Ok((Test::Matches(whole.map_err(|_| QueryError::Pattern(pattern))?), negated));
            }
        }
        if operator.is(&["exists"]) {
            return Ok((Test::Exists, false));
        }
        if operator.is(&["not_exists"]) {
            return Ok((Test::Exists, true));
        }
        if operator.is(&["in"]) {
            return Ok((Test::In(self.values()?), false));
        }
        if operator.is(&["not_in"]) {
            return Ok((Test::In(self.values()?), true));
        }
        let ordered = [
            ([">", "greater_than"], Comparison::Greater),
            ([">=", "greater_than_equal"], Comparison::GreaterOrEqual),
            (["<", "less_than"], Comparison::Less),
            (["<=", "less_than_equal"], Comparison::LessOrEqual),
        ];
        match ordered.into_iter().find(|(names, _)| operator.is(names)) {
            Some(_) if !subject.has_order() => Err(QueryError::NoOrder(subject.name())),
            Some((_, comparison)) => Ok((Test::Ordered(comparison, self.value()?), false)),
            None => Err(operator.unexpected(EXPECTED)),
        }
    }

    fn value(&mut self) -> Result<String, QueryError> {
        match self.next() {
            Some(Token::Word(value) | Token::Quoted(value)) => Ok(value),
            Some(token) => Err(token.unexpected("a value")),
            None => Err(QueryError::Ends("a value")),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, QueryError> {
        if !self.eat(&["["]) {
            return Err(self.wrong("`[`"));
        }
        let mut values = Vec::new();
        while !self.eat(&["]"]) {
            values.push(self.value()?);
        }
        Ok(values)
    }
}
