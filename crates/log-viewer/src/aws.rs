//! The API over the SDK's clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_clients::{ApiError, SdkConfig};
use aws_sdk_cloudformation::types::ResourceStatus;
use aws_sdk_cloudwatchlogs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_cloudwatchlogs::config::{
    Builder, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_cloudwatchlogs::error::{BoxError, SdkError};
use aws_sdk_cloudwatchlogs::operation::start_live_tail::StartLiveTailOutput;
use aws_sdk_cloudwatchlogs::operation::start_query::StartQueryError as SdkStartQueryError;
use aws_sdk_cloudwatchlogs::types::{
    FilteredLogEvent, LiveTailSessionLogEvent, LogGroup, OrderBy, QueryStatistics, QueryStatus,
    StartLiveTailResponseStream,
};
use aws_smithy_runtime_api::client::endpoint::EndpointPrefix;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::http::Response;

use crate::event::Event;
use crate::service::{
    Group, LiveSession, Logs, Page, QueryResults, QueryState, Question, Span, Stacks, StartQueryError, Update,
};

/// CloudWatch Logs and CloudFormation of one configuration.
#[derive(Clone)]
pub struct Aws {
    logs: aws_sdk_cloudwatchlogs::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    /// Whether all services are behind one endpoint, which then has no host names of its own for some operations.
    one_endpoint: bool,
}

impl Aws {
    /// Clients of a configuration. Makes no request.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            one_endpoint: config.endpoint_url().is_some(),
        }
    }
}

#[async_trait]
impl Logs for Aws {
    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<Group>, ApiError> {
        let mut pages = self
            .logs
            .describe_log_groups()
            .set_log_group_name_prefix(prefix.map(str::to_owned))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(group) = pages.next().await {
            found.extend(listed(group.map_err(|error| ApiError::of("DescribeLogGroups", error))?));
        }
        found.sort_by(|a: &Group, b| a.name.cmp(&b.name));
        Ok(found)
    }

    async fn newest_event(&self, group: &str) -> Result<Option<i64>, ApiError> {
        let answer = self
            .logs
            .describe_log_streams()
            .log_group_name(group)
            .order_by(OrderBy::LastEventTime)
            .descending(true)
            .limit(1)
            .send()
            .await
            .map_err(|error| ApiError::of("DescribeLogStreams", error))?;
        Ok(answer.log_streams().first().and_then(|stream| stream.last_event_timestamp()))
    }

