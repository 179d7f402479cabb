//! Dynamic references: `{{resolve:SERVICE:REFERENCE}}` in strings.

use serde_json::Value as Json;

use super::Resolver;

/// How a dynamic reference begins.
const OPEN: &str = "{{resolve:";

/// A dynamic reference found in a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicReference<'a> {
    /// Such as `ssm` or `secretsmanager`.
    pub service: &'a str,
    /// What stands after the service: a name, and for some services more.
    pub reference: &'a str,
    /// The whole reference, as written.
    pub written: &'a str,
}

/// The dynamic references in a string, from the left.
pub fn dynamic_references(text: &str) -> Vec<DynamicReference<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        rest = &rest[start..];
        let Some(end) = rest.find("}}") else { break };
        let written = &rest[..end + 2];
        if let Some((service, reference)) = rest[OPEN.len()..end].split_once(':') {
            found.push(DynamicReference { service, reference, written });
        }
        rest = &rest[end + 2..];
    }
    found
}

/// Replaces the dynamic references in every string of a value.
pub(super) fn resolve(value: Json, resolver: &dyn Resolver) -> Result<Json, String> {
    Ok(match value {
        Json::String(text) => Json::String(resolve_text(text, resolver)?),
        Json::Array(items) => {
            Json::Array(items.into_iter().map(|item| resolve(item, resolver)).collect::<Result<_, _>>()?)
        }
        Json::Object(map) => {
            let members = map.into_iter().map(|(key, value)| Ok((key, resolve(value, resolver)?)));
            Json::Object(members.collect::<Result<_, String>>()?)
        }
        other => other,
    })
}

fn resolve_text(text: String, resolver: &dyn Resolver) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text.as_str();
    for found in dynamic_references(&text) {
        let value = resolver.dynamic(found.service, found.reference)?;
        if let Some((before, after)) = rest.split_once(found.written) {
            out.push_str(before);
            out.push_str(&value);
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found() {
        let found = dynamic_references(
            "a {{resolve:ssm:/x/y:3}} {{resolve:secretsmanager:s:SecretString:k}} {{resolve:",
        );
        let pairs: Vec<_> = found.iter().map(|found| (found.service, found.reference)).collect();
        assert_eq!(pairs, [("ssm", "/x/y:3"), ("secretsmanager", "s:SecretString:k")]);
        assert!(dynamic_references("{{resolve:nothing}} {{ssm:x}}").is_empty());
    }
}
