//! The packet rules of a VPC: a plan becomes one nft script. Pure.
//!
//! The script replaces the table as a whole in one transaction, so no packet ever sees half of it, and it
//! leaves connection tracking alone: what is established stays so, as with AWS's security groups.
//!
//! # How a packet is judged
//! An established connection passes. A new one is looked up by its source in the map `senders`, which leads to
//! the chain of that set of security groups (`out_any_N`), which asks each group's egress chain (`out_ID`). A
//! rule that matches goes to the chain `departed`; there the destination decides: the API's address for those
//! who have a way to the internet, or by the map `receivers` another instance, whose groups' ingress rules
//! (`in_any_N`, `in_ID`) must match too. Whatever matches nothing is dropped without an answer. The cost for a
//! packet depends on the number of rules of two instances, not on the number of instances.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::plan::{
    API_ADDRESS, Direction, InterfacePlan, METADATA_ADDRESS, OUTSIDE_ADDRESS, Peer, ProtocolPlan,
    RESOLVER_ADDRESS, RulePlan, TIME_ADDRESS, VpcPlan,
};

/// The set of groups of an interface, sorted: interfaces with equal sets share their chains.
type Combination<'p> = BTreeSet<&'p str>;

/// The nft script that makes a router judge packets as the plan says. Equal plans give equal scripts.
pub fn ruleset(plan: &VpcPlan) -> String {
    let combinations = combinations(plan);
    let mut script = Script::default();
    // To name a table and delete it in the same transaction works whether it exists or not.
    script.line("table inet drydock");
    script.line("delete table inet drydock");
    script.line("table inet drydock {");
    let outside = plan.interfaces.iter().filter(|interface| plan.reaches_outside(interface));
    script.set("internet", outside.map(|interface| interface.address));
    for group in named_groups(plan) {
        script.set(&format!("members_{}", token(group)), members(plan, group));
    }
    script.map("senders", "out_any", plan, &combinations);
    script.map("receivers", "in_any", plan, &combinations);
    for (id, rules) in &plan.security_groups {
        script.group(plan, id, rules);
    }
    for (groups, n) in &combinations {
        script.combination(&format!("out_any_{n}"), "out", groups);
        script.combination(&format!("in_any_{n}"), "in", groups);
    }
    script.crossing(plan);
    script.router(plan);
    script.line("}");
    script.text
}

/// Every different set of groups that an interface has, numbered.
fn combinations(plan: &VpcPlan) -> BTreeMap<Combination<'_>, usize> {
    let sets: BTreeSet<_> = plan.interfaces.iter().map(|interface| combination(plan, interface)).collect();
    sets.into_iter().zip(0..).collect()
}

/// The groups of an interface that the plan knows; a chain for another group would not exist.
fn combination<'p>(plan: &'p VpcPlan, interface: &'p InterfacePlan) -> Combination<'p> {
    let known = |group: &&String| plan.security_groups.contains_key(*group);
    interface.security_groups.iter().filter(known).map(String::as_str).collect()
}

/// The groups that some rule names as its peer: only their members need a set.
fn named_groups(plan: &VpcPlan) -> BTreeSet<&str> {
    let peers = plan.security_groups.values().flatten().map(|rule| &rule.peer);
    peers.filter_map(|peer| if let Peer::Group(id) = peer { Some(id.as_str()) } else { None }).collect()
}

fn members<'p>(plan: &'p VpcPlan, group: &'p str) -> impl Iterator<Item = Ipv4Addr> + 'p {
    let is_member = move |interface: &&InterfacePlan| interface.security_groups.iter().any(|id| id == group);
    plan.interfaces.iter().filter(is_member).map(|interface| interface.address)
}

/// An id as a part of an nft name. Ids are made of letters, digits and dashes; anything else is spelled in
/// hexadecimal, so that no id can break out of its name or take another's.
fn token(id: &str) -> String {
    let mut token = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            token.push(char::from(byte));
        } else {
            let _ = write!(token, "_{byte:02x}");
        }
    }
    token
}

/// The script in the making.
#[derive(Default)]
struct Script {
    text: String,
}

impl Script {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn chain(&mut self, name: &str, lines: impl IntoIterator<Item = String>) {
        self.line(format!("  chain {name} {{"));
        for line in lines {
            self.line(format!("    {line}"));
        }
        self.line("  }");
    }

    fn set(&mut self, name: &str, addresses: impl Iterator<Item = Ipv4Addr>) {
        let elements = addresses.collect::<BTreeSet<_>>().iter().map(Ipv4Addr::to_string).collect();
        self.elements(&format!("set {name}"), "ipv4_addr", elements);
    }

