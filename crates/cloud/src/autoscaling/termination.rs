//! Which instances are terminated when there are too many. Pure.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::autoscaling::DescribeTerminationPolicyTypesAnswer;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::errors;
use super::state::{LaunchSource, MemberRecord};

/// How instances are chosen ("Configure termination policies" in the Auto Scaling user guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Auto Scaling's own")]
pub enum TerminationPolicy {
    /// Aligns Spot and On-Demand instances, of which there are only the latter here: leaves the choice open.
    AllocationStrategy,
    ClosestToNextInstanceHour,
    Default,
    NewestInstance,
    OldestInstance,
    OldestLaunchConfiguration,
    OldestLaunchTemplate,
}

impl TerminationPolicy {
    const ALL: [Self; 7] = [
        Self::AllocationStrategy,
        Self::ClosestToNextInstanceHour,
        Self::Default,
        Self::NewestInstance,
        Self::OldestInstance,
        Self::OldestLaunchConfiguration,
        Self::OldestLaunchTemplate,
    ];

    /// Auto Scaling's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllocationStrategy => "AllocationStrategy",
            Self::ClosestToNextInstanceHour => "ClosestToNextInstanceHour",
            Self::Default => "Default",
            Self::NewestInstance => "NewestInstance",
            Self::OldestInstance => "OldestInstance",
            Self::OldestLaunchConfiguration => "OldestLaunchConfiguration",
            Self::OldestLaunchTemplate => "OldestLaunchTemplate",
        }
    }

    /// The policies that a request names; the default one if it names none.
    ///
    /// # Errors
    /// When there is no such policy; custom policies (Lambda functions) are refused too.
    pub fn parse(names: &[String]) -> Result<Vec<Self>, Error> {
        if names.is_empty() {
            return Ok(vec![Self::Default]);
        }
        let find = |name: &String| {
            Self::ALL.into_iter().find(|policy| policy.name() == name).ok_or_else(|| {
                if name.starts_with("arn:") {
                    return errors::unsupported("TerminationPolicies with a Lambda function");
                }
                errors::validation(format!("Invalid termination policy: '{name}'"))
            })
        };
        names.iter().map(find).collect()
    }

    /// Keeps the candidates that the policy would terminate first; all, if it leaves the choice open.
    fn narrow(self, candidates: Vec<&MemberRecord>, now: Timestamp) -> Vec<&MemberRecord> {
        match self {
            Self::AllocationStrategy => candidates,
            Self::NewestInstance => least(candidates, |member| Some(std::cmp::Reverse(member.launched))),
            Self::OldestInstance => least(candidates, |member| Some(member.launched)),
            Self::OldestLaunchConfiguration => {
                least(candidates, |member| source_age(member, is_configuration))
            }
            Self::OldestLaunchTemplate => least(candidates, |member| source_age(member, is_template)),
            Self::ClosestToNextInstanceHour => least(candidates, |member| {
                Some(3600 - now.duration_since(member.launched).as_secs().rem_euclid(3600))
            }),
            Self::Default => {
                let candidates = Self::OldestLaunchConfiguration.narrow(candidates, now);
                let candidates = Self::OldestLaunchTemplate.narrow(candidates, now);
                Self::ClosestToNextInstanceHour.narrow(candidates, now)
            }
        }
    }
}

fn is_configuration(source: &LaunchSource) -> bool {
    matches!(source, LaunchSource::Configuration { .. })
}

fn is_template(source: &LaunchSource) -> bool {
    matches!(source, LaunchSource::Template { .. })
}

fn source_age(member: &MemberRecord, is_meant: fn(&LaunchSource) -> bool) -> Option<Timestamp> {
    member.source.as_ref().filter(|source| is_meant(source)).and(member.source_created)
}

/// The candidates with the least value; all of them where none has one.
fn least<K: Ord>(
    candidates: Vec<&MemberRecord>,
    key: impl Fn(&MemberRecord) -> Option<K>,
) -> Vec<&MemberRecord> {
    let Some(least) = candidates.iter().filter_map(|member| key(member)).min() else { return candidates };
    candidates.into_iter().filter(|member| key(member).as_ref() == Some(&least)).collect()
}

/// `DescribeTerminationPolicyTypes`
pub fn describe_types() -> DescribeTerminationPolicyTypesAnswer {
    let names = TerminationPolicy::ALL.map(|policy| policy.name().to_owned());
    DescribeTerminationPolicyTypesAnswer { termination_policy_types: names.to_vec() }
}

