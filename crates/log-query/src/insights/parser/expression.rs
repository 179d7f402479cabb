//! Expressions, from `or`, which binds least, to names and numbers.

use std::ops::Range;

use memchr::memmem::Finder;

use super::super::aggregate::AggregateFunction;
use super::super::error::QueryError;
use super::super::expression::{Arithmetic, Comparison, Expression, Matcher};
use super::super::functions::{self, Function, Plain};
use super::super::lexer::Token;
use super::super::period::Period;
use super::super::scope::Resolved;
use super::super::value::Value;
use super::{MAX_DEPTH, MAX_OPERATORS, Parser};

/// Functions of the language that are not supported here.
const REFUSED: [&str; 2] = ["unmask", "parsetime"];

impl Parser<'_> {
    /// Reads an expression.
    pub(super) fn expression(&mut self) -> Result<Expression, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.span.clone(), format!("expressions nest deeper than {MAX_DEPTH}")));
        }
        let mut parts = vec![self.all()?];
        while self.eat_word("or")? {
            parts.push(self.all()?);
        }
        self.depth -= 1;
        Ok(alone(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.not()?];
        while self.eat_word("and")? {
            parts.push(self.not()?);
        }
        Ok(alone(parts, Expression::All))
    }

    fn not(&mut self) -> Result<Expression, QueryError> {
        let mut negated = false;
        while self.eat_word("not")? {
            negated = !negated;
        }
        let inner = self.comparison()?;
        Ok(negate(inner, negated))
    }

    fn comparison(&mut self) -> Result<Expression, QueryError> {
        let left = self.sum()?;
        let negated = self.eat_word("not")?;
        if self.eat_word("like")? {
            return Ok(negate(Expression::Like(Box::new(left), self.matcher()?), negated));
        }
        if self.eat_word("in")? {
            return Ok(negate(Expression::In(Box::new(left), self.list()?), negated));
        }
        if negated {
            return Err(self.expected("'like' or 'in' after 'not'"));
        }
        let comparison = match self.token {
            Token::Symbol("=~") => {
                self.advance()?;
                return Ok(Expression::Like(Box::new(left), self.matcher()?));
            }
            Token::Symbol("=") => Comparison::Equal,
            Token::Symbol("!=") => Comparison::NotEqual,
            Token::Symbol("<") => Comparison::Less,
            Token::Symbol("<=") => Comparison::LessOrEqual,
            Token::Symbol(">") => Comparison::Greater,
            Token::Symbol(">=") => Comparison::GreaterOrEqual,
            _ => return Ok(left),
        };
        self.advance()?;
        Ok(Expression::Compare(Box::new(left), comparison, Box::new(self.sum()?)))
    }

    /// What `like` looks for: a text anywhere, or a regular expression.
    fn matcher(&mut self) -> Result<Matcher, QueryError> {
        match &self.token {
            Token::Text(text) => {
                let matcher = Matcher::Substring(Finder::new(text).into_owned());
                self.advance()?;
                Ok(matcher)
            }
            Token::Symbol("/") => self.regex().map(Matcher::Regex),
            _ => Err(self.expected("a text in quotes or a /regular expression/")),
        }
    }

    fn list(&mut self) -> Result<Vec<Expression>, QueryError> {
        self.expect("[")?;
        let mut elements = Vec::new();
        if self.eat("]")? {
            return Ok(elements);
        }
        loop {
            elements.push(self.expression()?);
            if !self.eat(",")? {
                self.expect("]")?;
                return Ok(elements);
            }
        }
    }

    fn sum(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.product()?;
        loop {
            let operation = match self.token {
                Token::Symbol("+") => Arithmetic::Add,
                Token::Symbol("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.operator()?;
            left = Expression::Arithmetic(Box::new(left), operation, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expression, QueryError> {
        let mut left = self.power()?;
        loop {
            let operation = match self.token {
                Token::Symbol("*") => Arithmetic::Multiply,
                Token::Symbol("/") => Arithmetic::Divide,
                Token::Symbol("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.operator()?;
            left = Expression::Arithmetic(Box::new(left), operation, Box::new(self.power()?));
        }
    }

    /// `a ^ b ^ c` is `a ^ (b ^ c)`.
    fn power(&mut self) -> Result<Expression, QueryError> {
        let mut parts = vec![self.signed()?];
        while self.is_symbol("^") {
            self.operator()?;
            parts.push(self.signed()?);
        }
        let last = parts.pop().unwrap_or(Expression::Constant(Value::Null));
        let raise =
            |exponent, base| Expression::Arithmetic(Box::new(base), Arithmetic::Power, Box::new(exponent));
        Ok(parts.into_iter().rev().fold(last, raise))
    }

    /// Goes past an arithmetic operator.
    fn operator(&mut self) -> Result<(), QueryError> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            let message = format!("a query has at most {MAX_OPERATORS} arithmetic operators");
            return Err(self.error(self.span.clone(), message));
        }
        self.advance().map(drop)
    }

    fn signed(&mut self) -> Result<Expression, QueryError> {
        let mut negative = false;
        loop {
            if self.eat("-")? {
                negative = !negative;
            } else if !self.eat("+")? {
                break;
            }
        }
        let inner = self.primary()?;
        Ok(match (inner, negative) {
            (inner, false) => inner,
            (Expression::Constant(Value::Number(number)), true) => {
                Expression::Constant(Value::Number(-number))
            }
            (inner, true) => {
                let minus = Expression::Constant(Value::Number(-1.0));
                Expression::Arithmetic(Box::new(minus), Arithmetic::Multiply, Box::new(inner))
            }
        })
    }

    fn primary(&mut self) -> Result<Expression, QueryError> {
        let span = self.span.clone();
        if self.eat("(")? {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(slot) = self.column_as_written()? {
            return Ok(Expression::Slot(slot));
        }
        match self.token {
            Token::Name { .. } | Token::Number(_) | Token::Text(_) => {}
            Token::Period(_) => {
                return Err(self.expected("an expression (a period goes into bin, datefloor, dateceil)"));
            }
            _ => return Err(self.expected("an expression")),
        }
        match self.advance()? {
            Token::Number(number) => Ok(Expression::Constant(Value::Number(number))),
            Token::Text(text) => Ok(Expression::Constant(Value::owned_text(text))),
            Token::Name { name, quoted: false } if self.is_symbol("(") => self.call(&name, span),
            Token::Name { name, quoted: false } if name.eq_ignore_ascii_case("true") => {
                Ok(Expression::Constant(Value::Bool(true)))
            }
            Token::Name { name, quoted: false } if name.eq_ignore_ascii_case("false") => {
                Ok(Expression::Constant(Value::Bool(false)))
            }
            Token::Name { name, .. } if self.aggregates.is_some() => Err(self.error(
                span,
                format!("'{name}' stands outside of a function of stats: use for example max({name}), or group by it"),
            )),
            Token::Name { name, .. } => self.resolve(&name, span),
            _ => Err(self.expected("an expression")),
        }
    }

    /// After `stats`, a column can be named as its expression was written: `sort count(*) desc`.
    fn column_as_written(&mut self) -> Result<Option<usize>, QueryError> {
        if !self.scope.is_closed() || self.aggregates.is_some() {
            return Ok(None);
        }
        let rest = &self.lexer.query()[self.span.start..];
        let column = self.scope.names().find(|name| name.ends_with(')') && rest.starts_with(name));
        let Some((length, slot)) = column.and_then(|name| Some((name.len(), self.scope.known(name)?))) else {
            return Ok(None);
        };
        let end = self.span.start + length;
        while self.span.start < end {
            self.advance()?;
        }
        Ok(Some(slot))
    }

    /// What a name means where it stands.
    pub(super) fn resolve(&mut self, name: &str, span: Range<usize>) -> Result<Expression, QueryError> {
        match self.scope.resolve(name) {
            Some(Resolved::Slot(slot)) => Ok(Expression::Slot(slot)),
            Some(Resolved::Path(slot, path)) => Ok(Expression::Path(slot, path)),
            None => {
                let names: Vec<_> = self.scope.names().collect();
                let message =
                    format!("there is no field '{name}' after stats, which gives {}", names.join(", "));
                Err(self.error(span, message))
            }
        }
    }

    /// The place of a field of the service's own, where it is still there.
    pub(super) fn slot(&mut self, name: &str) -> Option<usize> {
        match self.scope.resolve(name) {
            Some(Resolved::Slot(slot)) => Some(slot),
            _ => None,
        }
    }

    /// A call, from its `(`.
    fn call(&mut self, name: &str, span: Range<usize>) -> Result<Expression, QueryError> {
        if let Some(function) = AggregateFunction::named(name) {
            return self.aggregate(name, function, span);
        }
        self.expect("(")?;
        match name.to_ascii_lowercase().as_str() {
            "bin" => {
                let period = self.period()?;
                self.expect(")")?;
                let times = self.slot("@timestamp").ok_or_else(|| {
                    self.error(
                        span,
                        "bin looks at @timestamp, which is not among the fields that stats gives",
                    )
                })?;
                Ok(Expression::Call(Function::Bin(times, period), Vec::new()))
            }
            "datefloor" => self.dated(Function::DateFloor),
            "dateceil" => self.dated(Function::DateCeil),
            _ => self.plain_call(name, span),
        }
    }

    /// A time and a period.
    fn dated(&mut self, function: fn(Period) -> Function) -> Result<Expression, QueryError> {
        let time = self.expression()?;
        self.expect(",")?;
        let period = self.period()?;
        self.expect(")")?;
        Ok(Expression::Call(function(period), vec![time]))
    }

    fn period(&mut self) -> Result<Period, QueryError> {
        match self.token {
            Token::Period(period) => {
                self.advance()?;
                Ok(period)
            }
            _ => Err(self.expected("a period such as 30s, 5m, 1h or 1d")),
        }
    }

    fn plain_call(&mut self, name: &str, span: Range<usize>) -> Result<Expression, QueryError> {
        let Some(plain) = Plain::named(name) else {
            let refused = REFUSED.iter().any(|refused| refused.eq_ignore_ascii_case(name));
            let message = match refused {
                true => format!("the function {name} is not supported here"),
                false => {
                    let known: Vec<_> = functions::names().chain(AggregateFunction::names()).collect();
                    format!("there is no function '{name}'; there are {}", known.join(", "))
                }
            };
            return Err(self.error(span, message));
        };
        let mut arguments = Vec::new();
        if !self.is_symbol(")") {
            arguments.push(self.expression()?);
            while self.eat(",")? {
                arguments.push(self.expression()?);
            }
        }
        self.expect(")")?;
        let (least, most) = plain.arity;
        if (least..=most).contains(&arguments.len()) {
            return Ok(Expression::Call(Function::Plain(plain), arguments));
        }
        let wanted = match (least, most) {
            (least, most) if least == most => format!("{least}"),
            (least, usize::MAX) => format!("{least} or more"),
            (least, most) => format!("{least} to {most}"),
        };
        let message = format!("{} takes {wanted} arguments, and {} are given", plain.name, arguments.len());
        Err(self.error(span.start..self.end, message))
    }
}

/// The opposite, where it is wanted.
fn negate(inner: Expression, negated: bool) -> Expression {
    match negated {
        true => Expression::Not(Box::new(inner)),
        false => inner,
    }
}

/// A single part as it is, several of them joined.
fn alone(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts)
        }
    }
}
