//! Log groups.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::logs::*;
use log_store::GroupId;

use super::state::{GroupRecord, LastNumber, Removal, StreamRecord};
use super::{errors, may_reserve, names, time};
use crate::Ctx;
use crate::api::paging::{self, Limits, Order, PageRequest, PagingError};
use crate::api::tags::Tags;
use crate::store::{GLOBAL, StoreError, Tx};

/// How many groups or streams are described at once.
pub const DESCRIBED: Limits = Limits { min: 1, max: 50, default: Some(50) };

/// The names' home.
pub fn home(ctx: &Ctx) -> names::Home<'_> {
    names::Home { region: &ctx.region, account: &ctx.account }
}

/// The group of a name.
///
/// # Errors
/// `ResourceNotFoundException`
pub fn find(ctx: &Ctx, name: &str) -> Result<Arc<GroupRecord>, Error> {
    ctx.cloud.store.get(&ctx.region, name).ok_or_else(errors::no_group)
}

/// The group of a request that names it one way or the other.
///
/// # Errors
/// `InvalidParameterException` when it is named both ways, or none; `ResourceNotFoundException`.
pub fn find_either(
    ctx: &Ctx,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<Arc<GroupRecord>, Error> {
    match (name, identifier) {
        (Some(name), None) => {
            names::check_group(name, "logGroupName")?;
            find(ctx, name)
        }
        (None, Some(identifier)) => find(ctx, &home(ctx).group_name(identifier, "logGroupIdentifier", true)?),
        (Some(_), Some(_)) => {
            Err(errors::invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters."))
        }
        (None, None) => Err(errors::invalid("LogGroup name or LogGroup ARN must be specified.")),
    }
}

/// A number that no group and no stream has had.
pub fn next_number(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let number = tx.get::<LastNumber>(GLOBAL, LastNumber::ID).map_or(0, |last| last.number) + 1;
    tx.put(LastNumber { region: GLOBAL.to_owned(), id: LastNumber::ID.to_owned(), number })?;
    Ok(number)
}

/// `CreateLogGroup`
pub fn create(ctx: &Ctx, input: CreateLogGroupRequest) -> Result<(), Error> {
    let name = input.log_group_name.unwrap_or_default();
    names::check_new_group(&name, "logGroupName")?;
    refuse_unsupported(
        input.kms_key_id.as_deref(),
        input.log_group_class.as_deref(),
        input.deletion_protection_enabled,
    )?;
    let mut tags = Tags::new();
    tags.merge(input.tags, may_reserve(ctx)).map_err(errors::tags)?;
    ctx.cloud.store.write(|tx| {
        if tx.get::<GroupRecord>(&ctx.region, &name).is_some() {
            return Err(errors::group_exists());
        }
        let number = GroupId(next_number(tx)?);
        let created = time::now();
        let region = ctx.region.to_string();
        tx.put(GroupRecord { region, id: name, number, created, retention_days: None, tags })?;
        Ok(())
    })
}

fn refuse_unsupported(key: Option<&str>, class: Option<&str>, protected: Option<bool>) -> Result<(), Error> {
    if key.is_some() {
        return Err(errors::unsupported("kmsKeyId"));
    }
    if protected == Some(true) {
        return Err(errors::unsupported("deletionProtectionEnabled"));
    }
    match class {
        None | Some("STANDARD") => Ok(()),
        Some(class) => Err(errors::unsupported(&format!("logGroupClass {class}"))),
    }
}

/// `DeleteLogGroup`
pub fn delete(ctx: &Ctx, input: DeleteLogGroupRequest) -> Result<(), Error> {
    let name = input.log_group_name.unwrap_or_default();
    names::check_group(&name, "logGroupName")?;
    let _none_are_put = ctx.cloud.logs.living.write();
    ctx.cloud.store.write(|tx| {
        let group = tx.remove::<GroupRecord>(&ctx.region, &name).ok_or_else(errors::no_group)?;
        for stream in tx.list::<StreamRecord>(&ctx.region) {
            if stream.group == name {
                tx.remove::<StreamRecord>(&ctx.region, &stream.id);
            }
        }
        tx.put(Removal::of(group.number, None))?;
        Ok(())
    })
}

/// `DescribeLogGroups`
pub fn describe(ctx: &Ctx, input: DescribeLogGroupsRequest) -> Result<DescribeLogGroupsResponse, Error> {
    let wanted = Wanted::new(ctx, &input)?;
    let mut groups = ctx.cloud.store.list::<GroupRecord>(&ctx.region);
    groups.retain(|group| wanted.has(&group.id));
    let request = PageRequest { max: input.limit, token: input.next_token.as_deref() };
    let page = paging::page(groups, request, DESCRIBED, Order::Ascending, |group| &group.id)
        .map_err(paging_error)?;
    let log_groups = page.items.iter().map(|group| wire(ctx, group)).collect::<Result<_, _>>()?;
    Ok(DescribeLogGroupsResponse { log_groups, next_token: page.next })
}

/// What a request for a page says when it is refused.
pub fn paging_error(error: PagingError) -> Error {
    match error {
        PagingError::Token(_) => errors::invalid("The specified nextToken is invalid."),
        limit @ PagingError::Limit { .. } => errors::invalid(limit.to_string()),
    }
}

/// Which groups a request asks for.
enum Wanted {
    None,
    All,
    Prefix(String),
    Part(String),
    Names(Vec<String>),
}

impl Wanted {
    fn new(ctx: &Ctx, input: &DescribeLogGroupsRequest) -> Result<Self, Error> {
        if input.include_linked_accounts == Some(true) {
            return Err(errors::unsupported("includeLinkedAccounts"));
        }
        if !input.account_identifiers.is_empty() {
            return Err(errors::unsupported("accountIdentifiers"));
        }
        let filters = (&input.log_group_name_prefix, &input.log_group_name_pattern);
        if !input.log_group_identifiers.is_empty() {
            return Self::of_identifiers(ctx, input);
        }
        // There are groups of no other class.
        if input.log_group_class.as_deref().is_some_and(|class| class != "STANDARD") {
            return Ok(Self::None);
        }
        match filters {
            (Some(_), Some(_)) => Err(errors::invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            )),
            (Some(prefix), None) => {
                names::check_group(prefix, "logGroupNamePrefix")?;
                Ok(Self::Prefix(prefix.clone()))
            }
            (None, Some(part)) if part.is_empty() => Ok(Self::All),
            (None, Some(part)) => {
                names::check_group(part, "logGroupNamePattern")?;
                Ok(Self::Part(part.clone()))
            }
            (None, None) => Ok(Self::All),
        }
    }

    fn of_identifiers(ctx: &Ctx, input: &DescribeLogGroupsRequest) -> Result<Self, Error> {
        let others = input.log_group_name_prefix.is_some()
            || input.log_group_name_pattern.is_some()
            || input.log_group_class.is_some();
        if others {
            return Err(errors::invalid("logGroupIdentifiers excludes every other filter."));
        }
        let name = |identifier: &String| home(ctx).group_name(identifier, "logGroupIdentifiers", true);
        Ok(Self::Names(input.log_group_identifiers.iter().map(name).collect::<Result<_, _>>()?))
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Prefix(prefix) => name.starts_with(prefix),
            Self::Part(part) => name.contains(part),
            Self::Names(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

fn wire(ctx: &Ctx, group: &GroupRecord) -> Result<LogGroup, Error> {
    let bytes = ctx.cloud.logs.events.group_bytes(group.number).map_err(errors::events)?;
    let arn = home(ctx).group_arn(&group.id);
    Ok(LogGroup {
        log_group_name: Some(group.id.clone()),
        creation_time: Some(group.created),
        retention_in_days: group.retention_days,
        metric_filter_count: Some(0),
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        stored_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        log_group_class: Some("STANDARD".to_owned()),
        deletion_protection_enabled: Some(false),
        ..Default::default()
    })
}
