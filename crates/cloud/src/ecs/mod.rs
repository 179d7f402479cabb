//! ECS: clusters, container instances and the agents' sessions.

pub mod session;

use std::sync::Arc;

use crate::store::Kinds;
use crate::{Cloud, Ctx};

/// The service.
pub struct EcsService;

impl aws_wire::ecs::Ecs<Ctx> for EcsService {}

/// Makes the store able to load ECS's records.
pub fn kinds(_kinds: &mut Kinds) {}

/// Keeps ECS's records true.
pub async fn run(_cloud: Arc<Cloud>) {
    std::future::pending::<()>().await;
}
