//! The checks of names, paths and documents, with IAM's limits ("IAM and AWS STS quotas" in the IAM guide).

use aws_wire::Error;
use iam_policy::{PolicyDocument, PolicyKind};

use super::errors::validation;

/// A required member; the decoder has refused its absence already.
pub fn given(value: Option<String>, member: &str) -> Result<String, Error> {
    value.ok_or_else(|| {
        validation(format!("Value null at '{member}' failed to satisfy constraint: Member must not be null"))
    })
}

/// A name of at most `most` characters out of `[\w+=,.@-]`.
pub fn name(value: Option<String>, member: &str, most: usize) -> Result<String, Error> {
    let name = given(value, member)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() || name.len() > most || !name.chars().all(allowed) {
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must be 1 to {most} characters out of letters, digits and _+=,.@-"
        )));
    }
    Ok(name)
}

/// A path: `/` or something between slashes.
pub fn path(value: Option<String>) -> Result<String, Error> {
    let path = value.unwrap_or_else(|| "/".to_owned());
    let printable = path.chars().all(|c| ('!'..='\u{7f}').contains(&c));
    if path == "/"
        || (path.len() > 2 && path.len() <= 512 && path.starts_with('/') && path.ends_with('/') && printable)
    {
        return Ok(path);
    }
    Err(validation(format!(
        "The specified value for path is invalid: {path}. It must begin and end with / and contain only ASCII characters."
    )))
}

/// A policy document that is understood.
pub fn document(value: Option<String>, member: &str, kind: PolicyKind) -> Result<String, Error> {
    let text = given(value, member)?;
    PolicyDocument::parse(&text, kind)
        .map_err(|error| Error::client("MalformedPolicyDocument", error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for good in ["a", "Role_1+=,.@-"] {
            assert!(name(Some(good.into()), "roleName", 64).is_ok(), "{good}");
        }
        for bad in ["", "with space", "a/b", &"x".repeat(65)] {
            assert!(name(Some(bad.into()), "roleName", 64).is_err(), "{bad}");
        }
        for (value, fine) in [
            ("/", true),
            ("/a/", true),
            ("/a/b/", true),
            ("", false),
            ("a/", false),
            ("/a", false),
            ("//", false),
        ] {
            assert_eq!(path(Some(value.into())).is_ok(), fine, "{value}");
        }
    }
}
