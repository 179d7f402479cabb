//! Records of volumes and key pairs.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record;
use crate::api::tags::Tags;

/// A volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeRecord {
    /// The region.
    pub region: String,
    /// `vol-…`
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its size in GiB.
    pub size_gib: u32,
    /// `gp2`, `gp3`, …
    pub volume_type: String,
    /// Input and output operations per second, where the type has such a figure.
    pub iops: Option<i32>,
    /// MiB per second, where the type has such a figure.
    pub throughput: Option<i32>,
    /// What it holds at first.
    pub source: VolumeSource,
    /// The image's layers that it lies over, if it is a root volume: its bytes alone are no system. They are those
    /// that its image had at the launch, whatever becomes of the image.
    #[serde(default)]
    pub layers: Option<Vec<PathBuf>>,
    /// When it was made.
    pub create_time: Timestamp,
    /// Where it is in its life.
    pub state: VolumeState,
    /// The instance that has it.
    pub attachment: Option<VolumeAttachment>,
    /// The token that it was made with.
    pub client_token: Option<String>,
    /// How it was last modified, if it was.
    #[serde(default)]
    pub modification: Option<VolumeModification>,
    /// Tags.
    pub tags: Tags,
}
record!(VolumeRecord, "ec2.volume");

impl VolumeRecord {
    /// Whether a modification of it is under way.
    pub fn is_being_modified(&self) -> bool {
        self.modification.as_ref().is_some_and(|modification| modification.end_time.is_none())
    }

    /// Its size in GiB, or the one that it is about to have.
    pub fn coming_size_gib(&self) -> u32 {
        match &self.modification {
            Some(modification) if modification.end_time.is_none() => modification.target.size_gib,
            Some(_) | None => self.size_gib,
        }
    }
}

/// What of a volume can be modified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeShape {
    /// Its size in GiB.
    pub size_gib: u32,
    /// `gp2`, `gp3`, …
    pub volume_type: String,
    /// Input and output operations per second, where the type has such a figure.
    pub iops: Option<i32>,
    /// MiB per second, where the type has such a figure.
    pub throughput: Option<i32>,
}

/// A modification of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeModification {
    /// What the volume was.
    pub original: VolumeShape,
    /// What it is to be.
    pub target: VolumeShape,
    /// When it was asked for.
    pub start_time: Timestamp,
    /// When it was done; none while it is not.
    pub end_time: Option<Timestamp>,
}

/// What a volume holds at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeSource {
    /// Zeroes.
    Empty,
    /// An empty file system, over which an image's layers make the root.
    Root,
    /// The bytes of the snapshot of this id.
    Snapshot(String),
}

impl VolumeSource {
    /// The snapshot that a volume is made of, if it is.
    pub fn snapshot(&self) -> Option<&str> {
        match self {
            Self::Snapshot(id) => Some(id),
            Self::Empty | Self::Root => None,
        }
    }
}

/// Where a volume is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// Its file is being made.
    Creating,
    /// It may be attached.
    Available,
    /// An instance has it.
    InUse,
    /// Its file is being removed.
    Deleting,
    /// Its file could not be made.
    Error,
}

impl VolumeState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::InUse => "in-use",
            Self::Deleting => "deleting",
            Self::Error => "error",
        }
    }
}

/// How a volume belongs to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeAttachment {
    /// The instance.
    pub instance_id: String,
    /// The name that the instance sees it under.
    pub device: String,
    /// Where the attachment is in its life.
    pub state: AttachmentState,
    /// When it was attached.
    pub attach_time: Timestamp,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// Where an attachment of a volume is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentState {
    /// The instance does not see it yet.
    Attaching,
    /// The instance sees it.
    Attached,
    /// It is being taken away; `force` even if it is mounted.
    Detaching {
        /// Whether it is taken away even if it is mounted.
        force: bool,
    },
}

impl AttachmentState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attaching => "attaching",
            Self::Attached => "attached",
            Self::Detaching { .. } => "detaching",
        }
    }
}

/// A key pair's public half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyPairRecord {
    /// The region.
    pub region: String,
    /// The key pair's name: that is what is unique.
    pub id: String,
    /// `key-…`
    pub key_pair_id: String,
    /// `rsa` or `ed25519`.
    pub key_type: String,
    /// The fingerprint in EC2's form for its type and origin.
    pub fingerprint: String,
    /// In OpenSSH's form: type, key, comment.
    pub public_key: String,
    /// When it was made or imported.
    pub create_time: Timestamp,
    /// Tags.
    pub tags: Tags,
}
record!(KeyPairRecord, "ec2.key-pair");
