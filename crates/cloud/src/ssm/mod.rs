//! SSM's Parameter Store.
//!
//! Values are plain: `SecureString` is refused, for this cloud has no KMS. Versions cannot be labelled, and there
//! are no parameter policies and no sharing. AWS's public parameters of the ECS-optimised AMI are answered from
//! the images; see `public.rs`.

mod errors;
mod filters;
mod get;
mod names;
mod public;
mod put;
pub mod state;
mod tagging;
#[cfg(test)]
mod tests;

use aws_wire::Error;
use aws_wire::ssm::*;

use crate::context::{Caller, Ctx};
use crate::store::Kinds;

/// Makes the store able to load SSM's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds.add::<state::ParameterRecord>();
}

/// Whether the caller may set `aws:…` tags, as CloudFormation does on behalf of a stack's owner.
fn may_reserve(ctx: &Ctx) -> bool {
    matches!(ctx.caller, Caller::Service { .. })
}

/// The service.
pub struct SsmService;

/// An operation of the API, done by a function of the same input and output.
macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $does:path;)*) => {
        impl Ssm<Ctx> for SsmService {
            $(fn $name(&self, ctx: &Ctx, input: $input) -> Result<$output, Error> {
                $does(ctx, input)
            })*
        }
    };
}

operations! {
    add_tags_to_resource(AddTagsToResourceRequest) -> AddTagsToResourceResult = tagging::add;
    delete_parameter(DeleteParameterRequest) -> DeleteParameterResult = get::delete;
    delete_parameters(DeleteParametersRequest) -> DeleteParametersResult = get::delete_many;
    describe_parameters(DescribeParametersRequest) -> DescribeParametersResult = get::describe;
    get_parameter(GetParameterRequest) -> GetParameterResult = get::one;
    get_parameter_history(GetParameterHistoryRequest) -> GetParameterHistoryResult = get::history;
    get_parameters(GetParametersRequest) -> GetParametersResult = get::many;
    get_parameters_by_path(GetParametersByPathRequest) -> GetParametersByPathResult = get::by_path;
    list_tags_for_resource(ListTagsForResourceRequest) -> ListTagsForResourceResult = tagging::list;
    put_parameter(PutParameterRequest) -> PutParameterResult = put::put;
    remove_tags_from_resource(RemoveTagsFromResourceRequest) -> RemoveTagsFromResourceResult = tagging::remove;
}