/// The ids of `count` instances to terminate, or fewer where the rest is protected: each from the zone that has
/// the most, and there by the policies in their order.
pub fn select(
    members: &[&MemberRecord],
    policies: &[TerminationPolicy],
    count: usize,
    now: Timestamp,
) -> Vec<String> {
    let mut left = members.to_vec();
    let mut selected = Vec::new();
    while selected.len() < count {
        let mut candidates = in_fullest_zones(&left);
        for policy in policies {
            candidates = policy.narrow(candidates, now);
        }
        let Some(chosen) = candidates.iter().map(|member| &member.id).min().cloned() else { break };
        left.retain(|member| member.id != chosen);
        selected.push(chosen);
    }
    selected
}

/// The instances that may be terminated in those zones that have the most instances.
fn in_fullest_zones<'a>(members: &[&'a MemberRecord]) -> Vec<&'a MemberRecord> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members {
        *sizes.entry(&member.placement.zone).or_default() += 1;
    }
    let free: Vec<&MemberRecord> = members.iter().copied().filter(|member| !member.protected).collect();
    let size = |member: &MemberRecord| sizes.get(member.placement.zone.as_str()).copied().unwrap_or_default();
    let most = free.iter().map(|member| size(member)).max().unwrap_or_default();
    free.into_iter().filter(|member| size(member) == most).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, member};
    use super::*;

    fn from_configuration(mut member: MemberRecord, name: &str, created: i64) -> MemberRecord {
        member.source = Some(LaunchSource::Configuration { name: name.into() });
        member.source_created = Some(at(created));
        member
    }

    fn launched(id: &str, zone: &str, seconds: i64) -> MemberRecord {
        MemberRecord { launched: at(seconds), ..member(id, zone) }
    }

    #[test]
    fn policies_choose() {
        // a is the oldest instance, b has the oldest launch configuration, c is the newest instance.
        let members = [
            from_configuration(launched("a", "z1", 0), "new", 20),
            from_configuration(launched("b", "z1", 100), "old", 10),
            from_configuration(launched("c", "z1", 200), "new", 20),
        ];
        let members: Vec<&MemberRecord> = members.iter().collect();
        // An hour and a half after a's launch: b and c are nearer to the end of their hour than a was.
        for (policies, now, expected) in [
            (vec![TerminationPolicy::OldestInstance], 300, "a"),
            (vec![TerminationPolicy::NewestInstance], 300, "c"),
            (vec![TerminationPolicy::OldestLaunchConfiguration], 300, "b"),
            (vec![TerminationPolicy::Default], 300, "b"),
            (vec![TerminationPolicy::OldestLaunchTemplate], 300, "a"),
            (vec![TerminationPolicy::ClosestToNextInstanceHour], 300, "a"),
            (vec![TerminationPolicy::ClosestToNextInstanceHour], 3650, "b"),
            (vec![TerminationPolicy::AllocationStrategy, TerminationPolicy::NewestInstance], 300, "c"),
        ] {
            assert_eq!(select(&members, &policies, 1, at(now)), [expected], "{policies:?} at {now}");
        }
    }

    #[test]
    fn zones_stay_balanced_and_protected_instances_stay() {
        let mut members =
            [launched("a", "z1", 0), launched("b", "z2", 1), launched("c", "z2", 2), launched("d", "z2", 3)];
        let policies = [TerminationPolicy::OldestInstance];
        let select = |members: &[MemberRecord], count| {
            select(&members.iter().collect::<Vec<_>>(), &policies, count, at(9))
        };
        assert_eq!(select(&members, 2), ["b", "c"]);
        assert_eq!(select(&members, 3), ["b", "c", "a"]);
        members[1].protected = true;
        members[2].protected = true;
        assert_eq!(select(&members, 4), ["d", "a"]);
    }

    #[test]
    fn unknown_policies_are_refused() {
        assert_eq!(TerminationPolicy::parse(&[]).unwrap(), [TerminationPolicy::Default]);
        assert!(TerminationPolicy::parse(&["Youngest".into()]).is_err());
        let lambda = TerminationPolicy::parse(&["arn:aws:lambda:x".into()]).unwrap_err();
        assert!(lambda.message.contains("Lambda"), "{lambda}");
    }
}
