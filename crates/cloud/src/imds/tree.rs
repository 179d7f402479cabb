//! The metadata tree: what each path of the instance metadata service answers. Pure.
//!
//! Categories and their meaning: "Instance metadata categories" in the EC2 user guide.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::json;

/// Everything that the metadata service says about one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `i-…`.
    pub instance_id: String,
    /// The image that the instance was launched from.
    pub image_id: String,
    /// E.g. `t2.micro`.
    pub instance_type: String,
    /// The processor architecture, e.g. `x86_64`.
    pub architecture: String,
    /// The account number.
    pub account_id: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// E.g. `us-east-1a`.
    pub availability_zone: String,
    /// The reservation's id.
    pub reservation_id: String,
    /// Position in the reservation, from 0.
    pub launch_index: i32,
    /// When the instance was launched.
    pub launched: Timestamp,
    /// The private DNS name.
    pub hostname: String,
    /// The private address.
    pub local_ipv4: Ipv4Addr,
    /// The public address and DNS name, if it has one.
    pub public: Option<(String, String)>,
    /// The interface.
    pub interface: Interface,
    /// The key pair's name and public half in OpenSSH's form.
    pub public_key: Option<(String, String)>,
    /// The instance profile and its role.
    pub profile: Option<Profile>,
    /// Virtual device name (`ami`, `root`, `ebs1`) to device name.
    pub block_devices: Vec<(String, String)>,
    /// Tags, when the instance's metadata options allow them.
    pub tags: Option<BTreeMap<String, String>>,
    /// What the instance was given to run.
    pub user_data: Option<Vec<u8>>,
}

/// The instance's network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// `eni-…`.
    pub id: String,
    /// The hardware address.
    pub mac: String,
    /// The subnet and its address block.
    pub subnet: (String, String),
    /// The VPC and its address block.
    pub vpc: (String, String),
    /// Ids and names of the security groups.
    pub security_groups: Vec<(String, String)>,
}

/// The instance profile attached to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The profile's ARN.
    pub arn: String,
    /// The profile's id (`AIPA…`).
    pub id: String,
    /// The name of the profile's role, if it has one.
    pub role: Option<String>,
}

/// The leaves of the tree by their path below the version, e.g. `meta-data/ami-id`. What must be asked for
/// afresh (credentials, the signature) is not among them.
pub fn leaves(m: &Metadata) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    let mut put = |path: &str, value: &str| {
        leaves.insert(format!("meta-data/{path}"), value.to_owned());
    };
    put("ami-id", &m.image_id);
    put("ami-launch-index", &m.launch_index.to_string());
    put("ami-manifest-path", "(unknown)");
    put("hostname", &m.hostname);
    put("instance-action", "none");
    put("instance-id", &m.instance_id);
    put("instance-life-cycle", "on-demand");
    put("instance-type", &m.instance_type);
    put("local-hostname", &m.hostname);
    put("local-ipv4", &m.local_ipv4.to_string());
    put("mac", &m.interface.mac);
    put("placement/availability-zone", &m.availability_zone);
    put("placement/region", &m.region);
    put("profile", "default-hvm");
    put("reservation-id", &m.reservation_id);
    let groups = &m.interface.security_groups;
    put("security-groups", &lines(groups.iter().map(|(_, name)| name)));
    put("services/domain", "amazonaws.com");
    put("services/partition", "aws");
    for (name, device) in &m.block_devices {
        put(&format!("block-device-mapping/{name}"), device.trim_start_matches("/dev/"));
    }
    if let Some((address, name)) = &m.public {
        put("public-ipv4", address);
        put("public-hostname", name);
    }
    if let Some((_, key)) = &m.public_key {
        put("public-keys/0/openssh-key", key.trim_end());
    }
    if let Some(profile) = &m.profile {
        let info = json!({
            "Code": "Success", "LastUpdated": seconds(m.launched),
            "InstanceProfileArn": profile.arn, "InstanceProfileId": profile.id,
        });
        put("iam/info", &pretty(&info));
    }
    for (key, value) in m.tags.iter().flatten() {
        put(&format!("tags/instance/{key}"), value);
    }
    interface_leaves(m, &mut put);
    leaves.insert("dynamic/instance-identity/document".to_owned(), identity_document(m));
    leaves
}

fn interface_leaves(m: &Metadata, put: &mut impl FnMut(&str, &str)) {
    let interface = &m.interface;
    let base = format!("network/interfaces/macs/{}", interface.mac);
    let mut put = |name: &str, value: &str| put(&format!("{base}/{name}"), value);
    put("device-number", "0");
    put("interface-id", &interface.id);
    put("local-hostname", &m.hostname);
    put("local-ipv4s", &m.local_ipv4.to_string());
    put("mac", &interface.mac);
    put("owner-id", &m.account_id);
    put("security-group-ids", &lines(interface.security_groups.iter().map(|(id, _)| id)));
    put("security-groups", &lines(interface.security_groups.iter().map(|(_, name)| name)));
    put("subnet-id", &interface.subnet.0);
    put("subnet-ipv4-cidr-block", &interface.subnet.1);
    put("vpc-id", &interface.vpc.0);
    put("vpc-ipv4-cidr-block", &interface.vpc.1);
    put("vpc-ipv4-cidr-blocks", &interface.vpc.1);
    if let Some((address, name)) = &m.public {
        put("public-ipv4s", address);
        put("public-hostname", name);
    }
}

