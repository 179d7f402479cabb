//! The cluster query language ("Cluster query language" in the ECS guide), by which container instances are
//! filtered. Pure.
//!
//! Supported subjects: `attribute:NAME`, `ec2InstanceId`, `agentConnected`, `agentVersion`, `runningTasksCount`.
//! `registeredAt` and `task:…` are refused by name.

use regex::Regex;

use super::state::ContainerInstanceRecord;

/// How deep an expression may be nested: it is read recursively.
const MAX_DEPTH: usize = 32;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It ends where something is missing.
    #[error("The filter expression ends where {0} is expected.")]
    Ends(&'static str),
    /// Something is where it does not belong.
    #[error("The filter expression has {found:?} where {expected} is expected.")]
    Unexpected {
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// A subject that does not exist.
    #[error("The filter expression's subject {0:?} does not exist.")]
    UnknownSubject(String),
    /// A subject that this cloud cannot filter by.
    #[error("The filter expression's subject {0:?} is not supported by this cloud.")]
    UnsupportedSubject(String),
    /// An order is asked of something without one.
    #[error("The filter expression compares {0}, which has no order.")]
    NoOrder(String),
    /// A pattern that is not one.
    #[error("The filter expression's pattern {0:?} is not a regular expression.")]
    Pattern(String),
    /// A quote without its end.
    #[error("The filter expression has a quote without its end.")]
    Quote,
    /// Too many parentheses or negations.
    #[error("The filter expression is nested deeper than {MAX_DEPTH} levels.")]
    Depth,
}

/// A filter expression.
#[derive(Debug)]
pub struct Query(Expression);

#[derive(Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Subject, Test),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RunningTasksCount,
}

#[derive(Debug)]
enum Test {
    Exists,
    In(Vec<String>),
    Matches(Regex),
    Ordered(Comparison, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is not one, or asks for what this cloud does not have.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let expression = parser.any()?;
        match parser.next() {
            None => Ok(Self(expression)),
            Some(token) => Err(token.unexpected("`and`, `or` or the end")),
        }
    }

    /// Whether a container instance is as the expression says.
    pub fn accepts(&self, instance: &ContainerInstanceRecord) -> bool {
        self.0.holds(instance)
    }
}

impl Expression {
    fn holds(&self, instance: &ContainerInstanceRecord) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(instance)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(instance)),
            Self::Not(part) => !part.holds(instance),
            Self::Test(subject, test) => subject.value(instance).is_some_and(|value| test.holds(&value)),
        }
    }
}

impl Subject {
    fn parse(name: &str) -> Result<Self, QueryError> {
        match name {
            "agentConnected" => Ok(Self::AgentConnected),
            "agentVersion" => Ok(Self::AgentVersion),
            "ec2InstanceId" => Ok(Self::Ec2InstanceId),
            "runningTasksCount" => Ok(Self::RunningTasksCount),
            "registeredAt" => Err(QueryError::UnsupportedSubject(name.to_owned())),
            _ => match name.split_once(':') {
                Some(("attribute", attribute)) if !attribute.is_empty() => {
                    Ok(Self::Attribute(attribute.to_owned()))
                }
                Some(("task", _)) => Err(QueryError::UnsupportedSubject(name.to_owned())),
                _ => Err(QueryError::UnknownSubject(name.to_owned())),
            },
        }
    }

    fn has_order(&self) -> bool {
        matches!(self, Self::AgentVersion | Self::RunningTasksCount)
    }

    /// None means that it does not exist; an attribute without a value is empty.
    fn value(&self, instance: &ContainerInstanceRecord) -> Option<String> {
        match self {
            Self::AgentConnected => Some(instance.agent_connected().to_string()),
            Self::AgentVersion => instance.version_info.agent_version.clone(),
            Self::Attribute(name) => {
                instance.attributes.get(name).map(|value| value.clone().unwrap_or_default())
            }
            Self::Ec2InstanceId => Some(instance.ec2_instance_id.clone()),
            // This cloud runs no tasks.
            Self::RunningTasksCount => Some("0".to_owned()),
        }
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::In(wanted) => wanted.iter().any(|wanted| wanted == value),
            Self::Matches(pattern) => pattern.is_match(value),
            Self::Ordered(comparison, bound) => {
                let order = numbers(value).cmp(&numbers(bound));
                match comparison {
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                }
            }
        }
    }
}

