//! EC2: instances, images, volumes, key pairs, launch templates and the VPC.
//!
//! Operations check and write records, each in one transaction; [`reconciler`] makes machines and volumes of
//! them, and [`crate::vpc`] the network. Images and snapshots are kept by [`machine::images`]. Not there: IPv6, more
//! than one interface per instance, encryption, Elastic IP addresses, NAT gateways, spot instances. Asking for them is an error that says
//! so.

mod account;
pub(crate) mod addresses;
pub mod adopt;
mod console;
mod errors;
mod gateways;
mod images;
pub mod instance_types;
mod instances;
mod interfaces;
mod key_pairs;
mod launch_templates;
mod modifications;
pub mod reconciler;
mod regions;
mod request;
mod route_tables;
mod security_groups;
mod sharing;
mod snapshots;
pub mod state;
mod subnets;
mod tags;
mod volumes;
mod vpcs;

use aws_wire::Error;
use aws_wire::ec2::*;

use crate::Cloud;
use crate::context::Ctx;
use crate::store::Kinds;

pub use regions::names as region_names;

/// Makes the store able to load EC2's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds
        .add::<state::RegionRecord>()
        .add::<state::VpcRecord>()
        .add::<state::SubnetRecord>()
        .add::<state::InternetGatewayRecord>()
        .add::<state::RouteTableRecord>()
        .add::<state::SecurityGroupRecord>()
        .add::<state::NetworkInterfaceRecord>()
        .add::<state::DhcpOptionsRecord>()
        .add::<state::InstanceRecord>()
        .add::<state::VolumeRecord>()
        .add::<state::KeyPairRecord>()
        .add::<state::LaunchTemplateRecord>();
}

/// Gives a region what every region begins with, when it is used for the first time.
///
/// # Errors
/// When there is no such region, or the store fails.
pub fn ensure_region(cloud: &Cloud, region: &str) -> Result<(), Error> {
    regions::ensure_region(&cloud.store, region)
}

/// The names of a region's availability zones; none if there is no such region.
pub fn zones(region: &str) -> Vec<String> {
    regions::zones(region)
}

/// The id of an availability zone (`use1-az1`); none if there is no such zone.
pub fn zone_id(zone: &str) -> Option<String> {
    regions::zone_id(zone)
}

/// The launch template and version that a specification names, with the parameters that it holds.
///
/// # Errors
/// EC2's own, when there is no such template or version.
pub fn launch_template(
    ctx: &Ctx,
    specification: &LaunchTemplateSpecification,
) -> Result<(std::sync::Arc<state::LaunchTemplateRecord>, state::LaunchTemplateVersionRecord), Error> {
    launch_templates::resolve(&ctx.cloud.store, &ctx.region, specification)
}

/// EC2. Its state is in the store; the service itself holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ec2Service;

/// Implements the service's trait: each operation is the function of the same name in the module that it is
/// listed under.
macro_rules! service {
    ($($module:ident { $($operation:ident($input:ty) -> $output:ty;)* })*) => {
        impl Ec2<Ctx> for Ec2Service {
            $($(
                fn $operation(&self, ctx: &Ctx, input: $input) -> Result<$output, Error> {
                    regions::ensure_region(&ctx.cloud.store, &ctx.region)?;
                    $module::$operation(ctx, input)
                }
            )*)*
        }
    };
}