    async fn events(
        &self,
        group: &Arc<str>,
        question: &Question,
        span: Span,
        token: Option<String>,
    ) -> Result<Page, ApiError> {
        let answer = self
            .logs
            .filter_log_events()
            .log_group_name(group.as_ref())
            .set_filter_pattern(question.filter.clone())
            .set_log_stream_name_prefix(question.stream_prefix.clone())
            .start_time(span.from)
            .set_end_time(span.until)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| ApiError::of("FilterLogEvents", error))?;
        let events = answer.events.unwrap_or_default();
        Ok(Page {
            events: events.into_iter().map(|event| filtered(group, event)).collect(),
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }

    async fn live(&self, groups: &[Group], question: &Question) -> Result<Box<dyn LiveSession>, ApiError> {
        let mut request = self
            .logs
            .start_live_tail()
            .set_log_group_identifiers(Some(groups.iter().map(|group| group.arn.clone()).collect()))
            .set_log_event_filter_pattern(question.filter.clone());
        // The service takes names of streams only for a single group; of several, whoever listens sorts them out.
        if let ([_], Some(prefix)) = (groups, &question.stream_prefix) {
            request = request.log_stream_name_prefixes(prefix);
        }
        // A session in which nothing happens is not a broken one.
        let quiet = Builder::new().stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let mut request = request.customize().config_override(quiet);
        if self.one_endpoint {
            request = request.interceptor(NoHostPrefix);
        }
        let output = request.send().await.map_err(|error| ApiError::of("StartLiveTail", error))?;
        let mut session = Session { output, groups: groups.to_vec() };
        session.started().await?;
        Ok(Box::new(session))
    }

    async fn start_query(
        &self,
        groups: &[Group],
        query: &str,
        span: Span,
        limit: Option<i32>,
    ) -> Result<String, StartQueryError> {
        let answer = self
            .logs
            .start_query()
            .set_log_group_names(Some(groups.iter().map(|group| group.name.to_string()).collect()))
            .query_string(query)
            .start_time(span.from.div_euclid(1000))
            .end_time(span.until.unwrap_or(i64::MAX).div_euclid(1000))
            .set_limit(limit)
            .send()
            .await
            .map_err(query_error)?;
        Ok(answer.query_id.unwrap_or_default())
    }

    async fn query(&self, id: &str) -> Result<QueryState, ApiError> {
        let answer = self.logs.get_query_results().query_id(id).send().await;
        let answer = answer.map_err(|error| ApiError::of("GetQueryResults", error))?;
        match answer.status {
            Some(QueryStatus::Complete) => {}
            Some(QueryStatus::Scheduled | QueryStatus::Running) => return Ok(QueryState::Runs),
            other => {
                let name = other.map_or_else(|| "Unknown".to_owned(), |status| status.as_str().to_owned());
                return Ok(QueryState::Ended(name));
            }
        }
        let row = |row: Vec<aws_sdk_cloudwatchlogs::types::ResultField>| {
            row.into_iter()
                .filter_map(|cell| Some((cell.field?, cell.value.unwrap_or_default())))
                .collect::<Vec<_>>()
        };
        Ok(QueryState::Complete(QueryResults {
            rows: answer.results.unwrap_or_default().into_iter().map(row).collect(),
            statistics: answer.statistics.map(|found| statistics(&found)).unwrap_or_default(),
        }))
    }

    async fn stop_query(&self, id: &str) -> Result<(), ApiError> {
        let answer = self.logs.stop_query().query_id(id).send().await;
        answer.map_err(|error| ApiError::of("StopQuery", error)).map(drop)
    }
}

#[async_trait]
impl Stacks for Aws {
    async fn log_groups(&self, stack: &str) -> Result<Vec<String>, ApiError> {
        let answer = self.cloudformation.describe_stack_resources().stack_name(stack).send().await;
        let answer = match answer.map_err(|error| ApiError::of("DescribeStackResources", error)) {
            // CloudFormation has no code of its own for a stack that is not there.
            Err(ApiError::Refused { code, message, .. })
                if code == "ValidationError" && message.contains("does not exist") =>
            {
                return Ok(Vec::new());
            }
            answer => answer?,
        };
        Ok(answer
            .stack_resources
            .unwrap_or_default()
            .into_iter()
            .filter(|resource| resource.resource_type() == Some("AWS::Logs::LogGroup"))
            .filter(|resource| resource.resource_status() != Some(&ResourceStatus::DeleteComplete))
            .filter_map(|resource| resource.physical_resource_id)
            .filter(|name| !name.is_empty())
            .collect())
    }

    async fn names(&self) -> Result<Vec<String>, ApiError> {
        let mut pages = self.cloudformation.describe_stacks().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(stack) = pages.next().await {
            found.push(stack.map_err(|error| ApiError::of("DescribeStacks", error))?);
        }
        found.sort_by_key(|stack| std::cmp::Reverse(stack.creation_time));
        Ok(found.into_iter().filter_map(|stack| stack.stack_name).collect())
    }
}

/// Lets `StartLiveTail` go to the endpoint that was given: the host name that the SDK would make of it does not exist.
#[derive(Debug)]
struct NoHostPrefix;

#[dyn_dispatch_hint]
impl Intercept for NoHostPrefix {
    fn name(&self) -> &'static str {
        "NoHostPrefix"
    }

    fn modify_before_retry_loop(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().unset::<EndpointPrefix>();
        Ok(())
    }
}

/// A live session over an event stream.
struct Session {
    output: StartLiveTailOutput,
    groups: Vec<Group>,
}

impl Session {
    /// Waits for the first message of a session, from which on no event is missed.
    async fn started(&mut self) -> Result<(), ApiError> {
        loop {
            match self.message().await? {
                Some(StartLiveTailResponseStream::SessionStart(_)) => return Ok(()),
                Some(_) => {}
                None => {
                    return Err(ApiError::Unreachable {
                        operation: "StartLiveTail",
                        reason: "the session ended before it began".to_owned(),
                    });
                }
            }
        }
    }

    async fn message(&mut self) -> Result<Option<StartLiveTailResponseStream>, ApiError> {
        self.output.response_stream.recv().await.map_err(|error| ApiError::of("StartLiveTail", error))
    }

    fn event(&self, event: LiveTailSessionLogEvent) -> Event {
        let identifier = event.log_group_identifier.unwrap_or_default();
        Event {
            group: group_of(&identifier, &self.groups),
            stream: event.log_stream_name.unwrap_or_default().into(),
            timestamp: event.timestamp.unwrap_or_default(),
            ingestion_time: event.ingestion_time.unwrap_or_default(),
            id: None,
            message: event.message.unwrap_or_default(),
        }
    }
}

