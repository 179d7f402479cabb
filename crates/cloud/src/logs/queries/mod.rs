//! Logs Insights: queries that run beside the requests that start them and ask for their results.
//!
//! A query and its results are kept in memory, so a daemon that is started again knows none of before.

mod job;
mod pointer;
mod record;
mod run;

use std::collections::VecDeque;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::logs::*;
use log_query::insights::Query;
use parking_lot::Mutex;

use super::state::GroupRecord;
use super::{errors, groups, time};
use crate::Ctx;
use crate::ids;
use job::Job;
pub use record::get as get_record;

/// How many queries run at once; the others wait.
const AT_ONCE: usize = 2;
/// How many queries may run and wait ("CloudWatch Logs quotas" in the user guide).
const MAX_OPEN: usize = 100;
/// How many queries are remembered.
const REMEMBERED: usize = 1000;
/// The most groups of a query.
const MAX_GROUPS: usize = 50;
/// How many rows one answer holds.
const MAX_ROWS: usize = 10_000;

/// The queries of all regions.
#[derive(Default)]
pub struct Queries(Mutex<Desk>);

#[derive(Default)]
struct Desk {
    /// Newest first.
    all: VecDeque<Arc<Job>>,
    waiting: VecDeque<Arc<Job>>,
    running: usize,
}

impl Queries {
    /// Takes a job, and tells whether a thread must be started to do it.
    fn add(&self, job: &Arc<Job>) -> Result<bool, Error> {
        let mut desk = self.0.lock();
        if desk.running + desk.waiting.len() >= MAX_OPEN {
            return Err(Error::client(
                "LimitExceededException",
                format!("No more than {MAX_OPEN} queries can run and wait at the same time."),
            ));
        }
        desk.all.push_front(Arc::clone(job));
        desk.all.truncate(REMEMBERED);
        desk.waiting.push_back(Arc::clone(job));
        let must_start = desk.running < AT_ONCE;
        desk.running += usize::from(must_start);
        Ok(must_start)
    }

    /// The next job of a thread; a thread that gets none ends.
    fn next(&self) -> Option<Arc<Job>> {
        let mut desk = self.0.lock();
        let next = desk.waiting.pop_front();
        desk.running -= usize::from(next.is_none());
        next
    }

    fn find(&self, region: &str, id: &str) -> Result<Arc<Job>, Error> {
        let desk = self.0.lock();
        let found = desk.all.iter().find(|job| job.region == region && job.id == id);
        found.cloned().ok_or_else(|| {
            Error::client("ResourceNotFoundException", format!("The query with id '{id}' does not exist."))
        })
    }
}

/// `StartQuery`
pub fn start(ctx: &Ctx, input: StartQueryRequest) -> Result<StartQueryResponse, Error> {
    if let Some(language) = input.query_language.as_deref().filter(|language| *language != "CWLI") {
        return Err(errors::unsupported(&format!("queryLanguage {language}")));
    }
    let text = input.query_string.clone().unwrap_or_default();
    let query = Query::parse(&text)
        .map_err(|error| Error::client("MalformedQueryException", format!("Query syntax error: {error}")))?;
    let groups = chosen(ctx, &input)?;
    let (from, until) = (input.start_time.unwrap_or_default(), input.end_time.unwrap_or_default());
    if from > until {
        return Err(errors::invalid("The start time of a query must not be after its end time."));
    }
    let job = Arc::new(Job::new(job::Order {
        id: ids::uuid(),
        region: ctx.region.to_string(),
        account: ctx.account.to_string(),
        user: ctx.caller_arn(),
        text,
        query,
        groups,
        // Seconds, of which the last is in it as a whole.
        from: from.saturating_mul(1000),
        until: until.saturating_add(1).saturating_mul(1000),
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()),
        created: time::now(),
    }));
    if ctx.cloud.logs.queries.add(&job)? {
        run::start(&ctx.cloud);
    }
    Ok(StartQueryResponse { query_id: Some(job.id.clone()) })
}

/// The groups that a request names in one of three ways.
fn chosen(ctx: &Ctx, input: &StartQueryRequest) -> Result<Vec<Arc<GroupRecord>>, Error> {
    let (names, identifiers) = (&input.log_group_names, &input.log_group_identifiers);
    let ways = usize::from(input.log_group_name.is_some())
        + usize::from(!names.is_empty())
        + usize::from(!identifiers.is_empty());
    if ways != 1 {
        return Err(errors::invalid(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.",
        ));
    }
    let count = names.len().max(identifiers.len());
    if count > MAX_GROUPS {
        return Err(errors::invalid(format!("A query can have no more than {MAX_GROUPS} log groups.")));
    }
    let named =
        input.log_group_name.iter().chain(names).map(|name| groups::find_either(ctx, Some(name), None));
    let identified = identifiers.iter().map(|identifier| {
        groups::find(ctx, &groups::home(ctx).group_name(identifier, "logGroupIdentifiers", false)?)
    });
    let mut found = named.chain(identified).collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    Ok(found)
}

