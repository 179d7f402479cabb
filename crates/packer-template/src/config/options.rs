//! Which options there are, and what becomes of each. This table is what blocks are checked against, and what the
//! documentation is made from.

/// An option's name and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Packer's name for it.
    pub name: &'static str,
    /// What becomes of it.
    pub support: Support,
    /// Whether capitals and small letters count alike, as Packer has it for a few.
    pub(super) any_case: bool,
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what it does in Packer 1.6.6.
    Supported,
    /// It does what it does in later versions of Packer; 1.6.6 does not know it.
    Newer,
    /// It is accepted and has no effect here, for this reason.
    Ignored(&'static str),
    /// It is refused, for this reason.
    Refused(&'static str),
    /// Packer 1.6.6 refuses it too: it has another name by now.
    Renamed(&'static str),
}

pub(super) const fn yes(name: &'static str) -> Opt {
    Opt { name, support: Support::Supported, any_case: false }
}

pub(super) const fn any_case(name: &'static str) -> Opt {
    Opt { name, support: Support::Supported, any_case: true }
}

pub(super) const fn newer(name: &'static str) -> Opt {
    Opt { name, support: Support::Newer, any_case: false }
}

pub(super) const fn ignored(name: &'static str, why: &'static str) -> Opt {
    Opt { name, support: Support::Ignored(why), any_case: false }
}

pub(super) const fn refused(name: &'static str, why: &'static str) -> Opt {
    Opt { name, support: Support::Refused(why), any_case: false }
}

pub(super) const fn renamed(name: &'static str, to: &'static str) -> Opt {
    Opt { name, support: Support::Renamed(to), any_case: false }
}

const SPOT: &str = "spot instances cannot be stopped for a consistent image; use an on-demand instance";
const WINDOWS: &str = "Windows machines are not built";
const SSM: &str = "connections through Session Manager are not made";

/// The options of the builder `amazon-ebs`, by name.
pub const AMAZON_EBS: &[Opt] = &[
    yes("access_key"),
    yes("ami_block_device_mappings"),
    yes("ami_description"),
    yes("ami_groups"),
    yes("ami_name"),
    yes("ami_product_codes"),
    yes("ami_regions"),
    yes("ami_users"),
    yes("ami_virtualization_type"),
    yes("associate_public_ip_address"),
    yes("assume_role"),
    yes("availability_zone"),
    yes("aws_polling"),
    refused("block_duration_minutes", SPOT),
    yes("communicator"),
    yes("custom_endpoint_ec2"),
    refused(
        "decode_authorization_messages",
        "give the message that the error shows to `aws sts decode-authorization-message`",
    ),
    yes("disable_stop_instance"),
    yes("ebs_optimized"),
    yes("ena_support"),
    yes("enable_t2_unlimited"),
    yes("encrypt_boot"),
    renamed("enhanced_networking", "ena_support"),
    yes("force_delete_snapshot"),
    yes("force_deregister"),
    yes("iam_instance_profile"),
    newer("imds_support"),
    refused(
        "insecure_skip_tls_verify",
        "certificates are always checked; let SSL_CERT_FILE name the CA of an endpoint of your own",
    ),
    yes("instance_type"),
    yes("kms_key_id"),
    yes("launch_block_device_mappings"),
    yes("max_retries"),
    newer("metadata_options"),
    refused(
        "mfa_code",
        "get credentials by `aws sts get-session-token` and hand them in as access_key, secret_key and token",
    ),
    refused("no_ephemeral", WINDOWS),
    yes("pause_before_connecting"),
    refused("pause_before_ssm", SSM),
    yes("profile"),
    yes("region"),
    yes("region_kms_key_ids"),
    yes("run_tag"),
    yes("run_tags"),
    yes("run_volume_tag"),
    yes("run_volume_tags"),
    yes("secret_key"),
    yes("security_group_filter"),
    yes("security_group_id"),
    yes("security_group_ids"),
    refused("session_manager_port", SSM),
    yes("shared_credentials_file"),
    yes("shutdown_behavior"),
    newer("skip_create_ami"),
    ignored("skip_credential_validation", "credentials are not tried out before they are needed"),
    ignored(
        "skip_metadata_api_check",
        "the metadata service of the host is not asked for credentials, unless a profile says so",
    ),
    yes("skip_profile_validation"),
    yes("skip_region_validation"),
    yes("skip_save_build_region"),
    yes("snapshot_groups"),
    yes("snapshot_tag"),
    yes("snapshot_tags"),
    yes("snapshot_users"),
    yes("source_ami"),
    yes("source_ami_filter"),
    refused("spot_instance_types", SPOT),
    refused("spot_price", SPOT),
    refused("spot_price_auto_product", SPOT),
    refused("spot_tag", SPOT),
    refused("spot_tags", SPOT),
    yes("sriov_support"),
    yes("ssh_agent_auth"),
    yes("ssh_bastion_agent_auth"),
    yes("ssh_bastion_certificate_file"),
    yes("ssh_bastion_host"),
    yes("ssh_bastion_interactive"),
    yes("ssh_bastion_password"),
    yes("ssh_bastion_port"),
    yes("ssh_bastion_private_key_file"),
    yes("ssh_bastion_username"),
    yes("ssh_certificate_file"),
    yes("ssh_ciphers"),
    yes("ssh_clear_authorized_keys"),
    yes("ssh_disable_agent_forwarding"),
    yes("ssh_file_transfer_method"),
    yes("ssh_handshake_attempts"),
    yes("ssh_host"),
    yes("ssh_interface"),
    yes("ssh_keep_alive_interval"),
    yes("ssh_key_exchange_algorithms"),
    yes("ssh_keypair_name"),
    yes("ssh_local_tunnels"),
    yes("ssh_password"),
    yes("ssh_port"),
    refused("ssh_private_key", "a key's bytes do not belong into a template; use ssh_private_key_file"),
    yes("ssh_private_key_file"),
    renamed("ssh_private_ip", "ssh_interface"),
    yes("ssh_proxy_host"),
    yes("ssh_proxy_password"),
    yes("ssh_proxy_port"),
    yes("ssh_proxy_username"),
    yes("ssh_pty"),
    refused("ssh_public_key", "a key's bytes do not belong into a template; use ssh_private_key_file"),
    yes("ssh_read_write_timeout"),
    yes("ssh_remote_tunnels"),
    yes("ssh_timeout"),
    yes("ssh_username"),
    yes("ssh_wait_timeout"),
    yes("subnet_filter"),
    yes("subnet_id"),
    yes("tag"),
    yes("tags"),
    yes("temporary_iam_instance_profile_policy_document"),
    yes("temporary_key_pair_bits"),
    yes("temporary_key_pair_name"),
    yes("temporary_key_pair_type"),
    renamed("temporary_security_group_source_cidr", "temporary_security_group_source_cidrs"),
    yes("temporary_security_group_source_cidrs"),
    yes("tenancy"),
    yes("token"),
    yes("user_data"),
    yes("user_data_file"),
    refused(
        "vault_aws_engine",
        "credentials are not asked of HashiCorp Vault; hand them in as variables or by the environment",
    ),
    yes("vpc_filter"),
    yes("vpc_id"),
    refused("windows_password_timeout", WINDOWS),
    refused("winrm_host", WINDOWS),
    refused("winrm_insecure", WINDOWS),
    refused("winrm_no_proxy", WINDOWS),
    refused("winrm_password", WINDOWS),
    refused("winrm_port", WINDOWS),
    refused("winrm_timeout", WINDOWS),
    refused("winrm_use_ntlm", WINDOWS),
    refused("winrm_use_ssl", WINDOWS),
    refused("winrm_username", WINDOWS),
];

/// The options of an entry of `ami_block_device_mappings` and `launch_block_device_mappings`.
pub const BLOCK_DEVICE: &[Opt] = &[
    yes("delete_on_termination"),
    yes("device_name"),
    yes("encrypted"),
    yes("iops"),
    yes("kms_key_id"),
    yes("no_device"),
    yes("snapshot_id"),
    yes("throughput"),
    yes("virtual_name"),
    yes("volume_size"),
    yes("volume_type"),
];

/// The options of `assume_role`.
pub const ASSUME_ROLE: &[Opt] = &[
    yes("duration_seconds"),
    yes("external_id"),
    yes("policy"),
    yes("policy_arns"),
    yes("role_arn"),
    yes("session_name"),
    yes("tags"),
    refused("transitive_tag_keys", "the build assumes no further role"),
];

pub(super) const POLLING: &[Opt] = &[yes("delay_seconds"), yes("max_attempts")];

pub(super) const FILTERS: &[Opt] = &[any_case("filter"), any_case("filters")];

pub(super) const AMI_FILTER: &[Opt] =
    &[any_case("filter"), any_case("filters"), yes("most_recent"), any_case("owners")];

pub(super) const SUBNET_FILTER: &[Opt] =
    &[any_case("filter"), any_case("filters"), yes("most_free"), yes("random")];

pub(super) const KEY_VALUE: &[Opt] = &[yes("key"), yes("value")];

pub(super) const NAME_VALUE: &[Opt] = &[yes("name"), yes("value")];

pub(super) const METADATA: &[Opt] = &[
    newer("http_endpoint"),
    newer("http_put_response_hop_limit"),
    newer("http_tokens"),
    newer("instance_metadata_tags"),
];

pub(super) const POLICY: &[Opt] = &[any_case("Statement"), any_case("Version")];

pub(super) const STATEMENT: &[Opt] = &[any_case("Action"), any_case("Effect"), any_case("Resource")];

/// The options of the provisioner `shell`.
pub const SHELL: &[Opt] = &[
    any_case("binary"),
    yes("env_var_format"),
    yes("environment_vars"),
    yes("execute_command"),
    yes("expect_disconnect"),
    any_case("inline"),
    yes("inline_shebang"),
    yes("pause_after"),
    yes("remote_file"),
    yes("remote_folder"),
    yes("remote_path"),
    any_case("script"),
    any_case("scripts"),
    yes("skip_clean"),
    yes("start_retry_timeout"),
    yes("use_env_var_file"),
    yes("valid_exit_codes"),
];

/// The options of the provisioner `file`.
pub const FILE: &[Opt] =
    &[yes("destination"), yes("direction"), yes("generated"), yes("source"), yes("sources")];

/// The options of the provisioner and the post-processor `shell-local`.
pub const SHELL_LOCAL: &[Opt] = &[
    any_case("binary"),
    yes("command"),
    yes("env_var_format"),
    yes("environment_vars"),
    yes("execute_command"),
    any_case("inline"),
    yes("inline_shebang"),
    yes("only_on"),
    any_case("script"),
    any_case("scripts"),
    yes("tempfile_extension"),
    refused("use_linux_pathing", "it is for Windows hosts"),
    yes("valid_exit_codes"),
];

/// The options of the provisioner `breakpoint`.
pub const BREAKPOINT: &[Opt] = &[yes("disable"), yes("note")];

/// The options of the post-processor `manifest`.
pub const MANIFEST: &[Opt] =
    &[yes("custom_data"), renamed("filename", "output"), yes("output"), yes("strip_path"), yes("strip_time")];

/// The options of the post-processor `checksum`.
pub const CHECKSUM: &[Opt] = &[yes("checksum_types"), yes("output")];

/// The options of the post-processor `compress`.
pub const COMPRESS: &[Opt] = &[yes("compression_level"), yes("format"), yes("output")];

/// What every builder, provisioner and post-processor accepts: Packer hands these on inside of itself, and what a
/// template says about them is overwritten.
pub(super) const INTERNAL: &[Opt] = &[
    ignored("packer_build_name", INTERNALS),
    ignored("packer_builder_type", INTERNALS),
    ignored("packer_core_version", INTERNALS),
    ignored("packer_debug", INTERNALS),
    ignored("packer_force", INTERNALS),
    ignored("packer_on_error", INTERNALS),
    ignored("packer_sensitive_variables", INTERNALS),
    ignored("packer_template_path", INTERNALS),
    ignored("packer_user_variables", INTERNALS),
];

const INTERNALS: &str = "Packer sets it by itself";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_name_nothing_twice() {
        let tables =
            [AMAZON_EBS, BLOCK_DEVICE, SHELL, FILE, SHELL_LOCAL, BREAKPOINT, MANIFEST, CHECKSUM, COMPRESS];
        for table in tables {
            let mut names: Vec<_> = table.iter().map(|option| option.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
