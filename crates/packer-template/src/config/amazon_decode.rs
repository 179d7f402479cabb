//! Reading and checking the options of `amazon-ebs`, as Packer's `Prepare` does.

use super::{
    amazon::{
        AccessConfig, AmazonEbs, AmiConfig, AssumeRole, BlockDevice, ImdsSupport, MetadataOptions, Polling,
        RunConfig, SecurityGroupFilter, ShutdownBehavior, SourceAmiFilter, SubnetFilter, Tenancy, VpcFilter,
    },
    communicator, kms, options, policy,
    reader::{Reader, Session},
};
use crate::{
    block::Block,
    context::Context,
    deferred::{AMAZON_FIELDS, Dot},
    error::Errors,
    language::clean_resource_name,
};

/// What late options see as `.`.
const DOT: Dot = Dot::Fields(AMAZON_FIELDS);

/// The largest number that EC2's API takes.
const MOST: i64 = i32::MAX as i64;

pub(super) fn decode(block: &Block, context: &Context) -> Result<AmazonEbs, Errors> {
    let session = Session::new(block, context);
    let reader = session.reader(block, options::AMAZON_EBS);
    let communicator = communicator::decode(&reader, &session);
    let access = access(&reader);
    let ami = ami(&reader, &access);
    let run = run(&reader, &session);
    let warnings = session.warnings();
    let config = communicator.map(|communicator| AmazonEbs { access, ami, run, communicator, warnings });
    session.finish(config)
}

fn access(reader: &Reader<'_>) -> AccessConfig {
    let config = AccessConfig {
        access_key: reader.string("access_key"),
        secret_key: reader.string("secret_key"),
        token: reader.string("token"),
        profile: reader.string("profile"),
        shared_credentials_file: reader.string("shared_credentials_file"),
        region: reader.string("region"),
        assume_role: assume_role(reader),
        custom_endpoint_ec2: reader.string("custom_endpoint_ec2"),
        max_retries: reader.number("max_retries", 0..=1000),
        skip_region_validation: reader.flag("skip_region_validation"),
        aws_polling: polling(reader),
    };
    match (&config.access_key, &config.secret_key) {
        (Some(_), None) => reader.fail("access_key", "an 'access_key' needs its 'secret_key'"),
        (None, Some(_)) => reader.fail("secret_key", "a 'secret_key' needs its 'access_key'"),
        _ => {}
    }
    config
}

fn assume_role(reader: &Reader<'_>) -> Option<AssumeRole> {
    let role = reader.object("assume_role", options::ASSUME_ROLE)?;
    let assume = AssumeRole {
        role_arn: role.string("role_arn").unwrap_or_default(),
        duration_seconds: role.number("duration_seconds", 900..=43_200),
        external_id: role.string("external_id"),
        policy: role.string("policy"),
        policy_arns: role.strings("policy_arns"),
        session_name: role.string("session_name"),
        tags: role.map("tags"),
    };
    // Packer assumes no role when none is named.
    Some(assume).filter(|assume| !assume.role_arn.is_empty())
}

fn polling(reader: &Reader<'_>) -> Polling {
    let Some(polling) = reader.object("aws_polling", options::POLLING) else { return Polling::default() };
    Polling {
        max_attempts: polling.number("max_attempts", 1..=MOST),
        delay_seconds: polling.number("delay_seconds", 1..=MOST),
    }
}

