//! What a VPC's network shall be: addresses, subnets with their routes, security groups. Pure data.
//!
//! A plan says everything that the network needs to know; [`super::ruleset`] turns it into packet rules and
//! [`super::Network::apply`] into namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

/// Where the instance metadata service answers, TCP port 80.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Where Amazon's resolver answers in every VPC, port 53. It also answers at the VPC's base address plus two.
pub const RESOLVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
/// Where the Amazon Time Sync Service answers, UDP port 123.
pub const TIME_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);
/// Where the AWS API answers inside a VPC. The range 198.18.0.0/15 is reserved for benchmarks (RFC 2544), so
/// it is nobody's, while it is outside every private range: a route table must lead there.
pub const API_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The source address of connections that come from the host, which is a VPC's only outside.
pub const OUTSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// Ranges that a VPC cannot have because the network itself uses them.
const RESERVED: [&str; 3] = ["127.0.0.0/8", "169.254.0.0/16", "198.18.0.0/24"];

/// Everything about the network of one VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcPlan {
    /// The VPC's id.
    pub vpc_id: String,
    /// The VPC's address range.
    pub cidr: Ipv4Net,
    /// The network interfaces that exist.
    pub interfaces: Vec<InterfacePlan>,
    /// The subnets.
    pub subnets: Vec<SubnetPlan>,
    /// The security groups' rules, by group id.
    pub security_groups: BTreeMap<String, Vec<RulePlan>>,
    /// The address ranges of the prefix lists that rules name, by prefix list id.
    pub prefix_lists: BTreeMap<String, Vec<Ipv4Net>>,
}

/// A network interface of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePlan {
    /// The interface's id.
    pub eni_id: String,
    /// The instance that it belongs to.
    pub instance_id: String,
    /// Its private address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
    /// The subnet that it is in.
    pub subnet_id: String,
    /// The ids of its security groups.
    pub security_groups: Vec<String>,
    /// Whether it has a public address, without which an internet gateway does not serve it.
    pub has_public_address: bool,
}

/// A subnet and the routes of the route table that applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetPlan {
    /// The subnet's id.
    pub id: String,
    /// The subnet's address range.
    pub cidr: Ipv4Net,
    /// The routes; the longest matching prefix decides.
    pub routes: Vec<RoutePlan>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    /// The addresses that it is for.
    pub destination: Ipv4Net,
    /// Where it leads.
    pub target: RouteTarget,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteTarget {
    /// Inside the VPC.
    Local,
    /// To the internet gateway.
    InternetGateway,
    /// Nowhere: the target was deleted.
    Blackhole,
}

/// Which way a security group's rule looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Connections to the group's members.
    Ingress,
    /// Connections from the group's members.
    Egress,
}

/// One rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlan {
    /// Which way it looks.
    pub direction: Direction,
    /// Which traffic it allows.
    pub protocol: ProtocolPlan,
    /// Who is at the other end.
    pub peer: Peer,
}

/// The traffic that a rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolPlan {
    /// All traffic (`-1`).
    All,
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
    /// ICMP; `None` is every type, or every code.
    Icmp {
        /// The type.
        kind: Option<u8>,
        /// The code.
        code: Option<u8>,
    },
    /// Another protocol by its number; it has no ports.
    Number(u8),
}

