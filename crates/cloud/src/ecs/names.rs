//! What requests call clusters and container instances by: names, ids and ARNs. Pure.

/// The cluster that is meant when none is named.
pub const DEFAULT_CLUSTER: &str = "default";

/// Whose ARNs are ours.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// The region.
    pub region: &'a str,
    /// The account's number.
    pub account: &'a str,
}

impl Home<'_> {
    /// A cluster's ARN.
    pub fn cluster_arn(self, name: &str) -> String {
        format!("arn:aws:ecs:{}:{}:cluster/{name}", self.region, self.account)
    }

    /// A container instance's ARN, in the long form.
    pub fn container_instance_arn(self, cluster: &str, id: &str) -> String {
        format!("arn:aws:ecs:{}:{}:container-instance/{cluster}/{id}", self.region, self.account)
    }

    /// The name of the cluster that is given by name, by ARN or not at all; none for others' ARNs.
    pub fn cluster_name(self, given: Option<&str>) -> Option<String> {
        match given {
            None | Some("") => Some(DEFAULT_CLUSTER.to_owned()),
            Some(arn) if arn.starts_with("arn:") => {
                self.resource(arn)?.strip_prefix("cluster/").map(str::to_owned)
            }
            Some(name) => Some(name.to_owned()),
        }
    }

    /// The id of the container instance of a cluster that is given by id or by ARN, whose short form does not
    /// name the cluster; none for others' ARNs.
    pub fn container_instance_id<'r>(self, cluster: &str, given: &'r str) -> Option<&'r str> {
        if !given.starts_with("arn:") {
            return Some(given);
        }
        let rest = self.resource(given)?.strip_prefix("container-instance/")?;
        match rest.split_once('/') {
            Some((named, id)) => (named == cluster).then_some(id),
            None => Some(rest),
        }
    }

    /// The last part of an ARN of ours.
    pub fn resource(self, arn: &str) -> Option<&str> {
        let mut parts = arn.splitn(6, ':');
        let ours = parts.next() == Some("arn")
            && parts.next() == Some("aws")
            && parts.next() == Some("ecs")
            && parts.next() == Some(self.region)
            && parts.next() == Some(self.account);
        if ours { parts.next() } else { None }
    }
}

/// The region that an ARN names.
pub fn region_of(arn: &str) -> Option<&str> {
    arn.starts_with("arn:").then(|| arn.split(':').nth(3)).flatten().filter(|region| !region.is_empty())
}

/// Whether a cluster may be called so: up to 255 letters, digits, underscores and hyphens.
pub fn is_cluster_name(name: &str) -> bool {
    crate::api::values::length(name, 1, 255) && crate::api::values::only(name, "-_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home<'_> = Home { region: "us-east-1", account: "123456789012" };

    #[test]
    fn clusters_are_found_by_name_and_arn() {
        let cases = [
            (None, Some("default")),
            (Some(""), Some("default")),
            (Some("web"), Some("web")),
            (Some("arn:aws:ecs:us-east-1:123456789012:cluster/web"), Some("web")),
            (Some("arn:aws:ecs:us-east-2:123456789012:cluster/web"), None),
            (Some("arn:aws:ecs:us-east-1:210987654321:cluster/web"), None),
            (Some("arn:aws:ecs:us-east-1:123456789012:service/web"), None),
            (Some("arn:"), None),
        ];
        for (given, expected) in cases {
            assert_eq!(HOME.cluster_name(given).as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn container_instances_are_found_by_id_and_both_forms_of_arn() {
        let arn = HOME.container_instance_arn("web", "0a");
        let cases = [
            ("0a", Some("0a")),
            (arn.as_str(), Some("0a")),
            ("arn:aws:ecs:us-east-1:123456789012:container-instance/0a", Some("0a")),
            ("arn:aws:ecs:us-east-1:123456789012:container-instance/other/0a", None),
            ("arn:aws:ecs:eu-west-1:123456789012:container-instance/web/0a", None),
        ];
        for (given, expected) in cases {
            assert_eq!(HOME.container_instance_id("web", given), expected, "{given}");
        }
        assert_eq!(region_of(&arn), Some("us-east-1"));
        assert_eq!(region_of("web"), None);
    }

    #[test]
    fn cluster_names() {
        for (name, fine) in [("a", true), ("Web_1-x", true), ("", false), ("a b", false), ("a/b", false)] {
            assert_eq!(is_cluster_name(name), fine, "{name}");
        }
        assert!(!is_cluster_name(&"x".repeat(256)));
    }
}