fn ami(reader: &Reader<'_>, access: &AccessConfig) -> AmiConfig {
    let mut config = AmiConfig {
        ami_name: ami_name(reader),
        ami_description: reader.deferred("ami_description", "", DOT),
        ami_virtualization_type: reader.string("ami_virtualization_type"),
        ami_users: reader.strings("ami_users"),
        ami_groups: reader.strings("ami_groups"),
        ami_product_codes: reader.strings("ami_product_codes"),
        ami_regions: reader.strings("ami_regions"),
        tags: reader.deferred_map("tags", "tag", "key", DOT),
        snapshot_tags: reader.deferred_map("snapshot_tags", "snapshot_tag", "key", DOT),
        snapshot_users: reader.strings("snapshot_users"),
        snapshot_groups: reader.strings("snapshot_groups"),
        ena_support: reader.trilean("ena_support"),
        sriov_support: reader.flag("sriov_support"),
        force_deregister: reader.flag("force_deregister"),
        force_delete_snapshot: reader.flag("force_delete_snapshot"),
        encrypt_boot: reader.trilean("encrypt_boot"),
        kms_key_id: reader.string("kms_key_id"),
        region_kms_key_ids: reader.map("region_kms_key_ids"),
        skip_save_build_region: reader.flag("skip_save_build_region"),
        skip_create_ami: reader.flag("skip_create_ami"),
        imds_support: imds_support(reader),
        ami_block_device_mappings: block_devices(reader, "ami_block_device_mappings"),
    };
    kms::check(reader, &config);
    // Each region once, and not the one that the image is made in.
    let mut seen = Vec::new();
    config.ami_regions.retain(|region| {
        let new = !seen.contains(region) && access.region.as_ref() != Some(region);
        seen.push(region.clone());
        new
    });
    config
}

fn ami_name(reader: &Reader<'_>) -> String {
    let Some(name) = reader.string("ami_name") else {
        if !reader.has("ami_name") {
            let help = "a name can be used once only: \"my-image {{timestamp}}\"".to_owned();
            reader.fail_with("ami_name", "'ami_name' is missing", Some(help));
        } else {
            reader.fail("ami_name", "'ami_name' must have 3 to 128 characters");
        }
        return String::new();
    };
    // Bytes, as Packer counts: a character beyond ASCII is refused anyway.
    if !(3..=128).contains(&name.len()) {
        reader.fail(
            "ami_name",
            format!("'ami_name' must have 3 to 128 characters; '{name}' has {}", name.len()),
        );
    }
    let clean = clean_resource_name(&name);
    if clean != name {
        let message =
            format!("'ami_name' may have letters, digits, blanks and ()[]./-'@_ only, unlike '{name}'");
        let help = "clean_resource_name replaces the others: {{isotime | clean_resource_name}}".to_owned();
        reader.fail_with("ami_name", message, Some(help));
    }
    name
}

fn imds_support(reader: &Reader<'_>) -> Option<ImdsSupport> {
    match reader.string("imds_support")?.as_str() {
        "v2.0" => Some(ImdsSupport::V2_0),
        other => {
            reader.fail("imds_support", format!("'imds_support' is \"v2.0\" or not set, not \"{other}\""));
            None
        }
    }
}

fn run(reader: &Reader<'_>, session: &Session<'_>) -> RunConfig {
    let config = RunConfig {
        source_ami: reader.string("source_ami"),
        source_ami_filter: source_ami_filter(reader),
        instance_type: instance_type(reader),
        associate_public_ip_address: reader.trilean("associate_public_ip_address"),
        availability_zone: reader.string("availability_zone"),
        ebs_optimized: reader.flag("ebs_optimized"),
        enable_t2_unlimited: reader.flag("enable_t2_unlimited"),
        iam_instance_profile: reader.string("iam_instance_profile"),
        skip_profile_validation: reader.flag("skip_profile_validation"),
        temporary_iam_instance_profile_policy_document: policy::document(reader),
        shutdown_behavior: shutdown_behavior(reader),
        disable_stop_instance: reader.flag("disable_stop_instance"),
        security_group_ids: security_groups(reader),
        security_group_filter: reader
            .object("security_group_filter", options::FILTERS)
            .map(|filter| SecurityGroupFilter { filters: filters(&filter, "name") }),
        temporary_security_group_source_cidrs: source_cidrs(reader),
        subnet_id: reader.string("subnet_id"),
        subnet_filter: reader.object("subnet_filter", options::SUBNET_FILTER).map(|filter| SubnetFilter {
            filters: filters(&filter, "name"),
            most_free: filter.flag("most_free"),
            random: filter.flag("random"),
        }),
        vpc_id: reader.string("vpc_id"),
        vpc_filter: reader
            .object("vpc_filter", options::FILTERS)
            .map(|filter| VpcFilter { filters: filters(&filter, "name") }),
        tenancy: tenancy(reader),
        run_tags: reader.deferred_map("run_tags", "run_tag", "key", DOT),
        run_volume_tags: reader.deferred_map("run_volume_tags", "run_volume_tag", "name", DOT),
        user_data: reader.string("user_data"),
        user_data_file: reader.string("user_data_file"),
        launch_block_device_mappings: block_devices(reader, "launch_block_device_mappings"),
        metadata_options: metadata_options(reader),
    };
    check_source(reader, &config);
    check_user_data(reader, session, &config);
    if config.enable_t2_unlimited && !config.instance_type.starts_with("t2.") {
        let message =
            format!("'enable_t2_unlimited' is for instances of type t2, not {}", config.instance_type);
        reader.fail("enable_t2_unlimited", message);
    }
    config
}