/// Ports from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Addresses.
    Cidr(Ipv4Net),
    /// The members of a security group, by its id.
    Group(String),
    /// The addresses of a prefix list, by its id.
    PrefixList(String),
}

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Why a plan cannot be made true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The VPC's range is one that the network needs for itself.
    #[error(
        "{vpc}: the range {cidr} overlaps {reserved}, which the local network uses itself; choose another"
    )]
    Reserved {
        /// The VPC.
        vpc: String,
        /// Its range.
        cidr: Ipv4Net,
        /// The range that it overlaps.
        reserved: Ipv4Net,
    },
    /// An interface names a subnet that is not in the plan.
    #[error("{vpc}: interface {eni} is in subnet {subnet}, which the VPC does not have")]
    UnknownSubnet {
        /// The VPC.
        vpc: String,
        /// The interface.
        eni: String,
        /// The subnet.
        subnet: String,
    },
    /// An interface's address is not in its subnet.
    #[error("{vpc}: interface {eni} has the address {address}, which is outside its subnet {subnet}")]
    OutsideSubnet {
        /// The VPC.
        vpc: String,
        /// The interface.
        eni: String,
        /// The address.
        address: Ipv4Addr,
        /// The subnet's range.
        subnet: Ipv4Net,
    },
    /// Two interfaces have the same address.
    #[error("{vpc}: interface {eni} has the address {address} of another interface")]
    SameAddress {
        /// The VPC.
        vpc: String,
        /// The second interface.
        eni: String,
        /// The address.
        address: Ipv4Addr,
    },
    /// A rule's ports run backwards.
    #[error("{vpc}: security group {group} has a rule for the ports {} to {}", ports.first, ports.last)]
    Ports {
        /// The VPC.
        vpc: String,
        /// The group.
        group: String,
        /// The ports.
        ports: PortRange,
    },
    /// An id cannot name a file.
    #[error("the id {0:?} is not made of letters, digits and dashes")]
    BadId(String),
}

impl VpcPlan {
    /// Says whether the plan can be made true.
    ///
    /// # Errors
    /// The first contradiction in the plan.
    pub fn check(&self) -> Result<(), PlanError> {
        check_id(&self.vpc_id)?;
        let overlap = |reserved: &Ipv4Net| reserved.contains(&self.cidr) || self.cidr.contains(reserved);
        if let Some(reserved) = RESERVED.iter().filter_map(|range| range.parse().ok()).find(overlap) {
            return Err(PlanError::Reserved { vpc: self.vpc_id.clone(), cidr: self.cidr, reserved });
        }
        for (group, rule) in
            self.security_groups.iter().flat_map(|(id, rules)| rules.iter().map(move |r| (id, r)))
        {
            if let ProtocolPlan::Tcp(ports) | ProtocolPlan::Udp(ports) = rule.protocol
                && ports.first > ports.last
            {
                return Err(PlanError::Ports { vpc: self.vpc_id.clone(), group: group.clone(), ports });
            }
        }
        let mut addresses = BTreeSet::new();
        for interface in &self.interfaces {
            self.check_interface(interface)?;
            if !addresses.insert(interface.address) {
                let (vpc, eni) = (self.vpc_id.clone(), interface.eni_id.clone());
                return Err(PlanError::SameAddress { vpc, eni, address: interface.address });
            }
        }
        Ok(())
    }

    fn check_interface(&self, interface: &InterfacePlan) -> Result<(), PlanError> {
        check_id(&interface.eni_id)?;
        let (vpc, eni) = (self.vpc_id.clone(), interface.eni_id.clone());
        let Some(subnet) = self.subnet_of(interface) else {
            return Err(PlanError::UnknownSubnet { vpc, eni, subnet: interface.subnet_id.clone() });
        };
        if !subnet.cidr.contains(&interface.address) {
            let (address, subnet) = (interface.address, subnet.cidr);
            return Err(PlanError::OutsideSubnet { vpc, eni, address, subnet });
        }
        Ok(())
    }

    /// The interface with an id.
    pub fn interface(&self, eni_id: &str) -> Option<&InterfacePlan> {
        self.interfaces.iter().find(|interface| interface.eni_id == eni_id)
    }

    /// The subnet that an interface is in.
    pub fn subnet_of(&self, interface: &InterfacePlan) -> Option<&SubnetPlan> {
        self.subnets.iter().find(|subnet| subnet.id == interface.subnet_id)
    }

    /// The address of the VPC's own resolver: its base address plus two.
    pub fn resolver(&self) -> Ipv4Addr {
        nth_address(self.cidr, 2)
    }

