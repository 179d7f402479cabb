//! Parameters' names, and what requests call parameters by. Pure.

/// The longest name in characters ("Requirements and constraints for parameter names" in the SSM guide).
const MAX_CHARS: usize = 1011;
/// How deep a hierarchy may be.
const MAX_LEVELS: usize = 15;

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too long, or empty.
    #[error("A parameter name must have between 1 and {MAX_CHARS} characters.")]
    Length,
    /// Not made of what names are made of.
    #[error(
        "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). It consists of letters, numbers and the symbols .-_ and, if it is a path, of such parts divided by slashes."
    )]
    Form,
    /// A hierarchy that does not begin at the root.
    #[error("Parameter name must be a fully qualified name.")]
    Relative,
    /// Too many levels.
    #[error("A hierarchy can have a maximum of {MAX_LEVELS} levels.")]
    TooDeep,
    /// AWS's own.
    #[error("No access to reserved parameter name: {0}.")]
    Reserved(String),
}

/// Checks the name of a parameter that a user makes.
///
/// # Errors
/// When it breaks a rule.
pub fn check(name: &str) -> Result<(), NameError> {
    if !crate::api::values::length(name, 1, MAX_CHARS) {
        return Err(NameError::Length);
    }
    let path = name.strip_prefix('/').unwrap_or(name);
    if path.split('/').any(|part| part.is_empty() || !crate::api::values::only(part, ".-_")) {
        return Err(NameError::Form);
    }
    if path.contains('/') && !name.starts_with('/') {
        return Err(NameError::Relative);
    }
    let first = path.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if first.starts_with("aws") {
        return Err(NameError::Reserved(name.to_owned()));
    }
    if first.starts_with("ssm") {
        return Err(NameError::Form);
    }
    if path.split('/').count() > MAX_LEVELS {
        return Err(NameError::TooDeep);
    }
    Ok(())
}

/// What a request asks for: a parameter, and maybe one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The names that it may have: an ARN does not tell whether a name begins with a slash.
    pub names: Vec<String>,
    /// A version's number or label.
    pub selector: Option<String>,
}

impl Asked {
    /// Reads a name or an ARN, either with a selector or without; none when it is an ARN of something else or
    /// of somebody else.
    pub fn parse(given: &str, region: &str, account: &str) -> Option<Self> {
        let split = |text: &str| match text.split_once(':') {
            Some((name, selector)) => (name.to_owned(), Some(selector.to_owned())),
            None => (text.to_owned(), None),
        };
        if !given.starts_with("arn:") {
            let (name, selector) = split(given);
            return Some(Self { names: vec![name], selector });
        }
        let mut parts = given.splitn(6, ':').skip(2);
        // AWS's public parameters belong to no account.
        let ours = parts.next() == Some("ssm")
            && parts.next() == Some(region)
            && parts.next().is_some_and(|owner| owner == account || owner.is_empty());
        let resource = parts.next().filter(|_| ours)?.strip_prefix("parameter")?;
        let (path, selector) = split(resource);
        let flat = path.strip_prefix('/')?.to_owned();
        let names = if flat.contains('/') { vec![path] } else { vec![path, flat] };
        Some(Self { names, selector })
    }
}

/// A parameter's ARN.
pub fn arn(region: &str, account: &str, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}")
}

/// Whether a parameter lies under a path of the hierarchy, directly or (`recursive`) anywhere below.
pub fn lies_under(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = if path.is_empty() {
        Some(name.strip_prefix('/').unwrap_or(name))
    } else {
        name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'))
    };
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let deep = format!("/{}", ["a"; 15].join("/"));
        for good in ["a", "/a", "/a/b.c/d-e_f", "Web1", deep.as_str()] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let deeper = format!("{deep}/a");
        let long = "a".repeat(1012);
        let cases = [
            ("", NameError::Length),
            (long.as_str(), NameError::Length),
            ("/", NameError::Form),
            ("/a/", NameError::Form),
            ("//a", NameError::Form),
            ("a b", NameError::Form),
            ("/a:1", NameError::Form),
            ("SSM-x", NameError::Form),
            ("a/b", NameError::Relative),
            ("/aws/x", NameError::Reserved("/aws/x".into())),
            ("AwsX", NameError::Reserved("AwsX".into())),
            (deeper.as_str(), NameError::TooDeep),
        ];
        for (bad, expected) in cases {
            assert_eq!(check(bad), Err(expected), "{bad}");
        }
    }

    #[test]
    fn parameters_are_asked_for_by_name_and_arn() {
        type Found = Option<(&'static [&'static str], Option<&'static str>)>;
        let cases: [(&str, Found); 8] = [
            ("/a/b", Some((&["/a/b"], None))),
            ("a:3", Some((&["a"], Some("3")))),
            ("/a/b:live", Some((&["/a/b"], Some("live")))),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/a/b", Some((&["/a/b"], None))),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/a:2", Some((&["/a", "a"], Some("2")))),
            ("arn:aws:ssm:us-east-1::parameter/aws/x", Some((&["/aws/x"], None))),
            ("arn:aws:ssm:us-east-2:123456789012:parameter/a", None),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/a", None),
        ];
        for (given, expected) in cases {
            let expected = expected.map(|(names, selector)| Asked {
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                selector: selector.map(str::to_owned),
            });
            assert_eq!(Asked::parse(given, "us-east-1", "123456789012"), expected, "{given}");
        }
        assert_eq!(arn("us-east-1", "1", "a"), "arn:aws:ssm:us-east-1:1:parameter/a");
        assert_eq!(arn("us-east-1", "1", "/a/b"), "arn:aws:ssm:us-east-1:1:parameter/a/b");
    }

    #[test]
    fn hierarchies() {
        let cases = [
            ("/a/b", "/a", false, true),
            ("/a/b", "/a/", false, true),
            ("/a/b/c", "/a", false, false),
            ("/a/b/c", "/a", true, true),
            ("/ab", "/a", true, false),
            ("/a", "/a", true, false),
            ("/a", "/", false, true),
            ("a", "/", false, true),
            ("/a/b", "/", false, false),
        ];
        for (name, path, recursive, expected) in cases {
            assert_eq!(lies_under(name, path, recursive), expected, "{name} under {path}");
        }
    }
}
