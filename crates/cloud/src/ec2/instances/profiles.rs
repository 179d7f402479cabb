//! Instance profiles of instances.

use aws_wire::Error;
use aws_wire::ec2::{
    AssociateIamInstanceProfileRequest, AssociateIamInstanceProfileResult,
    DescribeIamInstanceProfileAssociationsRequest, DescribeIamInstanceProfileAssociationsResult,
    DisassociateIamInstanceProfileRequest, DisassociateIamInstanceProfileResult, IamInstanceProfile,
    IamInstanceProfileAssociation, IamInstanceProfileSpecification,
};
use jiff::Timestamp;

use crate::api::filters::Field;
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{PAGE, Read, change, page, required, select};
use crate::ec2::state::{InstanceRecord, ProfileAssociation};
use crate::ids;

/// An instance profile, as far as EC2 keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its ARN.
    pub arn: String,
    /// Its id (`AIPA…`).
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Profile {
    /// The association of the profile with an instance, from now on.
    pub fn associate(self) -> ProfileAssociation {
        ProfileAssociation {
            association_id: ids::ec2("iip-assoc"),
            arn: self.arn,
            profile_id: self.id,
            name: self.name,
            since: Timestamp::now(),
        }
    }
}

/// The profile that a request names by its ARN or its name. This is the one place where EC2 asks IAM.
///
/// # Errors
/// When there is no such profile, or both or none are given.
pub fn find(ctx: &Ctx, asked: &IamInstanceProfileSpecification) -> Result<Profile, Error> {
    let (parameter, value, what) = match (&asked.arn, &asked.name) {
        (Some(arn), None) => ("iamInstanceProfile.arn", arn, "ARN"),
        (None, Some(name)) => ("iamInstanceProfile.name", name, "name"),
        (Some(_), Some(_)) => {
            let message = "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'";
            return Err(errors::bad_combination(message));
        }
        (None, None) => return Err(errors::missing("iamInstanceProfile.name")),
    };
    let found = crate::iam::instance_profile(&ctx.cloud.store, value).ok_or_else(|| {
        errors::invalid_parameter(value, parameter, &format!("Invalid IAM Instance Profile {what}"))
    })?;
    Ok(Profile { arn: found.arn.clone(), id: found.profile_id.clone(), name: found.name.clone() })
}

/// `AssociateIamInstanceProfile`
pub fn associate_iam_instance_profile(
    ctx: &Ctx,
    input: AssociateIamInstanceProfileRequest,
) -> Result<AssociateIamInstanceProfileResult, Error> {
    let id = required(&input.instance_id, "InstanceId")?;
    let asked = input.iam_instance_profile.as_ref().ok_or_else(|| errors::missing("IamInstanceProfile"))?;
    let association = find(ctx, asked)?.associate();
    change(ctx, None, |tx| {
        let instance = tx.need::<InstanceRecord>(&ctx.region, id, errors::INSTANCE)?;
        if !instance.state.lives() {
            let message = format!("The instance '{id}' is not in the 'running' or 'stopped' states.");
            return Err(Error::client("IncorrectInstanceState", message));
        }
        if instance.profile.is_some() {
            let message = format!("There is an existing association for instance {id}");
            return Err(Error::client("IncorrectState", message));
        }
        tx.update::<InstanceRecord>(&ctx.region, id, |instance| {
            instance.profile = Some(association.clone())
        })?;
        Ok(())
    })?;
    let association = to_wire(id, &association, "associating");
    Ok(AssociateIamInstanceProfileResult { iam_instance_profile_association: Some(association) })
}

/// `DisassociateIamInstanceProfile`
pub fn disassociate_iam_instance_profile(
    ctx: &Ctx,
    input: DisassociateIamInstanceProfileRequest,
) -> Result<DisassociateIamInstanceProfileResult, Error> {
    let id = required(&input.association_id, "AssociationId")?;
    let association = change(ctx, None, |tx| {
        let instances = tx.list::<InstanceRecord>(&ctx.region);
        let found = instances.iter().find_map(|instance| {
            let profile = instance.profile.as_ref().filter(|profile| profile.association_id == id)?;
            Some((instance.id.clone(), profile.clone()))
        });
        let (instance_id, profile) = found.ok_or_else(|| {
            let message = format!("An invalid association-id of '{id}' was given");
            Error::client("InvalidAssociationID.NotFound", message)
        })?;
        tx.update::<InstanceRecord>(&ctx.region, &instance_id, |instance| instance.profile = None)?;
        Ok(to_wire(&instance_id, &profile, "disassociating"))
    })?;
    Ok(DisassociateIamInstanceProfileResult { iam_instance_profile_association: Some(association) })
}

/// An association beside its instance.
struct Row {
    instance_id: String,
    profile: ProfileAssociation,
}

const FIELDS: &[Field<Row>] =
    &[("instance-id", |row, is| is(&row.instance_id)), ("state", |_, is| is("associated"))];

/// `DescribeIamInstanceProfileAssociations`
pub fn describe_iam_instance_profile_associations(
    ctx: &Ctx,
    input: DescribeIamInstanceProfileAssociationsRequest,
) -> Result<DescribeIamInstanceProfileAssociationsResult, Error> {
    let selection = select(FIELDS, None, &input.filters)?;
    let mut rows: Vec<Row> = ctx
        .cloud
        .store
        .list::<InstanceRecord>(&ctx.region)
        .iter()
        .filter(|instance| instance.state.lives())
        .filter_map(|instance| {
            Some(Row { instance_id: instance.id.clone(), profile: instance.profile.clone()? })
        })
        .collect();
    let asked = &input.association_ids;
    rows.retain(|row| {
        (asked.is_empty() || asked.contains(&row.profile.association_id)) && selection.accepts(row)
    });
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.instance_id)?;
    let associations = page.items.iter().map(|row| to_wire(&row.instance_id, &row.profile, "associated"));
    Ok(DescribeIamInstanceProfileAssociationsResult {
        iam_instance_profile_associations: associations.collect(),
        next_token: page.next,
    })
}

fn to_wire(instance_id: &str, profile: &ProfileAssociation, state: &str) -> IamInstanceProfileAssociation {
    IamInstanceProfileAssociation {
        association_id: Some(profile.association_id.clone()),
        instance_id: Some(instance_id.to_owned()),
        iam_instance_profile: Some(IamInstanceProfile {
            arn: Some(profile.arn.clone()),
            id: Some(profile.profile_id.clone()),
        }),
        state: Some(state.to_owned()),
        timestamp: Some(profile.since),
    }
}
