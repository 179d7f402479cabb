//! What EC2's operations have in common: dry runs, filters, pages, tag specifications, transactions.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{Filter, Tag, TagSpecification};
use aws_wire::value::Structure;

use super::errors::{self, Kind};
use crate::api::filters::{Field, Selection};
use crate::api::paging::{self, Limits, Order, Page, PageRequest};
use crate::api::support::first_unsupported;
use crate::api::tags::{TagError, Tags};
use crate::context::{Caller, Ctx};
use crate::store::{Record, Store, Tx};

/// Reads records, of the store as it is or as a transaction sees it.
pub trait Read {
    /// The record, if there is one.
    fn get<T: Record>(&self, region: &str, id: &str) -> Option<Arc<T>>;
    /// The records of one region in the order of their ids.
    fn list<T: Record>(&self, region: &str) -> Vec<Arc<T>>;

    /// The record, or EC2's error that it is not there.
    ///
    /// # Errors
    /// When there is none.
    fn need<T: Record>(&self, region: &str, id: &str, kind: Kind) -> Result<Arc<T>, Error> {
        self.get(region, id).ok_or_else(|| kind.not_found(id))
    }
}

impl Read for Store {
    fn get<T: Record>(&self, region: &str, id: &str) -> Option<Arc<T>> {
        Store::get(self, region, id)
    }
    fn list<T: Record>(&self, region: &str) -> Vec<Arc<T>> {
        Store::list(self, region)
    }
}

impl Read for Tx<'_> {
    fn get<T: Record>(&self, region: &str, id: &str) -> Option<Arc<T>> {
        Tx::get(self, region, id)
    }
    fn list<T: Record>(&self, region: &str) -> Vec<Arc<T>> {
        Tx::list(self, region)
    }
}

/// Runs an operation's change as one transaction. A dry run does everything and then undoes it, so that it
/// finds every error that the request itself would.
///
/// # Errors
/// The change's own, the store's, and `DryRunOperation` in place of success when only asked to try.
pub fn change<R>(
    ctx: &Ctx,
    dry_run: Option<bool>,
    change: impl FnOnce(&mut Tx<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    ctx.cloud.store.write(|tx| {
        let result = change(tx)?;
        stop_dry_run(dry_run)?;
        Ok(result)
    })
}

/// Ends a dry run that has found nothing wrong, as EC2 does: with an error.
///
/// # Errors
/// `DryRunOperation` when only asked to try.
pub fn stop_dry_run(dry_run: Option<bool>) -> Result<(), Error> {
    if dry_run == Some(true) {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Error::with_status("DryRunOperation", message, 412));
    }
    Ok(())
}

/// The limits of most of EC2's pages.
pub const PAGE: Limits = Limits { min: 5, max: 1000, default: None };

/// The part of all items that a request asks for.
///
/// # Errors
/// When the limit or the token is not valid.
pub fn page<T>(
    items: Vec<T>,
    max: Option<i32>,
    token: Option<&str>,
    limits: Limits,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, Error> {
    paging::page(items, PageRequest { max, token }, limits, Order::Ascending, key)
        .map_err(|error| errors::invalid_value(error.to_string()))
}

/// Makes a request's filters ready.
///
/// # Errors
/// When the operation does not have one of them.
pub fn select<T>(
    fields: &[Field<T>],
    tags: Option<fn(&T) -> &Tags>,
    filters: &[Filter],
) -> Result<Selection<T>, Error> {
    let named =
        filters.iter().map(|filter| (filter.name.as_deref().unwrap_or_default(), filter.values.as_slice()));
    Selection::new(fields, tags, named).map_err(|error| errors::invalid_value(error.to_string()))
}

/// What a `Describe…` request asks for.
pub struct Query<'a, T: 'static> {
    /// The ids asked for; none means all.
    pub ids: &'a [String],
    /// The filters.
    pub filters: &'a [Filter],
    /// The filters that the operation has.
    pub fields: &'static [Field<T>],
    /// Where the records' tags are.
    pub tags: fn(&T) -> &Tags,
    /// What the records are called in errors.
    pub kind: Kind,
    /// Whether nothing is to be done.
    pub dry_run: Option<bool>,
    /// The page's limit.
    pub max: Option<i32>,
    /// The page's token.
    pub token: Option<&'a str>,
}

impl<T: Record> Query<'_, T> {
    /// The records asked for, of those there are (which lie in the order of their ids).
    ///
    /// # Errors
    /// When an id asked for is not there or filters or page are not valid.
    pub fn of(self, records: Vec<Arc<T>>) -> Result<Page<Arc<T>>, Error> {
        stop_dry_run(self.dry_run)?;
        let selection = select(self.fields, Some(self.tags), self.filters)?;
        let mut records = by_ids(records, self.ids, self.kind)?;
        records.retain(|record| selection.accepts(record));
        page(records, self.max, self.token, PAGE, |record| record.id())
    }
}

