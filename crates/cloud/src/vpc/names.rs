//! What the resolver of a VPC knows. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use machine::network::{API_ADDRESS, METADATA_ADDRESS};

/// The domains under which AWS's APIs live, in all of AWS's public partitions (botocore's `partitions.json`: DNS
/// suffixes, plain and dual-stack). Every name in them is the local API's.
pub const API_DOMAINS: [&str; 6] = [
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
];

/// The names of one VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Whether the VPC's attribute `enableDnsSupport` is set.
    pub(super) answers: bool,
    /// The instances' private names.
    private: BTreeMap<String, Ipv4Addr>,
    /// The other way.
    addresses: BTreeMap<Ipv4Addr, String>,
}

/// What somebody asks about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Its address (A, or any record).
    Address,
    /// The name that belongs to an address (PTR).
    Pointer,
    /// Another kind of record.
    Other,
}

/// What the resolver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// An address.
    Address(Ipv4Addr),
    /// A name.
    Pointer(String),
    /// The name exists, but has no record of the kind.
    NoData,
    /// There is no such name. Beyond AWS's there is no outside to ask.
    NoSuchName,
    /// The resolver does not answer here.
    Refused,
}

impl Names {
    /// The names of instances by their addresses.
    pub(super) fn new(answers: bool, instances: impl IntoIterator<Item = (Ipv4Addr, String)>) -> Self {
        let addresses: BTreeMap<_, _> = instances.into_iter().collect();
        let private = addresses.iter().map(|(address, name)| (name.clone(), *address)).collect();
        Self { answers, private, addresses }
    }

    /// Answers a question about a name, in lower case and without the last dot.
    pub(super) fn answer(&self, name: &str, question: Question) -> Answer {
        if !self.answers {
            return Answer::Refused;
        }
        if let Some(address) = reverse_address(name) {
            return match (self.addresses.get(&address), question) {
                (None, _) => Answer::NoSuchName,
                (Some(name), Question::Pointer) => Answer::Pointer(name.clone()),
                (Some(_), _) => Answer::NoData,
            };
        }
        match (self.address(name), question) {
            (None, _) => Answer::NoSuchName,
            (Some(address), Question::Address) => Answer::Address(address),
            (Some(_), _) => Answer::NoData,
        }
    }

    fn address(&self, name: &str) -> Option<Ipv4Addr> {
        match name {
            "localhost" => Some(Ipv4Addr::LOCALHOST),
            "instance-data.ec2.internal" => Some(METADATA_ADDRESS),
            name if is_api_name(name) => Some(API_ADDRESS),
            name => self.private.get(name).copied(),
        }
    }
}

/// Whether a name, in lower case and without the last dot, is one of AWS's API.
pub fn is_api_name(name: &str) -> bool {
    API_DOMAINS
        .iter()
        .any(|domain| name.strip_suffix(domain).is_some_and(|host| host.is_empty() || host.ends_with('.')))
}

/// The address that a name under `in-addr.arpa` stands for.
fn reverse_address(name: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut labels = name.strip_suffix(".in-addr.arpa")?.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = labels.next()?.parse().ok()?;
    }
    labels.next().is_none().then_some(Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_knows_aws_and_the_instances() {
        let address = Ipv4Addr::new(10, 0, 0, 5);
        let names = Names::new(true, [(address, "ip-10-0-0-5.ec2.internal".to_owned())]);
        let name = || "ip-10-0-0-5.ec2.internal".to_owned();
        let cases = [
            ("ecs.us-east-1.amazonaws.com", Question::Address, Answer::Address(API_ADDRESS)),
            ("sts.amazonaws.com", Question::Address, Answer::Address(API_ADDRESS)),
            ("ecs.us-east-1.api.aws", Question::Address, Answer::Address(API_ADDRESS)),
            ("sts.amazonaws.com", Question::Other, Answer::NoData),
            ("notamazonaws.com", Question::Address, Answer::NoSuchName),
            ("amazonaws.com.example", Question::Address, Answer::NoSuchName),
            ("ip-10-0-0-5.ec2.internal", Question::Address, Answer::Address(address)),
            ("ip-10-0-0-5.ec2.internal", Question::Pointer, Answer::NoData),
            ("ip-10-0-0-6.ec2.internal", Question::Address, Answer::NoSuchName),
            ("5.0.0.10.in-addr.arpa", Question::Pointer, Answer::Pointer(name())),
            ("5.0.0.10.in-addr.arpa", Question::Address, Answer::NoData),
            ("6.0.0.10.in-addr.arpa", Question::Pointer, Answer::NoSuchName),
            ("0.0.10.in-addr.arpa", Question::Pointer, Answer::NoSuchName),
            ("1.5.0.0.10.in-addr.arpa", Question::Pointer, Answer::NoSuchName),
            ("instance-data.ec2.internal", Question::Address, Answer::Address(METADATA_ADDRESS)),
            ("localhost", Question::Address, Answer::Address(Ipv4Addr::LOCALHOST)),
            ("example.com", Question::Address, Answer::NoSuchName),
            ("", Question::Address, Answer::NoSuchName),
        ];
        for (name, question, expected) in cases {
            assert_eq!(names.answer(name, question), expected, "{name} {question:?}");
        }
    }

    #[test]
    fn without_dns_support_nothing_is_answered() {
        assert_eq!(Names::default().answer("sts.amazonaws.com", Question::Address), Answer::Refused);
    }
}
