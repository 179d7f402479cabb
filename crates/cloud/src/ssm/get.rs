//! Reading and deleting parameters.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ssm::*;

use super::errors::{self, not_found, validation, version_not_found};
use super::filters::Filters;
use super::names::{self, Asked};
use super::public;
use super::state::ParameterRecord;
use crate::Ctx;
use crate::api::paging::{Limits, Order, PageRequest, page};

/// How many parameters one request may name.
const MAX_NAMED: usize = 10;
const BY_PATH: Limits = Limits { min: 1, max: 10, default: Some(10) };
const LISTED: Limits = Limits { min: 1, max: 50, default: Some(50) };

/// `GetParameter`
pub fn one(ctx: &Ctx, input: GetParameterRequest) -> Result<GetParameterResult, Error> {
    Ok(GetParameterResult { parameter: Some(parameter(ctx, &input.name.unwrap_or_default())?) })
}

fn parameter(ctx: &Ctx, given: &str) -> Result<Parameter, Error> {
    let asked = Asked::parse(given, &ctx.region, &ctx.account).ok_or_else(|| not_found(given))?;
    for name in &asked.names {
        if name.starts_with(public::ROOT) {
            let found = public::find(ctx, name)?.ok_or_else(|| not_found(given))?;
            return match &asked.selector {
                None => Ok(found),
                Some(selector) if found.version.is_some_and(|version| version.to_string() == *selector) => {
                    Ok(Parameter { selector: Some(format!(":{selector}")), ..found })
                }
                Some(selector) => Err(version_not_found(name, selector)),
            };
        }
        if let Some(record) = ctx.cloud.store.get::<ParameterRecord>(&ctx.region, name) {
            return selected(ctx, &record, asked.selector.as_deref());
        }
    }
    Err(not_found(given))
}

fn selected(ctx: &Ctx, record: &ParameterRecord, selector: Option<&str>) -> Result<Parameter, Error> {
    let Some(selector) = selector else { return Ok(record.wire(&ctx.account, &record.latest)) };
    // Versions cannot be labelled in this cloud: what is no number selects nothing.
    let version = selector.parse().ok().and_then(|number| record.version(number));
    let version = version.ok_or_else(|| version_not_found(&record.id, selector))?;
    Ok(Parameter { selector: Some(format!(":{selector}")), ..record.wire(&ctx.account, version) })
}

fn check_named(names: &[String]) -> Result<(), Error> {
    if names.is_empty() || names.len() > MAX_NAMED {
        return Err(validation(format!("Between 1 and {MAX_NAMED} names must be given.")));
    }
    Ok(())
}

