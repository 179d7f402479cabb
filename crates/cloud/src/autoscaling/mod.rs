//! Auto Scaling: launch configurations, and groups that keep as many instances running as they are told to.
//!
//! Handlers change what a group wants. The `reconciler` compares that with what EC2 says and decides (`decide`)
//! what to do; every launch and termination is a scaling activity that says why.

mod activities;
mod apply;
mod decide;
mod errors;
mod groups;
mod instances;
mod launch;
mod launch_configurations;
mod limits;
mod paging;
mod processes;
mod reconciler;
mod settings;
pub mod state;
mod tags;
mod termination;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod words;

use aws_wire::Error;
use aws_wire::autoscaling::*;

pub use processes::Process;
pub use reconciler::run;
pub use termination::TerminationPolicy;

use crate::Ctx;
use crate::store::Kinds;
use state::{ActivityRecord, GroupRecord, LaunchConfigurationRecord, LaunchRecord, MemberRecord};

/// Adds this service's records to those the store can load.
pub fn kinds(kinds: &mut Kinds) {
    kinds
        .add::<LaunchConfigurationRecord>()
        .add::<GroupRecord>()
        .add::<LaunchRecord>()
        .add::<MemberRecord>()
        .add::<ActivityRecord>();
}

/// The service.
pub struct AutoScalingService;

impl AutoScaling<Ctx> for AutoScalingService {
    fn attach_instances(&self, ctx: &Ctx, input: AttachInstancesQuery) -> Result<(), Error> {
        instances::attach(ctx, input)
    }
    fn create_auto_scaling_group(&self, ctx: &Ctx, input: CreateAutoScalingGroupType) -> Result<(), Error> {
        groups::create(ctx, input)
    }
    fn create_launch_configuration(
        &self,
        ctx: &Ctx,
        input: CreateLaunchConfigurationType,
    ) -> Result<(), Error> {
        launch_configurations::create(ctx, input)
    }
    fn create_or_update_tags(&self, ctx: &Ctx, input: CreateOrUpdateTagsType) -> Result<(), Error> {
        tags::create_or_update(ctx, input)
    }
    fn delete_auto_scaling_group(&self, ctx: &Ctx, input: DeleteAutoScalingGroupType) -> Result<(), Error> {
        groups::delete(ctx, input)
    }
    fn delete_launch_configuration(
        &self,
        ctx: &Ctx,
        input: LaunchConfigurationNameType,
    ) -> Result<(), Error> {
        launch_configurations::delete(ctx, input)
    }
    fn delete_tags(&self, ctx: &Ctx, input: DeleteTagsType) -> Result<(), Error> {
        tags::delete(ctx, input)
    }
    fn describe_account_limits(&self, ctx: &Ctx, (): ()) -> Result<DescribeAccountLimitsAnswer, Error> {
        Ok(limits::describe(ctx))
    }
    fn describe_adjustment_types(&self, _: &Ctx, (): ()) -> Result<DescribeAdjustmentTypesAnswer, Error> {
        Ok(limits::describe_adjustment_types())
    }
    fn describe_auto_scaling_groups(
        &self,
        ctx: &Ctx,
        input: AutoScalingGroupNamesType,
    ) -> Result<AutoScalingGroupsType, Error> {
        groups::describe(ctx, input)
    }
    fn describe_auto_scaling_instances(
        &self,
        ctx: &Ctx,
        input: DescribeAutoScalingInstancesType,
    ) -> Result<AutoScalingInstancesType, Error> {
        instances::describe(ctx, input)
    }
    fn describe_launch_configurations(
        &self,
        ctx: &Ctx,
        input: LaunchConfigurationNamesType,
    ) -> Result<LaunchConfigurationsType, Error> {
        launch_configurations::describe(ctx, input)
    }
    fn describe_scaling_activities(
        &self,
        ctx: &Ctx,
        input: DescribeScalingActivitiesType,
    ) -> Result<ActivitiesType, Error> {
        activities::describe(ctx, input)
    }
    fn describe_scaling_process_types(&self, _: &Ctx, (): ()) -> Result<ProcessesType, Error> {
        Ok(processes::describe_types())
    }
    fn describe_tags(&self, ctx: &Ctx, input: DescribeTagsType) -> Result<TagsType, Error> {
        tags::describe(ctx, input)
    }
    fn describe_termination_policy_types(
        &self,
        _: &Ctx,
        (): (),
    ) -> Result<DescribeTerminationPolicyTypesAnswer, Error> {
        Ok(termination::describe_types())
    }
    fn detach_instances(
        &self,
        ctx: &Ctx,
        input: DetachInstancesQuery,
    ) -> Result<DetachInstancesAnswer, Error> {
        instances::detach(ctx, input)
    }
    fn resume_processes(&self, ctx: &Ctx, input: ScalingProcessQuery) -> Result<(), Error> {
        processes::resume(ctx, input)
    }
    fn set_desired_capacity(&self, ctx: &Ctx, input: SetDesiredCapacityType) -> Result<(), Error> {
        groups::set_desired_capacity(ctx, input)
    }
    fn set_instance_health(&self, ctx: &Ctx, input: SetInstanceHealthQuery) -> Result<(), Error> {
        instances::set_health(ctx, input)
    }
    fn suspend_processes(&self, ctx: &Ctx, input: ScalingProcessQuery) -> Result<(), Error> {
        processes::suspend(ctx, input)
    }
    fn terminate_instance_in_auto_scaling_group(
        &self,
        ctx: &Ctx,
        input: TerminateInstanceInAutoScalingGroupType,
    ) -> Result<ActivityType, Error> {
        instances::terminate(ctx, input)
    }
    fn update_auto_scaling_group(&self, ctx: &Ctx, input: UpdateAutoScalingGroupType) -> Result<(), Error> {
        groups::update(ctx, input)
    }
}
