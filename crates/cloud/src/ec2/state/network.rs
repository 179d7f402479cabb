//! Records of the VPC network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record;
use crate::api::tags::Tags;

/// A region that has its defaults. Its id is always `region`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionRecord {
    /// The region.
    pub region: String,
    /// Always `region`.
    pub id: String,
    /// When it was first used.
    pub created: Timestamp,
}
record!(RegionRecord, "ec2.region");

/// A VPC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcRecord {
    /// The region.
    pub region: String,
    /// `vpc-…`
    pub id: String,
    /// Its addresses.
    pub cidr: Ipv4Net,
    /// The id of the association of `cidr` (`vpc-cidr-assoc-…`).
    pub cidr_association_id: String,
    /// Whether it is the region's default VPC.
    pub is_default: bool,
    /// `dopt-…`, or `default`.
    pub dhcp_options_id: String,
    /// Its one network ACL, which lets everything through (`acl-…`).
    pub network_acl_id: String,
    /// Whether the resolver answers inside.
    pub enable_dns_support: bool,
    /// Whether instances with public addresses get public names.
    pub enable_dns_hostnames: bool,
    /// Tags.
    pub tags: Tags,
}
record!(VpcRecord, "ec2.vpc");

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubnetRecord {
    /// The region.
    pub region: String,
    /// `subnet-…`
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its addresses; the first four and the last are reserved, as on AWS.
    pub cidr: Ipv4Net,
    /// Its availability zone (`us-east-1a`).
    pub zone: String,
    /// Whether it is the zone's default subnet.
    pub default_for_az: bool,
    /// Whether instances launched here get a public address unless they ask for none.
    pub map_public_ip_on_launch: bool,
    /// Tags.
    pub tags: Tags,
}
record!(SubnetRecord, "ec2.subnet");

impl SubnetRecord {
    /// The addresses that instances may have, lowest first.
    pub fn usable_addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let first = u32::from(self.cidr.network()).saturating_add(4);
        let last = u32::from(self.cidr.broadcast());
        (first..last).map(Ipv4Addr::from)
    }
}

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InternetGatewayRecord {
    /// The region.
    pub region: String,
    /// `igw-…`
    pub id: String,
    /// The VPC that it is attached to.
    pub vpc_id: Option<String>,
    /// Tags.
    pub tags: Tags,
}
record!(InternetGatewayRecord, "ec2.internet-gateway");

/// A route table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTableRecord {
    /// The region.
    pub region: String,
    /// `rtb-…`
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its routes; the VPC's own addresses are always the first, with the target [`RouteTarget::Local`].
    pub routes: Vec<Route>,
    /// Which subnets use it, and whether it is for those that name none.
    pub associations: Vec<RouteAssociation>,
    /// Tags.
    pub tags: Tags,
}
record!(RouteTableRecord, "ec2.route-table");

impl RouteTableRecord {
    /// Whether subnets without an association use it.
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|association| association.subnet_id.is_none())
    }

    /// Whether a subnet names it.
    pub fn is_for(&self, subnet_id: &str) -> bool {
        self.associations.iter().any(|association| association.subnet_id.as_deref() == Some(subnet_id))
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub destination: Ipv4Net,
    /// By which way.
    pub target: RouteTarget,
}

/// The way of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteTarget {
    /// Within the VPC.
    Local,
    /// An internet gateway's id. Leads nowhere (`blackhole`) while that is not attached to the VPC.
    InternetGateway(String),
}

/// Who uses a route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAssociation {
    /// `rtbassoc-…`
    pub id: String,
    /// The subnet; none for the VPC's main association.
    pub subnet_id: Option<String>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupRecord {
    /// The region.
    pub region: String,
    /// `sg-…`
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its name, unique in the VPC.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it lets through, both ways.
    pub rules: Vec<Rule>,
    /// Tags.
    pub tags: Tags,
}
record!(SecurityGroupRecord, "ec2.security-group");

/// A rule of a security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`
    pub id: String,
    /// Whether it is for traffic that leaves instances of the group.
    pub egress: bool,
    /// Which traffic.
    pub protocol: Protocol,
    /// From or to whom.
    pub peer: Peer,
    /// What it is for.
    pub description: Option<String>,
    /// Tags.
    pub tags: Tags,
}

impl Rule {
    /// Whether it lets the same traffic through as another; two such may not be in one group.
    pub fn same_traffic(&self, other: &Self) -> bool {
        self.egress == other.egress && self.protocol == other.protocol && self.peer == other.peer
    }
}

/// The traffic that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// Everything (`-1`).
    All,
    /// TCP to these ports, both included.
    Tcp {
        /// The lowest port.
        from: u16,
        /// The highest port.
        to: u16,
    },
    /// UDP to these ports, both included.
    Udp {
        /// The lowest port.
        from: u16,
        /// The highest port.
        to: u16,
    },
    /// ICMP.
    Icmp {
        /// The type; none for all.
        kind: Option<u8>,
        /// The code; none for all.
        code: Option<u8>,
    },
    /// Another protocol by its number, all of it.
    Number(u8),
}

/// Whom a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses.
    Cidr(Ipv4Net),
    /// The interfaces in a security group of the same VPC, by the group's id.
    Group(String),
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterfaceRecord {
    /// The region.
    pub region: String,
    /// `eni-…`
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its availability zone.
    pub zone: String,
    /// What it is for.
    pub description: String,
    /// Its address in the subnet.
    pub private_address: Ipv4Addr,
    /// The loopback address of the host that leads to it, while it has one.
    pub public_address: Option<Ipv4Addr>,
    /// The hardware address (`0a:…`).
    pub mac: String,
    /// Its security groups' ids.
    pub groups: Vec<String>,
    /// Whether it may only send with its own address.
    pub source_dest_check: bool,
    /// The instance that has it.
    pub attachment: Option<Attachment>,
    /// Tags.
    pub tags: Tags,
}
record!(NetworkInterfaceRecord, "ec2.network-interface");

/// How a network interface belongs to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `eni-attach-…`
    pub id: String,
    /// The instance.
    pub instance_id: String,
    /// When it was attached.
    pub attach_time: Timestamp,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// A set of DHCP options. They are described, while every instance uses the VPC's own resolver and clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptionsRecord {
    /// The region.
    pub region: String,
    /// `dopt-…`
    pub id: String,
    /// Values by option name.
    pub options: BTreeMap<String, Vec<String>>,
    /// Tags.
    pub tags: Tags,
}
record!(DhcpOptionsRecord, "ec2.dhcp-options");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_four_addresses_and_the_last_are_reserved() {
        let subnet = SubnetRecord {
            region: "us-east-1".into(),
            id: "subnet-1".into(),
            vpc_id: "vpc-1".into(),
            cidr: "10.0.0.16/28".parse().unwrap(),
            zone: "us-east-1a".into(),
            default_for_az: false,
            map_public_ip_on_launch: false,
            tags: Tags::new(),
        };
        let usable: Vec<_> = subnet.usable_addresses().collect();
        assert_eq!(usable.len(), 11);
        assert_eq!(usable[0], Ipv4Addr::new(10, 0, 0, 20));
        assert_eq!(usable[10], Ipv4Addr::new(10, 0, 0, 30));
    }
}
