//! `AWS::CloudFormation::Authentication`: who to be when downloading files and sources.

use super::error::BuildError;
use super::values::{Members, object, optional_text, texts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;

/// The named identities, and which addresses they are for.
#[derive(Debug, Default)]
pub struct Authentication {
    identities: BTreeMap<String, Identity>,
}

#[derive(Debug)]
enum Identity {
    Basic { header: String, hosts: Vec<String> },
    S3 { buckets: Vec<String> },
}

impl Authentication {
    /// Parses the metadata's value; absent means nobody.
    pub fn parse(value: Option<&Value>) -> Result<Self, BuildError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let mut identities = BTreeMap::new();
        for (name, definition) in object(value, "AWS::CloudFormation::Authentication")? {
            let what = format!("authentication {name}");
            identities.insert(name.clone(), identity(object(definition, &what)?, &what)?);
        }
        Ok(Self { identities })
    }

    /// The `Authorization` header for `url`, by the identity named or by the one the address belongs to.
    pub fn header_for(&self, url: &str, name: Option<&str>) -> Result<Option<&str>, BuildError> {
        if let Some((name, identity)) = name.and_then(|name| self.identities.get_key_value(name)) {
            return match identity {
                Identity::Basic { header, .. } => Ok(Some(header)),
                Identity::S3 { .. } => Err(s3_refused(name)),
            };
        }
        let host = host_of(url);
        for (name, identity) in &self.identities {
            match identity {
                Identity::Basic { header, hosts } if hosts.iter().any(|known| known == host) => {
                    return Ok(Some(header));
                }
                Identity::S3 { buckets } if buckets.iter().any(|bucket| is_in_bucket(url, bucket)) => {
                    return Err(s3_refused(name));
                }
                Identity::Basic { .. } | Identity::S3 { .. } => {}
            }
        }
        Ok(None)
    }
}

fn s3_refused(name: &str) -> BuildError {
    BuildError::Unsupported(format!("Authentication {name}: downloading from S3 with credentials"))
}

fn identity(definition: &Members, what: &str) -> Result<Identity, BuildError> {
    let kind = optional_text(definition, "type", what)?.unwrap_or_default();
    let list = |key: &str| definition.get(key).and_then(texts).unwrap_or_default();
    match kind.to_ascii_lowercase().as_str() {
        "basic" => {
            let username = optional_text(definition, "username", what)?.unwrap_or_default();
            let password = optional_text(definition, "password", what)?.unwrap_or_default();
            let header = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
            let hosts = list("uris").iter().map(|uri| host_of(uri).to_owned()).collect();
            Ok(Identity::Basic { header, hosts })
        }
        "s3" => Ok(Identity::S3 { buckets: list("buckets") }),
        other => Err(BuildError::Unsupported(format!("The type {other:?} of {what}"))),
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn is_in_bucket(url: &str, bucket: &str) -> bool {
    let host = host_of(url);
    if !host.contains("amazonaws.com") {
        return false;
    }
    let path = url.split_once(host).map_or("", |(_, path)| path);
    host.starts_with(&format!("{bucket}.s3"))
        || (host.starts_with("s3") && path.starts_with(&format!("/{bucket}/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn basic_identities_go_by_name_or_host_and_s3_is_refused() {
        let authentication = Authentication::parse(Some(&json!({
            "web": {"type": "basic", "username": "u", "password": "p", "uris": ["example.com"]},
            "store": {"type": "S3", "roleName": "r", "buckets": ["private"]},
        })))
        .unwrap();
        let header = Some("Basic dTpw");
        assert_eq!(authentication.header_for("https://example.com/x", None).unwrap(), header);
        assert_eq!(authentication.header_for("https://other.com/x", Some("web")).unwrap(), header);
        assert_eq!(authentication.header_for("https://other.com/x", None).unwrap(), None);
        for url in ["https://private.s3.amazonaws.com/k", "https://s3.eu-west-1.amazonaws.com/private/k"] {
            let err = authentication.header_for(url, None).unwrap_err().to_string();
            assert!(err.starts_with("Authentication store: downloading from S3"), "{err}");
        }
        assert!(authentication.header_for("https://x", Some("store")).is_err());
    }

    #[test]
    fn an_unknown_type_is_refused() {
        let err = Authentication::parse(Some(&json!({"a": {"type": "digest"}}))).unwrap_err().to_string();
        assert_eq!(err, "The type \"digest\" of authentication a is not supported by this cfn-init");
    }
}
