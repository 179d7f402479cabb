//! Auto Scaling's errors, with its codes and words.

use aws_wire::Error;

/// `ValidationError`
pub fn validation(message: impl Into<String>) -> Error {
    Error::client("ValidationError", message)
}

/// The request asks for something that this cloud does not have.
pub fn unsupported(what: &str) -> Error {
    validation(format!("{what} is not supported by this cloud"))
}

/// A required member; the decoder has refused its absence already in requests from outside.
pub fn required<'a>(value: Option<&'a str>, member: &str) -> Result<&'a str, Error> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// There is no such group.
pub fn no_group(name: &str) -> Error {
    validation(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
}

/// There is a group of that name.
pub fn group_exists(name: &str) -> Error {
    let message =
        format!("AutoScalingGroup by this name already exists - A group with the name {name} already exists");
    Error::client("AlreadyExists", message)
}

/// The group is going.
pub fn pending_delete(name: &str) -> Error {
    validation(format!("AutoScalingGroup '{name}' is pending delete"))
}

/// There is no such launch configuration.
pub fn no_configuration(name: &str) -> Error {
    validation(format!("Launch configuration name not found - Launch configuration {name} not found"))
}

/// No group has that instance.
pub fn no_instance(id: &str) -> Error {
    validation(format!("Instance Id not found - No managed instance found for instance ID: {id}"))
}

/// The capacity would leave its bounds.
pub fn would_violate_min(desired: i32) -> Error {
    validation(format!(
        "Currently, desiredSize equals minSize ({desired}). Terminating instance without replacement will violate \
         group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
    ))
}

/// Something has to end first.
pub fn in_progress(message: impl Into<String>) -> Error {
    Error::client("ScalingActivityInProgress", message)
}

/// Something uses it.
pub fn in_use(message: impl Into<String>) -> Error {
    Error::client("ResourceInUse", message)
}
