//! The instance's own values in the names of log groups and streams.

use crate::aws::imds::Imds;
use crate::aws::retry::{SystemSleeper, with_backoff};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// How often the instance's id is asked for: a stream with another name would be there for good, and metadata may
/// appear a moment after boot.
const TRIES: u32 = 4;

/// What the instance knows of itself. Each is asked for when a name needs it, and only then.
pub trait Names {
    /// The instance's id; none away from EC2.
    fn instance_id(&self) -> Option<String>;
    /// The host's name.
    fn hostname(&self) -> String;
    /// The name that EC2 gave the instance.
    fn ec2_hostname(&self) -> Option<String>;
    /// The address that the host's name stands for.
    fn ip_address(&self) -> Option<String>;
    /// The region.
    fn region(&self) -> Option<String>;
}

/// The running instance.
pub struct Instance {
    root: PathBuf,
    imds: Arc<Imds>,
    id: OnceLock<Option<String>>,
}

impl Instance {
    /// The instance rooted at `root`.
    pub fn new(root: &Path, imds: Arc<Imds>) -> Self {
        Self { root: root.to_owned(), imds, id: OnceLock::new() }
    }
}

impl Names for Instance {
    fn instance_id(&self) -> Option<String> {
        let ask = || with_backoff(TRIES, &SystemSleeper, |_, _| (), || self.imds.instance_id()).ok();
        self.id.get_or_init(ask).clone()
    }

    fn hostname(&self) -> String {
        let kernel = self.root.join("proc/sys/kernel/hostname");
        std::fs::read_to_string(kernel).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    fn ec2_hostname(&self) -> Option<String> {
        self.imds.get("meta-data/hostname").ok()
    }

    fn ip_address(&self) -> Option<String> {
        let addresses = (self.hostname().as_str(), 0).to_socket_addrs().ok()?;
        // As Python's gethostbyname, which knows IPv4 alone.
        addresses.map(|address| address.ip()).find(IpAddr::is_ipv4).map(|ip| ip.to_string())
    }

    fn region(&self) -> Option<String> {
        self.imds.identity().ok().map(|identity| identity.region)
    }
}

/// Why a name cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{placeholder} has no value on this host")]
pub struct Unnamed {
    placeholder: &'static str,
}

/// A name with the instance's values in it, and a remark where one stands for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The name.
    pub name: String,
    /// What the user should know.
    pub remark: Option<String>,
}

/// Puts the instance's values into a name from `awslogs.conf`. As Amazon's agent does it, the host's name stands for an
/// instance id that cannot be had.
///
/// # Errors
/// When a value cannot be had.
pub fn render(template: &str, names: &dyn Names) -> Result<Rendered, Unnamed> {
    let (mut name, remark) = with_instance_id(template, names);
    if name.contains("{hostname}") {
        name = name.replace("{hostname}", &names.hostname());
    }
    Ok(Rendered { name: with_address(name, names)?, remark })
}

/// Puts the instance's values into a name from the CloudWatch agent's JSON.
///
/// # Errors
/// When a value cannot be had.
pub fn render_cloudwatch(template: &str, names: &dyn Names) -> Result<Rendered, Unnamed> {
    let (mut name, remark) = with_instance_id(template, names);
    if name.contains("{hostname}") {
        let hostname = names.ec2_hostname().unwrap_or_else(|| names.hostname());
        name = name.replace("{hostname}", &hostname);
    }
    if name.contains("{local_hostname}") {
        name = name.replace("{local_hostname}", &names.hostname());
    }
    if name.contains("{aws_region}") {
        let region = names.region().ok_or(Unnamed { placeholder: "{aws_region}" })?;
        name = name.replace("{aws_region}", &region);
    }
    Ok(Rendered { name: with_address(name, names)?, remark })
}

fn with_instance_id(template: &str, names: &dyn Names) -> (String, Option<String>) {
    if !template.contains("{instance_id}") {
        return (template.to_owned(), None);
    }
    let (value, remark) = match names.instance_id() {
        Some(id) => (id, None),
        None => {
            let hostname = names.hostname();
            let remark =
                format!("the instance's id cannot be had, so the host's name {hostname} stands for it");
            (hostname, Some(remark))
        }
    };
    (template.replace("{instance_id}", &value), remark)
}

fn with_address(name: String, names: &dyn Names) -> Result<String, Unnamed> {
    const PLACEHOLDER: &str = "{ip_address}";
    if !name.contains(PLACEHOLDER) {
        return Ok(name);
    }
    let address = names.ip_address().ok_or(Unnamed { placeholder: PLACEHOLDER })?;
    Ok(name.replace(PLACEHOLDER, &address))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instance, or a host away from EC2.
    pub struct Known(pub bool);

    impl Names for Known {
        fn instance_id(&self) -> Option<String> {
            self.0.then(|| "i-0123".to_owned())
        }
        fn hostname(&self) -> String {
            "host".to_owned()
        }
        fn ec2_hostname(&self) -> Option<String> {
            self.0.then(|| "ip-10-0-0-1.ec2.internal".to_owned())
        }
        fn ip_address(&self) -> Option<String> {
            self.0.then(|| "10.0.0.1".to_owned())
        }
        fn region(&self) -> Option<String> {
            self.0.then(|| "eu-west-1".to_owned())
        }
    }

    #[test]
    fn placeholders_become_the_instances_values() {
        let rendered = |template: &str| render(template, &Known(true)).unwrap().name;
        assert_eq!(rendered("{instance_id}/{hostname}/{ip_address}"), "i-0123/host/10.0.0.1");
        assert_eq!(rendered("plain {other}"), "plain {other}");
        let cloudwatch = render_cloudwatch("{hostname}/{local_hostname}/{aws_region}", &Known(true)).unwrap();
        assert_eq!(cloudwatch.name, "ip-10-0-0-1.ec2.internal/host/eu-west-1");
    }

    #[test]
    fn away_from_ec2_the_hosts_name_stands_for_the_id() {
        let rendered = render("{instance_id}", &Known(false)).unwrap();
        assert_eq!(rendered.name, "host");
        assert!(rendered.remark.unwrap().contains("host"));
        assert!(render("{ip_address}", &Known(false)).unwrap_err().to_string().starts_with("{ip_address}"));
    }
}
