//! SSM's records. Pure.

use aws_wire::ssm::{Parameter, ParameterHistory, ParameterMetadata};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::names;
use crate::api::tags::Tags;
use crate::ec2::state::record;

/// How many versions of a parameter are kept.
pub const MAX_VERSIONS: usize = 100;

/// A parameter. It always has a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterRecord {
    /// The region.
    pub region: String,
    /// The name.
    pub id: String,
    /// The newest version.
    pub latest: Version,
    /// The versions before it, oldest first.
    pub earlier: Vec<Version>,
    /// Tags.
    pub tags: Tags,
}
record!(ParameterRecord, "ssm.parameter");

/// A version of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Counted from 1.
    pub number: i64,
    /// `String` or `StringList`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// What it is.
    pub description: Option<String>,
    /// What the value had to match.
    pub allowed_pattern: Option<String>,
    /// `Standard` or `Advanced`.
    pub tier: String,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    /// When it was put.
    pub modified: Timestamp,
    /// By whom, an ARN.
    pub modified_by: String,
}

impl ParameterRecord {
    /// Adds a version, and forgets the oldest where there are too many.
    pub fn push(&mut self, version: Version) {
        let former = std::mem::replace(&mut self.latest, version);
        self.earlier.push(former);
        let surplus = (self.earlier.len() + 1).saturating_sub(MAX_VERSIONS);
        self.earlier.drain(..surplus);
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &Version> {
        self.earlier.iter().chain([&self.latest])
    }

    /// The version with a number.
    pub fn version(&self, number: i64) -> Option<&Version> {
        self.versions().find(|version| version.number == number)
    }

    /// A version with its value, in the API's words.
    pub fn wire(&self, account: &str, version: &Version) -> Parameter {
        Parameter {
            name: Some(self.id.clone()),
            type_: Some(version.kind.clone()),
            value: Some(version.value.clone()),
            version: Some(version.number),
            last_modified_date: Some(version.modified),
            arn: Some(names::arn(&self.region, account, &self.id)),
            data_type: Some(version.data_type.clone()),
            ..Parameter::default()
        }
    }

    /// What `DescribeParameters` tells.
    pub fn metadata(&self, account: &str) -> ParameterMetadata {
        let version = &self.latest;
        ParameterMetadata {
            name: Some(self.id.clone()),
            arn: Some(names::arn(&self.region, account, &self.id)),
            type_: Some(version.kind.clone()),
            last_modified_date: Some(version.modified),
            last_modified_user: Some(version.modified_by.clone()),
            description: version.description.clone(),
            allowed_pattern: version.allowed_pattern.clone(),
            version: Some(version.number),
            tier: Some(version.tier.clone()),
            data_type: Some(version.data_type.clone()),
            ..ParameterMetadata::default()
        }
    }

    /// A version as `GetParameterHistory` tells it.
    pub fn history(&self, version: &Version) -> ParameterHistory {
        ParameterHistory {
            name: Some(self.id.clone()),
            type_: Some(version.kind.clone()),
            last_modified_date: Some(version.modified),
            last_modified_user: Some(version.modified_by.clone()),
            description: version.description.clone(),
            value: Some(version.value.clone()),
            allowed_pattern: version.allowed_pattern.clone(),
            version: Some(version.number),
            tier: Some(version.tier.clone()),
            data_type: Some(version.data_type.clone()),
            ..ParameterHistory::default()
        }
    }
}
