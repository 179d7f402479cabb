//! Who may connect to the instance.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range};
use packer_template::config::{Communicator, RunConfig, SecurityGroupFilter};
use tokio_util::sync::CancellationToken;

use super::api::{filters, shown};
use super::error::Error;
use super::network::borrowed;
use super::polling::settled;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Uses the template's security groups, or makes a temporary one that lets in the communicator's port.
pub(super) struct SecurityGroup<'a> {
    run: &'a RunConfig,
    communicator: &'a Communicator,
    /// The group to delete.
    made: Option<String>,
}

impl<'a> SecurityGroup<'a> {
    pub fn new(run: &'a RunConfig, communicator: &'a Communicator) -> Self {
        Self { run, communicator, made: None }
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for SecurityGroup<'a> {
    fn name(&self) -> &'static str {
        "StepSecurityGroup"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let ec2 = &state.session.ec2;
        let vpc_id = state.network.vpc_id.as_deref();
        if !self.run.security_group_ids.is_empty() {
            let ids = self.run.security_group_ids.clone();
            let answer = ec2.describe_security_groups().set_group_ids(Some(ids.clone())).send().await;
            answer
                .map_err(|error| ApiError::of("DescribeSecurityGroups", error))
                .map_err(Error::api("Couldn't find specified security group"))?;
            state.security_groups = ids;
            return Ok(());
        }
        if let Some(filter) = &self.run.security_group_filter {
            let ids = matching(ec2, filter, vpc_id).await?;
            scope.ui.message(&format!("Found Security Group(s): {}", ids.join(", ")));
            state.security_groups = ids;
            return Ok(());
        }
        let group = format!("packer_{}", uuid::Uuid::new_v4());
        scope.ui.say(&format!("Creating temporary security group for this instance: {group}"));
        let answer = ec2
            .create_security_group()
            .group_name(&group)
            .description("Temporary group for Packer")
            .set_vpc_id(vpc_id.map(str::to_owned))
            .send()
            .await;
        let answer = answer
            .map_err(|error| ApiError::of("CreateSecurityGroup", error))
            .map_err(Error::api("Error creating temporary security group"))?;
        let id = answer.group_id.ok_or(Error::OutOfOrder("the new security group's id"))?;
        self.made = Some(id.clone());
        if let Communicator::Ssh(ssh) = self.communicator {
            let everyone = ["0.0.0.0/0".to_owned()];
            let cidrs = self.run.temporary_security_group_source_cidrs.as_slice();
            let cidrs = if cidrs.is_empty() { everyone.as_slice() } else { cidrs };
            scope.ui.say(&format!(
                "Authorizing access to port {} from [{}] in the temporary security groups...",
                ssh.ssh_port,
                cidrs.join(" ")
            ));
            authorize(ec2, &id, ssh.ssh_port, cidrs, scope.cancel).await?;
        }
        state.security_groups = vec![id];
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        let Some(id) = self.made.take() else { return Vec::new() };
        ui.say("Deleting temporary security group...");
        let ec2 = &state.session.ec2;
        // The interface of an instance that was just terminated holds on to its group for some seconds.
        let in_use = |error: &ApiError| error.code() == Some("DependencyViolation");
        let never = CancellationToken::new();
        let deleted = settled(&never, in_use, || async {
            let answer = ec2.delete_security_group().group_id(&id).send().await;
            answer.map_err(|error| ApiError::of("DeleteSecurityGroup", error))
        });
        match deleted.await {
            Ok(Err(error)) if !error.is_not_found() => vec![Leftover {
                what: format!("security group {id}"),
                why: error.to_string(),
                remove: format!(
                    "aws ec2 delete-security-group --region {} --group-id {id}",
                    state.session.region
                ),
            }],
            _ => Vec::new(),
        }
    }
}

async fn matching(
    ec2: &Client,
    filter: &SecurityGroupFilter,
    vpc_id: Option<&str>,
) -> Result<Vec<String>, Error> {
    let mut wanted = borrowed(&filter.filters);
    if let Some(id) = vpc_id {
        wanted.insert("vpc-id", id);
    }
    let wanted = filters(wanted);
    let answer = ec2.describe_security_groups().set_filters(Some(wanted.clone())).send().await;
    let answer = answer
        .map_err(|error| ApiError::of("DescribeSecurityGroups", error))
        .map_err(Error::api("Couldn't find security groups for filter"))?;
    let ids: Vec<String> =
        answer.security_groups().iter().filter_map(|group| group.group_id.clone()).collect();
    if ids.is_empty() {
        let said = shown(&wanted);
        return Err(Error::Unfit(format!("Couldn't find security groups for filter: none matches {said}")));
    }
    Ok(ids)
}

async fn authorize(
    ec2: &Client,
    group: &str,
    port: u16,
    cidrs: &[String],
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let rule = rule(port, cidrs);
    let answer = settled(cancel, ApiError::is_not_found, || async {
        let request = ec2.authorize_security_group_ingress().group_id(group).ip_permissions(rule.clone());
        request.send().await.map_err(|error| ApiError::of("AuthorizeSecurityGroupIngress", error))
    });
    answer.await?.map_err(Error::api("Error authorizing temporary security group"))?;
    Ok(())
}

fn rule(port: u16, cidrs: &[String]) -> IpPermission {
    let (six, four): (Vec<&String>, Vec<&String>) = cidrs.iter().partition(|cidr| cidr.contains(':'));
    let four = four.into_iter().map(|cidr| IpRange::builder().cidr_ip(cidr).build()).collect::<Vec<_>>();
    let six = six.into_iter().map(|cidr| Ipv6Range::builder().cidr_ipv6(cidr).build()).collect::<Vec<_>>();
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port.into())
        .to_port(port.into())
        .set_ip_ranges((!four.is_empty()).then_some(four))
        .set_ipv6_ranges((!six.is_empty()).then_some(six))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_versions_are_let_in() {
        let rule = rule(2222, &["10.0.0.0/8".to_owned(), "::/0".to_owned()]);
        assert_eq!((rule.from_port, rule.to_port), (Some(2222), Some(2222)));
        assert_eq!(rule.ip_ranges()[0].cidr_ip.as_deref(), Some("10.0.0.0/8"));
        assert_eq!(rule.ipv6_ranges()[0].cidr_ipv6.as_deref(), Some("::/0"));
    }

    #[test]
    fn an_absent_version_is_not_sent() {
        assert_eq!(rule(22, &["0.0.0.0/0".to_owned()]).ipv6_ranges, None);
    }
}