/// `GetParameters`
pub fn many(ctx: &Ctx, input: GetParametersRequest) -> Result<GetParametersResult, Error> {
    check_named(&input.names)?;
    let mut answer = GetParametersResult::default();
    for name in input.names {
        match parameter(ctx, &name) {
            Ok(found) => answer.parameters.push(found),
            Err(error) if error.is_client() => answer.invalid_parameters.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// `GetParametersByPath`
pub fn by_path(ctx: &Ctx, input: GetParametersByPathRequest) -> Result<GetParametersByPathResult, Error> {
    let path = input.path.unwrap_or_default();
    if !path.starts_with('/') {
        return Err(validation(
            "The parameter doesn't meet the parameter name requirements. The path must begin with a forward slash \"/\".",
        ));
    }
    let filters = Filters::read(input.parameter_filters, Filters::OF_PATHS)?;
    let recursive = input.recursive == Some(true);
    let parameters: Vec<(String, Parameter)> = if path.starts_with(public::ROOT) {
        // Nothing is known of them that could be filtered by, and AWS's have no tags.
        let all = public::all(ctx)?.into_iter().filter(|_| filters.is_empty());
        let mut named: Vec<_> = all.map(|found| (found.name.clone().unwrap_or_default(), found)).collect();
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        named
    } else {
        let records = ctx.cloud.store.list::<ParameterRecord>(&ctx.region);
        let records = records.iter().filter(|record| filters.accept(record));
        records.map(|record| (record.id.clone(), record.wire(&ctx.account, &record.latest))).collect()
    };
    let under: Vec<_> =
        parameters.into_iter().filter(|(name, _)| names::lies_under(name, &path, recursive)).collect();
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page = page(under, request, BY_PATH, Order::Ascending, |(name, _)| name).map_err(errors::paging)?;
    Ok(GetParametersByPathResult {
        parameters: page.items.into_iter().map(|(_, parameter)| parameter).collect(),
        next_token: page.next,
    })
}

/// `DescribeParameters`. Public parameters are not among them.
pub fn describe(ctx: &Ctx, input: DescribeParametersRequest) -> Result<DescribeParametersResult, Error> {
    if input.shared == Some(true) {
        return Err(validation("Shared parameters are not supported by this cloud."));
    }
    if !input.filters.is_empty() && !input.parameter_filters.is_empty() {
        return Err(validation("You can use either Filters or ParameterFilters in a single request."));
    }
    let filters = if input.filters.is_empty() {
        Filters::read(input.parameter_filters, Filters::OF_ALL)?
    } else {
        Filters::read_old(input.filters)?
    };
    let mut records = ctx.cloud.store.list::<ParameterRecord>(&ctx.region);
    records.retain(|record| filters.accept(record));
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page =
        page(records, request, LISTED, Order::Ascending, |record| &record.id).map_err(errors::paging)?;
    Ok(DescribeParametersResult {
        parameters: page.items.iter().map(|record| record.metadata(&ctx.account)).collect(),
        next_token: page.next,
    })
}

/// The parameter of the user's that a request names, without a version.
pub fn find(ctx: &Ctx, given: &str) -> Option<Arc<ParameterRecord>> {
    let asked = Asked::parse(given, &ctx.region, &ctx.account).filter(|asked| asked.selector.is_none())?;
    asked.names.iter().find_map(|name| ctx.cloud.store.get(&ctx.region, name))
}

/// `GetParameterHistory`
pub fn history(ctx: &Ctx, input: GetParameterHistoryRequest) -> Result<GetParameterHistoryResult, Error> {
    let given = input.name.unwrap_or_default();
    let record = find(ctx, &given).ok_or_else(|| not_found(&given))?;
    let versions: Vec<_> =
        record.versions().map(|version| (version.number.to_string(), record.history(version))).collect();
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let page = page(versions, request, LISTED, Order::Fixed, |(number, _)| number).map_err(errors::paging)?;
    Ok(GetParameterHistoryResult {
        parameters: page.items.into_iter().map(|(_, version)| version).collect(),
        next_token: page.next,
    })
}

/// `DeleteParameter`
pub fn delete(ctx: &Ctx, input: DeleteParameterRequest) -> Result<DeleteParameterResult, Error> {
    let name = input.name.unwrap_or_default();
    if delete_all(ctx, std::slice::from_ref(&name))?.is_empty() {
        return Err(not_found(&name));
    }
    Ok(DeleteParameterResult::default())
}

/// `DeleteParameters`
pub fn delete_many(ctx: &Ctx, input: DeleteParametersRequest) -> Result<DeleteParametersResult, Error> {
    check_named(&input.names)?;
    let deleted_parameters = delete_all(ctx, &input.names)?;
    let invalid_parameters =
        input.names.into_iter().filter(|name| !deleted_parameters.contains(name)).collect();
    Ok(DeleteParametersResult { deleted_parameters, invalid_parameters })
}

/// Deletes those that are there, and tells which were.
fn delete_all(ctx: &Ctx, given: &[String]) -> Result<Vec<String>, Error> {
    let found: Vec<_> = given.iter().filter_map(|name| Some((name, find(ctx, name)?.id.clone()))).collect();
    ctx.cloud.store.write(|tx| {
        let mut deleted = Vec::new();
        for (given, name) in &found {
            if tx.get::<ParameterRecord>(&ctx.region, name).is_some() {
                tx.remove::<ParameterRecord>(&ctx.region, name);
                deleted.push((*given).clone());
            }
        }
        Ok(deleted)
    })
}
