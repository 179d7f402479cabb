//! The builder `amazon-ebs`.

use std::{collections::BTreeMap, time::Duration};

use super::communicator::Communicator;
use crate::{
    block::Block,
    context::Context,
    deferred::{Deferred, DeferredMap},
    error::Errors,
};

/// The options of `amazon-ebs`, with Packer's defaults.
#[derive(Clone, Debug)]
pub struct AmazonEbs {
    /// How AWS is reached, and as whom.
    pub access: AccessConfig,
    /// The image that is made.
    pub ami: AmiConfig,
    /// The instance that it is made from.
    pub run: RunConfig,
    /// How that instance is reached.
    pub communicator: Communicator,
    /// What is worth telling, though it is not wrong.
    pub warnings: Vec<String>,
}

impl AmazonEbs {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them: unknown, refused or contradicting options, values of the wrong type, expressions
    /// that fail, missing options, missing files.
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        super::amazon_decode::decode(block, context)
    }
}

/// How AWS is reached, and as whom.
#[derive(Clone, Debug, Default)]
pub struct AccessConfig {
    /// `access_key`.
    pub access_key: Option<String>,
    /// `secret_key`.
    pub secret_key: Option<String>,
    /// `token`.
    pub token: Option<String>,
    /// `profile` of the shared configuration.
    pub profile: Option<String>,
    /// `shared_credentials_file`.
    pub shared_credentials_file: Option<String>,
    /// `region`; none leaves it to the environment and the profile.
    pub region: Option<String>,
    /// `assume_role`.
    pub assume_role: Option<AssumeRole>,
    /// `custom_endpoint_ec2`.
    pub custom_endpoint_ec2: Option<String>,
    /// `max_retries` of a request; none for the SDK's.
    pub max_retries: Option<u32>,
    /// `skip_region_validation`.
    pub skip_region_validation: bool,
    /// `aws_polling`.
    pub aws_polling: Polling,
}

/// `assume_role`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssumeRole {
    /// `role_arn`.
    pub role_arn: String,
    /// `duration_seconds`.
    pub duration_seconds: Option<u32>,
    /// `external_id`.
    pub external_id: Option<String>,
    /// `policy`: JSON.
    pub policy: Option<String>,
    /// `policy_arns`.
    pub policy_arns: Vec<String>,
    /// `session_name`.
    pub session_name: Option<String>,
    /// `tags` of the session.
    pub tags: BTreeMap<String, String>,
}

/// `aws_polling`: how waiting for AWS is done; none for each waiter's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polling {
    /// `max_attempts`.
    pub max_attempts: Option<u32>,
    /// `delay_seconds`.
    pub delay_seconds: Option<u32>,
}

/// The image that is made.
#[derive(Clone, Debug)]
pub struct AmiConfig {
    /// `ami_name`: 3 to 128 characters.
    pub ami_name: String,
    /// `ami_description`.
    pub ami_description: Deferred,
    /// `ami_virtualization_type`; none for the source image's.
    pub ami_virtualization_type: Option<String>,
    /// `ami_users`: accounts that may launch it.
    pub ami_users: Vec<String>,
    /// `ami_groups`: `all` makes it public.
    pub ami_groups: Vec<String>,
    /// `ami_product_codes`.
    pub ami_product_codes: Vec<String>,
    /// `ami_regions`: regions that it is copied to, each once.
    pub ami_regions: Vec<String>,
    /// `tags` (and `tag`) of image and snapshots.
    pub tags: DeferredMap,
    /// `snapshot_tags` (and `snapshot_tag`).
    pub snapshot_tags: DeferredMap,
    /// `snapshot_users`.
    pub snapshot_users: Vec<String>,
    /// `snapshot_groups`.
    pub snapshot_groups: Vec<String>,
    /// `ena_support`; none leaves it as the source image has it.
    pub ena_support: Option<bool>,
    /// `sriov_support`.
    pub sriov_support: bool,
    /// `force_deregister`: an image of the same name is deregistered first.
    pub force_deregister: bool,
    /// `force_delete_snapshot`: and its snapshots are deleted.
    pub force_delete_snapshot: bool,
    /// `encrypt_boot`; none leaves encryption as it is.
    pub encrypt_boot: Option<bool>,
    /// `kms_key_id`.
    pub kms_key_id: Option<String>,
    /// `region_kms_key_ids`: a key for each copy; an empty key is the region's default.
    pub region_kms_key_ids: BTreeMap<String, String>,
    /// `skip_save_build_region`: no image is left in the build's own region.
    pub skip_save_build_region: bool,
    /// `skip_create_ami`: everything but the image (newer than Packer 1.6.6).
    pub skip_create_ami: bool,
    /// `imds_support` of the image (newer than Packer 1.6.6).
    pub imds_support: Option<ImdsSupport>,
    /// `ami_block_device_mappings`: what the image has beside its root.
    pub ami_block_device_mappings: Vec<BlockDevice>,
}

/// `imds_support`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImdsSupport {
    /// `v2.0`
    V2_0,
}

