//! Conditions, the part that patterns on JSON and on columns have in common: tests joined by `&&`, `||`, parentheses.

use super::PatternError;
use super::cursor::Cursor;
use super::regex::{MAX_REGEXES, PatternRegex, delimited};
use super::text::TextMatcher;
use crate::number::number;

/// How deep parentheses may nest. The service names no limit; a pattern of 1,024 characters needs none beyond.
const MAX_DEPTH: usize = 64;

/// Tests of subjects (selectors of JSON, columns), joined.
#[derive(Debug, Clone)]
pub(super) enum Condition<S> {
    All(Vec<Condition<S>>),
    Any(Vec<Condition<S>>),
    Test(S, Test),
}

/// A test of one value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// `= text`, `!= text`
    Text { equal: bool, text: TextMatcher },
    /// `>= 4.5`
    Number { operator: Comparison, value: f64, spelling: Box<str> },
    /// `= %regex%`, `!= %regex%`
    Regex { equal: bool, regex: PatternRegex },
    /// `IS NULL`
    IsNull,
    /// `IS TRUE`, `IS FALSE`
    IsBool(bool),
    /// `NOT EXISTS`
    NotExists,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Comparison, PatternError> {
        // Longer ones first.
        let all = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        match all.into_iter().find(|(sign, _)| cursor.eat(sign)) {
            Some((_, comparison)) => Ok(comparison),
            None => Err(cursor.expected("a comparison (=, !=, <, <=, >, >=)")),
        }
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
        }
    }
}

impl<S> Condition<S> {
    /// Whether the condition holds, `holds` being asked for its tests as far as needed.
    pub(super) fn holds(&self, holds: &impl Fn(&S, &Test) -> bool) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(holds)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(holds)),
            Condition::Test(subject, test) => holds(subject, test),
        }
    }

    /// The condition about other subjects; the first failure ends it.
    pub(super) fn try_map<T, E>(self, map: &mut impl FnMut(S) -> Result<T, E>) -> Result<Condition<T>, E> {
        Ok(match self {
            Condition::All(parts) => Condition::All(try_map_each(parts, map)?),
            Condition::Any(parts) => Condition::Any(try_map_each(parts, map)?),
            Condition::Test(subject, test) => Condition::Test(map(subject)?, test),
        })
    }

    /// The tests that must hold if the condition is to: those that no `||` makes optional.
    pub(super) fn certain_tests(&self) -> Vec<(&S, &Test)> {
        match self {
            Condition::All(parts) => parts.iter().flat_map(Condition::certain_tests).collect(),
            Condition::Any(_) => Vec::new(),
            Condition::Test(subject, test) => vec![(subject, test)],
        }
    }
}

fn try_map_each<S, T, E>(
    parts: Vec<Condition<S>>,
    map: &mut impl FnMut(S) -> Result<T, E>,
) -> Result<Vec<Condition<T>>, E> {
    parts.into_iter().map(|part| part.try_map(map)).collect()
}

impl Test {
    /// Whether the test holds for a text that stands for itself: a column, a string of JSON.
    pub(super) fn holds_for_text(&self, value: &str) -> bool {
        match self {
            Test::Text { equal, text } => text.matches(value) == *equal,
            Test::Regex { equal, regex } => regex.matches(value) == *equal,
            Test::Number { operator, spelling, .. } => match operator {
                Comparison::Equal => value == &**spelling,
                Comparison::NotEqual => value != &**spelling,
                _ => false,
            },
            Test::IsNull | Test::IsBool(_) | Test::NotExists => false,
        }
    }

    /// Whether the test holds for a text that is a number if it looks like one.
    pub(super) fn holds_for_number(&self, value: &str) -> bool {
        match (self, number(value)) {
            (Test::Number { operator, value, .. }, Some(number)) => operator.holds(number, *value),
            _ => self.holds_for_text(value),
        }
    }
}

/// Reads conditions. What a test is about is read by `subject`.
pub(super) struct Parser<'c, 'p, F> {
    pub(super) cursor: &'c mut Cursor<'p>,
    pub(super) subject: F,
    /// Regular expressions so far, in the whole pattern.
    pub(super) regexes: &'c mut usize,
    /// Whether `IS` and `NOT EXISTS` are part of the language.
    pub(super) states: bool,
}