/// The numbers of a version or the one number of a count.
fn numbers(text: &str) -> Vec<u64> {
    text.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name, a keyword or a bare value.
    Word(String),
    /// A value in quotes.
    Quoted(String),
    /// Punctuation.
    Sign(&'static str),
}

impl Token {
    fn unexpected(self, expected: &'static str) -> QueryError {
        let found = match self {
            Self::Word(text) | Self::Quoted(text) => text,
            Self::Sign(sign) => sign.to_owned(),
        };
        QueryError::Unexpected { found, expected }
    }

    fn is(&self, names: &[&str]) -> bool {
        match self {
            Self::Word(text) => names.contains(&text.as_str()),
            Self::Sign(sign) => names.contains(sign),
            Self::Quoted(_) => false,
        }
    }
}

/// Longer signs stand before those that they begin with.
const SIGNS: [&str; 15] = ["==", "!=", "=~", "!~", ">=", "<=", "&&", "||", ">", "<", "!", "(", ")", "[", "]"];

fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
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
            Some(_) if !subject.has_order() => Err(QueryError::NoOrder(format!("{subject:?}"))),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_wire::ecs::VersionInfo;
    use jiff::Timestamp;

    use super::super::state::ContainerInstanceStatus;
    use super::*;
    use crate::api::tags::Tags;

    fn instance() -> ContainerInstanceRecord {
        let attributes = [("ecs.instance-type", Some("t2.micro")), ("stack", Some("blue")), ("ssd", None)];
        ContainerInstanceRecord {
            region: "us-east-1".into(),
            id: "0a".into(),
            cluster: "web".into(),
            ec2_instance_id: "i-1".into(),
            instance_type: "t2.micro".into(),
            status: ContainerInstanceStatus::Active,
            version: 1,
            version_info: VersionInfo { agent_version: Some("1.86.3".into()), ..VersionInfo::default() },
            resources: Vec::new(),
            attributes: BTreeMap::from(
                attributes.map(|(name, value)| (name.into(), value.map(str::to_owned))),
            ),
            registered_at: Timestamp::UNIX_EPOCH,
            tags: Tags::new(),
            session: None,
            inactive_since: None,
        }
    }

    #[test]
    fn expressions_accept_what_they_say() {
        let cases = [
            ("attribute:ecs.instance-type == t2.micro", true),
            ("attribute:ecs.instance-type==t2.micro", true),
            ("attribute:ecs.instance-type =~ t2.*", true),
            ("attribute:ecs.instance-type =~ t2", false),
            ("attribute:ecs.instance-type matches 't[23].micro'", true),
            ("attribute:stack != green", true),
            ("attribute:none != green", true),
            ("attribute:none == green", false),
            ("attribute:ssd exists", true),
            ("attribute:none !exists", true),
            ("attribute:stack in [blue, green]", true),
            ("attribute:stack !in [\"blue\"]", false),
            ("attribute:stack not_in []", true),
            ("ec2InstanceId in ['i-1', 'i-2']", true),
            ("agentConnected == true", false),
            ("not(agentConnected == true)", true),
            ("agentConnected == true or runningTasksCount < 1", true),
            ("agentConnected == true || runningTasksCount > 0 and attribute:ssd exists", false),
            ("(agentConnected == true or attribute:ssd exists) && ec2InstanceId equals i-1", true),
            ("agentVersion >= 1.9.0", true),
            ("agentVersion < 1.86.3", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Query::parse(text).unwrap().accepts(&instance()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        let cases = [
            ("", QueryError::Ends("a subject")),
            ("colour == blue", QueryError::UnknownSubject("colour".into())),
            ("task:group == x", QueryError::UnsupportedSubject("task:group".into())),
            ("registeredAt > 2016-01-01", QueryError::UnsupportedSubject("registeredAt".into())),
            ("attribute:a", QueryError::Ends("an operator")),
            ("attribute:a ==", QueryError::Ends("a value")),
            ("attribute:a == 'x", QueryError::Quote),
            ("attribute:a =~ '('", QueryError::Pattern("(".into())),
            ("ec2InstanceId > i-1", QueryError::NoOrder("Ec2InstanceId".into())),
            ("ec2InstanceId in [i-1", QueryError::Ends("a value")),
            ("(agentConnected == true", QueryError::Ends("`)`")),
        ];
        for (text, expected) in cases {
            assert_eq!(Query::parse(text).unwrap_err(), expected, "{text}");
        }
        assert!(matches!(Query::parse("attribute:a = b"), Err(QueryError::Unexpected { .. })));
        assert_eq!(Query::parse(&"(".repeat(1000)).unwrap_err(), QueryError::Depth);
    }
}
