//! From JSON to a policy document, refusing what IAM refuses.

mod elements;

use serde_json::{Map, Value as Json};

use crate::document::{Effect, PolicyDocument, PolicyKind, Statement, Version};
use elements::{actions, conditions, principals, resources};

/// Why IAM would answer `MalformedPolicyDocument`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", self.place())]
pub struct MalformedPolicy {
    /// What is wrong, in IAM's words.
    pub message: String,
    /// What exactly, in ours; empty when the message says it all.
    pub detail: String,
    /// Where: `Statement/0/Action`. Empty for the document as a whole.
    pub path: String,
}

impl MalformedPolicy {
    fn place(&self) -> String {
        let parts: Vec<&str> =
            [self.path.as_str(), self.detail.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(": ")) }
    }
}

/// What one reading function gives.
pub(crate) type Parsed<T> = Result<T, MalformedPolicy>;

const SYNTAX: &str = "Syntax errors in policy.";

/// A place in the document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    fn child(&self, step: impl std::fmt::Display) -> Self {
        let separator = if self.0.is_empty() { "" } else { "/" };
        Self(format!("{}{separator}{step}", self.0))
    }

    fn error(&self, message: impl Into<String>) -> MalformedPolicy {
        MalformedPolicy { message: message.into(), detail: String::new(), path: self.0.clone() }
    }

    fn syntax(&self, detail: impl Into<String>) -> MalformedPolicy {
        MalformedPolicy { message: SYNTAX.into(), detail: detail.into(), path: self.0.clone() }
    }
}

impl PolicyDocument {
    /// Parses and checks a policy document.
    ///
    /// # Errors
    /// The first thing in it that IAM refuses.
    pub fn parse(text: &str, kind: PolicyKind) -> Parsed<Self> {
        let json = serde_json::from_str(text).map_err(|error| Path::default().syntax(error.to_string()))?;
        Self::from_json(&json, kind)
    }

    /// Checks a policy document that is JSON already.
    ///
    /// # Errors
    /// The first thing in it that IAM refuses.
    pub fn from_json(json: &Json, kind: PolicyKind) -> Parsed<Self> {
        let root = Path::default();
        let Json::Object(document) = json else { return Err(root.syntax("a policy is an object")) };
        known(document, &["Version", "Id", "Statement"], &root)?;
        let version = version(document.get("Version"), kind)?;
        let id = text(document, "Id", &root)?;
        let path = root.child("Statement");
        let statements = match document.get("Statement") {
            None => return Err(root.syntax("Statement is missing")),
            Some(Json::Array(items)) if items.is_empty() => return Err(path.syntax("there is no statement")),
            Some(Json::Array(items)) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| statement(item, kind, &path.child(index)))
                    .collect::<Parsed<Vec<_>>>()?
            }
            Some(one) => vec![statement(one, kind, &path)?],
        };
        unique_sids(&statements, &path)?;
        Ok(Self { version, id, statements })
    }
}

fn version(value: Option<&Json>, kind: PolicyKind) -> Parsed<Version> {
    let path = Path::default().child("Version");
    let version = match value.map(Json::as_str) {
        None | Some(Some("2008-10-17")) => Version::V2008,
        Some(Some("2012-10-17")) => Version::V2012,
        Some(_) => return Err(path.syntax("the version is 2012-10-17 or 2008-10-17")),
    };
    if version == Version::V2008 && kind == PolicyKind::Identity {
        return Err(path.error("Policy document must be version 2012-10-17 or greater."));
    }
    Ok(version)
}

fn statement(json: &Json, kind: PolicyKind, path: &Path) -> Parsed<Statement> {
    const MEMBERS: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let Json::Object(members) = json else { return Err(path.syntax("a statement is an object")) };
    known(members, &MEMBERS, path)?;
    let sid = text(members, "Sid", path)?;
    if let Some(sid) = sid.as_ref().filter(|sid| !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Err(path
            .child("Sid")
            .error(format!("Statement IDs (SID) must be alpha-numeric. '{sid}' is not.")));
    }
    let effect = match members.get("Effect").map(Json::as_str) {
        None => return Err(path.error("Missing required field Effect")),
        Some(Some("Allow")) => Effect::Allow,
        Some(Some("Deny")) => Effect::Deny,
        Some(_) => return Err(path.child("Effect").syntax("the effect is Allow or Deny")),
    };
    Ok(Statement {
        sid,
        effect,
        principal: principals(members, kind, path)?,
        action: actions(members, kind, path)?,
        resource: resources(members, kind, path)?,
        conditions: conditions(members.get("Condition"), &path.child("Condition"))?,
    })
}

fn unique_sids(statements: &[Statement], path: &Path) -> Parsed<()> {
    let mut seen = std::collections::BTreeSet::new();
    for sid in
        statements.iter().filter_map(|statement| statement.sid.as_deref()).filter(|sid| !sid.is_empty())
    {
        if !seen.insert(sid) {
            return Err(path.error("Statement IDs (SID) in a single policy must be unique."));
        }
    }
    Ok(())
}

fn known(members: &Map<String, Json>, names: &[&str], path: &Path) -> Parsed<()> {
    match members.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(path.syntax(format!("'{key}' is none of {}", names.join(", ")))),
        None => Ok(()),
    }
}

fn text(members: &Map<String, Json>, name: &str, path: &Path) -> Parsed<Option<String>> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(path.child(name).syntax("must be a string")),
    }
}

/// One string or a list of them.
fn strings(value: &Json, path: &Path) -> Parsed<Vec<String>> {
    match value {
        Json::String(text) => Ok(vec![text.clone()]),
        Json::Array(items) if !items.is_empty() => {
            let text = |item: &Json| item.as_str().map(str::to_owned);
            items
                .iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or_else(|| path.syntax("must be a list of strings"))
        }
        Json::Array(_) => Err(path.syntax("the list is empty")),
        _ => Err(path.syntax("must be a string or a list of strings")),
    }
}