/// The instance that the image is made from.
#[derive(Clone, Debug, Default)]
pub struct RunConfig {
    /// `source_ami`.
    pub source_ami: Option<String>,
    /// `source_ami_filter`; used when there is no `source_ami`.
    pub source_ami_filter: Option<SourceAmiFilter>,
    /// `instance_type`.
    pub instance_type: String,
    /// `associate_public_ip_address`; none leaves it to the subnet.
    pub associate_public_ip_address: Option<bool>,
    /// `availability_zone`.
    pub availability_zone: Option<String>,
    /// `ebs_optimized`.
    pub ebs_optimized: bool,
    /// `enable_t2_unlimited`.
    pub enable_t2_unlimited: bool,
    /// `iam_instance_profile`.
    pub iam_instance_profile: Option<String>,
    /// `skip_profile_validation`: does not look whether the profile exists.
    pub skip_profile_validation: bool,
    /// `temporary_iam_instance_profile_policy_document`: the policy, as JSON.
    pub temporary_iam_instance_profile_policy_document: Option<String>,
    /// `shutdown_behavior`, `stop`.
    pub shutdown_behavior: ShutdownBehavior,
    /// `disable_stop_instance`: the instance stops itself, by a provisioner.
    pub disable_stop_instance: bool,
    /// `security_group_ids` (and `security_group_id`).
    pub security_group_ids: Vec<String>,
    /// `security_group_filter`.
    pub security_group_filter: Option<SecurityGroupFilter>,
    /// `temporary_security_group_source_cidrs`, `0.0.0.0/0`.
    pub temporary_security_group_source_cidrs: Vec<String>,
    /// `subnet_id`.
    pub subnet_id: Option<String>,
    /// `subnet_filter`.
    pub subnet_filter: Option<SubnetFilter>,
    /// `vpc_id`.
    pub vpc_id: Option<String>,
    /// `vpc_filter`.
    pub vpc_filter: Option<VpcFilter>,
    /// `tenancy`.
    pub tenancy: Option<Tenancy>,
    /// `run_tags` (and `run_tag`) of the instance and the temporary things.
    pub run_tags: DeferredMap,
    /// `run_volume_tags` (and `run_volume_tag`).
    pub run_volume_tags: DeferredMap,
    /// `user_data`.
    pub user_data: Option<String>,
    /// `user_data_file`.
    pub user_data_file: Option<String>,
    /// `launch_block_device_mappings`.
    pub launch_block_device_mappings: Vec<BlockDevice>,
    /// `metadata_options` (newer than Packer 1.6.6).
    pub metadata_options: Option<MetadataOptions>,
}

/// `shutdown_behavior`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownBehavior {
    /// `stop`
    #[default]
    Stop,
    /// `terminate`
    Terminate,
}

/// `tenancy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// `default`
    Default,
    /// `dedicated`
    Dedicated,
    /// `host`
    Host,
}

/// `source_ami_filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAmiFilter {
    /// `filters`: EC2's filter names; values may be lists joined by commas.
    pub filters: BTreeMap<String, String>,
    /// `owners`.
    pub owners: Vec<String>,
    /// `most_recent`: the newest one, when several match.
    pub most_recent: bool,
}

/// `security_group_filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroupFilter {
    /// `filters`.
    pub filters: BTreeMap<String, String>,
}

/// `subnet_filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetFilter {
    /// `filters`.
    pub filters: BTreeMap<String, String>,
    /// `most_free`: the one with the most free addresses.
    pub most_free: bool,
    /// `random`: any of them.
    pub random: bool,
}

/// `vpc_filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcFilter {
    /// `filters`.
    pub filters: BTreeMap<String, String>,
}

/// `metadata_options`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataOptions {
    /// `http_endpoint`: `enabled` or `disabled`.
    pub http_endpoint: Option<String>,
    /// `http_tokens`: `optional` or `required`.
    pub http_tokens: Option<String>,
    /// `http_put_response_hop_limit`: 1 to 64.
    pub http_put_response_hop_limit: Option<i32>,
    /// `instance_metadata_tags`: `enabled` or `disabled`.
    pub instance_metadata_tags: Option<String>,
}

/// An entry of `ami_block_device_mappings` or `launch_block_device_mappings`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockDevice {
    /// `device_name`.
    pub device_name: String,
    /// `delete_on_termination`.
    pub delete_on_termination: bool,
    /// `encrypted`; none leaves it to the snapshot.
    pub encrypted: Option<bool>,
    /// `kms_key_id`.
    pub kms_key_id: Option<String>,
    /// `iops`.
    pub iops: Option<i32>,
    /// `throughput` in MiB/s.
    pub throughput: Option<i32>,
    /// `no_device`: takes the device away.
    pub no_device: bool,
    /// `snapshot_id`.
    pub snapshot_id: Option<String>,
    /// `virtual_name`: `ephemeral0`.
    pub virtual_name: Option<String>,
    /// `volume_type`.
    pub volume_type: Option<String>,
    /// `volume_size` in GiB.
    pub volume_size: Option<i32>,
}

impl Polling {
    /// The pause between two questions, if set.
    pub fn delay(&self) -> Option<Duration> {
        self.delay_seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }
}