impl<S, F: FnMut(&mut Cursor<'_>) -> Result<S, PatternError>> Parser<'_, '_, F> {
    /// Reads a condition: tests and parentheses, `&&` before `||`.
    pub(super) fn condition(&mut self) -> Result<Condition<S>, PatternError> {
        self.any(0)
    }

    fn any(&mut self, depth: usize) -> Result<Condition<S>, PatternError> {
        let mut parts = vec![self.all(depth)?];
        while self.eat("||") {
            parts.push(self.all(depth)?);
        }
        Ok(alone(parts, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition<S>, PatternError> {
        let mut parts = vec![self.one(depth)?];
        while self.eat("&&") {
            parts.push(self.one(depth)?);
        }
        Ok(alone(parts, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition<S>, PatternError> {
        self.cursor.skip_spaces();
        if depth > MAX_DEPTH {
            return Err(self.cursor.error(format!("parentheses nest deeper than {MAX_DEPTH}")));
        }
        if !self.cursor.eat("(") {
            let subject = (self.subject)(self.cursor)?;
            return Ok(Condition::Test(subject, self.test()?));
        }
        let inner = self.any(depth + 1)?;
        match self.eat(")") {
            true => Ok(inner),
            false => Err(self.cursor.expected("')', '&&' or '||'")),
        }
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.cursor.skip_spaces();
        self.cursor.eat(sign)
    }

    /// Reads what follows a subject: a comparison and what to compare with, or a state.
    fn test(&mut self) -> Result<Test, PatternError> {
        self.cursor.skip_spaces();
        if self.states {
            if self.cursor.eat_word("IS") {
                return self.state();
            }
            if self.cursor.eat_word("NOT") {
                self.cursor.skip_spaces();
                return match self.cursor.eat_word("EXISTS") {
                    true => Ok(Test::NotExists),
                    false => Err(self.cursor.expected("EXISTS after NOT")),
                };
            }
        }
        let operator_at = self.cursor.clone();
        let operator = Comparison::parse(self.cursor)?;
        self.cursor.skip_spaces();
        let operand_at = self.cursor.clone();
        let equal = operator == Comparison::Equal;
        let test = match self.cursor.peek() {
            Some('"') => Test::Text { equal, text: TextMatcher::new(&self.cursor.quoted()?) },
            Some('%') => self.regex(equal)?,
            _ => {
                let word = self.cursor.take_while(is_bare);
                match number(word) {
                    _ if word.is_empty() => {
                        return Err(
                            operand_at.expected("a number, a word, a text in double quotes or a %regex%")
                        );
                    }
                    Some(value) => Test::Number { operator, value, spelling: word.into() },
                    None => Test::Text { equal, text: TextMatcher::new(word) },
                }
            }
        };
        match (&test, operator) {
            (Test::Number { .. }, _) | (_, Comparison::Equal | Comparison::NotEqual) => Ok(test),
            _ => Err(operator_at.error("<, <=, > and >= compare with numbers only; use = or != for texts")),
        }
    }

    fn state(&mut self) -> Result<Test, PatternError> {
        self.cursor.skip_spaces();
        let all = [("NULL", Test::IsNull), ("TRUE", Test::IsBool(true)), ("FALSE", Test::IsBool(false))];
        match all.into_iter().find(|(word, _)| self.cursor.eat_word(word)) {
            Some((_, state)) => Ok(state),
            None => Err(self.cursor.expected("NULL, TRUE or FALSE after IS")),
        }
    }

    fn regex(&mut self, equal: bool) -> Result<Test, PatternError> {
        *self.regexes += 1;
        if *self.regexes > MAX_REGEXES {
            let message = format!("a pattern has at most {MAX_REGEXES} regular expressions");
            return Err(self.cursor.error(message));
        }
        Ok(Test::Regex { equal, regex: delimited(self.cursor)? })
    }
}

/// A single part as it is, several of them joined.
fn alone<S>(mut parts: Vec<Condition<S>>, join: fn(Vec<Condition<S>>) -> Condition<S>) -> Condition<S> {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// What a text may have without quotes around it.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.*:/@+-".contains(c)
}