/// `GetQueryResults`
pub fn results(ctx: &Ctx, input: GetQueryResultsRequest) -> Result<GetQueryResultsResponse, Error> {
    let job = ctx.cloud.logs.queries.find(&ctx.region, input.query_id.as_deref().unwrap_or_default())?;
    let start: usize = match input.next_token.as_deref() {
        Some(token) => token.parse().map_err(|_| errors::invalid("The specified nextToken is invalid."))?,
        None => 0,
    };
    let most = input.max_items.and_then(|items| usize::try_from(items).ok()).filter(|items| *items > 0);
    let most = most.unwrap_or(MAX_ROWS).min(MAX_ROWS);
    let progress = job.progress();
    let rows = &progress.results.rows;
    let end = rows.len().min(start.saturating_add(most));
    let fields = |(name, value): &(String, String)| ResultField {
        field: Some(name.clone()),
        value: Some(value.clone()),
    };
    let page = rows.get(start..end).unwrap_or_default();
    // While it runs nobody knows how many there will be.
    let more = end < rows.len() && progress.status.is_final();
    Ok(GetQueryResultsResponse {
        query_language: Some("CWLI".to_owned()),
        results: page.iter().map(|row| row.fields.iter().map(fields).collect()).collect(),
        statistics: Some(statistics(&job, &progress.results.statistics)),
        status: Some(progress.status.name().to_owned()),
        encryption_key: None,
        next_token: more.then(|| end.to_string()),
    })
}

fn statistics(job: &Job, counted: &log_query::insights::Statistics) -> QueryStatistics {
    #[allow(clippy::cast_precision_loss, reason = "the wire has numbers of 53 bits")]
    let number = |count: u64| Some(count as f64);
    QueryStatistics {
        records_matched: number(counted.records_matched),
        records_scanned: number(counted.records_scanned),
        estimated_records_skipped: number(0),
        bytes_scanned: number(counted.bytes_scanned),
        estimated_bytes_skipped: number(0),
        log_groups_scanned: number(job.groups.len() as u64),
    }
}

/// `StopQuery`
pub fn stop(ctx: &Ctx, input: StopQueryRequest) -> Result<StopQueryResponse, Error> {
    let job = ctx.cloud.logs.queries.find(&ctx.region, input.query_id.as_deref().unwrap_or_default())?;
    if !job.cancel() {
        return Err(errors::invalid(format!(
            "The query with id '{}' has ended already: its status is {}.",
            job.id,
            job.progress().status.name()
        )));
    }
    Ok(StopQueryResponse { success: Some(true) })
}

/// `DescribeQueries`
pub fn describe(ctx: &Ctx, input: DescribeQueriesRequest) -> Result<DescribeQueriesResponse, Error> {
    let jobs: Vec<Arc<Job>> = ctx.cloud.logs.queries.0.lock().all.iter().cloned().collect();
    let is_wanted = |job: &Arc<Job>| {
        let of_group = |name: &String| job.groups.iter().any(|group| group.id == *name);
        job.region == *ctx.region
            && input.log_group_name.as_ref().is_none_or(of_group)
            && input.status.as_deref().is_none_or(|status| status == job.status().name())
            && input.query_language.as_deref().is_none_or(|language| language == "CWLI")
    };
    let start = match input.next_token.as_deref() {
        None => 0,
        Some(token) => {
            let last = jobs.iter().position(|job| job.id == token);
            last.ok_or_else(|| errors::invalid("The specified nextToken is invalid."))? + 1
        }
    };
    let most = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(REMEMBERED);
    let mut wanted = jobs.into_iter().skip(start).filter(is_wanted);
    let page: Vec<Arc<Job>> = wanted.by_ref().take(most).collect();
    let next_token = wanted.next().and(page.last()).map(|job| job.id.clone());
    Ok(DescribeQueriesResponse { queries: page.iter().map(|job| info(job)).collect(), next_token })
}

fn info(job: &Job) -> QueryInfo {
    let progress = job.progress();
    #[allow(clippy::cast_precision_loss, reason = "the wire has numbers of 53 bits")]
    let bytes = progress.results.statistics.bytes_scanned as f64;
    QueryInfo {
        query_language: Some("CWLI".to_owned()),
        query_id: Some(job.id.clone()),
        query_string: Some(job.text.clone()),
        status: Some(progress.status.name().to_owned()),
        create_time: Some(job.created),
        log_group_name: job.groups.first().map(|group| group.id.clone()),
        query_duration: progress.duration_ms,
        bytes_scanned: Some(bytes),
        user_identity: Some(job.user.clone()),
    }
}