service! {
    regions {
        describe_regions(DescribeRegionsRequest) -> DescribeRegionsResult;
        describe_availability_zones(DescribeAvailabilityZonesRequest) -> DescribeAvailabilityZonesResult;
    }
    vpcs {
        create_vpc(CreateVpcRequest) -> CreateVpcResult;
        delete_vpc(DeleteVpcRequest) -> ();
        describe_vpcs(DescribeVpcsRequest) -> DescribeVpcsResult;
        describe_vpc_attribute(DescribeVpcAttributeRequest) -> DescribeVpcAttributeResult;
        modify_vpc_attribute(ModifyVpcAttributeRequest) -> ();
    }
    subnets {
        create_subnet(CreateSubnetRequest) -> CreateSubnetResult;
        delete_subnet(DeleteSubnetRequest) -> ();
        modify_subnet_attribute(ModifySubnetAttributeRequest) -> ();
        describe_subnets(DescribeSubnetsRequest) -> DescribeSubnetsResult;
    }
    gateways {
        create_internet_gateway(CreateInternetGatewayRequest) -> CreateInternetGatewayResult;
        attach_internet_gateway(AttachInternetGatewayRequest) -> ();
        detach_internet_gateway(DetachInternetGatewayRequest) -> ();
        delete_internet_gateway(DeleteInternetGatewayRequest) -> ();
        describe_internet_gateways(DescribeInternetGatewaysRequest) -> DescribeInternetGatewaysResult;
    }
    route_tables {
        create_route_table(CreateRouteTableRequest) -> CreateRouteTableResult;
        delete_route_table(DeleteRouteTableRequest) -> ();
        associate_route_table(AssociateRouteTableRequest) -> AssociateRouteTableResult;
        disassociate_route_table(DisassociateRouteTableRequest) -> ();
        replace_route_table_association(ReplaceRouteTableAssociationRequest) -> ReplaceRouteTableAssociationResult;
        create_route(CreateRouteRequest) -> CreateRouteResult;
        replace_route(ReplaceRouteRequest) -> ();
        delete_route(DeleteRouteRequest) -> ();
        describe_route_tables(DescribeRouteTablesRequest) -> DescribeRouteTablesResult;
    }
    security_groups {
        create_security_group(CreateSecurityGroupRequest) -> CreateSecurityGroupResult;
        delete_security_group(DeleteSecurityGroupRequest) -> DeleteSecurityGroupResult;
        describe_security_groups(DescribeSecurityGroupsRequest) -> DescribeSecurityGroupsResult;
        authorize_security_group_ingress(AuthorizeSecurityGroupIngressRequest) -> AuthorizeSecurityGroupIngressResult;
        authorize_security_group_egress(AuthorizeSecurityGroupEgressRequest) -> AuthorizeSecurityGroupEgressResult;
        revoke_security_group_ingress(RevokeSecurityGroupIngressRequest) -> RevokeSecurityGroupIngressResult;
        revoke_security_group_egress(RevokeSecurityGroupEgressRequest) -> RevokeSecurityGroupEgressResult;
        update_security_group_rule_descriptions_ingress(UpdateSecurityGroupRuleDescriptionsIngressRequest) -> UpdateSecurityGroupRuleDescriptionsIngressResult;
        update_security_group_rule_descriptions_egress(UpdateSecurityGroupRuleDescriptionsEgressRequest) -> UpdateSecurityGroupRuleDescriptionsEgressResult;
        describe_security_group_rules(DescribeSecurityGroupRulesRequest) -> DescribeSecurityGroupRulesResult;
    }
    interfaces {
        describe_network_interfaces(DescribeNetworkInterfacesRequest) -> DescribeNetworkInterfacesResult;
    }
    key_pairs {
        create_key_pair(CreateKeyPairRequest) -> KeyPair;
        import_key_pair(ImportKeyPairRequest) -> ImportKeyPairResult;
        delete_key_pair(DeleteKeyPairRequest) -> DeleteKeyPairResult;
        describe_key_pairs(DescribeKeyPairsRequest) -> DescribeKeyPairsResult;
    }
    volumes {
        create_volume(CreateVolumeRequest) -> Volume;
        delete_volume(DeleteVolumeRequest) -> ();
        attach_volume(AttachVolumeRequest) -> VolumeAttachment;
        detach_volume(DetachVolumeRequest) -> VolumeAttachment;
        describe_volumes(DescribeVolumesRequest) -> DescribeVolumesResult;
        describe_volume_status(DescribeVolumeStatusRequest) -> DescribeVolumeStatusResult;
    }
    modifications {
        modify_volume(ModifyVolumeRequest) -> ModifyVolumeResult;
        describe_volumes_modifications(DescribeVolumesModificationsRequest) -> DescribeVolumesModificationsResult;
        describe_volume_attribute(DescribeVolumeAttributeRequest) -> DescribeVolumeAttributeResult;
        modify_volume_attribute(ModifyVolumeAttributeRequest) -> ();
        get_ebs_encryption_by_default(GetEbsEncryptionByDefaultRequest) -> GetEbsEncryptionByDefaultResult;
    }
    images {
        create_image(CreateImageRequest) -> CreateImageResult;
        register_image(RegisterImageRequest) -> RegisterImageResult;
        copy_image(CopyImageRequest) -> CopyImageResult;
        describe_images(DescribeImagesRequest) -> DescribeImagesResult;
        modify_image_attribute(ModifyImageAttributeRequest) -> ();
        reset_image_attribute(ResetImageAttributeRequest) -> ();
        enable_image_deprecation(EnableImageDeprecationRequest) -> EnableImageDeprecationResult;
        disable_image_deprecation(DisableImageDeprecationRequest) -> DisableImageDeprecationResult;
        enable_image_deregistration_protection(EnableImageDeregistrationProtectionRequest) -> EnableImageDeregistrationProtectionResult;
        disable_image_deregistration_protection(DisableImageDeregistrationProtectionRequest) -> DisableImageDeregistrationProtectionResult;
        describe_image_attribute(DescribeImageAttributeRequest) -> ImageAttribute;
        deregister_image(DeregisterImageRequest) -> DeregisterImageResult;
    }
    snapshots {
        create_snapshot(CreateSnapshotRequest) -> Snapshot;
        create_snapshots(CreateSnapshotsRequest) -> CreateSnapshotsResult;
        copy_snapshot(CopySnapshotRequest) -> CopySnapshotResult;
        delete_snapshot(DeleteSnapshotRequest) -> ();
        describe_snapshots(DescribeSnapshotsRequest) -> DescribeSnapshotsResult;
        describe_snapshot_attribute(DescribeSnapshotAttributeRequest) -> DescribeSnapshotAttributeResult;
        modify_snapshot_attribute(ModifySnapshotAttributeRequest) -> ();
        reset_snapshot_attribute(ResetSnapshotAttributeRequest) -> ();
    }
    launch_templates {
        create_launch_template(CreateLaunchTemplateRequest) -> CreateLaunchTemplateResult;
        create_launch_template_version(CreateLaunchTemplateVersionRequest) -> CreateLaunchTemplateVersionResult;
        modify_launch_template(ModifyLaunchTemplateRequest) -> ModifyLaunchTemplateResult;
        delete_launch_template(DeleteLaunchTemplateRequest) -> DeleteLaunchTemplateResult;
        delete_launch_template_versions(DeleteLaunchTemplateVersionsRequest) -> DeleteLaunchTemplateVersionsResult;
        describe_launch_templates(DescribeLaunchTemplatesRequest) -> DescribeLaunchTemplatesResult;
        describe_launch_template_versions(DescribeLaunchTemplateVersionsRequest) -> DescribeLaunchTemplateVersionsResult;
    }
    instances {
        run_instances(RunInstancesRequest) -> Reservation;
        describe_instances(DescribeInstancesRequest) -> DescribeInstancesResult;
        start_instances(StartInstancesRequest) -> StartInstancesResult;
        stop_instances(StopInstancesRequest) -> StopInstancesResult;
        terminate_instances(TerminateInstancesRequest) -> TerminateInstancesResult;
        reboot_instances(RebootInstancesRequest) -> ();
        describe_instance_status(DescribeInstanceStatusRequest) -> DescribeInstanceStatusResult;
        get_console_output(GetConsoleOutputRequest) -> GetConsoleOutputResult;
        describe_instance_attribute(DescribeInstanceAttributeRequest) -> InstanceAttribute;
        modify_instance_attribute(ModifyInstanceAttributeRequest) -> ();
        modify_instance_metadata_options(ModifyInstanceMetadataOptionsRequest) -> ModifyInstanceMetadataOptionsResult;
        associate_iam_instance_profile(AssociateIamInstanceProfileRequest) -> AssociateIamInstanceProfileResult;
        disassociate_iam_instance_profile(DisassociateIamInstanceProfileRequest) -> DisassociateIamInstanceProfileResult;
        describe_iam_instance_profile_associations(DescribeIamInstanceProfileAssociationsRequest) -> DescribeIamInstanceProfileAssociationsResult;
    }
    instance_types {
        describe_instance_types(DescribeInstanceTypesRequest) -> DescribeInstanceTypesResult;
        describe_instance_type_offerings(DescribeInstanceTypeOfferingsRequest) -> DescribeInstanceTypeOfferingsResult;
    }
    account {
        describe_account_attributes(DescribeAccountAttributesRequest) -> DescribeAccountAttributesResult;
        describe_dhcp_options(DescribeDhcpOptionsRequest) -> DescribeDhcpOptionsResult;
        describe_network_acls(DescribeNetworkAclsRequest) -> DescribeNetworkAclsResult;
    }
    tags {
        create_tags(CreateTagsRequest) -> ();
        delete_tags(DeleteTagsRequest) -> ();
        describe_tags(DescribeTagsRequest) -> DescribeTagsResult;
    }
}

#[cfg(test)]
mod tests;
