//! The engine's surroundings in the real cloud.

use std::sync::{Arc, LazyLock};

use aws_wire::ec2::{
    DescribeAvailabilityZonesRequest, DescribeInstancesRequest, DescribeSecurityGroupsRequest,
    DescribeVolumesRequest,
};
use aws_wire::ssm::GetParameterRequest;

use super::diagnosis::evidence;
use super::engine::Host;
use super::state::{Requester, Stack};
use super::types::api::{Api, Services};
use super::types::{Types, ec2_checks, registry, tag};
use crate::Cloud;
use crate::context::Ctx;
use crate::store::Store;

/// The principal under which CloudFormation calls other services.
const PRINCIPAL: &str = "cloudformation.amazonaws.com";

/// The real cloud.
pub struct CloudHost {
    cloud: Arc<Cloud>,
    services: &'static Services,
}

static TYPES: LazyLock<Types<Api>> = LazyLock::new(registry);

impl CloudHost {
    /// The cloud with its services.
    pub fn new(cloud: Arc<Cloud>, services: &'static Services) -> Self {
        Self { cloud, services }
    }

    /// What resource types are called with in a region. CloudFormation itself calls: only a service of the
    /// cloud may set the `aws:cloudformation:…` tags.
    pub fn api(&self, region: &str) -> Api {
        Api { ctx: Ctx::service(&self.cloud, region, PRINCIPAL), services: self.services }
    }
}

impl Host for CloudHost {
    type Ctx = Api;

    fn store(&self) -> &Store {
        &self.cloud.store
    }

    fn account(&self) -> &str {
        &self.cloud.config.account
    }

    fn ctx(&self, region: &str, _requester: &Requester) -> Api {
        self.api(region)
    }

    fn types(&self) -> &Types<Api> {
        &TYPES
    }

    fn availability_zones(&self, api: &Api, region: &str) -> Option<Vec<String>> {
        let ctx = if *api.ctx.region == *region { api.ctx.clone() } else { self.api(region).ctx };
        let input = DescribeAvailabilityZonesRequest::default();
        let zones = api.services.ec2.describe_availability_zones(&ctx, input).ok()?.availability_zones;
        Some(zones.into_iter().filter_map(|zone| zone.zone_name).collect())
    }

    fn ssm_parameter(&self, api: &Api, name: &str) -> Option<String> {
        let input = GetParameterRequest { name: Some(name.to_owned()), with_decryption: Some(true) };
        api.services.ssm.get_parameter(&api.ctx, input).ok()?.parameter?.value
    }

    fn missing(&self, api: &Api, kind: &str, values: &[String]) -> Result<Option<String>, String> {
        for value in values {
            match exists(api, kind, value) {
                None => return Err(format!("values of type {kind} cannot be checked")),
                Some(Err(error)) if error.is_client() => return Ok(Some(value.clone())),
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(())) => {}
            }
        }
        Ok(None)
    }

    /// An instance belongs to the stack that made it, or that made the group which launched it: both leave
    /// the stack's id among its tags.
    fn belongs(&self, api: &Api, instance: &str, stack: &Stack) -> bool {
        let input =
            DescribeInstancesRequest { instance_ids: vec![instance.to_owned()], ..Default::default() };
        let Ok(found) = api.services.ec2.describe_instances(&api.ctx, input) else { return false };
        found
            .reservations
            .iter()
            .flat_map(|reservation| &reservation.instances)
            .flat_map(|i| &i.tags)
            .any(|tag| tag.key.as_deref() == Some(tag::STACK_ID) && tag.value.as_deref() == Some(&stack.id))
    }

    async fn diagnose(&self, instances: &[String]) -> Option<String> {
        evidence::tell(self.cloud.driver.as_ref(), self.store(), instances).await
    }
}

/// Whether something of an AWS-specific parameter type exists; none for types that cannot be checked.
fn exists(api: &Api, kind: &str, value: &str) -> Option<Result<(), aws_wire::Error>> {
    let one = || vec![value.to_owned()];
    let (ec2, ctx) = (api.services.ec2, &api.ctx);
    Some(match kind {
        "AWS::EC2::Image::Id" => ec2_checks::image(api, value),
        "AWS::EC2::KeyPair::KeyName" => ec2_checks::key_pair(api, value),
        "AWS::EC2::SecurityGroup::Id" => ec2_checks::security_group(api, value),
        "AWS::EC2::Subnet::Id" => ec2_checks::subnet(api, value),
        "AWS::EC2::VPC::Id" => ec2_checks::vpc(api, value),
        "AWS::EC2::AvailabilityZone::Name" => ec2
            .describe_availability_zones(
                ctx,
                DescribeAvailabilityZonesRequest { zone_names: one(), ..Default::default() },
            )
            .map(drop),
        "AWS::EC2::Instance::Id" => ec2
            .describe_instances(ctx, DescribeInstancesRequest { instance_ids: one(), ..Default::default() })
            .map(drop),
        "AWS::EC2::SecurityGroup::GroupName" => ec2
            .describe_security_groups(
                ctx,
                DescribeSecurityGroupsRequest { group_names: one(), ..Default::default() },
            )
            .map(drop),
        "AWS::EC2::Volume::Id" => ec2
            .describe_volumes(ctx, DescribeVolumesRequest { volume_ids: one(), ..Default::default() })
            .map(drop),
        _ => return None,
    })
}
