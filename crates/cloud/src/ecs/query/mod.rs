//! The cluster query language ("Cluster query language" in the ECS guide), by which container instances are
//! filtered. Pure.
//!
//! Supported subjects: `attribute:NAME`, `ec2InstanceId`, `agentConnected`, `agentVersion`, `runningTasksCount`.
//! `registeredAt` and `task:…` are refused by name.

mod parser;
mod token;

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
        parser::expression(text).map(Self)
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

    /// As it is written.
    fn name(&self) -> String {
        match self {
            Self::AgentConnected => "agentConnected".to_owned(),
            Self::AgentVersion => "agentVersion".to_owned(),
            Self::Attribute(name) => format!("attribute:{name}"),
            Self::Ec2InstanceId => "ec2InstanceId".to_owned(),
            Self::RunningTasksCount => "runningTasksCount".to_owned(),
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
            ("ec2InstanceId > i-1", QueryError::NoOrder("ec2InstanceId".into())),
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
