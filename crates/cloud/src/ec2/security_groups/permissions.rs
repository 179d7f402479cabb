//! Rules of security groups as requests and answers hold them (`IpPermission`), and as records do.

use aws_wire::Error;
use aws_wire::ec2::{IpPermission, IpRange, UserIdGroupPair};

use crate::api::tags::Tags;
use crate::ec2::state::{Peer, Protocol, Rule};
use crate::ec2::{errors, vpcs};
use crate::ids;

/// Resolves a security group named in a rule, by id or else by name, to its id.
pub type Resolve<'a> = &'a dyn Fn(Option<&str>, Option<&str>) -> Result<String, Error>;

/// The rules that permissions stand for, each with a new id.
///
/// # Errors
/// When a permission is not valid, or not supported (IPv6, prefix lists, groups of peered VPCs).
pub fn parse(permissions: &[IpPermission], egress: bool, resolve: Resolve<'_>) -> Result<Vec<Rule>, Error> {
    let mut rules: Vec<Rule> = Vec::new();
    for permission in permissions {
        let protocol = protocol(permission)?;
        for (peer, description) in peers(permission, resolve)? {
            let id = ids::ec2("sgr");
            let rule = Rule { id, egress, protocol, peer, description, tags: Tags::new() };
            if rules.iter().any(|other| other.same_traffic(&rule)) {
                return Err(errors::invalid_value("The same permission must not appear multiple times"));
            }
            rules.push(rule);
        }
    }
    if rules.is_empty() {
        return Err(errors::missing("ipPermissions"));
    }
    Ok(rules)
}

fn peers(permission: &IpPermission, resolve: Resolve<'_>) -> Result<Vec<(Peer, Option<String>)>, Error> {
    if !permission.ipv6_ranges.is_empty() {
        return Err(errors::unsupported("A security group rule with Ipv6Ranges"));
    }
    if !permission.prefix_list_ids.is_empty() {
        return Err(errors::unsupported("A security group rule with PrefixListIds"));
    }
    let mut peers = Vec::new();
    for range in &permission.ip_ranges {
        let text = range.cidr_ip.as_deref().ok_or_else(|| errors::missing("cidrIp"))?;
        let cidr = vpcs::parse_cidr(text, "cidrIp")
            .map_err(|_| errors::invalid_value(format!("CIDR block {text} is malformed")))?;
        peers.push((Peer::Cidr(cidr), described(range.description.as_deref())?));
    }
    for pair in &permission.user_id_group_pairs {
        if pair.vpc_peering_connection_id.is_some() {
            return Err(errors::unsupported("A security group rule with VpcPeeringConnectionId"));
        }
        let group = resolve(pair.group_id.as_deref(), pair.group_name.as_deref())?;
        peers.push((Peer::Group(group), described(pair.description.as_deref())?));
    }
    Ok(peers)
}

/// A rule's description, of EC2's alphabet and at most 255 characters.
pub fn described(text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.chars().count() > 255 || !text.chars().all(allowed) {
        return Err(errors::invalid_value(format!(
            "Invalid rule description '{text}'. Valid descriptions are strings less than 256 characters from the \
             following set: a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
        )));
    }
    Ok(Some(text.to_owned()))
}

fn protocol(permission: &IpPermission) -> Result<Protocol, Error> {
    let name = permission.ip_protocol.as_deref().ok_or_else(|| errors::missing("ipProtocol"))?;
    let bounds = (permission.from_port, permission.to_port);
    let number = match name.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(Protocol::All),
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" | "58" => return Err(errors::unsupported("A security group rule for icmpv6")),
        other => other.parse::<u8>().map_err(|_| {
            errors::invalid_value(format!("Invalid value '{name}' for IP protocol. Unknown protocol."))
        })?,
    };
    match number {
        6 => port_range(bounds).map(|(from, to)| Protocol::Tcp { from, to }),
        17 => port_range(bounds).map(|(from, to)| Protocol::Udp { from, to }),
        1 => {
            Ok(Protocol::Icmp { kind: icmp_number(bounds.0, "type")?, code: icmp_number(bounds.1, "code")? })
        }
        number => Ok(Protocol::Number(number)),
    }
}

fn port_range(bounds: (Option<i32>, Option<i32>)) -> Result<(u16, u16), Error> {
    let invalid = |what: &str| errors::invalid_value(format!("Invalid value '{what}' for portRange."));
    let (Some(from), Some(to)) = bounds else {
        return Err(invalid("Must specify both from and to ports with TCP/UDP."));
    };
    let port = |port: i32| {
        u16::try_from(port).map_err(|_| errors::invalid_value(format!("TCP/UDP port ({port}) out of range")))
    };
    if from > to {
        return Err(errors::invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    Ok((port(from)?, port(to)?))
}

/// A type or code of ICMP, where -1 stands for all.
fn icmp_number(value: Option<i32>, what: &str) -> Result<Option<u8>, Error> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value) => u8::try_from(value)
            .map(Some)
            .map_err(|_| errors::invalid_value(format!("ICMP {what} ({value}) out of range"))),
    }
}

/// EC2's name of a protocol, and its bounds: ports, or ICMP's type and code.
pub fn wire_protocol(protocol: Protocol) -> (String, Option<i32>, Option<i32>) {
    let number = |value: Option<u8>| Some(value.map_or(-1, i32::from));
    match protocol {
        Protocol::All => ("-1".to_owned(), None, None),
        Protocol::Tcp { from, to } => ("tcp".to_owned(), Some(from.into()), Some(to.into())),
        Protocol::Udp { from, to } => ("udp".to_owned(), Some(from.into()), Some(to.into())),
        Protocol::Icmp { kind, code } => ("icmp".to_owned(), number(kind), number(code)),
        Protocol::Number(number) => (number.to_string(), None, None),
    }
}

