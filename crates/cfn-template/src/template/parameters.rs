//! The `Parameters` section: what each parameter may be.

use std::fmt;

use indexmap::IndexMap;
use regex::Regex;

use super::{MAX_PARAMETERS, check_count, check_logical_id, check_members, first_span};
use template_text::suggest::did_you_mean;

use crate::{
    error::Errors,
    node::{Entry, Map, Node, Value},
    span::{Place, Span},
};

/// The AWS-specific types: the value must exist in the account, which the caller checks.
const AWS_TYPES: [&str; 10] = [
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::VPC::Id",
    "AWS::EC2::Volume::Id",
    "AWS::Route53::HostedZone::Id",
];

const MEMBERS: [&str; 11] = [
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

/// A parameter's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// `String`.
    String,
    /// `Number`; `Ref` gives its text.
    Number,
    /// `List<Number>`.
    NumberList,
    /// `CommaDelimitedList`, and `List<String>` where SSM has it.
    CommaDelimitedList,
    /// An AWS-specific type, such as `AWS::EC2::VPC::Id`.
    Aws(&'static str),
    /// A list of an AWS-specific type, such as `List<AWS::EC2::Subnet::Id>`.
    AwsList(&'static str),
    /// `AWS::SSM::Parameter::Name`: the value is the name of an SSM parameter that must exist.
    SsmName,
    /// `AWS::SSM::Parameter::Value<…>`: the value is the name of an SSM parameter whose value is of the type
    /// within.
    SsmValue(Box<ParameterType>),
}

impl ParameterType {
    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "String" => return Some(Self::String),
            "Number" => return Some(Self::Number),
            "List<Number>" => return Some(Self::NumberList),
            "CommaDelimitedList" => return Some(Self::CommaDelimitedList),
            "AWS::SSM::Parameter::Name" => return Some(Self::SsmName),
            _ => {}
        }
        let within = |prefix| name.strip_prefix(prefix)?.strip_suffix('>');
        if let Some(inner) = within("AWS::SSM::Parameter::Value<") {
            let inner = match inner {
                "List<String>" => Self::CommaDelimitedList,
                _ => Self::parse(inner).filter(Self::in_ssm)?,
            };
            return Some(Self::SsmValue(Box::new(inner)));
        }
        let known = |name| AWS_TYPES.into_iter().find(|known| *known == name);
        match within("List<") {
            Some(inner) => known(inner).map(Self::AwsList),
            None => known(name).map(Self::Aws),
        }
    }

    fn in_ssm(&self) -> bool {
        matches!(self, Self::String | Self::CommaDelimitedList | Self::Aws(_) | Self::AwsList(_))
    }

    /// Whether `Ref` gives a list.
    pub fn is_list(&self) -> bool {
        match self {
            Self::NumberList | Self::CommaDelimitedList | Self::AwsList(_) => true,
            Self::SsmValue(inner) => inner.is_list(),
            Self::String | Self::Number | Self::Aws(_) | Self::SsmName => false,
        }
    }

    /// Whether every value must be a number.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Number | Self::NumberList)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        ["String", "Number", "List<Number>", "CommaDelimitedList", "AWS::SSM::Parameter::Name"]
            .into_iter()
            .chain(AWS_TYPES)
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Number => f.write_str("Number"),
            Self::NumberList => f.write_str("List<Number>"),
            Self::CommaDelimitedList => f.write_str("CommaDelimitedList"),
            Self::Aws(name) => f.write_str(name),
            Self::AwsList(name) => write!(f, "List<{name}>"),
            Self::SsmName => f.write_str("AWS::SSM::Parameter::Name"),
            Self::SsmValue(inner) if **inner == Self::CommaDelimitedList => {
                f.write_str("AWS::SSM::Parameter::Value<List<String>>")
            }
            Self::SsmValue(inner) => write!(f, "AWS::SSM::Parameter::Value<{inner}>"),
        }
    }
}

/// One of the `Parameters`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where its name stands.
    pub span: Span,
    /// `Type`.
    pub type_: ParameterType,
    /// `Description`.
    pub description: Option<String>,
    /// `Default`, as text; lists are comma separated.
    pub default: Option<String>,
    /// `AllowedValues`, as text; `None` when left out.
    pub allowed_values: Option<Vec<String>>,
    /// `AllowedPattern`, which a value must match as a whole.
    pub allowed_pattern: Option<Regex>,
    /// `AllowedPattern`, as written.
    pub allowed_pattern_text: Option<String>,
    /// `MinLength`, in characters.
    pub min_length: Option<u64>,
    /// `MaxLength`, in characters.
    pub max_length: Option<u64>,
    /// `MinValue`.
    pub min_value: Option<f64>,
    /// `MaxValue`.
    pub max_value: Option<f64>,
    /// `ConstraintDescription`, said in place of a constraint's own message.
    pub constraint_description: Option<String>,
    /// `NoEcho`: the value is shown as `****`.
    pub no_echo: bool,
}

