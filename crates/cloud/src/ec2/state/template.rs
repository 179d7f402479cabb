//! Records of launch templates.

use aws_wire::ec2::RequestLaunchTemplateData;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record;
use crate::api::tags::Tags;

/// A launch template with all its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateRecord {
    /// The region.
    pub region: String,
    /// `lt-…`
    pub id: String,
    /// Its name, unique in the region.
    pub name: String,
    /// When it was made.
    pub create_time: Timestamp,
    /// The ARN of who made it.
    pub created_by: String,
    /// The number of the version used where none is named.
    pub default_version: i64,
    /// The number of the newest version there has been.
    pub latest_version: i64,
    /// The versions there are, oldest first.
    pub versions: Vec<LaunchTemplateVersionRecord>,
    /// The token that it was made with.
    pub client_token: Option<String>,
    /// Tags.
    pub tags: Tags,
}
record!(LaunchTemplateRecord, "ec2.launch-template");

/// A version of a launch template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateVersionRecord {
    /// Its number, from 1.
    pub number: i64,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub create_time: Timestamp,
    /// The ARN of who made it.
    pub created_by: String,
    /// The parameters of launches.
    pub data: RequestLaunchTemplateData,
}

impl LaunchTemplateRecord {
    /// The version under a number, `$Latest` or `$Default`.
    pub fn version(&self, name: &str) -> Option<&LaunchTemplateVersionRecord> {
        let number = match name {
            "$Default" | "" => self.default_version,
            "$Latest" => self.versions.last()?.number,
            number => number.parse().ok()?,
        };
        self.versions.iter().find(|version| version.number == number)
    }
}
