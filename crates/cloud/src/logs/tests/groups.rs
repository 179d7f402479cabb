//! Groups, streams, tags, retention.

use std::collections::BTreeMap;

use super::*;
use crate::logs::reconciler::settle;
use crate::logs::state::{GroupRecord, Removal, StreamRecord};
use crate::testing::REGION;

fn describe(bench: &Bench, input: DescribeLogGroupsRequest) -> (Vec<String>, Option<String>) {
    let answer = LogsService.describe_log_groups(&bench.ctx(), input).unwrap();
    let names = answer.log_groups.into_iter().filter_map(|group| group.log_group_name).collect();
    (names, answer.next_token)
}

#[test]
fn groups_are_made_described_and_deleted() {
    let bench = Bench::new();
    for name in ["/web/b", "/web/a", "db"] {
        group(&bench, name);
    }
    let again = CreateLogGroupRequest { log_group_name: Some("db".into()), ..Default::default() };
    let refused = LogsService.create_log_group(&bench.ctx(), again).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        ("ResourceAlreadyExistsException", "The specified log group already exists")
    );
    let all = DescribeLogGroupsRequest::default;
    assert_eq!(describe(&bench, all()).0, ["/web/a", "/web/b", "db"]);
    let (first, token) = describe(&bench, DescribeLogGroupsRequest { limit: Some(2), ..all() });
    assert_eq!((first, token.is_some()), (vec!["/web/a".into(), "/web/b".into()], true));
    let rest = DescribeLogGroupsRequest { next_token: token, ..all() };
    assert_eq!(describe(&bench, rest), (vec!["db".to_owned()], None));
    let arn = format!("arn:aws:logs:{REGION}:123456789012:log-group:/web/b");
    for (input, expected) in [
        (
            DescribeLogGroupsRequest { log_group_name_prefix: Some("/web".into()), ..all() },
            vec!["/web/a", "/web/b"],
        ),
        (
            DescribeLogGroupsRequest { log_group_name_pattern: Some("b".into()), ..all() },
            vec!["/web/a", "/web/b", "db"],
        ),
        (DescribeLogGroupsRequest { log_group_name_pattern: Some("/b".into()), ..all() }, vec!["/web/b"]),
        (DescribeLogGroupsRequest { log_group_class: Some("INFREQUENT_ACCESS".into()), ..all() }, vec![]),
        (
            DescribeLogGroupsRequest { log_group_identifiers: vec![arn.clone(), "db".into()], ..all() },
            vec!["/web/b", "db"],
        ),
    ] {
        assert_eq!(describe(&bench, input.clone()).0, expected, "{input:?}");
    }
    let one = DescribeLogGroupsRequest { log_group_identifiers: vec![arn.clone()], ..all() };
    let one = LogsService.describe_log_groups(&bench.ctx(), one).unwrap().log_groups.remove(0);
    assert_eq!(one.arn, Some(format!("{arn}:*")));
    assert_eq!(one.log_group_arn, Some(arn));

    let delete = |name: &str| {
        LogsService
            .delete_log_group(&bench.ctx(), DeleteLogGroupRequest { log_group_name: Some(name.into()) })
    };
    delete("db").unwrap();
    let refused = delete("db").unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        ("ResourceNotFoundException", "The specified log group does not exist.")
    );
    assert_eq!(bench.cloud.store.list::<StreamRecord>(REGION).len(), 2);
}

#[test]
fn what_is_not_here_is_refused_by_name() {
    let bench = Bench::new();
    let base = || CreateLogGroupRequest { log_group_name: Some("g".into()), ..Default::default() };
    for (input, named) in [
        (CreateLogGroupRequest { kms_key_id: Some("k".into()), ..base() }, "kmsKeyId"),
        (
            CreateLogGroupRequest { log_group_class: Some("INFREQUENT_ACCESS".into()), ..base() },
            "INFREQUENT_ACCESS",
        ),
        (
            CreateLogGroupRequest { deletion_protection_enabled: Some(true), ..base() },
            "deletionProtectionEnabled",
        ),
    ] {
        let refused = LogsService.create_log_group(&bench.ctx(), input).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException");
        assert!(refused.message.contains(named), "{refused}");
    }
    for input in [
        DescribeLogGroupsRequest { include_linked_accounts: Some(true), ..Default::default() },
        DescribeLogGroupsRequest {
            log_group_name_prefix: Some("a".into()),
            log_group_name_pattern: Some("b".into()),
            ..Default::default()
        },
        DescribeLogGroupsRequest { next_token: Some("?".into()), ..Default::default() },
    ] {
        let refused = LogsService.describe_log_groups(&bench.ctx(), input).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException", "{refused}");
    }
}