pub(super) fn read(map: Map, errors: &mut Errors) -> IndexMap<String, Parameter> {
    let section = Place::ROOT.child("Parameters");
    check_count("Parameters", map.len(), MAX_PARAMETERS, first_span(&map), errors);
    let mut parameters = IndexMap::new();
    for (name, Entry { key_span, node }) in map {
        let place = section.child(&name);
        if name.starts_with("AWS::") {
            let message = format!("Template format error: Parameter name {name} is reserved.");
            errors.add(&place, key_span, message);
        } else {
            check_logical_id("Parameter", &name, key_span, &place, errors);
        }
        let span = node.span;
        match node.value {
            Value::Map(members) => {
                let mut declaration = Declaration { name: &name, members: &members, place, errors };
                if let Some(parameter) = declaration.read(key_span) {
                    parameters.insert(name, parameter);
                }
            }
            Value::Null => {}
            _ => {
                errors.add(&place, span, "Template format error: Every Parameters member must be an object.")
            }
        }
    }
    parameters
}

/// The reading of one parameter.
struct Declaration<'a> {
    name: &'a str,
    members: &'a Map,
    place: Place<'a>,
    errors: &'a mut Errors,
}

impl Declaration<'_> {
    fn read(&mut self, span: Span) -> Option<Parameter> {
        check_members(
            self.members,
            &MEMBERS,
            "Invalid template parameter property",
            &self.place,
            self.errors,
        );
        let type_ = self.type_of(span);
        let (allowed_pattern, allowed_pattern_text) = self.pattern().unzip();
        let parameter = Parameter {
            span,
            description: self.text("Description"),
            default: self.default(),
            allowed_values: self.allowed_values(),
            allowed_pattern,
            allowed_pattern_text,
            min_length: self.number("MinLength", |text| text.parse().ok()),
            max_length: self.number("MaxLength", |text| text.parse().ok()),
            min_value: self.number("MinValue", |text| text.parse().ok()),
            max_value: self.number("MaxValue", |text| text.parse().ok()),
            constraint_description: self.text("ConstraintDescription"),
            no_echo: self.no_echo(),
            type_: type_?,
        };
        self.check_default(&parameter);
        Some(parameter)
    }

    fn type_of(&mut self, span: Span) -> Option<ParameterType> {
        let Some(entry) = self.members.get("Type") else {
            let message = "Template format error: Every Parameters object must contain a Type member.";
            self.errors.add(&self.place, span, message);
            return None;
        };
        let name = entry.node.scalar_text().unwrap_or_default();
        let type_ = ParameterType::parse(&name);
        if type_.is_none() {
            let message = format!("Template format error: Unrecognized parameter type: {name}");
            let hint = did_you_mean(&name, ParameterType::names());
            self.errors.hint(&self.place.child("Type"), entry.node.span, message, hint);
        }
        type_
    }

    fn node(&self, key: &str) -> Option<&Node> {
        self.members.get(key).map(|entry| &entry.node).filter(|node| !matches!(node.value, Value::Null))
    }

    fn wrong(&mut self, key: &str, span: Span, expected: &str) {
        let message = format!("Template format error: Parameter '{}': {key} must be {expected}.", self.name);
        self.errors.add(&self.place.child(key), span, message);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let node = self.node(key)?;
        let (span, text) = (node.span, node.scalar_text());
        if text.is_none() {
            self.wrong(key, span, "a string");
        }
        text
    }

    fn default(&mut self) -> Option<String> {
        let node = self.node("Default")?;
        let (span, text) = (node.span, node.scalar_text());
        if text.is_none() {
            let message = format!(
                "Template format error: Every Default member must be a string. (parameter '{}')",
                self.name
            );
            self.errors.add(&self.place.child("Default"), span, message);
        }
        text
    }

    fn number<T>(&mut self, key: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let node = self.node(key)?;
        let (span, number) = (node.span, node.scalar_text().and_then(|text| parse(&text)));
        if number.is_none() {
            self.wrong(key, span, "a number");
        }
        number
    }

    fn no_echo(&mut self) -> bool {
        let Some(node) = self.node("NoEcho") else { return false };
        let (span, text) = (node.span, node.scalar_text().unwrap_or_default());
        match text.to_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.wrong("NoEcho", span, "true or false");
                false
            }
        }
    }

    fn allowed_values(&mut self) -> Option<Vec<String>> {
        let node = self.node("AllowedValues")?;
        let span = node.span;
        let values: Option<Vec<String>> =
            node.as_list().and_then(|items| items.iter().map(Node::scalar_text).collect());
        if values.as_ref().is_none_or(Vec::is_empty) {
            self.wrong("AllowedValues", span, "a list of values");
        }
        values
    }

    fn pattern(&mut self) -> Option<(Regex, String)> {
        let span = self.node("AllowedPattern")?.span;
        let text = self.text("AllowedPattern")?;
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => Some((regex, text)),
            Err(error) => {
                // The last line of a regex error names the reason, those before it draw the pattern.
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                let message = format!(
                    "Template format error: Parameter '{}': AllowedPattern is not a supported regular expression: \
                     {reason}",
                    self.name
                );
                self.errors.add(&self.place.child("AllowedPattern"), span, message);
                None
            }
        }
    }

    fn check_default(&mut self, parameter: &Parameter) {
        let (Some(text), Some(node)) = (&parameter.default, self.node("Default")) else { return };
        let span = node.span;
        if let Err(reason) = parameter.check(self.name, text) {
            let message = format!("Template format error: Invalid default value for parameter: {reason}");
            self.errors.add(&self.place.child("Default"), span, message);
        }
    }
}
