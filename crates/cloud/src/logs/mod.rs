//! CloudWatch Logs.
//!
//! Groups and streams are records of the control plane's store. Events are in a [`log_store::LogStore`] of their
//! own below the state directory; group and stream go by numbers there that are never used again, so that what is
//! left of a deleted group can never be taken for the events of a new one of the same name. Filter patterns and
//! Insights' queries are [`log_query`]'s.
//!
//! Operations block (an append waits for the disk), so the gateway runs them beside the asynchronous threads.

mod authorization;
mod batch;
mod errors;
mod faults;
mod filter;
mod get;
mod groups;
pub mod live_tail;
mod names;
mod page;
mod put;
mod queries;
mod reconciler;
pub(crate) mod retention;
pub mod state;
mod streams;
mod tagging;
#[cfg(test)]
mod tests;
mod time;
mod token;

use std::path::Path;

use aws_wire::logs::*;
use aws_wire::{Encoded, Error, ParsedRequest};
use log_store::{LogStore, Options, StoreError};
use parking_lot::RwLock;

use crate::context::{Caller, Ctx};
use crate::store::Kinds;

pub use authorization::about;
pub use faults::{Fault, Faults};
pub use reconciler::run;

/// Makes the store able to load the service's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds
        .add::<state::GroupRecord>()
        .add::<state::StreamRecord>()
        .add::<state::Removal>()
        .add::<state::LastNumber>();
}

/// What the service has besides its records.
pub struct Logs {
    /// The events.
    events: LogStore,
    /// Held for reading while events of a group are put, and for writing while a group or stream goes: nothing is
    /// stored for what is gone.
    living: RwLock<()>,
    queries: queries::Queries,
    /// What the service is told to refuse, for tests of clients.
    pub faults: Faults,
}

impl Logs {
    /// Opens the events of a state directory.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let events = LogStore::open(&state_dir.join("log-events"), Options::default())?;
        Ok(Self { events, living: RwLock::default(), queries: Default::default(), faults: Faults::default() })
    }

    /// Brings everything to the disk, takes no more, and ends live tails.
    pub fn close(&self) {
        self.events.close();
    }
}

/// Whether the caller may set `aws:…` tags, as CloudFormation does on behalf of a stack's owner.
fn may_reserve(ctx: &Ctx) -> bool {
    matches!(ctx.caller, Caller::Service { .. })
}

/// What an operation answers.
pub enum Reply {
    /// An answer.
    Whole(Encoded),
    /// Events as they come.
    Tail(Box<live_tail::Session>),
}

/// Runs an operation.
///
/// # Errors
/// The operation's, or the one that the service is told to answer with.
pub fn operate(ctx: &Ctx, request: &ParsedRequest) -> Result<Reply, Error> {
    ctx.cloud.logs.faults.meet(&request.operation)?;
    if request.operation == "StartLiveTail" {
        let session = LogsService.start_live_tail(ctx, aws_wire::decode_input(request)?)?;
        return Ok(Reply::Tail(Box::new(session)));
    }
    dispatch(&LogsService, ctx, request).map(Reply::Whole)
}

/// The service.
pub struct LogsService;

impl LogsService {
    /// The one operation that answers with a stream, which the trait has no form for.
    fn start_live_tail(&self, ctx: &Ctx, input: StartLiveTailRequest) -> Result<live_tail::Session, Error> {
        live_tail::start(ctx, input)
    }
}

/// An operation of the API, done by a function of the same input and output.
macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $does:path;)*) => {
        impl aws_wire::logs::Logs<Ctx> for LogsService {
            $(fn $name(&self, ctx: &Ctx, input: $input) -> Result<$output, Error> {
                $does(ctx, input)
            })*
        }
    };
}

operations! {
    create_log_group(CreateLogGroupRequest) -> () = groups::create;
    create_log_stream(CreateLogStreamRequest) -> () = streams::create;
    delete_log_group(DeleteLogGroupRequest) -> () = groups::delete;
    delete_log_stream(DeleteLogStreamRequest) -> () = streams::delete;
    delete_retention_policy(DeleteRetentionPolicyRequest) -> () = retention::delete;
    describe_log_groups(DescribeLogGroupsRequest) -> DescribeLogGroupsResponse = groups::describe;
    describe_log_streams(DescribeLogStreamsRequest) -> DescribeLogStreamsResponse = streams::describe;
    describe_queries(DescribeQueriesRequest) -> DescribeQueriesResponse = queries::describe;
    filter_log_events(FilterLogEventsRequest) -> FilterLogEventsResponse = filter::filter;
    get_log_events(GetLogEventsRequest) -> GetLogEventsResponse = get::get;
    get_log_record(GetLogRecordRequest) -> GetLogRecordResponse = queries::get_record;
    get_query_results(GetQueryResultsRequest) -> GetQueryResultsResponse = queries::results;
    list_tags_for_resource(ListTagsForResourceRequest) -> ListTagsForResourceResponse = tagging::list;
    list_tags_log_group(ListTagsLogGroupRequest) -> ListTagsLogGroupResponse = tagging::list_group;
    put_log_events(PutLogEventsRequest) -> PutLogEventsResponse = put::put;
    put_retention_policy(PutRetentionPolicyRequest) -> () = retention::put;
    start_query(StartQueryRequest) -> StartQueryResponse = queries::start;
    stop_query(StopQueryRequest) -> StopQueryResponse = queries::stop;
    tag_log_group(TagLogGroupRequest) -> () = tagging::tag_group;
    tag_resource(TagResourceRequest) -> () = tagging::tag;
    untag_log_group(UntagLogGroupRequest) -> () = tagging::untag_group;
    untag_resource(UntagResourceRequest) -> () = tagging::untag;
}
