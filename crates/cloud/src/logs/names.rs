//! Names, ARNs, and what requests call groups by. Pure.

use aws_wire::Error;

use super::errors::{constraint, invalid};
use crate::api::values;

/// The longest name in characters.
const MAX_CHARS: usize = 512;
/// What group names consist of, as AWS's model has it.
const GROUP_PATTERN: &str = r"[\.\-_/#A-Za-z0-9]+";

/// Checks the name of a group; `member` is what the request calls it.
///
/// # Errors
/// `InvalidParameterException`
pub fn check_group(name: &str, member: &str) -> Result<(), Error> {
    check_length(name, member)?;
    if values::only(name, "._-/#") {
        return Ok(());
    }
    Err(constraint(name, member, &format!("satisfy regular expression pattern: {GROUP_PATTERN}")))
}

/// Checks the name of a group that is to be made.
///
/// # Errors
/// `InvalidParameterException`
pub fn check_new_group(name: &str, member: &str) -> Result<(), Error> {
    check_group(name, member)?;
    if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/")) {
        return Err(invalid("Log groups starting with AWS/ are reserved for AWS."));
    }
    Ok(())
}

/// Checks the name of a stream.
///
/// # Errors
/// `InvalidParameterException`
pub fn check_stream(name: &str, member: &str) -> Result<(), Error> {
    check_length(name, member)?;
    if name.contains([':', '*']) {
        return Err(constraint(name, member, "satisfy regular expression pattern: [^:*]*"));
    }
    Ok(())
}

fn check_length(name: &str, member: &str) -> Result<(), Error> {
    if values::length(name, 1, MAX_CHARS) {
        return Ok(());
    }
    let bound = if name.is_empty() { "greater than or equal to 1" } else { "less than or equal to 512" };
    Err(constraint(name, member, &format!("have length {bound}")))
}

/// Where groups are.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// The region.
    pub region: &'a str,
    /// The account's number.
    pub account: &'a str,
}

impl Home<'_> {
    /// A group's ARN, without the `:*` that stands for its streams.
    pub fn group_arn(self, name: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{name}", self.region, self.account)
    }

    /// A stream's ARN.
    pub fn stream_arn(self, group: &str, stream: &str) -> String {
        format!("{}:log-stream:{stream}", self.group_arn(group))
    }

    /// The name of the group that an ARN is of, with the rest behind it (`:*` or nothing); none when it is an ARN
    /// of something else or of elsewhere.
    pub fn group_of_arn(self, arn: &str) -> Option<(&str, &str)> {
        let rest = arn.strip_prefix(self.group_arn("").as_str())?;
        let end = rest.find(':').unwrap_or(rest.len());
        Some(rest.split_at(end))
    }

    /// The name of the group that a request identifies by its name or its ARN; with `stars` the ARN may end in `:*`.
    ///
    /// # Errors
    /// `InvalidParameterException` for what is neither; an ARN of elsewhere is refused by name, for there are no
    /// linked accounts here.
    pub fn group_name(self, identifier: &str, member: &str, stars: bool) -> Result<String, Error> {
        if !identifier.starts_with("arn:") {
            check_group(identifier, member)?;
            return Ok(identifier.to_owned());
        }
        let (name, rest) = self.group_of_arn(identifier).ok_or_else(|| {
            invalid(format!(
                "The ARN '{identifier}' at '{member}' is not of a log group of account {} in {}; this cloud has no linked accounts.",
                self.account, self.region
            ))
        })?;
        if !(rest.is_empty() || stars && rest == ":*") {
            return Err(invalid(format!("The ARN '{identifier}' at '{member}' can't end with '{rest}'.")));
        }
        check_group(name, member)?;
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home<'_> = Home { region: "us-east-1", account: "123456789012" };

    #[test]
    fn names_are_checked_as_aws_does() {
        let (longest, long) = ("a".repeat(512), "a".repeat(513));
        for (name, group, stream) in [
            ("/a/b.c-d_e#1", true, true),
            (longest.as_str(), true, true),
            (long.as_str(), false, false),
            ("", false, false),
            ("a b", false, true),
            ("käse", false, true),
            ("a:b", false, false),
            ("a*", false, false),
            ("2026/[$LATEST]x\n", false, true),
        ] {
            assert_eq!(check_group(name, "logGroupName").is_ok(), group, "group {name:?}");
            assert_eq!(check_stream(name, "logStreamName").is_ok(), stream, "stream {name:?}");
        }
        let refused = check_group("a b", "logGroupName").unwrap_err();
        assert_eq!(
            refused.message,
            r"1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
        );
        assert!(check_new_group("aws/lambda", "logGroupName").is_err());
        assert!(check_new_group("/aws/lambda", "logGroupName").is_ok());
    }

    #[test]
    fn groups_are_identified_by_name_and_arn() {
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/web/app";
        for (identifier, stars, expected) in [
            ("/web/app", false, Some("/web/app")),
            (arn, false, Some("/web/app")),
            (&format!("{arn}:*"), true, Some("/web/app")),
            (&format!("{arn}:*"), false, None),
            (&format!("{arn}:log-stream:x"), true, None),
            ("arn:aws:logs:us-east-2:123456789012:log-group:a", true, None),
            ("arn:aws:logs:us-east-1:210987654321:log-group:a", true, None),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/a", true, None),
            ("arn:aws:logs:us-east-1:123456789012:log-group:", true, None),
            ("a:b", true, None),
        ] {
            let found = HOME.group_name(identifier, "logGroupIdentifier", stars);
            assert_eq!(found.ok().as_deref(), expected, "{identifier}");
        }
        assert_eq!(HOME.stream_arn("/web/app", "i-1"), format!("{arn}:log-stream:i-1"));
    }
}
