//! Removing artifacts that nobody keeps (`keep_input_artifact`).

use std::path::Path;

use async_trait::async_trait;

use crate::artifact::Artifact;
use crate::aws::{ApiError, Session};
use crate::post::Destroy;

/// Deregisters images and deletes files.
pub(super) struct Remover<'a> {
    pub session: &'a Session,
    pub folder: &'a Path,
}

#[async_trait]
impl Destroy for Remover<'_> {
    async fn destroy(&self, artifact: &Artifact) -> Result<(), String> {
        let mut failed = Vec::new();
        for (region, ami) in &artifact.amis {
            let snapshots = artifact.snapshots.get(region).map_or(&[][..], Vec::as_slice);
            if let Err(error) = self.deregister(region, ami, snapshots).await {
                failed.push(format!("{ami} in {region}: {error}"));
            }
        }
        for file in &artifact.files {
            if let Err(error) = tokio::fs::remove_file(self.folder.join(file)).await {
                failed.push(format!("{file}: {error}"));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

impl Remover<'_> {
    /// Deregisters an image, then deletes its snapshots: while it is registered they are in use.
    async fn deregister(&self, region: &str, ami: &str, snapshots: &[String]) -> Result<(), ApiError> {
        let ec2 = self.session.ec2_in(region);
        let deregistered = ec2.deregister_image().image_id(ami).send().await;
        deregistered.map_err(|error| ApiError::of("DeregisterImage", error))?;
        for snapshot in snapshots {
            let deleted = ec2.delete_snapshot().snapshot_id(snapshot).send().await;
            deleted.map_err(|error| ApiError::of("DeleteSnapshot", error))?;
        }
        Ok(())
    }
}
