//! Which capabilities a template takes, so that nobody makes identities unawares.

use aws_wire::Error;
use cfn_template::Template;

const IAM: &str = "CAPABILITY_IAM";
const NAMED_IAM: &str = "CAPABILITY_NAMED_IAM";

/// The types that make or change identities, with the property that gives them a name of the author's choice.
const IDENTITIES: &[(&str, Option<&str>)] = &[
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// What a template takes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The capability.
    pub capability: &'static str,
    /// The types that it is for.
    pub types: Vec<String>,
}

impl Requirement {
    /// CloudFormation's sentence about it.
    pub fn reason(&self) -> String {
        format!("The following resource(s) require capabilities: [{}]", self.types.join(", "))
    }
}

/// The capability that a template takes, if any.
pub fn required(template: &Template) -> Option<Requirement> {
    let mut named = false;
    let mut types: Vec<String> = Vec::new();
    for resource in template.resources.values() {
        let Some((type_, name)) = IDENTITIES.iter().find(|(type_, _)| *type_ == resource.type_.value) else {
            continue;
        };
        named |= name.is_some_and(|name| resource.properties.contains_key(name));
        if !types.iter().any(|known| known == type_) {
            types.push((*type_).to_owned());
        }
    }
    if types.is_empty() {
        return None;
    }
    Some(Requirement { capability: if named { NAMED_IAM } else { IAM }, types })
}

/// Checks that the caller has acknowledged what the template takes.
///
/// # Errors
/// `InsufficientCapabilitiesException`, or a `ValidationError` for a capability that is none.
pub fn check(template: &Template, given: &[String]) -> Result<(), Error> {
    const KNOWN: [&str; 3] = [IAM, NAMED_IAM, "CAPABILITY_AUTO_EXPAND"];
    if let Some(unknown) = given.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(super::request::invalid(format!(
            "1 validation error detected: Value '[{unknown}]' at 'capabilities' failed to satisfy constraint: \
             Member must satisfy enum value set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]"
        )));
    }
    let Some(requirement) = required(template) else { return Ok(()) };
    let has = |name: &str| given.iter().any(|given| given == name);
    // The stronger one covers the weaker.
    if has(NAMED_IAM) || (requirement.capability == IAM && has(IAM)) {
        return Ok(());
    }
    Err(Error::client(
        "InsufficientCapabilitiesException",
        format!("Requires capabilities : [{}]", requirement.capability),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNNAMED: &str = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {}}}";
    const NAMED: &str = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {RoleName: x}}}";
    const NONE: &str = "Resources: {C: {Type: 'AWS::ECS::Cluster'}}";

    #[test]
    fn identities_must_be_acknowledged() {
        let cases: [(&str, &[&str], Option<&str>); 8] = [
            (NONE, &[], None),
            (UNNAMED, &[], Some(IAM)),
            (UNNAMED, &["CAPABILITY_AUTO_EXPAND"], Some(IAM)),
            (UNNAMED, &[IAM], None),
            (UNNAMED, &[NAMED_IAM], None),
            (NAMED, &[], Some(NAMED_IAM)),
            (NAMED, &[IAM], Some(NAMED_IAM)),
            (NAMED, &[NAMED_IAM], None),
        ];
        for (template, given, missing) in cases {
            let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
            let error = check(&Template::parse(template).unwrap(), &given).err();
            let expected = missing.map(|name| format!("Requires capabilities : [{name}]"));
            assert_eq!(error.map(|error| error.message), expected, "{template} {given:?}");
        }
    }
}
