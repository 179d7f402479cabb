//! Which of a template's texts decide what the image becomes. Pure.

use packer_template::{Block, Node, Value};

/// Options of the builder that say who asks and how, not what for.
const ACCESS: &[&str] = &[
    "access_key",
    "assume_role",
    "aws_polling",
    "custom_endpoint_ec2",
    "decode_authorization_messages",
    "insecure_skip_tls_verify",
    "max_retries",
    "mfa_code",
    "profile",
    "secret_key",
    "shared_credentials_file",
    "skip_credential_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "token",
    "vault_aws_engine",
];

/// A builder's block without the options of access.
pub(super) fn of_builder(block: &Block) -> Block {
    let mut block = block.clone();
    block.options.retain(|option| !ACCESS.contains(&option.key.as_str()));
    block
}

/// Whether an expression in a block names a user variable: ``{{user `NAME`}}``, with any of Go's quotes.
pub(super) fn names_variable(block: &Block, name: &str) -> bool {
    block.options.iter().any(|option| node_names(&option.value, name))
}

fn node_names(node: &Node, name: &str) -> bool {
    match &node.value {
        Value::String(text) => text_names(text, name),
        Value::Array(items) => items.iter().any(|item| node_names(item, name)),
        Value::Object(entries) => {
            entries.iter().any(|entry| text_names(&entry.key, name) || node_names(&entry.value, name))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Every quoted name in an expression counts, whichever function it is given to: a variable too many builds once more,
/// one too few would leave out a build that is needed.
fn text_names(text: &str, name: &str) -> bool {
    text.split("{{").skip(1).any(|rest| {
        let expression = rest.split("}}").next().unwrap_or(rest);
        expression.contains(&format!("`{name}`")) || expression.contains(&format!("\"{name}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_in_expressions() {
        for (text, expected) in [
            ("{{user `zone`}}", true),
            ("{{ user \"zone\" }}", true),
            ("a {{timestamp}} b {{user `zone` | upper}}", true),
            ("{{user `zones`}}", false),
            ("`zone`", false),
            ("{{user `other`}} `zone`", false),
            ("{{`zone` | user", true),
        ] {
            assert_eq!(text_names(text, "zone"), expected, "{text}");
        }
    }
}
