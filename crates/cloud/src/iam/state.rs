//! IAM's records. IAM is global: every record is in [`GLOBAL`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::tags::Tags;
use crate::store::{GLOBAL, Record};

macro_rules! global_record {
    ($type:ty, $kind:literal, $id:ident) => {
        impl Record for $type {
            const KIND: &'static str = $kind;
            fn region(&self) -> &str {
                GLOBAL
            }
            fn id(&self) -> &str {
                &self.$id
            }
        }
    };
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// Its name, unique in the account.
    pub name: String,
    /// `AROA…`
    pub role_id: String,
    /// Its path, `/` or `/…/`.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Who may assume it: a policy document.
    pub trust: String,
    /// What it is for.
    pub description: Option<String>,
    /// The longest session in seconds.
    pub max_session_duration: i32,
    /// Policies that belong to it alone, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order of their attachment.
    pub attached: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Tags.
    pub tags: Tags,
}
global_record!(RoleRecord, "iam.role", name);

/// An instance profile: the way a role comes to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfileRecord {
    /// Its name, unique in the account.
    pub name: String,
    /// `AIPA…`
    pub profile_id: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// Its role's name; a profile has at most one.
    pub role: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Tags.
    pub tags: Tags,
}
global_record!(InstanceProfileRecord, "iam.instance-profile", name);

/// A managed policy of the account's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Its ARN, which is its id.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `ANPA…`
    pub policy_id: String,
    /// Its path.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its versions, the oldest first; at most five.
    pub versions: Vec<PolicyVersionState>,
    /// The version in force.
    pub default_version: String,
    /// How many versions were ever made.
    pub versions_made: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When a version was last made.
    pub updated: Timestamp,
    /// Tags.
    pub tags: Tags,
}
global_record!(PolicyRecord, "iam.policy", arn);

impl PolicyRecord {
    /// The document in force.
    pub fn document(&self) -> Option<&str> {
        let version = self.versions.iter().find(|version| version.id == self.default_version)?;
        Some(&version.document)
    }
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersionState {
    /// `v1`, `v2`, …
    pub id: String,
    /// The document.
    pub document: String,
    /// When it was made.
    pub created: Timestamp,
}