/// The records with these ids, or all if none are named.
///
/// # Errors
/// When there are none under some of the ids.
pub fn by_ids<T: Record>(mut records: Vec<Arc<T>>, ids: &[String], kind: Kind) -> Result<Vec<Arc<T>>, Error> {
    if ids.is_empty() {
        return Ok(records);
    }
    let unknown: Vec<&str> = ids
        .iter()
        .map(String::as_str)
        .filter(|id| records.binary_search_by(|record| record.id().cmp(id)).is_err())
        .collect();
    if !unknown.is_empty() {
        return Err(kind.none_found(&unknown));
    }
    records.retain(|record| ids.iter().any(|id| id == record.id()));
    Ok(records)
}

/// Whether the caller may set tags of AWS's own (`aws:…`): only the cloud's own services may.
pub fn may_reserve(ctx: &Ctx) -> bool {
    matches!(ctx.caller, Caller::Service { .. })
}

/// The tags that a request's specifications give to a resource of the type `resource`.
///
/// # Errors
/// When a specification is for a resource that the operation does not make, or a tag is not allowed.
pub fn tags_for(
    ctx: &Ctx,
    specifications: &[TagSpecification],
    resource: &str,
    makes: &[&str],
) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for specification in specifications {
        let kind = specification.resource_type.as_deref().unwrap_or_default();
        if !makes.contains(&kind) {
            return Err(errors::invalid_value(format!(
                "'{kind}' is not a valid taggable resource type for this operation."
            )));
        }
        if kind == resource {
            merge_tags(&mut tags, &specification.tags, may_reserve(ctx))?;
        }
    }
    Ok(tags)
}

/// Adds a request's tags.
///
/// # Errors
/// When one is not allowed.
pub fn merge_tags(tags: &mut Tags, added: &[Tag], may_reserve: bool) -> Result<(), Error> {
    let pairs =
        added.iter().map(|tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default()));
    tags.merge(pairs, may_reserve).map_err(tag_error)
}

fn tag_error(error: TagError) -> Error {
    let code = match error {
        TagError::TooMany => "TagLimitExceeded",
        TagError::Key(_) | TagError::Value(_) | TagError::Reserved(_) | TagError::Duplicate(_) => {
            "InvalidParameterValue"
        }
    };
    Error::client(code, error.to_string())
}

/// Tags as answers hold them.
pub fn tag_set(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }).collect()
}

/// A required parameter.
///
/// # Errors
/// When it is missing or empty.
pub fn required<'a>(value: &'a Option<String>, parameter: &str) -> Result<&'a str, Error> {
    value.as_deref().filter(|value| !value.is_empty()).ok_or_else(|| errors::missing(parameter))
}

/// Refuses by name whatever a request (or a structure in it, `owner`) sets beyond the members that are
/// supported. What is set to "no" (`false`, 0, an empty list) asks for nothing and is accepted.
///
/// # Errors
/// `UnsupportedOperation` for the first such member.
pub fn only_supported(structure: &dyn Structure, owner: &str, supported: &[&str]) -> Result<(), Error> {
    match first_unsupported(structure, supported) {
        Some(member) => Err(errors::unsupported(&format!("{owner} with {member}"))),
        None => Ok(()),
    }
}

/// The text of a truth value, as filters have it.
pub fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