/// The identity document: who the instance is, for the signature that proves it.
/// ("Instance identity documents" in the EC2 user guide.)
pub fn identity_document(m: &Metadata) -> String {
    pretty(&json!({
        "accountId": m.account_id,
        "architecture": m.architecture,
        "availabilityZone": m.availability_zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": m.image_id,
        "instanceId": m.instance_id,
        "instanceType": m.instance_type,
        "kernelId": null,
        "pendingTime": seconds(m.launched),
        "privateIp": m.local_ipv4.to_string(),
        "ramdiskId": null,
        "region": m.region,
        "version": "2017-09-30",
    }))
}

/// What a path answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A value.
    Leaf(String),
    /// A folder: its entries one a line, those which are folders themselves with a slash.
    Folder(String),
}

/// Looks a path up among the leaves; `special` are further paths whose values are made when asked for.
/// Key pairs are listed in a form of their own (`0=admin`).
pub fn lookup(m: &Metadata, path: &str, special: &[&str]) -> Option<Node> {
    let leaves = leaves(m);
    let path = path.trim_matches('/');
    if let Some(value) = leaves.get(path) {
        return Some(Node::Leaf(value.clone()));
    }
    if path == "meta-data/public-keys" {
        return m.public_key.as_ref().map(|(name, _)| Node::Folder(format!("0={name}")));
    }
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let paths = leaves.keys().map(String::as_str).chain(special.iter().copied());
    let mut entries: Vec<String> = paths
        .filter_map(|known| known.strip_prefix(&prefix))
        .map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        })
        .collect();
    if path.is_empty() && m.user_data.is_some() {
        entries.push("user-data".to_owned());
    }
    entries.sort();
    entries.dedup();
    (!entries.is_empty()).then(|| Node::Folder(entries.join("\n")))
}

/// The time as the metadata service writes it: whole seconds, UTC.
pub fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn pretty(value: &serde_json::Value) -> String {
    // A `Value` has only string keys, so it can always be written.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn lines<'a>(items: impl Iterator<Item = &'a String>) -> String {
    items.map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn example() -> Metadata {
        Metadata {
            instance_id: "i-0123456789abcdef0".into(),
            image_id: "ami-1".into(),
            instance_type: "t2.micro".into(),
            architecture: "x86_64".into(),
            account_id: "123456789012".into(),
            region: "us-east-1".into(),
            availability_zone: "us-east-1a".into(),
            reservation_id: "r-1".into(),
            launch_index: 0,
            launched: Timestamp::UNIX_EPOCH,
            hostname: "ip-10-0-0-5.ec2.internal".into(),
            local_ipv4: Ipv4Addr::new(10, 0, 0, 5),
            public: None,
            interface: Interface {
                id: "eni-1".into(),
                mac: "0a:00:00:00:00:05".into(),
                subnet: ("subnet-1".into(), "10.0.0.0/24".into()),
                vpc: ("vpc-1".into(), "10.0.0.0/16".into()),
                security_groups: vec![("sg-1".into(), "web".into()), ("sg-2".into(), "ssh".into())],
            },
            public_key: Some(("admin".into(), "ssh-rsa AAAA admin\n".into())),
            profile: None,
            block_devices: vec![("ami".into(), "/dev/xvda".into())],
            tags: None,
            user_data: None,
        }
    }

    #[test]
    fn paths_answer_as_on_ec2() {
        let m = example();
        let table: &[(&str, Option<Node>)] = &[
            ("meta-data/instance-id", Some(Node::Leaf("i-0123456789abcdef0".into()))),
            ("/meta-data/instance-id/", Some(Node::Leaf("i-0123456789abcdef0".into()))),
            ("meta-data/placement/", Some(Node::Folder("availability-zone\nregion".into()))),
            ("meta-data/public-keys/", Some(Node::Folder("0=admin".into()))),
            ("meta-data/public-keys/0", Some(Node::Folder("openssh-key".into()))),
            ("meta-data/public-keys/0/openssh-key", Some(Node::Leaf("ssh-rsa AAAA admin".into()))),
            ("meta-data/security-groups", Some(Node::Leaf("web\nssh".into()))),
            ("meta-data/public-ipv4", None),
            ("meta-data/iam/info", None),
            ("meta-data/tags", None),
            ("meta-data/nothing", None),
            ("", Some(Node::Folder("dynamic/\nmeta-data/".into()))),
        ];
        for (path, expected) in table {
            assert_eq!(lookup(&m, path, &[]), *expected, "{path}");
        }
    }

    #[test]
    fn special_paths_are_listed() {
        let listed =
            lookup(&example(), "dynamic/instance-identity", &["dynamic/instance-identity/signature"]);
        assert_eq!(listed, Some(Node::Folder("document\nsignature".into())));
    }

    #[test]
    fn the_identity_document_names_the_instance() {
        let document: serde_json::Value = serde_json::from_str(&identity_document(&example())).unwrap();
        assert_eq!(document["instanceId"], "i-0123456789abcdef0");
        assert_eq!(document["pendingTime"], "1970-01-01T00:00:00Z");
    }
}
