//! A small VPC for the tests of this folder.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for program code

use super::plan::*;

/// A route.
pub(super) fn route(destination: &str, target: RouteTarget) -> RoutePlan {
    RoutePlan { destination: destination.parse().unwrap(), target }
}

/// Two instances in a public subnet (`web`, `web`+`db`), one in a private subnet (`db`). `web` is open on port
/// 80 for all and speaks to all; `db` is open on 5432 for `web` and speaks to nobody.
pub(super) fn plan() -> VpcPlan {
    let local = route("10.0.0.0/16", RouteTarget::Local);
    let interface = |n: u8, subnet: &str, address: [u8; 4], groups: &[&str], public| InterfacePlan {
        eni_id: format!("eni-{n}"),
        instance_id: format!("i-{n}"),
        address: address.into(),
        mac: Mac([0x0a, 0, 0, 0, 0, n]),
        subnet_id: subnet.to_owned(),
        security_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        has_public_address: public,
    };
    let rule = |direction, protocol, peer| RulePlan { direction, protocol, peer };
    let anywhere = Peer::Cidr("0.0.0.0/0".parse().unwrap());
    VpcPlan {
        vpc_id: "vpc-1".into(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        interfaces: vec![
            interface(1, "subnet-public", [10, 0, 0, 11], &["sg-web"], true),
            interface(2, "subnet-public", [10, 0, 0, 12], &["sg-web", "sg-db"], true),
            interface(3, "subnet-private", [10, 0, 1, 13], &["sg-db"], false),
        ],
        subnets: vec![
            SubnetPlan {
                id: "subnet-public".into(),
                cidr: "10.0.0.0/24".parse().unwrap(),
                routes: vec![local.clone(), route("0.0.0.0/0", RouteTarget::InternetGateway)],
            },
            SubnetPlan {
                id: "subnet-private".into(),
                cidr: "10.0.1.0/24".parse().unwrap(),
                routes: vec![local],
            },
        ],
        security_groups: [
            (
                "sg-web".to_owned(),
                vec![
                    rule(Direction::Ingress, ProtocolPlan::Tcp(PortRange::one(80)), anywhere.clone()),
                    rule(Direction::Egress, ProtocolPlan::All, anywhere),
                ],
            ),
            (
                "sg-db".to_owned(),
                vec![rule(
                    Direction::Ingress,
                    ProtocolPlan::Tcp(PortRange { first: 5432, last: 5433 }),
                    Peer::Group("sg-web".into()),
                )],
            ),
        ]
        .into(),
        prefix_lists: [("pl-1".to_owned(), vec!["10.0.0.0/25".parse().unwrap()])].into(),
    }
}