fn source_ami_filter(reader: &Reader<'_>) -> Option<SourceAmiFilter> {
    let filter = reader.object("source_ami_filter", options::AMI_FILTER)?;
    let found = SourceAmiFilter {
        filters: filters(&filter, "key"),
        owners: filter.strings("owners"),
        most_recent: filter.flag("most_recent"),
    };
    Some(found).filter(|filter| *filter != SourceAmiFilter::default())
}

/// `filters`, with the objects of `filter` added, in which Packer calls the name `key` for images and `name` for
/// everything else.
fn filters(reader: &Reader<'_>, key: &'static str) -> std::collections::BTreeMap<String, String> {
    let mut filters = reader.map("filters");
    for filter in reader.named("filter", key) {
        filters.insert(filter.string(key).unwrap_or_default(), filter.string("value").unwrap_or_default());
    }
    filters
}

fn check_source(reader: &Reader<'_>, config: &RunConfig) {
    if config.source_ami.is_some() {
        return;
    }
    match &config.source_ami_filter {
        None => reader.fail("source_ami", "'source_ami' or 'source_ami_filter' is missing"),
        Some(filter) if filter.owners.is_empty() => {
            let help =
                "without one anybody's image of a fitting name could be taken: \"owners\": [\"amazon\"]";
            reader.fail_with(
                "source_ami_filter",
                "'source_ami_filter' needs \"owners\"",
                Some(help.to_owned()),
            );
        }
        Some(_) => {}
    }
}

fn check_user_data(reader: &Reader<'_>, session: &Session<'_>, config: &RunConfig) {
    match (&config.user_data, &config.user_data_file) {
        (Some(_), Some(_)) => {
            reader.fail("user_data_file", "'user_data' and 'user_data_file' cannot stand together")
        }
        (None, Some(file)) if !session.exists_literally(file) => {
            reader.fail("user_data_file", format!("there is no file '{file}'"));
        }
        _ => {}
    }
}

fn instance_type(reader: &Reader<'_>) -> String {
    reader.string("instance_type").unwrap_or_else(|| {
        reader.fail("instance_type", "'instance_type' is missing");
        String::new()
    })
}

fn shutdown_behavior(reader: &Reader<'_>) -> ShutdownBehavior {
    match reader.string("shutdown_behavior").as_deref() {
        None | Some("stop") => ShutdownBehavior::Stop,
        Some("terminate") => ShutdownBehavior::Terminate,
        Some(other) => {
            reader.fail(
                "shutdown_behavior",
                format!("'shutdown_behavior' is stop or terminate, not '{other}'"),
            );
            ShutdownBehavior::Stop
        }
    }
}

fn tenancy(reader: &Reader<'_>) -> Option<Tenancy> {
    match reader.string("tenancy")?.as_str() {
        "default" => Some(Tenancy::Default),
        "dedicated" => Some(Tenancy::Dedicated),
        "host" => Some(Tenancy::Host),
        other => {
            reader.fail("tenancy", format!("'tenancy' is default, dedicated or host, not '{other}'"));
            None
        }
    }
}

fn security_groups(reader: &Reader<'_>) -> Vec<String> {
    let groups = reader.strings("security_group_ids");
    match reader.string("security_group_id") {
        Some(_) if !groups.is_empty() => {
            reader.fail(
                "security_group_id",
                "'security_group_id' and 'security_group_ids' cannot stand together",
            );
            groups
        }
        Some(group) => vec![group],
        None => groups,
    }
}