#[test]
fn streams_are_ordered_by_name_or_by_their_last_event() {
    let bench = Bench::new();
    group(&bench, "g");
    for name in ["a-2", "a-1", "b"] {
        stream(&bench, "g", name);
    }
    put(&bench, "g", "b", &[(-3000, "x")]);
    put(&bench, "g", "a-2", &[(-5000, "x"), (-1000, "y")]);
    let describe = |input: DescribeLogStreamsRequest| {
        let input = DescribeLogStreamsRequest { log_group_name: Some("g".into()), ..input };
        LogsService.describe_log_streams(&bench.ctx(), input)
    };
    let names = |input: DescribeLogStreamsRequest| -> Vec<String> {
        let mut all = Vec::new();
        let mut input = DescribeLogStreamsRequest { limit: Some(1), ..input };
        loop {
            let page = describe(input.clone()).unwrap();
            all.extend(page.log_streams.into_iter().filter_map(|stream| stream.log_stream_name));
            if page.next_token.is_none() {
                return all;
            }
            input.next_token = page.next_token;
        }
    };
    let base = DescribeLogStreamsRequest::default;
    let by_time = || DescribeLogStreamsRequest { order_by: Some("LastEventTime".into()), ..base() };
    assert_eq!(names(base()), ["a-1", "a-2", "b", "i-1"]);
    assert_eq!(
        names(DescribeLogStreamsRequest { descending: Some(true), ..base() }),
        ["i-1", "b", "a-2", "a-1"]
    );
    assert_eq!(
        names(DescribeLogStreamsRequest { log_stream_name_prefix: Some("a-".into()), ..base() }),
        ["a-1", "a-2"]
    );
    assert_eq!(names(by_time()), ["a-1", "i-1", "b", "a-2"]);
    assert_eq!(
        names(DescribeLogStreamsRequest { descending: Some(true), ..by_time() }),
        ["a-2", "b", "i-1", "a-1"]
    );
    let both = DescribeLogStreamsRequest { log_stream_name_prefix: Some("a".into()), ..by_time() };
    assert_eq!(
        describe(both).unwrap_err().message,
        "Cannot order by LastEventTime with a logStreamNamePrefix."
    );

    let all = describe(base()).unwrap().log_streams;
    let (a2, i1) = (&all[1], &all[3]);
    assert_eq!(a2.last_event_timestamp.unwrap() - a2.first_event_timestamp.unwrap(), 4000);
    assert!(a2.last_ingestion_time.is_some() && a2.upload_sequence_token.is_some());
    assert_eq!((i1.last_event_timestamp, i1.last_ingestion_time), (None, None));
    assert_eq!(a2.arn.as_deref(), Some("arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:a-2"));
}

#[test]
fn deleted_events_do_not_come_back_with_the_name() {
    let bench = Bench::new();
    group(&bench, "g");
    put(&bench, "g", "i-1", &[(0, "old")]);
    let delete = DeleteLogGroupRequest { log_group_name: Some("g".into()) };
    LogsService.delete_log_group(&bench.ctx(), delete).unwrap();
    let gone = LogsService.put_log_events(&bench.ctx(), batch("g", "i-1", &[(0, "x")])).unwrap_err();
    assert_eq!(gone.message, "The specified log group does not exist.");
    group(&bench, "g");
    let filter = FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    assert!(LogsService.filter_log_events(&bench.ctx(), filter).unwrap().events.is_empty());
    put(&bench, "g", "i-1", &[(0, "new")]);

    let removal = bench.cloud.store.all::<Removal>().remove(0);
    settle(&bench.cloud, Default::default()).unwrap();
    assert_eq!(bench.cloud.logs.events.group_bytes(removal.group).unwrap(), 0);
    assert!(bench.cloud.store.all::<Removal>().is_empty());
    let group = bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap();
    assert_eq!(bench.cloud.logs.events.group_bytes(group.number).unwrap(), 26 + 3);

    let delete =
        DeleteLogStreamRequest { log_group_name: Some("g".into()), log_stream_name: Some("i-1".into()) };
    stream(&bench, "g", "i-2");
    put(&bench, "g", "i-2", &[(0, "other")]);
    LogsService.delete_log_stream(&bench.ctx(), delete.clone()).unwrap();
    let filter = FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    let left = LogsService.filter_log_events(&bench.ctx(), filter).unwrap().events;
    assert_eq!(left.len(), 1, "what is deleted is not shown until it is removed");
    assert_eq!(
        LogsService.delete_log_stream(&bench.ctx(), delete).unwrap_err().message,
        "The specified log stream does not exist."
    );
    settle(&bench.cloud, Default::default()).unwrap();
    assert_eq!(bench.cloud.logs.events.group_bytes(group.number).unwrap(), 26 + 5);
}

