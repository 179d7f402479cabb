//! Corrections to botocore's models. Each names why it is there and fails if the model no longer needs it.

use anyhow::Result;
use serde_json::Value;

/// Applies the patches for `service` to its pruned model.
pub fn apply(_service: &str, _model: &mut Value) -> Result<()> {
    Ok(())
}
