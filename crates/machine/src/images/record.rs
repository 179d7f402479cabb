//! What is known of an image.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::snapshot::Shared;

/// The owner of the images that come with the cloud.
pub const AMAZON: &str = "amazon";

/// The size of an image's root volume in GiB, as the ECS-optimised AMI has it.
pub const ROOT_GIB: u32 = 8;

/// The size in GiB of the volume that holds Docker's storage, as the ECS-optimised AMI has it.
pub const DOCKER_GIB: u32 = 22;

/// A machine image, as `DescribeImages` shows it, and where its bytes are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The image id (`ami-…`).
    pub id: String,
    /// The name, unique within its region.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// An account id, or [`AMAZON`].
    pub owner: String,
    /// The one region that sees it; none means all.
    pub region: Option<String>,
    /// Its layers, top first.
    pub layers: Vec<PathBuf>,
    /// The processor architecture, in EC2's words (`x86_64`, `arm64`).
    pub architecture: String,
    /// Whether it can be launched.
    pub state: ImageState,
    /// The device name of the root volume.
    pub root_device: String,
    /// The volumes that an instance starts with, the root volume first.
    pub block_devices: Vec<BlockDevice>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The image that this one is another id of, if it is an alias.
    pub alias_of: Option<String>,
    /// Who else may launch it. Amazon's may be launched by everybody.
    #[serde(default)]
    pub shared: Shared,
    /// Why it could not be made.
    #[serde(default)]
    pub reason: Option<String>,
    /// The instance that it was made of.
    #[serde(default)]
    pub source_instance: Option<String>,
    /// The image that it is a copy of.
    #[serde(default)]
    pub source_image: Option<SourceImage>,
    /// Whether its instances have to use session tokens for metadata.
    #[serde(default)]
    pub imds_v2: bool,
    /// What EC2 shows of its drivers; without effect here.
    #[serde(default)]
    pub drivers: Drivers,
    /// When it is deprecated.
    #[serde(default)]
    pub deprecation: Option<jiff::Timestamp>,
    /// Whether `DeregisterImage` is refused.
    #[serde(default)]
    pub deregistration_protection: bool,
    /// The token that it was copied with.
    #[serde(default)]
    pub client_token: Option<String>,
}

/// The image that another one is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceImage {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
}

/// What EC2 shows of an image's network drivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drivers {
    /// Enhanced networking with ENA.
    pub ena: bool,
    /// Enhanced networking with the Intel 82599 interface: `simple`.
    pub sriov: Option<String>,
}

impl Default for Drivers {
    fn default() -> Self {
        Self { ena: true, sriov: None }
    }
}

/// An image's state, in EC2's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    /// Being made.
    #[default]
    Pending,
    /// Can be launched.
    Available,
    /// Could not be made.
    Failed,
}

impl ImageState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }
}

/// A volume that an image's instances start with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockDevice {
    /// The device name inside (`/dev/xvdcz`).
    pub device: String,
    /// The size in GiB.
    pub size_gib: u32,
    /// The EBS volume type (`gp2`).
    pub volume_type: String,
    /// Whether the volume goes when its instance does.
    pub delete_on_termination: bool,
    /// The snapshot with its first content; none means an empty volume.
    pub snapshot: Option<String>,
    /// Input and output operations per second, where the type has such a figure and it is not the default.
    #[serde(default)]
    pub iops: Option<i32>,
    /// MiB per second, where the type has such a figure and it is not the default.
    #[serde(default)]
    pub throughput: Option<i32>,
}

impl BlockDevice {
    /// An empty general-purpose volume that goes with its instance.
    pub fn empty(device: &str, size_gib: u32) -> Self {
        Self {
            device: device.to_owned(),
            size_gib,
            volume_type: "gp2".to_owned(),
            delete_on_termination: true,
            snapshot: None,
            iops: None,
            throughput: None,
        }
    }

    /// The devices of the ECS-optimised AMI: the root and Docker's storage.
    pub fn ecs_optimised() -> Vec<Self> {
        vec![Self::empty("/dev/xvda", ROOT_GIB), Self::empty("/dev/xvdcz", DOCKER_GIB)]
    }
}