    fn map(
        &mut self,
        name: &str,
        chain: &str,
        plan: &VpcPlan,
        combinations: &BTreeMap<Combination<'_>, usize>,
    ) {
        let entry = |interface: &InterfacePlan| {
            let n = combinations.get(&combination(plan, interface))?;
            Some(format!("{} : goto {chain}_{n}", interface.address))
        };
        let elements = plan.interfaces.iter().filter_map(entry).collect();
        self.elements(&format!("map {name}"), "ipv4_addr : verdict", elements);
    }

    fn elements(&mut self, what: &str, kind: &str, elements: Vec<String>) {
        self.line(format!("  {what} {{"));
        self.line(format!("    type {kind}"));
        if !elements.is_empty() {
            self.line(format!("    elements = {{ {} }}", elements.join(", ")));
        }
        self.line("  }");
    }

    /// A group's two chains.
    fn group(&mut self, plan: &VpcPlan, id: &str, rules: &[RulePlan]) {
        let lines = |direction, side, verdict| {
            let wanted = rules.iter().filter(move |rule| rule.direction == direction);
            wanted.filter_map(move |rule| Some(format!("{}{verdict}", matches(plan, rule, side)?)))
        };
        self.chain(&format!("out_{}", token(id)), lines(Direction::Egress, "daddr", "goto departed"));
        self.chain(&format!("in_{}", token(id)), lines(Direction::Ingress, "saddr", "accept"));
    }

    /// The chain of a set of groups: any of them may let the packet pass.
    fn combination(&mut self, name: &str, side: &str, groups: &Combination<'_>) {
        let asks = groups.iter().map(|group| format!("jump {side}_{}", token(group)));
        self.chain(name, asks.chain(["drop".to_owned()]));
    }

    /// What crosses the router from one instance to another, or wants to leave the VPC.
    fn crossing(&mut self, plan: &VpcPlan) {
        let lines = [
            format!("ip daddr {API_ADDRESS} ip saddr @internet tcp dport {{ 80, 443 }} accept"),
            format!("ip daddr {API_ADDRESS} drop"),
            "ip daddr vmap @receivers".to_owned(),
            // AWS would carry this to the internet. Nothing leaves this machine; say so at once.
            format!("ip daddr != {} ip saddr @internet reject with icmp net-unreachable", plan.cidr.trunc()),
            "drop".to_owned(),
        ];
        self.chain("departed", lines);
        self.base_chain("forward", &["ip saddr vmap @senders", "drop"].map(str::to_owned));
    }

    /// What the router itself serves, and what comes in from the host.
    fn router(&mut self, plan: &VpcPlan) {
        let resolvers = format!("{{ {RESOLVER_ADDRESS}, {} }}", plan.resolver());
        // The link-local services are never filtered:
        // https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
        let input = [
            "iif lo accept".to_owned(),
            format!("ip daddr {METADATA_ADDRESS} tcp dport 80 accept"),
            format!("ip daddr {resolvers} meta l4proto {{ tcp, udp }} th dport 53 accept"),
            format!("ip daddr {TIME_ADDRESS} udp dport 123 accept"),
            format!("ip daddr {API_ADDRESS} ip saddr vmap @senders"),
            "drop".to_owned(),
        ];
        self.base_chain("input", &input);
        let arriving = ["ip daddr @internet ip daddr vmap @receivers", "drop"];
        self.chain("from_outside", arriving.map(str::to_owned));
        self.base_chain("output", &[format!("ip saddr {OUTSIDE_ADDRESS} goto from_outside")]);
    }

    /// A chain on one of the kernel's hooks. Its policy is `accept` although every list but `output`'s ends with
    /// `drop`: while a transaction replaces the table, the new chain already exists without its rules, next to
    /// the old one, which still judges.
    fn base_chain(&mut self, hook: &str, rules: &[String]) {
        let head = [
            format!("type filter hook {hook} priority filter; policy accept;"),
            "ct state established,related accept".to_owned(),
        ];
        // An ICMP error that the router itself makes about a dropped packet is of no known connection.
        let invalid = (hook != "output").then(|| "ct state invalid drop".to_owned());
        self.chain(hook, head.into_iter().chain(invalid).chain(rules.iter().cloned()));
    }
}

/// The conditions of a rule, or nothing if nobody can match them. `side` is the peer's end of the packet.
fn matches(plan: &VpcPlan, rule: &RulePlan, side: &str) -> Option<String> {
    let peer = match &rule.peer {
        Peer::Cidr(range) if range.prefix_len() == 0 => String::new(),
        Peer::Cidr(range) => format!("ip {side} {} ", range.trunc()),
        Peer::Group(id) => format!("ip {side} @members_{} ", token(id)),
        Peer::PrefixList(id) => {
            let ranges = Ipv4Net::aggregate(plan.prefix_lists.get(id)?);
            if ranges.is_empty() {
                return None;
            }
            let ranges: Vec<_> = ranges.iter().map(Ipv4Net::to_string).collect();
            format!("ip {side} {{ {} }} ", ranges.join(", "))
        }
    };
    Some(format!("{peer}{}", traffic(rule.protocol)))
}