fn source_cidrs(reader: &Reader<'_>) -> Vec<String> {
    let cidrs = reader.strings("temporary_security_group_source_cidrs");
    for (index, cidr) in cidrs.iter().enumerate() {
        if !is_cidr(cidr) {
            let message = format!("'{cidr}' is no range of addresses, such as 203.0.113.0/24");
            reader.fail_at("temporary_security_group_source_cidrs", index, message);
        }
    }
    if cidrs.is_empty() { vec!["0.0.0.0/0".to_owned()] } else { cidrs }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u8>().is_ok_and(|length| length <= most)
}

fn metadata_options(reader: &Reader<'_>) -> Option<MetadataOptions> {
    let metadata = reader.object("metadata_options", options::METADATA)?;
    let one_of = |name: &str, words: [&str; 2]| {
        let word = metadata.string(name)?;
        if !words.contains(&word.as_str()) {
            metadata.fail(name, format!("'{name}' is {} or {}, not '{word}'", words[0], words[1]));
        }
        Some(word)
    };
    Some(MetadataOptions {
        http_endpoint: one_of("http_endpoint", ["enabled", "disabled"]),
        http_tokens: one_of("http_tokens", ["optional", "required"]),
        http_put_response_hop_limit: metadata.number("http_put_response_hop_limit", 1..=64),
        instance_metadata_tags: one_of("instance_metadata_tags", ["enabled", "disabled"]),
    })
}

fn block_devices(reader: &Reader<'_>, name: &str) -> Vec<BlockDevice> {
    reader.objects(name, options::BLOCK_DEVICE).iter().map(block_device).collect()
}

fn block_device(reader: &Reader<'_>) -> BlockDevice {
    let device = BlockDevice {
        device_name: reader.string("device_name").unwrap_or_default(),
        delete_on_termination: reader.flag("delete_on_termination"),
        encrypted: reader.trilean("encrypted"),
        kms_key_id: reader.string("kms_key_id"),
        iops: reader.number("iops", 1..=MOST),
        throughput: reader.number("throughput", 1..=MOST),
        no_device: reader.flag("no_device"),
        snapshot_id: reader.string("snapshot_id"),
        virtual_name: reader.string("virtual_name"),
        volume_type: reader.string("volume_type"),
        volume_size: reader.number("volume_size", 1..=65_536),
    };
    if device.device_name.is_empty() {
        reader.fail("device_name", "a block device needs its 'device_name'");
    }
    if device.kms_key_id.is_some() && device.encrypted == Some(false) {
        reader.fail("kms_key_id", "a 'kms_key_id' is for encrypted volumes: \"encrypted\": true");
    }
    check_speed(reader, &device);
    device
}

/// Packer's limits of provisioned speed: operations a second by type of volume, and the most of them for each GiB.
fn check_speed(reader: &Reader<'_>, device: &BlockDevice) {
    let kind = device.volume_type.as_deref().unwrap_or_default();
    let (least, most, ratio) = match kind {
        "io1" => (100, 64_000, Some(50)),
        "io2" => (100, 64_000, Some(500)),
        "gp3" => (3000, 16_000, None),
        _ => (0, i32::MAX, None),
    };
    if let Some(iops) = device.iops {
        // Packer looks at these limits of io1 and io2 only when the size is given.
        let counts = device.volume_size.is_some() || kind == "gp3";
        if counts && !(least..=most).contains(&iops) {
            reader.fail(
                "iops",
                format!("'iops' of a volume of type {kind} must be between {least} and {most}"),
            );
        }
        if let (Some(ratio), Some(size)) = (ratio, device.volume_size)
            && iops / size > ratio
        {
            reader.fail(
                "iops",
                format!("'iops' of a volume of type {kind} must be at most {ratio} for each GiB"),
            );
        }
    }
    match device.throughput {
        Some(_) if kind != "gp3" => reader.fail("throughput", "'throughput' is for volumes of type gp3"),
        Some(throughput) if !(125..=1000).contains(&throughput) => {
            reader.fail("throughput", "'throughput' must be between 125 and 1000 MiB/s");
        }
        _ => {}
    }
}
