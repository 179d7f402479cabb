//! What keeps an instance from the AWS API, told from the plan of its VPC. Pure.
//!
//! The packet rules ([`machine::network`]) drop without an answer, as AWS's network does, so inside the instance every
//! one of these looks the same: a connection that times out.

use std::fmt;

use machine::network::{
    API_ADDRESS, Direction, InterfacePlan, Peer, ProtocolPlan, RouteTarget, RulePlan, VpcPlan,
};

/// The port of the API.
const HTTPS: u16 = 443;

/// Why nothing that an instance sends to the API arrives there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barrier {
    /// The subnet's routes do not lead to an internet gateway.
    NoRoute {
        /// The subnet.
        subnet: String,
    },
    /// The subnet's route leads to an internet gateway that is not attached to the VPC.
    Blackhole {
        /// The subnet.
        subnet: String,
    },
    /// The instance has no public address, without which an internet gateway does not serve it.
    NoPublicAddress {
        /// The subnet.
        subnet: String,
    },
    /// No rule of the security groups lets HTTPS out.
    Egress {
        /// The security groups.
        groups: Vec<String>,
    },
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute { subnet } => {
                write!(
                    f,
                    "there is no route to the AWS endpoints from {subnet}: give it one to an internet gateway"
                )
            }
            Self::Blackhole { subnet } => write!(
                f,
                "there is no route to the AWS endpoints from {subnet}: its internet gateway is not attached to the VPC"
            ),
            Self::NoPublicAddress { subnet } => write!(
                f,
                "there is no way to the AWS endpoints without a public address: {subnet} gave it none, and its route \
                 leads through an internet gateway"
            ),
            Self::Egress { groups } if groups.is_empty() => f.write_str(
                "there is no way to the AWS endpoints: it has no security group that lets anything out",
            ),
            Self::Egress { groups } => write!(
                f,
                "there is no way to the AWS endpoints: no egress rule of {} allows TCP port {HTTPS} to anywhere outside",
                groups.join(", ")
            ),
        }
    }
}

/// What stands between an instance and the API; none when nothing does, or the VPC has no such instance.
pub(super) fn to_api(plan: &VpcPlan, instance_id: &str) -> Option<Barrier> {
    let interface = plan.interfaces.iter().find(|interface| interface.instance_id == instance_id)?;
    let subnet = || interface.subnet_id.clone();
    match plan.subnet_of(interface)?.target(API_ADDRESS) {
        Some(RouteTarget::InternetGateway) => {}
        Some(RouteTarget::Blackhole) => return Some(Barrier::Blackhole { subnet: subnet() }),
        Some(RouteTarget::Local) | None => return Some(Barrier::NoRoute { subnet: subnet() }),
    }
    if !interface.has_public_address {
        return Some(Barrier::NoPublicAddress { subnet: subnet() });
    }
    if !lets_out(plan, interface) {
        return Some(Barrier::Egress { groups: interface.security_groups.clone() });
    }
    None
}

fn lets_out(plan: &VpcPlan, interface: &InterfacePlan) -> bool {
    let groups = interface.security_groups.iter();
    groups.filter_map(|group| plan.security_groups.get(group)).flatten().any(|rule| allows_api(plan, rule))
}

