//! What the account may have.

use aws_wire::autoscaling::{AdjustmentType, DescribeAccountLimitsAnswer, DescribeAdjustmentTypesAnswer};

use super::state::{GroupRecord, LaunchConfigurationRecord};
use crate::Ctx;

/// AWS's own default quotas. They are told and not enforced: the host's memory is the limit here.
const MAX_GROUPS: i32 = 500;
const MAX_LAUNCH_CONFIGURATIONS: i32 = 200;

/// `DescribeAccountLimits`
pub fn describe(ctx: &Ctx) -> DescribeAccountLimitsAnswer {
    let groups = ctx.cloud.store.list::<GroupRecord>(&ctx.region).len();
    let configurations = ctx.cloud.store.list::<LaunchConfigurationRecord>(&ctx.region).len();
    DescribeAccountLimitsAnswer {
        max_number_of_auto_scaling_groups: Some(MAX_GROUPS),
        max_number_of_launch_configurations: Some(MAX_LAUNCH_CONFIGURATIONS),
        number_of_auto_scaling_groups: i32::try_from(groups).ok(),
        number_of_launch_configurations: i32::try_from(configurations).ok(),
    }
}

/// `DescribeAdjustmentTypes`
pub fn describe_adjustment_types() -> DescribeAdjustmentTypesAnswer {
    let names = ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"];
    let adjustment = |name: &str| AdjustmentType { adjustment_type: Some(name.to_owned()) };
    DescribeAdjustmentTypesAnswer { adjustment_types: names.map(adjustment).to_vec() }
}