/// Rules in one direction as permissions: those for the same traffic become one.
pub fn to_wire<'a>(
    rules: impl IntoIterator<Item = &'a Rule>,
    egress: bool,
    account: &str,
) -> Vec<IpPermission> {
    let mut permissions: Vec<(Protocol, IpPermission)> = Vec::new();
    for rule in rules.into_iter().filter(|rule| rule.egress == egress) {
        let index = match permissions.iter().position(|(protocol, _)| *protocol == rule.protocol) {
            Some(index) => index,
            None => {
                let (ip_protocol, from_port, to_port) = wire_protocol(rule.protocol);
                let ip_protocol = Some(ip_protocol);
                let permission = IpPermission { ip_protocol, from_port, to_port, ..IpPermission::default() };
                permissions.push((rule.protocol, permission));
                permissions.len() - 1
            }
        };
        let permission = &mut permissions[index].1;
        let description = rule.description.clone();
        match &rule.peer {
            Peer::Cidr(cidr) => {
                permission.ip_ranges.push(IpRange { description, cidr_ip: Some(cidr.to_string()) });
            }
            Peer::Group(group) => permission.user_id_group_pairs.push(UserIdGroupPair {
                description,
                group_id: Some(group.clone()),
                user_id: Some(account.to_owned()),
                ..UserIdGroupPair::default()
            }),
        }
    }
    permissions.into_iter().map(|(_, permission)| permission).collect()
}

/// The error for a rule that the group has already.
pub fn duplicate(rule: &Rule) -> Error {
    let peer = match &rule.peer {
        Peer::Cidr(cidr) => cidr.to_string(),
        Peer::Group(group) => group.clone(),
    };
    let traffic = match wire_protocol(rule.protocol) {
        (name, _, _) if name == "-1" => "ALL".to_owned(),
        (name, Some(from), Some(to)) => {
            format!("{}, from port: {from}, to port: {to}", name.to_ascii_uppercase())
        }
        (name, _, _) => name.to_ascii_uppercase(),
    };
    let message = format!("the specified rule \"peer: {peer}, {traffic}, ALLOW\" already exists");
    Error::client("InvalidPermission.Duplicate", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(protocol: &str, from: Option<i32>, to: Option<i32>) -> IpPermission {
        IpPermission {
            ip_protocol: Some(protocol.into()),
            from_port: from,
            to_port: to,
            ip_ranges: vec![IpRange { cidr_ip: Some("10.0.0.0/8".into()), description: None }],
            ..IpPermission::default()
        }
    }

    #[test]
    fn protocols() {
        for (name, from, to, expected) in [
            ("-1", Some(1), None, Some(Protocol::All)),
            ("tcp", Some(80), Some(80), Some(Protocol::Tcp { from: 80, to: 80 })),
            ("17", Some(0), Some(65535), Some(Protocol::Udp { from: 0, to: 65535 })),
            ("icmp", Some(8), Some(-1), Some(Protocol::Icmp { kind: Some(8), code: None })),
            ("icmp", Some(-1), Some(-1), Some(Protocol::Icmp { kind: None, code: None })),
            ("50", None, None, Some(Protocol::Number(50))),
            ("tcp", Some(80), None, None),
            ("tcp", Some(90), Some(80), None),
            ("tcp", Some(0), Some(65536), None),
            ("sctp?", None, None, None),
            ("icmpv6", None, None, None),
        ] {
            assert_eq!(protocol(&permission(name, from, to)).ok(), expected, "{name} {from:?} {to:?}");
        }
    }

    #[test]
    fn permissions_survive_the_way_there_and_back() {
        let resolve: Resolve<'_> = &|id, _| Ok(id.unwrap_or("sg-0").to_owned());
        let mut asked = permission("tcp", Some(22), Some(22));
        asked.user_id_group_pairs.push(UserIdGroupPair {
            group_id: Some("sg-1".into()),
            user_id: Some("1".into()),
            ..UserIdGroupPair::default()
        });
        let rules = parse(&[asked.clone()], false, resolve).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(to_wire(&rules, false, "1"), [asked]);
        assert!(to_wire(&rules, true, "1").is_empty());
    }

    #[test]
    fn what_is_refused_is_named() {
        let resolve: Resolve<'_> = &|_, _| Err(errors::SECURITY_GROUP.not_found("sg-9"));
        let mut ipv6 = permission("-1", None, None);
        ipv6.ipv6_ranges.push(Default::default());
        assert!(parse(&[ipv6], true, resolve).unwrap_err().message.contains("Ipv6Ranges"));
        let mut bad = permission("-1", None, None);
        bad.ip_ranges[0].cidr_ip = Some("10.0.0/8".into());
        assert_eq!(parse(&[bad], true, resolve).unwrap_err().message, "CIDR block 10.0.0/8 is malformed");
        let twice = vec![permission("-1", None, None); 2];
        assert!(parse(&twice, true, resolve).is_err());
        let rule = &parse(&[permission("tcp", Some(22), Some(22))], true, resolve).unwrap()[0];
        assert_eq!(
            duplicate(rule).message,
            "the specified rule \"peer: 10.0.0.0/8, TCP, from port: 22, to port: 22, ALLOW\" already exists"
        );
    }
}
