//! Instance types: what they have, and where they are offered.

use aws_wire::Error;
use aws_wire::ec2::{
    DescribeInstanceTypeOfferingsRequest, DescribeInstanceTypeOfferingsResult, DescribeInstanceTypesRequest,
    DescribeInstanceTypesResult, EbsInfo, InstanceTypeInfo, InstanceTypeOffering, MemoryInfo, NetworkInfo,
    ProcessorInfo, VCpuInfo,
};

use super::request::{page, select, stop_dry_run, truth};
use super::{errors, regions};
use crate::api::filters::Field;
use crate::api::paging::Limits;
use crate::context::Ctx;

/// An instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceType {
    /// Its name (`t2.micro`).
    pub name: &'static str,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";

const fn of(name: &'static str, vcpus: u32, memory_mib: u64, architecture: &'static str) -> InstanceType {
    InstanceType { name, vcpus, memory_mib, architecture }
}

/// The types there are, in the order of their names. Figures are AWS's own.
pub const TYPES: &[InstanceType] = &[
    of("c4.large", 2, 3840, X86),
    of("c4.xlarge", 4, 7680, X86),
    of("c5.2xlarge", 8, 16384, X86),
    of("c5.4xlarge", 16, 32768, X86),
    of("c5.large", 2, 4096, X86),
    of("c5.xlarge", 4, 8192, X86),
    of("c6g.large", 2, 4096, ARM),
    of("c6g.xlarge", 4, 8192, ARM),
    of("c6i.large", 2, 4096, X86),
    of("c6i.xlarge", 4, 8192, X86),
    of("c7g.large", 2, 4096, ARM),
    of("c7g.xlarge", 4, 8192, ARM),
    of("c7i.large", 2, 4096, X86),
    of("c7i.xlarge", 4, 8192, X86),
    of("m1.small", 1, 1740, X86),
    of("m4.large", 2, 8192, X86),
    of("m4.xlarge", 4, 16384, X86),
    of("m5.2xlarge", 8, 32768, X86),
    of("m5.4xlarge", 16, 65536, X86),
    of("m5.large", 2, 8192, X86),
    of("m5.xlarge", 4, 16384, X86),
    of("m6g.large", 2, 8192, ARM),
    of("m6g.medium", 1, 4096, ARM),
    of("m6g.xlarge", 4, 16384, ARM),
    of("m6i.large", 2, 8192, X86),
    of("m6i.xlarge", 4, 16384, X86),
    of("m7g.large", 2, 8192, ARM),
    of("m7g.medium", 1, 4096, ARM),
    of("m7i.large", 2, 8192, X86),
    of("m7i.xlarge", 4, 16384, X86),
    of("r5.large", 2, 16384, X86),
    of("r5.xlarge", 4, 32768, X86),
    of("r6i.large", 2, 16384, X86),
    of("t2.2xlarge", 8, 32768, X86),
    of("t2.large", 2, 8192, X86),
    of("t2.medium", 2, 4096, X86),
    of("t2.micro", 1, 1024, X86),
    of("t2.nano", 1, 512, X86),
    of("t2.small", 1, 2048, X86),
    of("t2.xlarge", 4, 16384, X86),
    of("t3.2xlarge", 8, 32768, X86),
    of("t3.large", 2, 8192, X86),
    of("t3.medium", 2, 4096, X86),
    of("t3.micro", 2, 1024, X86),
    of("t3.nano", 2, 512, X86),
    of("t3.small", 2, 2048, X86),
    of("t3.xlarge", 4, 16384, X86),
    of("t3a.large", 2, 8192, X86),
    of("t3a.medium", 2, 4096, X86),
    of("t3a.micro", 2, 1024, X86),
    of("t3a.nano", 2, 512, X86),
    of("t3a.small", 2, 2048, X86),
    of("t4g.large", 2, 8192, ARM),
    of("t4g.medium", 2, 4096, ARM),
    of("t4g.micro", 2, 1024, ARM),
    of("t4g.nano", 2, 512, ARM),
    of("t4g.small", 2, 2048, ARM),
];

/// The type with this name.
pub fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|kind| kind.name == name)
}

impl InstanceType {
    fn is_burstable(&self) -> bool {
        self.name.starts_with('t')
    }

    /// Whether AWS runs it on its first hypervisor.
    fn is_xen(&self) -> bool {
        self.name.starts_with("t2.") || !self.is_current()
    }

    /// Whether it is of a generation that AWS still recommends.
    fn is_current(&self) -> bool {
        !["m1.", "m4.", "c4."].iter().any(|family| self.name.starts_with(family))
    }

    fn hypervisor(&self) -> &'static str {
        if self.is_xen() { "xen" } else { "nitro" }
    }

    /// `t2.micro`, and `t3.micro`, are in AWS's free tier.
    fn is_free(&self) -> bool {
        matches!(self.name, "t2.micro" | "t3.micro")
    }
}

const FIELDS: &[Field<&InstanceType>] = &[
    ("instance-type", |kind, is| is(kind.name)),
    ("vcpu-info.default-vcpus", |kind, is| is(&kind.vcpus.to_string())),
    ("memory-info.size-in-mib", |kind, is| is(&kind.memory_mib.to_string())),
    ("processor-info.supported-architecture", |kind, is| is(kind.architecture)),
    ("hypervisor", |kind, is| is(kind.hypervisor())),
    ("burstable-performance-supported", |kind, is| is(truth(kind.is_burstable()))),
    ("current-generation", |kind, is| is(truth(kind.is_current()))),
    ("free-tier-eligible", |kind, is| is(truth(kind.is_free()))),
    ("bare-metal", |_, is| is("false")),
    ("instance-storage-supported", |_, is| is("false")),
    ("supported-root-device-type", |_, is| is("ebs")),
    ("supported-usage-class", |_, is| is("on-demand")),
    ("supported-virtualization-type", |_, is| is("hvm")),
];

