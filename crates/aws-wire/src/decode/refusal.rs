//! The errors that services give for parameters, in each one's words.

use crate::decode::path::Path;
use crate::schema::{Limits, Type};
use crate::service::Protocol;
use crate::{Error, Service};

/// Makes refusals for one service, and collects those that AWS reports all at once.
pub(super) struct Refusals {
    service: Service,
    /// In the words of the service's protocol.
    violations: Vec<String>,
}

impl Refusals {
    pub(super) fn new(service: Service) -> Self {
        Self { service, violations: Vec::new() }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.service.protocol()
    }

    /// Notes that the required member at `path` is not there.
    pub(super) fn missing(&mut self, path: &Path<'_>) {
        self.violations.push(match self.service {
            Service::Ec2 => format!("The request must contain the parameter {path}"),
            Service::Ecs => format!("{path} can not be blank."),
            _ => {
                let name = path.validation_name();
                format!("Value null at '{name}' failed to satisfy constraint: Member must not be null")
            }
        });
    }

    /// Notes what of its limits the string at `path` breaks.
    pub(super) fn check_string(&mut self, text: &str, kind: &Type, path: &Path<'_>) {
        let Type::Limited(limits) = kind else { return };
        if !limits.values.is_empty() && !limits.values.contains(&text) {
            let constraint = format!("satisfy enum value set: [{}]", limits.values.join(", "));
            self.violation(text, &constraint, path);
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        self.check_range(length, "length", text, limits, path);
    }

    /// Notes what of its limits the number at `path` breaks, if it is one.
    pub(super) fn check_number(&mut self, number: Option<i64>, kind: &Type, path: &Path<'_>) {
        let (Type::Limited(limits), Some(number)) = (kind, number) else { return };
        self.check_range(number, "value", &number.to_string(), limits, path);
    }

    fn check_range(&mut self, size: i64, what: &str, shown: &str, limits: &Limits, path: &Path<'_>) {
        if let Some(min) = limits.min.filter(|min| size < *min) {
            self.violation(shown, &format!("have {what} greater than or equal to {min}"), path);
        }
        if let Some(max) = limits.max.filter(|max| size > *max) {
            self.violation(shown, &format!("have {what} less than or equal to {max}"), path);
        }
    }

    fn violation(&mut self, shown: &str, constraint: &str, path: &Path<'_>) {
        let name = path.validation_name();
        self.violations.push(format!(
            "Value '{shown}' at '{name}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    /// A parameter that the operation does not have.
    pub(super) fn unknown(&self, path: &Path<'_>) -> Error {
        match self.service.protocol() {
            Protocol::Ec2 => {
                Error::client("UnknownParameter", format!("The parameter {path} is not recognized"))
            }
            Protocol::Query => {
                Error::client("ValidationError", format!("The parameter {path} is not recognized"))
            }
            Protocol::Json => Error::client("SerializationException", format!("Unrecognized field: {path}")),
        }
    }

    /// A form parameter whose value is not of the member's type.
    pub(super) fn ill_typed(&self, path: &Path<'_>, value: &str, expected: &Type) -> Error {
        let expected = expected.describe();
        match self.service.protocol() {
            Protocol::Ec2 => {
                let message =
                    format!("Value ({value}) for parameter {path} is invalid. Expected {expected}.");
                Error::client("InvalidParameterValue", message)
            }
            Protocol::Query | Protocol::Json => {
                let message = format!("Value '{value}' at '{path}' is not {expected}");
                Error::client("MalformedInput", message)
            }
        }
    }

    /// A JSON value of the wrong kind.
    pub(super) fn wrong_json(&self, path: &Path<'_>, found: &str, expected: &Type) -> Error {
        let message = format!("{found} at {path} can not be converted to {}", expected.describe());
        Error::client("SerializationException", message)
    }

    /// Refuses if anything was missing or out of limits.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Some(first) = self.violations.first() else { return Ok(()) };
        Err(match self.service {
            Service::Ec2 => Error::client("MissingParameter", first),
            // ECS answers with its own exception, one fault at a time.
            Service::Ecs => Error::client("InvalidParameterException", first),
            Service::Logs => Error::client("InvalidParameterException", self.summary()),
            _ if self.protocol() == Protocol::Json => Error::client("ValidationException", self.summary()),
            _ => Error::client("ValidationError", self.summary()),
        })
    }

    fn summary(&self) -> String {
        let count = self.violations.len();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} validation error{plural} detected: {}", self.violations.join("; "))
    }
}
