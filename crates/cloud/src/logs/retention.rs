//! How long events are kept. The reconciler removes what is older; until it has, nobody is shown it.

use aws_wire::Error;
use aws_wire::logs::{DeleteRetentionPolicyRequest, PutRetentionPolicyRequest};

use super::state::GroupRecord;
use super::{errors, names};
use crate::Ctx;

/// The numbers of days that may be asked for ("PutRetentionPolicy" in the API reference).
const PERMITTED: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Whether so many days may be asked for.
pub fn permitted(days: i32) -> bool {
    PERMITTED.contains(&days)
}

/// `PutRetentionPolicy`
pub fn put(ctx: &Ctx, input: PutRetentionPolicyRequest) -> Result<(), Error> {
    let days = input.retention_in_days.unwrap_or_default();
    if !permitted(days) {
        let constraint = format!("satisfy enum value set: {PERMITTED:?}");
        return Err(errors::constraint(&days.to_string(), "retentionInDays", &constraint));
    }
    set(ctx, input.log_group_name.as_deref(), Some(days))
}

/// `DeleteRetentionPolicy`
pub fn delete(ctx: &Ctx, input: DeleteRetentionPolicyRequest) -> Result<(), Error> {
    set(ctx, input.log_group_name.as_deref(), None)
}

fn set(ctx: &Ctx, name: Option<&str>, days: Option<i32>) -> Result<(), Error> {
    let name = name.unwrap_or_default();
    names::check_group(name, "logGroupName")?;
    ctx.cloud.store.write(|tx| {
        let found = tx.update(&ctx.region, name, |group: &mut GroupRecord| group.retention_days = days)?;
        if found { Ok(()) } else { Err(errors::no_group()) }
    })
}
