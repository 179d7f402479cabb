//! The service as the gateway calls it.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::cloudformation as wire;

use super::engine;
use super::host::CloudHost;
use super::request::Request;
use super::types::api::Services;
use crate::Cloud;
use crate::autoscaling::AutoScalingService;
use crate::context::Ctx;
use crate::ec2::Ec2Service;
use crate::ecs::EcsService;
use crate::iam::IamService;
use crate::logs::LogsService;
use crate::ssm::SsmService;

/// CloudFormation.
pub struct CloudFormationService;

static SERVICES: Services = Services {
    ec2: &Ec2Service,
    autoscaling: &AutoScalingService,
    iam: &IamService,
    ecs: &EcsService,
    logs: &LogsService,
    ssm: &SsmService,
};

/// Carries out the operations on all stacks, for ever.
pub async fn run(cloud: Arc<Cloud>) {
    engine::run(Arc::new(CloudHost::new(cloud, &SERVICES))).await;
}

/// Answers one request.
fn answer<R>(ctx: &Ctx, ask: impl FnOnce(&Request<'_, CloudHost>) -> R) -> R {
    let host = CloudHost::new(Arc::clone(&ctx.cloud), &SERVICES);
    let api = host.api(&ctx.region);
    ask(&Request { host: &host, ctx: &api, region: &ctx.region, caller: &ctx.caller })
}

/// Operations that are answered by the [`Request`]'s method of the same name.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ty,)*) => {
        impl wire::CloudFormation<Ctx> for CloudFormationService {
            $(fn $name(&self, ctx: &Ctx, input: wire::$input) -> Result<$output, Error> {
                answer(ctx, |request| request.$name(input))
            })*
        }
    };
}

operations! {
    cancel_update_stack(CancelUpdateStackInput) -> (),
    continue_update_rollback(ContinueUpdateRollbackInput) -> wire::ContinueUpdateRollbackOutput,
    create_change_set(CreateChangeSetInput) -> wire::CreateChangeSetOutput,
    create_stack(CreateStackInput) -> wire::CreateStackOutput,
    delete_change_set(DeleteChangeSetInput) -> wire::DeleteChangeSetOutput,
    delete_stack(DeleteStackInput) -> (),
    describe_change_set(DescribeChangeSetInput) -> wire::DescribeChangeSetOutput,
    describe_stack_events(DescribeStackEventsInput) -> wire::DescribeStackEventsOutput,
    describe_stack_resource(DescribeStackResourceInput) -> wire::DescribeStackResourceOutput,
    describe_stack_resources(DescribeStackResourcesInput) -> wire::DescribeStackResourcesOutput,
    describe_stacks(DescribeStacksInput) -> wire::DescribeStacksOutput,
    execute_change_set(ExecuteChangeSetInput) -> wire::ExecuteChangeSetOutput,
    get_template(GetTemplateInput) -> wire::GetTemplateOutput,
    get_template_summary(GetTemplateSummaryInput) -> wire::GetTemplateSummaryOutput,
    list_change_sets(ListChangeSetsInput) -> wire::ListChangeSetsOutput,
    list_exports(ListExportsInput) -> wire::ListExportsOutput,
    list_imports(ListImportsInput) -> wire::ListImportsOutput,
    list_stack_resources(ListStackResourcesInput) -> wire::ListStackResourcesOutput,
    list_stacks(ListStacksInput) -> wire::ListStacksOutput,
    signal_resource(SignalResourceInput) -> (),
    update_stack(UpdateStackInput) -> wire::UpdateStackOutput,
    update_termination_protection(UpdateTerminationProtectionInput) -> wire::UpdateTerminationProtectionOutput,
    validate_template(ValidateTemplateInput) -> wire::ValidateTemplateOutput,
}