/// The condition for a protocol and its ports.
fn traffic(protocol: ProtocolPlan) -> String {
    match protocol {
        ProtocolPlan::All => String::new(),
        ProtocolPlan::Tcp(ports) => format!("tcp dport {}-{} ", ports.first, ports.last),
        ProtocolPlan::Udp(ports) => format!("udp dport {}-{} ", ports.first, ports.last),
        ProtocolPlan::Icmp { kind: None, .. } => "meta l4proto icmp ".to_owned(),
        ProtocolPlan::Icmp { kind: Some(kind), code: None } => format!("icmp type {kind} "),
        ProtocolPlan::Icmp { kind: Some(kind), code: Some(code) } => {
            format!("icmp type {kind} icmp code {code} ")
        }
        ProtocolPlan::Number(number) => format!("meta l4proto {number} "),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    /// The lines of a chain, set or map.
    fn block(script: &str, head: &str) -> Vec<String> {
        let start = script.find(&format!("  {head} {{\n")).unwrap_or_else(|| panic!("no {head} in {script}"));
        let lines = script[start..].lines().skip(1).take_while(|line| *line != "  }");
        lines.map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn a_sender_is_judged_by_any_of_its_groups() {
        let script = ruleset(&fixture::plan());
        assert_eq!(
            block(&script, "map senders"),
            [
                "type ipv4_addr : verdict",
                "elements = { 10.0.0.11 : goto out_any_2, 10.0.0.12 : goto out_any_1, 10.0.1.13 : goto out_any_0 }",
            ]
        );
        assert_eq!(block(&script, "chain out_any_1"), ["jump out_sg-db", "jump out_sg-web", "drop"]);
        assert_eq!(block(&script, "chain out_sg-web"), ["goto departed"]);
        assert_eq!(block(&script, "chain out_sg-db"), [""; 0]);
    }

    #[test]
    fn a_receiver_accepts_what_a_rule_names() {
        let script = ruleset(&fixture::plan());
        assert_eq!(block(&script, "chain in_sg-web"), ["tcp dport 80-80 accept"]);
        assert_eq!(block(&script, "chain in_sg-db"), ["ip saddr @members_sg-web tcp dport 5432-5433 accept"]);
        assert_eq!(
            block(&script, "set members_sg-web"),
            ["type ipv4_addr", "elements = { 10.0.0.11, 10.0.0.12 }"]
        );
    }

    #[test]
    fn only_those_with_route_and_public_address_are_on_the_internet() {
        let script = ruleset(&fixture::plan());
        assert_eq!(block(&script, "set internet"), ["type ipv4_addr", "elements = { 10.0.0.11, 10.0.0.12 }"]);
    }

    #[test]
    fn every_kind_of_traffic_has_its_condition() {
        let cases = [
            (ProtocolPlan::All, ""),
            (ProtocolPlan::Tcp(super::super::plan::PortRange { first: 1, last: 2 }), "tcp dport 1-2 "),
            (ProtocolPlan::Udp(super::super::plan::PortRange::one(53)), "udp dport 53-53 "),
            (ProtocolPlan::Icmp { kind: None, code: None }, "meta l4proto icmp "),
            (ProtocolPlan::Icmp { kind: Some(8), code: None }, "icmp type 8 "),
            (ProtocolPlan::Icmp { kind: Some(3), code: Some(4) }, "icmp type 3 icmp code 4 "),
            (ProtocolPlan::Number(47), "meta l4proto 47 "),
        ];
        for (protocol, condition) in cases {
            assert_eq!(traffic(protocol), condition);
        }
    }

    #[test]
    fn a_prefix_list_is_spelled_out_and_an_unknown_one_matches_nothing() {
        let plan = fixture::plan();
        let rule = |id: &str| RulePlan {
            direction: Direction::Egress,
            protocol: ProtocolPlan::All,
            peer: Peer::PrefixList(id.into()),
        };
        assert_eq!(matches(&plan, &rule("pl-1"), "daddr").as_deref(), Some("ip daddr { 10.0.0.0/25 } "));
        assert_eq!(matches(&plan, &rule("pl-2"), "daddr"), None);
    }

    #[test]
    fn no_id_breaks_out_of_its_name() {
        assert_eq!(token("sg-0a; }"), "sg-0a_3b_20_7d");
        assert_ne!(token("a_b"), token("a_5fb"));
    }
}