fn allows_api(plan: &VpcPlan, rule: &RulePlan) -> bool {
    let port = match rule.protocol {
        ProtocolPlan::All => true,
        ProtocolPlan::Tcp(ports) => (ports.first..=ports.last).contains(&HTTPS),
        ProtocolPlan::Udp(_) | ProtocolPlan::Icmp { .. } | ProtocolPlan::Number(_) => false,
    };
    let peer = match &rule.peer {
        Peer::Cidr(range) => range.contains(&API_ADDRESS),
        Peer::PrefixList(id) => plan
            .prefix_lists
            .get(id)
            .is_some_and(|list| list.iter().any(|range| range.contains(&API_ADDRESS))),
        // The API is no member of a group.
        Peer::Group(_) => false,
    };
    rule.direction == Direction::Egress && port && peer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use machine::network::{PortRange, RoutePlan, SubnetPlan};

    use super::*;

    fn egress(protocol: ProtocolPlan, to: Peer) -> RulePlan {
        RulePlan { direction: Direction::Egress, protocol, peer: to }
    }

    fn anywhere() -> Peer {
        Peer::Cidr("0.0.0.0/0".parse().unwrap())
    }

    fn https() -> ProtocolPlan {
        ProtocolPlan::Tcp(PortRange::one(HTTPS))
    }

    /// A VPC of one instance whose way is open; tests close it.
    fn open() -> VpcPlan {
        let route =
            |destination: &str, target| RoutePlan { destination: destination.parse().unwrap(), target };
        VpcPlan {
            vpc_id: "vpc-1".into(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            interfaces: vec![InterfacePlan {
                eni_id: "eni-1".into(),
                instance_id: "i-1".into(),
                address: "10.0.0.10".parse().unwrap(),
                mac: "02:00:00:00:00:01".parse().unwrap(),
                subnet_id: "subnet-1".into(),
                security_groups: vec!["sg-1".into()],
                has_public_address: true,
            }],
            subnets: vec![SubnetPlan {
                id: "subnet-1".into(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                routes: vec![
                    route("10.0.0.0/16", RouteTarget::Local),
                    route("0.0.0.0/0", RouteTarget::InternetGateway),
                ],
            }],
            security_groups: BTreeMap::from([("sg-1".to_owned(), vec![egress(https(), anywhere())])]),
            prefix_lists: BTreeMap::new(),
        }
    }

    #[test]
    fn an_open_way_has_no_barrier() {
        assert_eq!(to_api(&open(), "i-1"), None);
        assert_eq!(to_api(&open(), "i-2"), None, "not of this VPC");
        let mut all = open();
        all.security_groups.insert("sg-1".into(), vec![egress(ProtocolPlan::All, anywhere())]);
        assert_eq!(to_api(&all, "i-1"), None);
    }

    #[test]
    fn the_route_is_what_is_told_first() {
        let mut plan = open();
        plan.interfaces[0].has_public_address = false;
        assert_eq!(to_api(&plan, "i-1"), Some(Barrier::NoPublicAddress { subnet: "subnet-1".into() }));
        plan.subnets[0].routes[1].target = RouteTarget::Blackhole;
        assert_eq!(to_api(&plan, "i-1"), Some(Barrier::Blackhole { subnet: "subnet-1".into() }));
        plan.subnets[0].routes.pop();
        assert_eq!(to_api(&plan, "i-1"), Some(Barrier::NoRoute { subnet: "subnet-1".into() }));
        plan.subnets[0].routes.clear();
        assert_eq!(to_api(&plan, "i-1"), Some(Barrier::NoRoute { subnet: "subnet-1".into() }));
    }

    #[test]
    fn rules_that_do_not_let_https_out_are_a_barrier() {
        let closed = [
            vec![],
            vec![egress(ProtocolPlan::Udp(PortRange::one(HTTPS)), anywhere())],
            vec![egress(ProtocolPlan::Tcp(PortRange::one(80)), anywhere())],
            vec![egress(https(), Peer::Cidr("10.0.0.0/8".parse().unwrap()))],
            vec![egress(https(), Peer::Group("sg-1".into()))],
            vec![RulePlan { direction: Direction::Ingress, ..egress(https(), anywhere()) }],
        ];
        for rules in closed {
            let mut plan = open();
            plan.security_groups.insert("sg-1".into(), rules.clone());
            let groups = vec!["sg-1".to_owned()];
            assert_eq!(to_api(&plan, "i-1"), Some(Barrier::Egress { groups }), "{rules:?}");
        }
    }

    #[test]
    fn each_is_told_with_what_is_to_be_changed() {
        let subnet = || "subnet-1".to_owned();
        for (barrier, words) in [
            (
                Barrier::NoRoute { subnet: subnet() },
                "no route to the AWS endpoints from subnet-1: give it one",
            ),
            (Barrier::Blackhole { subnet: subnet() }, "from subnet-1: its internet gateway is not attached"),
            (
                Barrier::NoPublicAddress { subnet: subnet() },
                "without a public address: subnet-1 gave it none",
            ),
            (
                Barrier::Egress { groups: vec!["sg-1".into(), "sg-2".into()] },
                "no egress rule of sg-1, sg-2 allows",
            ),
            (Barrier::Egress { groups: vec![] }, "it has no security group"),
        ] {
            assert!(barrier.to_string().contains(words), "{barrier}");
        }
    }
}
