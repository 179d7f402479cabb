//! `AWS::Logs::LogStream`.

use aws_wire::logs::{CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest};
use cfn_template::schema::{Kind, Property, ResourceSchema};

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props};

/// The type.
pub struct LogStream;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::Logs::LogStream",
    properties: &[
        Property::new("LogGroupName", Kind::String).required().replaces(),
        Property::new("LogStreamName", Kind::String).replaces(),
    ],
    attributes: &[],
};

const NOT_FOUND: &[&str] = &["ResourceNotFoundException"];

impl ResourceType<Api> for LogStream {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LogStreamName")
    }

    fn name_limit(&self) -> usize {
        512
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input = CreateLogStreamRequest {
            log_group_name: props::text(wanted.properties, "LogGroupName"),
            log_stream_name: Some(wanted.name.to_owned()),
        };
        api.services.logs.create_log_stream(&api.ctx, input)?;
        Ok(Made::new(wanted.name))
    }

    /// Streams have no tags, so only a generated name tells this stack's stream from somebody else's.
    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        if props::text(wanted.properties, "LogStreamName").is_some() {
            return Ok(None);
        }
        let input = DescribeLogStreamsRequest {
            log_group_name: props::text(wanted.properties, "LogGroupName"),
            log_stream_name_prefix: Some(wanted.name.to_owned()),
            ..Default::default()
        };
        let found = props::absent(api.services.logs.describe_log_streams(&api.ctx, input), NOT_FOUND)?;
        let mut streams = found.into_iter().flat_map(|found| found.log_streams);
        let exists = streams.any(|stream| stream.log_stream_name.as_deref() == Some(wanted.name));
        Ok(exists.then(|| Made::new(wanted.name)))
    }

    /// Every property replaces it.
    fn update(&self, _api: &Api, _change: &Change<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteLogStreamRequest {
            log_group_name: props::text(existing.properties, "LogGroupName"),
            log_stream_name: Some(existing.physical_id.to_owned()),
        };
        props::absent(api.services.logs.delete_log_stream(&api.ctx, input), NOT_FOUND).map(drop)
    }
}
