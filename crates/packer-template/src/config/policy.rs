//! `temporary_iam_instance_profile_policy_document`: a policy in Packer's shape, turned into IAM's JSON.

use super::{
    options,
    reader::{Reader, quote},
};

/// The policy as IAM takes it.
pub(super) fn document(reader: &Reader<'_>) -> Option<String> {
    let document = reader.object("temporary_iam_instance_profile_policy_document", options::POLICY)?;
    let version = document.string("Version");
    let statements: Vec<String> =
        document.objects("Statement", options::STATEMENT).iter().map(statement).collect();
    // An empty document asks for no profile, as in Packer.
    if version.is_none() && statements.is_empty() {
        return None;
    }
    // IAM's default would be the language of 2008, which lacks policy variables.
    let version = version.unwrap_or_else(|| "2012-10-17".to_owned());
    Some(format!("{{\"Version\":{},\"Statement\":[{}]}}", quote(&version), statements.join(",")))
}

fn statement(reader: &Reader<'_>) -> String {
    let list = |name: &str| {
        let items = reader.strings(name);
        format!("[{}]", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(","))
    };
    let effect = reader.string("Effect").unwrap_or_default();
    format!(
        "{{\"Effect\":{},\"Action\":{},\"Resource\":{}}}",
        quote(&effect),
        list("Action"),
        list("Resource")
    )
}
