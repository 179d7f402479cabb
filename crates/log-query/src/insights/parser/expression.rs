//! Expressions: operators by how much they bind, calls, names, numbers.

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
use super::{Draft, MAX_DEPTH, MAX_OPERATIONS, Parser};

impl Parser<'_> {
    /// Reads an expression.
    pub(super) fn expression(&mut self) -> Result<Expression, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(self.span.clone(), format!("expressions nest deeper than {MAX_DEPTH}")));
        }
        let expression = self.operators(Binding::Or)?;
        self.depth -= 1;
        Ok(expression)
    }

    /// Reads operands and the operators between them that bind as much as `least` or more.
    fn operators(&mut self, least: Binding) -> Result<Expression, QueryError> {
        let mut left = match self.nots()? {
            None => self.signed()?,
            Some(negated) => negate(self.operators(Binding::Comparison)?, negated),
        };
        while let Some(operator) = self.operator().filter(|operator| operator.binding() >= least) {
            left = self.operation(left, operator)?;
        }
        Ok(left)
    }

    /// Goes past any number of `not` and says what they come to, if there is one.
    fn nots(&mut self) -> Result<Option<bool>, QueryError> {
        let mut negated = None;
        while self.eat_word("not")? {
            negated = Some(!negated.unwrap_or(false));
        }
        Ok(negated)
    }

    /// The operator that is next.
    fn operator(&self) -> Option<Operator> {
        let Token::Symbol(symbol) = self.token else {
            let words = [
                ("or", Operator::Or),
                ("and", Operator::And),
                ("not", Operator::Not),
                ("like", Operator::Like),
                ("in", Operator::In),
            ];
            return words.into_iter().find(|(word, _)| self.is_word(word)).map(|(_, operator)| operator);
        };
        Some(match symbol {
            "=~" => Operator::Like,
            "=" => Operator::Compare(Comparison::Equal),
            "!=" => Operator::Compare(Comparison::NotEqual),
            "<" => Operator::Compare(Comparison::Less),
            "<=" => Operator::Compare(Comparison::LessOrEqual),
            ">" => Operator::Compare(Comparison::Greater),
            ">=" => Operator::Compare(Comparison::GreaterOrEqual),
            "+" => Operator::Arithmetic(Arithmetic::Add),
            "-" => Operator::Arithmetic(Arithmetic::Subtract),
            "*" => Operator::Arithmetic(Arithmetic::Multiply),
            "/" => Operator::Arithmetic(Arithmetic::Divide),
            "%" => Operator::Arithmetic(Arithmetic::Remainder),
            "^" => Operator::Arithmetic(Arithmetic::Power),
            _ => return None,
        })
    }

    /// Goes past an operator and reads its right side.
    fn operation(&mut self, left: Expression, operator: Operator) -> Result<Expression, QueryError> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            let message = format!("a query has at most {MAX_OPERATIONS} operators");
            return Err(self.error(self.span.clone(), message));
        }
        self.advance()?;
        match operator {
            Operator::Or => {
                Ok(Expression::Any(joined(left, self.operators(Binding::And)?, Expression::into_any)))
            }
            Operator::And => {
                Ok(Expression::All(joined(left, self.operators(Binding::Comparison)?, Expression::into_all)))
            }
            Operator::Not => match self.operator() {
                Some(positive @ (Operator::Like | Operator::In)) => {
                    Ok(negate(self.operation(left, positive)?, true))
                }
                _ => Err(self.expected("'like' or 'in' after 'not'")),
            },
            Operator::Like => Ok(Expression::Like(Box::new(left), self.matcher()?)),
            Operator::In => Ok(Expression::In(Box::new(left), self.list()?)),
            Operator::Compare(comparison) => {
                let right = self.operators(Binding::Sum)?;
                Ok(Expression::Compare(Box::new(left), comparison, Box::new(right)))
            }
            Operator::Arithmetic(arithmetic) => {
                let right = self.operators(match operator.binding() {
                    Binding::Sum => Binding::Product,
                    Binding::Product => Binding::Power,
                    // `a ^ b ^ c` is `a ^ (b ^ c)`.
                    other => other,
                })?;
                Ok(Expression::Arithmetic(Box::new(left), arithmetic, Box::new(right)))
            }
        }
    }

    /// What `like` looks for: a text anywhere, or a regular expression.
    fn matcher(&mut self) -> Result<Matcher, QueryError> {
        match &self.token {
            Token::Text(text) => {
                let matcher = Matcher::Substring(Box::new(Finder::new(text).into_owned()));
                self.advance()?;
                Ok(matcher)
            }
            Token::Symbol("/") => Ok(Matcher::Regex(self.regex()?.0)),
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
            Token::Name { name, .. } => match &self.draft {
                Some(draft) => self.output(draft, &name, span),
                None => self.resolve(&name, span),
            },
            _ => Err(self.expected("an expression")),
        }
    }

    /// An earlier column of the `stats` that is being read.
    fn output(&self, draft: &Draft, name: &str, span: Range<usize>) -> Result<Expression, QueryError> {
        let known = draft.outputs.iter().find(|(known, _)| known == name);
        known.map(|(_, step)| Expression::Slot(*step)).ok_or_else(|| {
            let hint = format!("use for example max({name}), or group by it");
            self.error(span, format!("'{name}' stands outside of a function of stats: {hint}"))
        })
    }

    /// After `stats`, a column can be named as its expression was written: `sort count(*) desc`.
    fn column_as_written(&mut self) -> Result<Option<usize>, QueryError> {
        if !self.scope.is_closed() || self.draft.is_some() {
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
            // It shows what a data protection policy has masked, and there are no such policies here.
            if name.eq_ignore_ascii_case("unmask") {
                return Err(self.error(span, "the function unmask is not supported here"));
            }
            let known: Vec<_> = functions::names().chain(AggregateFunction::names()).collect();
            return Err(
                self.error(span, format!("there is no function '{name}'; there are {}", known.join(", ")))
            );
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

/// One list of parts from two sides of `and` or `or`, the left one being a list of such parts already or none.
fn joined(
    left: Expression,
    right: Expression,
    parts: fn(Expression) -> Result<Vec<Expression>, Expression>,
) -> Vec<Expression> {
    let mut list = parts(left).unwrap_or_else(|other| vec![other]);
    list.push(right);
    list
}

/// What stands between two operands, or after the first of them.
#[derive(Debug, Clone, Copy)]
enum Operator {
    Or,
    And,
    /// `not like`, `not in`
    Not,
    Like,
    In,
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

/// How much operators bind, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Power,
}

impl Operator {
    fn binding(self) -> Binding {
        match self {
            Operator::Or => Binding::Or,
            Operator::And => Binding::And,
            Operator::Not | Operator::Like | Operator::In | Operator::Compare(_) => Binding::Comparison,
            Operator::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => Binding::Sum,
            Operator::Arithmetic(Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Remainder) => {
                Binding::Product
            }
            Operator::Arithmetic(Arithmetic::Power) => Binding::Power,
        }
    }
}