/// `DescribeInstanceTypes`
pub fn describe_instance_types(
    _: &Ctx,
    input: DescribeInstanceTypesRequest,
) -> Result<DescribeInstanceTypesResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, None, &input.filters)?;
    let unknown: Vec<&str> =
        input.instance_types.iter().map(String::as_str).filter(|name| find(name).is_none()).collect();
    if !unknown.is_empty() {
        let message = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(Error::client("InvalidInstanceType", message));
    }
    let asked = |kind: &&InstanceType| {
        input.instance_types.is_empty() || input.instance_types.iter().any(|name| name == kind.name)
    };
    let kinds = TYPES.iter().filter(asked).filter(|kind| selection.accepts(kind)).collect();
    let limits = Limits { min: 5, max: 100, default: Some(100) };
    let page = page(kinds, input.max_results, input.next_token.as_deref(), limits, |kind| kind.name)?;
    Ok(DescribeInstanceTypesResult {
        instance_types: page.items.into_iter().map(to_wire).collect(),
        next_token: page.next,
    })
}

fn to_wire(kind: &InstanceType) -> InstanceTypeInfo {
    let text = |text: &str| Some(text.to_owned());
    let vcpus = i32::try_from(kind.vcpus).ok();
    InstanceTypeInfo {
        instance_type: text(kind.name),
        current_generation: Some(kind.is_current()),
        free_tier_eligible: Some(kind.is_free()),
        supported_usage_classes: vec!["on-demand".to_owned()],
        supported_root_device_types: vec!["ebs".to_owned()],
        supported_virtualization_types: vec!["hvm".to_owned()],
        bare_metal: Some(false),
        hypervisor: text(kind.hypervisor()),
        processor_info: Some(ProcessorInfo {
            supported_architectures: vec![kind.architecture.to_owned()],
            ..ProcessorInfo::default()
        }),
        v_cpu_info: Some(VCpuInfo { default_v_cpus: vcpus, ..VCpuInfo::default() }),
        memory_info: Some(MemoryInfo { size_in_mi_b: i64::try_from(kind.memory_mib).ok() }),
        instance_storage_supported: Some(false),
        ebs_info: Some(EbsInfo {
            ebs_optimized_support: text(if kind.is_xen() { "unsupported" } else { "default" }),
            encryption_support: text("unsupported"),
            nvme_support: text("unsupported"),
            ..EbsInfo::default()
        }),
        network_info: Some(NetworkInfo {
            maximum_network_interfaces: Some(1),
            ipv4_addresses_per_interface: Some(1),
            ipv6_supported: Some(false),
            ena_support: text(if kind.is_xen() { "unsupported" } else { "required" }),
            efa_supported: Some(false),
            ..NetworkInfo::default()
        }),
        hibernation_supported: Some(false),
        burstable_performance_supported: Some(kind.is_burstable()),
        dedicated_hosts_supported: Some(false),
        auto_recovery_supported: Some(false),
        ..InstanceTypeInfo::default()
    }
}

const OFFERING_FIELDS: &[Field<InstanceTypeOffering>] = &[
    ("instance-type", |offering, is| offering.instance_type.as_deref().is_some_and(is)),
    ("location", |offering, is| offering.location.as_deref().is_some_and(is)),
];

/// `DescribeInstanceTypeOfferings`: every type is offered everywhere.
pub fn describe_instance_type_offerings(
    ctx: &Ctx,
    input: DescribeInstanceTypeOfferingsRequest,
) -> Result<DescribeInstanceTypeOfferingsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let location_type = input.location_type.as_deref().unwrap_or("region");
    let zones = regions::zones(&ctx.region);
    let locations = match location_type {
        "region" => vec![ctx.region.to_string()],
        "availability-zone" => zones,
        "availability-zone-id" => zones.iter().filter_map(|zone| regions::zone_id(zone)).collect(),
        other => return Err(errors::invalid_parameter(other, "locationType", "")),
    };
    let selection = select(OFFERING_FIELDS, None, &input.filters)?;
    let mut offerings = Vec::new();
    for kind in TYPES {
        for location in &locations {
            let offering = InstanceTypeOffering {
                instance_type: Some(kind.name.to_owned()),
                location_type: Some(location_type.to_owned()),
                location: Some(location.clone()),
            };
            if selection.accepts(&offering) {
                // The key of a page is one text, so it stands beside the offering.
                offerings.push((format!("{}/{location}", kind.name), offering));
            }
        }
    }
    offerings.sort_by(|a, b| a.0.cmp(&b.0));
    let limits = Limits { min: 5, max: 1000, default: Some(1000) };
    let page = page(offerings, input.max_results, input.next_token.as_deref(), limits, |(key, _)| key)?;
    Ok(DescribeInstanceTypeOfferingsResult {
        instance_type_offerings: page.items.into_iter().map(|(_, offering)| offering).collect(),
        next_token: page.next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lie_in_the_order_of_their_names() {
        assert!(TYPES.windows(2).all(|pair| pair[0].name < pair[1].name), "pages need the order");
        assert_eq!(find("t2.micro").map(|kind| (kind.vcpus, kind.memory_mib)), Some((1, 1024)));
        assert_eq!(find("t2.mega"), None);
    }
}
