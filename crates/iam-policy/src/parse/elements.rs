//! The elements of a statement.

use serde_json::{Map, Value as Json};

use super::{Parsed, Path, strings};
use crate::{
    condition::{Condition, Operator},
    document::{Matcher, PolicyKind},
    principal::Principals,
};

type Members = Map<String, Json>;

/// An element in its plain or its `Not…` form, with its path. Both at once are refused.
fn either<'a>(
    members: &'a Members,
    name: &str,
    path: &Path,
) -> Parsed<Option<(Matcher<()>, &'a Json, Path)>> {
    let not = format!("Not{name}");
    match (members.get(name), members.get(&not)) {
        (Some(_), Some(_)) => Err(path.syntax(format!("{name} and {not} exclude each other"))),
        (Some(value), None) => Ok(Some((Matcher::Only(()), value, path.child(name)))),
        (None, Some(value)) => Ok(Some((Matcher::Except(()), value, path.child(not)))),
        (None, None) => Ok(None),
    }
}

fn filled<T>(form: &Matcher<()>, value: T) -> Matcher<T> {
    match form {
        Matcher::Only(()) => Matcher::Only(value),
        Matcher::Except(()) => Matcher::Except(value),
    }
}

pub(super) fn actions(members: &Members, kind: PolicyKind, path: &Path) -> Parsed<Matcher<Vec<String>>> {
    let Some((form, value, path)) = either(members, "Action", path)? else {
        return Err(match kind {
            PolicyKind::Identity => path.error("Policy statement must contain actions."),
            PolicyKind::Trust => path.error("Missing required field Action"),
        });
    };
    let actions = strings(value, &path)?;
    for action in &actions {
        check_action(action, kind, &path)?;
    }
    Ok(filled(&form, actions))
}

fn check_action(action: &str, kind: PolicyKind, path: &Path) -> Parsed<()> {
    let wild =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?'));
    let vendor_of = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match action.split_once(':') {
        None if action == "*" && kind == PolicyKind::Identity => Ok(()),
        Some((vendor, _)) if kind == PolicyKind::Trust && !vendor.eq_ignore_ascii_case("sts") => {
            Err(path.error("AssumeRole policy may only specify STS AssumeRole actions."))
        }
        Some((vendor, name)) if !vendor.is_empty() && !name.is_empty() && wild(name) => {
            if vendor_of(vendor) {
                Ok(())
            } else {
                Err(path.error(format!("Vendor {vendor} is not valid")))
            }
        }
        _ if kind == PolicyKind::Trust => {
            Err(path.error("AssumeRole policy may only specify STS AssumeRole actions."))
        }
        _ => {
            let message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
            let mut error = path.error(message);
            error.detail = format!("'{action}'");
            Err(error)
        }
    }
}

pub(super) fn resources(
    members: &Members,
    kind: PolicyKind,
    path: &Path,
) -> Parsed<Option<Matcher<Vec<String>>>> {
    let found = either(members, "Resource", path)?;
    let Some((form, value, path)) = found else {
        return match kind {
            PolicyKind::Identity => Err(path.error("Policy statement must contain resources.")),
            PolicyKind::Trust => Ok(None),
        };
    };
    if kind == PolicyKind::Trust {
        return Err(path.error("Has prohibited field Resource"));
    }
    let resources = strings(value, &path)?;
    for resource in &resources {
        // `arn:aws:s3:*` stands for all that begins so; without a wildcard at its end an ARN has six parts.
        let parts = resource.splitn(6, ':').count();
        let arn = resource.starts_with("arn:") && (parts == 6 || resource.ends_with('*'));
        if resource != "*" && !arn {
            return Err(path.error(format!("Resource {resource} must be in ARN format or \"*\".")));
        }
    }
    Ok(Some(filled(&form, resources)))
}

pub(super) fn principals(
    members: &Members,
    kind: PolicyKind,
    path: &Path,
) -> Parsed<Option<Matcher<Principals>>> {
    let found = either(members, "Principal", path)?;
    let Some((form, value, path)) = found else {
        return match kind {
            PolicyKind::Identity => Ok(None),
            PolicyKind::Trust => Err(path.error("Missing required field Principal")),
        };
    };
    if kind == PolicyKind::Identity {
        return Err(path.error("Policy document should not specify a principal."));
    }
    let mut principals = Principals::default();
    match value {
        Json::String(text) if text == "*" => principals.everybody = true,
        Json::Object(kinds) if !kinds.is_empty() => {
            for (name, value) in kinds {
                add_principals(&mut principals, name, strings(value, &path.child(name))?, &path)?;
            }
        }
        _ => return Err(path.syntax("a principal is \"*\" or an object")),
    }
    Ok(Some(filled(&form, principals)))
}

fn add_principals(principals: &mut Principals, name: &str, values: Vec<String>, path: &Path) -> Parsed<()> {
    let invalid = |value: &str| {
        path.error(format!("Invalid principal in policy: \"{}\":\"{value}\"", name.to_uppercase()))
    };
    let check = |valid: fn(&str) -> bool| match values.iter().find(|value| !valid(value)) {
        Some(value) => Err(invalid(value)),
        None => Ok(()),
    };
    match name {
        "AWS" => {
            check(|value| value == "*" || is_account(value) || is_arn(value))?;
            principals.everybody |= values.iter().any(|value| value == "*");
            principals.aws.extend(values.into_iter().filter(|value| value != "*"));
        }
        "Service" => {
            check(|value| value.contains('.') && !value.contains(['*', '?', ' ']))?;
            principals.services.extend(values);
        }
        "Federated" => {
            check(|value| !value.is_empty())?;
            principals.federated.extend(values);
        }
        "CanonicalUser" => principals.canonical_users.extend(values),
        other => {
            return Err(path.child(other).syntax("a principal is AWS, Service, Federated or CanonicalUser"));
        }
    }
    Ok(())
}

fn is_account(value: &str) -> bool {
    value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_arn(value: &str) -> bool {
    value.starts_with("arn:") && value.splitn(6, ':').count() == 6 && !value.contains(['*', '?'])
}

pub(super) fn conditions(value: Option<&Json>, path: &Path) -> Parsed<Vec<Condition>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Json::Object(operators) = value else { return Err(path.syntax("a condition is an object")) };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let Some(operator) = Operator::parse(name) else {
            return Err(path.error(format!("Invalid Condition type : {name}.")));
        };
        let path = path.child(name);
        let Json::Object(keys) = keys else {
            return Err(path.syntax("an operator's value is an object of keys"));
        };
        for (key, values) in keys {
            conditions.push(condition(operator, key, values, &path.child(key))?);
        }
    }
    Ok(conditions)
}

fn condition(operator: Operator, key: &str, values: &Json, path: &Path) -> Parsed<Condition> {
    // `s3:prefix`, `aws:PrincipalTag/team`: a vendor and a name.
    if !key.split_once(':').is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty()) {
        return Err(path.error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."));
    }
    let items = match values {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let values: Option<Vec<String>> = items.iter().map(scalar).collect();
    let values =
        values.ok_or_else(|| path.syntax("a condition's value is a string, number or boolean, or a list"))?;
    // Whether a variable gives a number or a date shows only when a request is there.
    let readable = |value: &String| value.contains("${") || operator.comparison.accepts(value);
    match values.iter().find(|value| !readable(value)) {
        Some(value) => Err(path.syntax(format!("{operator} cannot compare with '{value}'"))),
        None => Ok(Condition { operator, key: key.to_owned(), values }),
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