#[test]
fn retention_hides_at_once_and_frees_soon() {
    let bench = Bench::new();
    group(&bench, "g");
    const HOUR: i64 = 3_600_000;
    put(&bench, "g", "i-1", &[(-50 * HOUR, "old"), (-49 * HOUR, "old")]);
    put(&bench, "g", "i-1", &[(-HOUR, "new")]);
    let put_policy = |days| {
        let input =
            PutRetentionPolicyRequest { log_group_name: Some("g".into()), retention_in_days: Some(days) };
        LogsService.put_retention_policy(&bench.ctx(), input)
    };
    let refused = put_policy(2).unwrap_err();
    assert!(refused.message.contains("satisfy enum value set: [1, 3, 5, 7, 14"), "{refused}");
    put_policy(1).unwrap();
    let messages = || -> Vec<String> {
        let filter = FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
        let events = LogsService.filter_log_events(&bench.ctx(), filter).unwrap().events;
        events.into_iter().filter_map(|event| event.message).collect()
    };
    assert_eq!(messages(), ["new"]);
    let number = bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap().number;
    assert_eq!(bench.cloud.logs.events.group_bytes(number).unwrap(), 3 * 29);
    let expired = settle(&bench.cloud, Default::default()).unwrap();
    assert_eq!(bench.cloud.logs.events.group_bytes(number).unwrap(), 29);
    assert_eq!(expired.get(&number), Some(&1));
    let input = DeleteRetentionPolicyRequest { log_group_name: Some("g".into()) };
    LogsService.delete_retention_policy(&bench.ctx(), input).unwrap();
    assert_eq!(messages(), ["new"]);
    assert!(settle(&bench.cloud, expired).unwrap().is_empty());
}

#[test]
fn groups_are_tagged_both_ways() {
    let bench = Bench::new();
    group(&bench, "g");
    let arn = Some(format!("arn:aws:logs:{REGION}:123456789012:log-group:g"));
    let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let ctx = bench.ctx();
    let new = TagResourceRequest { resource_arn: arn.clone(), tags: tags(&[("a", "1"), ("b", "2")]) };
    LogsService.tag_resource(&ctx, new).unwrap();
    let old = TagLogGroupRequest { log_group_name: Some("g".into()), tags: tags(&[("c", "3")]) };
    LogsService.tag_log_group(&ctx, old).unwrap();
    let untag = UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec!["a".into()] };
    LogsService.untag_resource(&ctx, untag).unwrap();
    let untag = UntagLogGroupRequest { log_group_name: Some("g".into()), tags: vec!["b".into()] };
    LogsService.untag_log_group(&ctx, untag).unwrap();
    let list = ListTagsForResourceRequest { resource_arn: arn.clone() };
    assert_eq!(LogsService.list_tags_for_resource(&ctx, list).unwrap().tags, tags(&[("c", "3")]));
    let list = ListTagsLogGroupRequest { log_group_name: Some("g".into()) };
    assert_eq!(LogsService.list_tags_log_group(&ctx, list).unwrap().tags, tags(&[("c", "3")]));

    let starred = ListTagsForResourceRequest { resource_arn: arn.clone().map(|arn| arn + ":*") };
    assert_eq!(
        LogsService.list_tags_for_resource(&ctx, starred).unwrap_err().code,
        "InvalidParameterException"
    );
    let many: BTreeMap<_, _> = (0..51).map(|n| (n.to_string(), String::new())).collect();
    let many = TagResourceRequest { resource_arn: arn, tags: many };
    assert_eq!(LogsService.tag_resource(&ctx, many).unwrap_err().code, "TooManyTagsException");
}
