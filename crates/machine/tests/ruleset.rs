//! Whatever the plan, nft accepts its rules, and they name no more than the plan has. Needs root and nftables.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for program code

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use ipnet::Ipv4Net;
use machine::network::*;
use proptest::prelude::*;

const GROUPS: [&str; 4] = ["sg-a", "sg-b", "sg-c", "sg-unknown"];
const LISTS: [&str; 3] = ["pl-a", "pl-empty", "pl-unknown"];

fn cidr() -> impl Strategy<Value = Ipv4Net> {
    (any::<u32>(), 0..=32u8)
        .prop_map(|(bits, prefix)| Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap())
}

fn peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        cidr().prop_map(Peer::Cidr),
        prop::sample::select(&GROUPS[..]).prop_map(|id| Peer::Group(id.into())),
        prop::sample::select(&LISTS[..]).prop_map(|id| Peer::PrefixList(id.into())),
    ]
}

fn ports() -> impl Strategy<Value = PortRange> {
    (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) })
}

fn protocol() -> impl Strategy<Value = ProtocolPlan> {
    prop_oneof![
        Just(ProtocolPlan::All),
        ports().prop_map(ProtocolPlan::Tcp),
        ports().prop_map(ProtocolPlan::Udp),
        any::<(Option<u8>, Option<u8>)>().prop_map(|(kind, code)| ProtocolPlan::Icmp { kind, code }),
        any::<u8>().prop_map(ProtocolPlan::Number),
    ]
}

fn rule() -> impl Strategy<Value = RulePlan> {
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    (direction, protocol(), peer()).prop_map(|(direction, protocol, peer)| RulePlan {
        direction,
        protocol,
        peer,
    })
}

fn interfaces() -> impl Strategy<Value = Vec<InterfacePlan>> {
    let groups = prop::collection::btree_set(prop::sample::select(&GROUPS[..]), 0..4);
    let members = prop::collection::btree_map(4..250u8, (groups, any::<bool>()), 0..20);
    members.prop_map(|members| {
        let interface = |(n, (groups, public)): (u8, (BTreeSet<&str>, bool))| InterfacePlan {
            eni_id: format!("eni-{n}"),
            instance_id: format!("i-{n}"),
            address: Ipv4Addr::new(10, 0, 0, n),
            mac: Mac([2, 0, 0, 0, 0, n]),
            subnet_id: "subnet-a".into(),
            security_groups: groups.into_iter().map(str::to_owned).collect(),
            has_public_address: public,
        };
        members.into_iter().map(interface).collect()
    })
}

fn plan() -> impl Strategy<Value = VpcPlan> {
    let rules = || prop::collection::vec(rule(), 0..6);
    let target = prop_oneof![
        Just(RouteTarget::Local),
        Just(RouteTarget::InternetGateway),
        Just(RouteTarget::Blackhole)
    ];
    let routes = prop::collection::vec(
        (cidr(), target).prop_map(|(destination, target)| RoutePlan { destination, target }),
        0..4,
    );
    (interfaces(), routes, [rules(), rules(), rules()], prop::collection::vec(cidr(), 1..5)).prop_map(
        |(interfaces, routes, rules, list)| VpcPlan {
            vpc_id: "vpc-a".into(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            interfaces,
            subnets: vec![SubnetPlan { id: "subnet-a".into(), cidr: "10.0.0.0/24".parse().unwrap(), routes }],
            security_groups: GROUPS.iter().map(|id| (*id).to_owned()).zip(rules).collect(),
            prefix_lists: BTreeMap::from([("pl-a".to_owned(), list), ("pl-empty".to_owned(), Vec::new())]),
        },
    )
}

/// Checks a script in a namespace of its own, without loading it.
fn nft_check(script: &str) -> Result<(), String> {
    let mut nft = Command::new("unshare")
        .args(["--net", "nft", "--check", "--file", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    nft.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = nft.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nft_accepts_every_plan(plan in plan()) {
        prop_assert_eq!(plan.check(), Ok(()));
        let script = ruleset(&plan);
        prop_assert_eq!(&script, &ruleset(&plan.clone()), "equal plans give equal scripts");
        if nix::unistd::geteuid().is_root() {
            prop_assert_eq!(nft_check(&script), Ok(()), "{}", script);
        }
    }

    #[test]
    fn each_interface_is_in_each_map_once(plan in plan()) {
        let script = ruleset(&plan);
        for map in ["map senders", "map receivers"] {
            let text = script.split(&format!("  {map} {{\n")).nth(1).unwrap().split("  }\n").next().unwrap();
            for interface in &plan.interfaces {
                let entries = text.matches(&format!("{} : goto ", interface.address)).count();
                prop_assert_eq!(entries, 1, "{} in {}", interface.address, text);
            }
        }
    }
}
