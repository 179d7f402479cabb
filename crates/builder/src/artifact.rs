//! What a build leaves: images by region, and files.

use std::collections::BTreeMap;

/// The result of one build, handed from the builder through its post-processors.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Artifact {
    /// Packer's builder id, `mitchellh.amazonebs` for an AMI.
    pub builder_id: String,
    /// The images by region; empty when the build made files or nothing.
    pub amis: BTreeMap<String, String>,
    /// The snapshots under each region's image.
    pub snapshots: BTreeMap<String, Vec<String>>,
    /// The files that the build or a post-processor made.
    pub files: Vec<String>,
    /// How Packer says it (`AMIs were created:\nus-east-1: ami-…`).
    pub description: String,
}

impl Artifact {
    /// An artifact of nothing but files.
    pub fn of_files(files: Vec<String>) -> Self {
        let description = format!("Created artifact from files: {}", files.join(", "));
        Self { files, description, ..Self::default() }
    }

    /// Packer's artifact id: `REGION:AMI` items in order of region, joined by commas.
    pub fn id(&self) -> String {
        self.amis.iter().map(|(region, ami)| format!("{region}:{ami}")).collect::<Vec<_>>().join(",")
    }
}
