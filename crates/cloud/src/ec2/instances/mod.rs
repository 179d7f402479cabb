//! Instances: launching, describing, and what their users ask of them. Making them real is the
//! [reconciler](super::reconciler)'s.

mod attributes;
mod describe;
pub mod devices;
mod launch;
mod lifecycle;
pub(super) mod profiles;
mod run;
mod status;

pub use attributes::*;
pub use describe::*;
pub use lifecycle::*;
pub use profiles::{
    associate_iam_instance_profile, describe_iam_instance_profile_associations,
    disassociate_iam_instance_profile,
};
pub use run::run_instances;
pub use status::*;
