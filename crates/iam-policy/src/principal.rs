//! Who asks, and who a policy speaks of.

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(String),
    /// A user, role or session of an account.
    Aws {
        /// The account's id.
        account: String,
        /// The principal's own ARN, and for a session that of its role too.
        arns: Vec<String>,
    },
    /// A user of an identity provider, given by the provider's name or ARN.
    Federated(String),
    /// Nobody known.
    Anonymous,
}

/// Those that a statement's `Principal` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principals {
    /// `"*"`, or `*` under `AWS`: everybody.
    pub everybody: bool,
    /// `AWS`: account ids, and ARNs of users, roles and sessions.
    pub aws: Vec<String>,
    /// `Service`.
    pub services: Vec<String>,
    /// `Federated`.
    pub federated: Vec<String>,
    /// `CanonicalUser`. No principal here has one, so it matches nobody.
    pub canonical_users: Vec<String>,
}

impl Principals {
    /// Whether the principal is among those named.
    pub fn contains(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Anonymous => self.everybody,
            // `AWS: *` means everybody, but a service is nobody's: it has to be named.
            Principal::Service(name) => self.services.iter().any(|named| named == name),
            Principal::Federated(name) => self.everybody || self.federated.iter().any(|named| named == name),
            Principal::Aws { account, arns } => {
                self.everybody
                    || self.aws.iter().any(|named| is_account(named, account) || arns.contains(named))
            }
        }
    }
}

/// Whether `named` stands for a whole account: by its id, or by the ARN of its root.
fn is_account(named: &str, account: &str) -> bool {
    match named.strip_suffix(":root") {
        None => named == account,
        Some(arn) => arn.starts_with("arn:") && arn.split(':').nth(4) == Some(account),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_found() {
        let session = Principal::Aws {
            account: "123456789012".into(),
            arns: vec![
                "arn:aws:sts::123456789012:assumed-role/r/i-1".into(),
                "arn:aws:iam::123456789012:role/r".into(),
            ],
        };
        let ec2 = Principal::Service("ec2.amazonaws.com".into());
        let aws = |named: &str| Principals { aws: vec![named.into()], ..Principals::default() };
        let everybody = Principals { everybody: true, ..Principals::default() };
        let services = Principals { services: vec!["ec2.amazonaws.com".into()], ..Principals::default() };
        let cases = [
            (&everybody, &session, true),
            (&everybody, &Principal::Anonymous, true),
            (&everybody, &ec2, false),
            (&services, &ec2, true),
            (&services, &Principal::Service("ecs.amazonaws.com".into()), false),
            (&services, &session, false),
            (&aws("123456789012"), &session, true),
            (&aws("arn:aws:iam::123456789012:root"), &session, true),
            (&aws("arn:aws:iam::999999999999:root"), &session, false),
            (&aws("arn:aws:iam::123456789012:role/r"), &session, true),
            (&aws("arn:aws:iam::123456789012:role/other"), &session, false),
        ];
        for (named, principal, expected) in cases {
            assert_eq!(named.contains(principal), expected, "{named:?} {principal:?}");
        }
    }
}