#[async_trait]
impl LiveSession for Session {
    async fn next(&mut self) -> Result<Option<Update>, ApiError> {
        loop {
            match self.message().await? {
                None => return Ok(None),
                Some(StartLiveTailResponseStream::SessionUpdate(update)) => {
                    let sampled = update.session_metadata.is_some_and(|metadata| metadata.sampled);
                    let told = update.session_results.unwrap_or_default();
                    let events = told.into_iter().map(|event| self.event(event)).collect();
                    return Ok(Some(Update { events, sampled }));
                }
                Some(_) => {}
            }
        }
    }
}

/// The name of the group that a live event's identifier tells: an ARN, or `ACCOUNT:NAME`.
fn group_of(identifier: &str, groups: &[Group]) -> Arc<str> {
    let identifier = identifier.strip_suffix(":*").unwrap_or(identifier);
    let is_told = |group: &&Group| {
        group.arn == identifier
            || identifier
                .strip_suffix(group.name.as_ref())
                .is_some_and(|head| head.is_empty() || head.ends_with(':'))
    };
    groups.iter().find(is_told).map_or_else(|| identifier.into(), |group| group.name.clone())
}

fn listed(group: LogGroup) -> Option<Group> {
    let name = group.log_group_name?;
    let arn = group.log_group_arn.or(group.arn).unwrap_or_else(|| name.clone());
    Some(Group {
        arn: arn.strip_suffix(":*").unwrap_or(&arn).to_owned(),
        name: name.into(),
        stored_bytes: group.stored_bytes.unwrap_or_default(),
        retention_days: group.retention_in_days,
    })
}

fn filtered(group: &Arc<str>, event: FilteredLogEvent) -> Event {
    Event {
        group: group.clone(),
        stream: event.log_stream_name.unwrap_or_default().into(),
        timestamp: event.timestamp.unwrap_or_default(),
        ingestion_time: event.ingestion_time.unwrap_or_default(),
        id: event.event_id,
        message: event.message.unwrap_or_default(),
    }
}

fn query_error(error: SdkError<SdkStartQueryError, Response>) -> StartQueryError {
    let Some(SdkStartQueryError::MalformedQueryException(malformed)) = error.as_service_error() else {
        return ApiError::of("StartQuery", error).into();
    };
    let compile = malformed.query_compile_error();
    let place = compile.and_then(|error| error.location()).and_then(|location| {
        let start = usize::try_from(location.start_char_offset()?).ok()?;
        let end = location.end_char_offset().and_then(|end| usize::try_from(end).ok());
        Some((start, end.unwrap_or(start + 1)))
    });
    let message = compile.and_then(|error| error.message()).or(malformed.message());
    StartQueryError::Malformed { message: message.unwrap_or("the query is not understood").to_owned(), place }
}

fn statistics(found: &QueryStatistics) -> BTreeMap<&'static str, i64> {
    BTreeMap::from([
        ("bytes_scanned", found.bytes_scanned() as i64),
        ("records_matched", found.records_matched() as i64),
        ("records_scanned", found.records_scanned() as i64),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> Group {
        Group {
            name: name.into(),
            arn: format!("arn:aws:logs:us-east-1:123456789012:log-group:{name}"),
            stored_bytes: 0,
            retention_days: None,
        }
    }

    #[test]
    fn a_live_events_group_is_told_in_several_ways() {
        let groups = [group("log"), group("/stack/var/log"), group("/stack/var")];
        for (identifier, expected) in [
            ("arn:aws:logs:us-east-1:123456789012:log-group:/stack/var", "/stack/var"),
            ("arn:aws:logs:us-east-1:123456789012:log-group:/stack/var/log:*", "/stack/var/log"),
            ("123456789012:/stack/var/log", "/stack/var/log"),
            ("123456789012:log", "log"),
            ("/stack/var", "/stack/var"),
            ("unheard", "unheard"),
        ] {
            assert_eq!(group_of(identifier, &groups).as_ref(), expected, "{identifier}");
        }
    }

    #[test]
    fn a_listed_groups_arn_is_one_that_live_sessions_take() {
        let told = LogGroup::builder().log_group_name("/a").arn("arn:x:/a:*").stored_bytes(7).build();
        let group = listed(told).expect("a group");
        assert_eq!((group.arn.as_str(), group.name.as_ref(), group.stored_bytes), ("arn:x:/a", "/a", 7));
        assert_eq!(listed(LogGroup::builder().build()), None);
    }
}