    /// Whether the interface reaches, and is reached from, what is outside the VPC. As on AWS that takes a
    /// route to an internet gateway *and* a public address.
    pub fn reaches_outside(&self, interface: &InterfacePlan) -> bool {
        interface.has_public_address
            && self
                .subnet_of(interface)
                .is_some_and(|subnet| subnet.target(API_ADDRESS) == Some(RouteTarget::InternetGateway))
    }
}

impl SubnetPlan {
    /// The address of the subnet's gateway: its base address plus one.
    pub fn gateway(&self) -> Ipv4Addr {
        nth_address(self.cidr, 1)
    }

    /// Where the subnet's routes lead for an address, by the longest matching prefix.
    pub fn target(&self, address: Ipv4Addr) -> Option<RouteTarget> {
        self.routes
            .iter()
            .filter(|route| route.destination.contains(&address))
            .max_by_key(|route| route.destination.prefix_len())
            .map(|route| route.target)
    }
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// A single port.
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is not a hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a hardware address like 0a:1b:2c:3d:4e:5f")]
pub struct BadMac(String);

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let bad = || BadMac(text.to_owned());
        let bytes = hex::decode(text.replace(':', "")).map_err(|_| bad())?;
        if text.len() != 17 {
            return Err(bad());
        }
        Ok(Self(bytes.try_into().map_err(|_| bad())?))
    }
}

/// The n-th address of a range, counted from its base.
fn nth_address(range: Ipv4Net, n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(range.network().to_bits().wrapping_add(n))
}

/// Ids become file names, so nothing in them may lead elsewhere.
pub(super) fn check_id(id: &str) -> Result<(), PlanError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if id.is_empty() || id.len() > 64 || !id.chars().all(allowed) {
        return Err(PlanError::BadId(id.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let subnet = SubnetPlan {
            id: "subnet-1".into(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            routes: vec![
                fixture::route("10.0.0.0/16", RouteTarget::Local),
                fixture::route("0.0.0.0/0", RouteTarget::InternetGateway),
                fixture::route("198.18.0.0/15", RouteTarget::Blackhole),
            ],
        };
        assert_eq!(subnet.target(Ipv4Addr::new(10, 0, 3, 4)), Some(RouteTarget::Local));
        assert_eq!(subnet.target(Ipv4Addr::new(8, 8, 8, 8)), Some(RouteTarget::InternetGateway));
        assert_eq!(subnet.target(API_ADDRESS), Some(RouteTarget::Blackhole));
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 0, 0, 1));
    }

    #[test]
    fn the_way_out_takes_a_route_and_a_public_address() {
        let mut plan = fixture::plan();
        let (open, private) = (plan.interfaces[0].clone(), plan.interfaces[2].clone());
        assert!(plan.reaches_outside(&open));
        assert!(!plan.reaches_outside(&private), "its subnet has no route");
        plan.interfaces[0].has_public_address = false;
        assert!(!plan.reaches_outside(&plan.interfaces[0].clone()));
    }

    #[test]
    fn contradictions_are_named() {
        type Break = fn(&mut VpcPlan);
        let cases: [(Break, &str); 5] = [
            (|p| p.cidr = "198.18.0.0/16".parse().unwrap(), "overlaps 198.18.0.0/24"),
            (
                |p| p.interfaces[0].subnet_id = "subnet-9".into(),
                "subnet subnet-9, which the VPC does not have",
            ),
            (|p| p.interfaces[0].address = Ipv4Addr::new(10, 9, 0, 1), "outside its subnet"),
            (|p| p.interfaces[1].address = p.interfaces[0].address, "of another interface"),
            (|p| p.vpc_id = "../up".into(), "is not made of letters"),
        ];
        for (break_it, message) in cases {
            let mut plan = fixture::plan();
            assert_eq!(plan.check(), Ok(()));
            break_it(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn macs_read_what_they_write() {
        let mac: Mac = "0a:ff:00:12:34:56".parse().unwrap();
        assert_eq!(mac.to_string(), "0a:ff:00:12:34:56");
        for bad in ["", "0a:ff:00:12:34", "0aff00123456", "0a:ff:00:12:34:5x", "0a:ff:00:12:34:56:78"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }
}
