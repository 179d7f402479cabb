//! The errors that services give for parameters, in each one's words.

use crate::decode::path::Path;
use crate::schema::Type;
use crate::service::Protocol;
use crate::{Error, Service};

/// Makes refusals for one service, and collects what is missing, which AWS reports all at once.
pub(super) struct Refusals {
    service: Service,
    missing: Vec<String>,
}

impl Refusals {
    pub(super) fn new(service: Service) -> Self {
        Self { service, missing: Vec::new() }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.service.protocol()
    }

    /// Notes that the required member at `path` is not there.
    pub(super) fn missing(&mut self, path: &Path<'_>) {
        self.missing.push(match self.service.protocol() {
            Protocol::Ec2 => path.to_string(),
            Protocol::Query | Protocol::Json => path.validation_name(),
        });
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

    /// Refuses if anything required was missing.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Some(first) = self.missing.first() else { return Ok(()) };
        match self.service.protocol() {
            Protocol::Ec2 => Err(Error::client(
                "MissingParameter",
                format!("The request must contain the parameter {first}"),
            )),
            Protocol::Query => Err(Error::client("ValidationError", constraint_message(&self.missing))),
            // ECS's model has this one exception for parameters; the other JSON services validate as query ones do.
            Protocol::Json if self.service.model().signing_name == "ecs" => {
                Err(Error::client("InvalidParameterException", format!("{first} can not be blank.")))
            }
            Protocol::Json => Err(Error::client("ValidationException", constraint_message(&self.missing))),
        }
    }
}

fn constraint_message(missing: &[String]) -> String {
    let one = |path: &String| {
        format!("Value null at '{path}' failed to satisfy constraint: Member must not be null")
    };
    let all: Vec<String> = missing.iter().map(one).collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    format!("{} validation error{plural} detected: {}", missing.len(), all.join("; "))
}
