//! SSM's Parameter Store.

use crate::Ctx;
use crate::store::Kinds;

/// The service.
pub struct SsmService;

impl aws_wire::ssm::Ssm<Ctx> for SsmService {}

/// Makes the store able to load SSM's records.
pub fn kinds(_kinds: &mut Kinds) {}
