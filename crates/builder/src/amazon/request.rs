//! The request for the instance that is built.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::run_instances::RunInstancesInput;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesInputBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
    InstanceNetworkInterfaceSpecification, InstanceType, Placement, ResourceType, ShutdownBehavior, Tenancy,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packer_template::config::{self, MetadataOptions, RunConfig};

use super::api::tag_specification;
use super::state::Network;

/// What the template's options alone do not say.
pub(super) struct Launch<'a> {
    pub image_id: &'a str,
    pub mappings: Vec<BlockDeviceMapping>,
    pub network: &'a Network,
    pub security_groups: &'a [String],
    pub key_name: Option<&'a str>,
    pub instance_profile: Option<&'a str>,
    pub user_data: Option<&'a [u8]>,
    pub tags: &'a BTreeMap<String, String>,
    pub volume_tags: &'a BTreeMap<String, String>,
    /// Makes a repeated request the same one: the SDK may send it again when an answer is lost.
    pub token: &'a str,
}

/// Builds the request.
pub(super) fn run_instances(run: &RunConfig, launch: Launch<'_>) -> RunInstancesInputBuilder {
    let tags = [
        tag_specification(ResourceType::Instance, launch.tags),
        tag_specification(ResourceType::Volume, launch.volume_tags),
    ];
    let tags: Vec<_> = tags.into_iter().flatten().collect();
    let profile = launch.instance_profile;
    let profile = profile.map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    let request = RunInstancesInput::builder()
        .image_id(launch.image_id)
        .instance_type(InstanceType::from(run.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        .client_token(launch.token)
        .set_user_data(launch.user_data.map(encoded))
        .set_iam_instance_profile(profile)
        .set_block_device_mappings((!launch.mappings.is_empty()).then_some(launch.mappings))
        .set_placement(placement(run, launch.network))
        .ebs_optimized(run.ebs_optimized)
        .set_key_name(launch.key_name.map(str::to_owned))
        .instance_initiated_shutdown_behavior(shutdown(run.shutdown_behavior))
        .set_credit_specification(run.enable_t2_unlimited.then(unlimited))
        .set_metadata_options(run.metadata_options.as_ref().map(metadata))
        .set_tag_specifications((!tags.is_empty()).then_some(tags));
    networked(request, run, launch.network, launch.security_groups)
}

/// Puts the instance into its network. A public address can only be asked for on an interface of a known subnet;
/// without one the default subnet's own setting holds, as with Packer.
fn networked(
    request: RunInstancesInputBuilder,
    run: &RunConfig,
    network: &Network,
    groups: &[String],
) -> RunInstancesInputBuilder {
    let groups = (!groups.is_empty()).then(|| groups.to_vec());
    match (&network.subnet_id, run.associate_public_ip_address) {
        (Some(subnet), Some(public)) => request.network_interfaces(
            InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .associate_public_ip_address(public)
                .subnet_id(subnet)
                .set_groups(groups)
                .delete_on_termination(true)
                .build(),
        ),
        (subnet, _) => request.set_subnet_id(subnet.clone()).set_security_group_ids(groups),
    }
}

fn placement(run: &RunConfig, network: &Network) -> Option<Placement> {
    let tenancy = run.tenancy.map(|tenancy| match tenancy {
        config::Tenancy::Default => Tenancy::Default,
        config::Tenancy::Dedicated => Tenancy::Dedicated,
        config::Tenancy::Host => Tenancy::Host,
    });
    if tenancy.is_none() && network.availability_zone.is_none() {
        return None;
    }
    let placement = Placement::builder().set_availability_zone(network.availability_zone.clone());
    Some(placement.set_tenancy(tenancy).build())
}

fn shutdown(behavior: config::ShutdownBehavior) -> ShutdownBehavior {
    match behavior {
        config::ShutdownBehavior::Stop => ShutdownBehavior::Stop,
        config::ShutdownBehavior::Terminate => ShutdownBehavior::Terminate,
    }
}

fn unlimited() -> CreditSpecificationRequest {
    CreditSpecificationRequest::builder().cpu_credits("unlimited").build()
}

fn metadata(options: &MetadataOptions) -> InstanceMetadataOptionsRequest {
    let endpoint = options.http_endpoint.as_deref().map(InstanceMetadataEndpointState::from);
    let tags = options.instance_metadata_tags.as_deref().map(InstanceMetadataTagsState::from);
    InstanceMetadataOptionsRequest::builder()
        .set_http_endpoint(endpoint)
        .set_http_tokens(options.http_tokens.as_deref().map(HttpTokensState::from))
        .set_http_put_response_hop_limit(options.http_put_response_hop_limit)
        .set_instance_metadata_tags(tags)
        .build()
}

/// User data as EC2 wants it. As in Packer, what is base64 already is taken to be meant so.
fn encoded(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if STANDARD.decode(text).is_ok() => text.to_owned(),
        _ => STANDARD.encode(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunConfig {
        RunConfig { instance_type: "t2.micro".to_owned(), ..RunConfig::default() }
    }

    fn request(run: &RunConfig, network: &Network) -> RunInstancesInput {
        let launch = Launch {
            image_id: "ami-1",
            mappings: Vec::new(),
            network,
            security_groups: &["sg-1".to_owned()],
            key_name: Some("packer_1"),
            instance_profile: None,
            user_data: None,
            tags: &[("Name".to_owned(), "Packer Builder".to_owned())].into(),
            volume_tags: &BTreeMap::new(),
            token: "token",
        };
        run_instances(run, launch).build().expect("a request")
    }

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        let request = request(&run(), &Network::default());
        assert_eq!(request.image_id.as_deref(), Some("ami-1"));
        assert_eq!((request.min_count, request.max_count), (Some(1), Some(1)));
        assert_eq!(request.placement, None);
        assert_eq!(request.iam_instance_profile, None);
        assert_eq!(request.user_data, None);
        assert_eq!(request.credit_specification, None);
        assert_eq!(request.metadata_options, None);
        assert_eq!(request.block_device_mappings, None);
        assert_eq!(request.security_group_ids(), ["sg-1"]);
        let kinds: Vec<_> =
            request.tag_specifications().iter().filter_map(|tags| tags.resource_type.clone()).collect();
        assert_eq!(kinds, [ResourceType::Instance]);
    }

    #[test]
    fn a_public_address_is_asked_for_on_the_interface_of_a_known_subnet() {
        let subnet = Network { subnet_id: Some("subnet-1".to_owned()), ..Network::default() };
        let public = RunConfig { associate_public_ip_address: Some(true), ..run() };
        let with_subnet = request(&public, &subnet);
        let interface = &with_subnet.network_interfaces()[0];
        assert_eq!(interface.associate_public_ip_address, Some(true));
        assert_eq!(interface.groups(), ["sg-1"]);
        assert_eq!((with_subnet.subnet_id, with_subnet.security_group_ids), (None, None));
        assert!(request(&public, &Network::default()).network_interfaces.is_none());
        assert_eq!(request(&run(), &subnet).subnet_id.as_deref(), Some("subnet-1"));
    }

    #[test]
    fn zone_and_tenancy_are_its_placement() {
        let zone = Network { availability_zone: Some("us-east-1b".to_owned()), ..Network::default() };
        let run = RunConfig { tenancy: Some(config::Tenancy::Dedicated), ..run() };
        let placement = request(&run, &zone).placement.expect("a placement");
        assert_eq!(placement.availability_zone.as_deref(), Some("us-east-1b"));
        assert_eq!(placement.tenancy, Some(Tenancy::Dedicated));
    }

    #[test]
    fn options_of_the_instance_are_passed_on() {
        let run = RunConfig {
            ebs_optimized: true,
            enable_t2_unlimited: true,
            shutdown_behavior: config::ShutdownBehavior::Terminate,
            metadata_options: Some(MetadataOptions {
                http_tokens: Some("required".to_owned()),
                http_put_response_hop_limit: Some(2),
                ..MetadataOptions::default()
            }),
            ..run()
        };
        let request = request(&run, &Network::default());
        assert_eq!(request.ebs_optimized, Some(true));
        assert_eq!(request.instance_initiated_shutdown_behavior, Some(ShutdownBehavior::Terminate));
        assert_eq!(
            request.credit_specification.map(|credits| credits.cpu_credits),
            Some(Some("unlimited".into()))
        );
        let metadata = request.metadata_options.expect("options");
        assert_eq!(metadata.http_tokens, Some(HttpTokensState::Required));
        assert_eq!(metadata.http_put_response_hop_limit, Some(2));
        assert_eq!(metadata.http_endpoint, None);
    }

    #[test]
    fn user_data_is_encoded_once() {
        assert_eq!(encoded(b"#!/bin/sh\n"), "IyEvYmluL3NoCg==");
        assert_eq!(encoded(b"IyEvYmluL3NoCg=="), "IyEvYmluL3NoCg==");
        assert_eq!(encoded(&[0xff, 0xfe]), "//4=");
    }
}
