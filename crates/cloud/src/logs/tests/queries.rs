//! Insights' queries.

use std::time::{Duration, Instant};

use super::*;

fn query(text: &str) -> StartQueryRequest {
    let now = time::now() / 1000;
    StartQueryRequest {
        query_string: Some(text.into()),
        start_time: Some(now - 3600),
        end_time: Some(now),
        ..Default::default()
    }
}

fn start(bench: &Bench, input: StartQueryRequest) -> String {
    LogsService.start_query(&bench.ctx(), input).unwrap().query_id.unwrap()
}

fn results(bench: &Bench, id: &str) -> GetQueryResultsResponse {
    let input = GetQueryResultsRequest { query_id: Some(id.into()), ..Default::default() };
    LogsService.get_query_results(&bench.ctx(), input).unwrap()
}

/// The results of a query that has ended.
fn finished(bench: &Bench, id: &str) -> GetQueryResultsResponse {
    let begun = Instant::now();
    loop {
        let answer = results(bench, id);
        if !matches!(answer.status.as_deref(), Some("Scheduled" | "Running")) {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the query goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The values of a field, row by row.
fn column(answer: &GetQueryResultsResponse, name: &str) -> Vec<String> {
    let of_row = |row: &Vec<ResultField>| {
        row.iter().find(|field| field.field.as_deref() == Some(name)).and_then(|field| field.value.clone())
    };
    answer.results.iter().filter_map(of_row).collect()
}

#[test]
fn several_groups_are_queried_newest_first() {
    let bench = Bench::new();
    for name in ["g", "h"] {
        group(&bench, name);
    }
    put(&bench, "g", "i-1", &[(-9000, "one"), (-5000, "three")]);
    put(&bench, "h", "i-1", &[(-7000, "two"), (-3000, "four")]);
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:h".to_owned();
    let both = StartQueryRequest {
        log_group_identifiers: vec!["g".into(), arn],
        ..query("fields @timestamp, @message")
    };
    let id = start(&bench, both);
    let answer = finished(&bench, &id);
    assert_eq!(answer.status.as_deref(), Some("Complete"));
    assert_eq!(column(&answer, "@message"), ["four", "three", "two", "one"]);
    let statistics = answer.statistics.clone().unwrap();
    assert_eq!((statistics.records_matched, statistics.records_scanned), (Some(4.0), Some(4.0)));
    assert_eq!((statistics.bytes_scanned, statistics.log_groups_scanned), (Some(15.0), Some(2.0)));

    let pointer = column(&answer, "@ptr").remove(0);
    let input = GetLogRecordRequest { log_record_pointer: Some(pointer), ..Default::default() };
    let record = LogsService.get_log_record(&bench.ctx(), input).unwrap().log_record;
    assert_eq!(record["@message"], "four");
    assert_eq!(record["@logStream"], "i-1");
    assert_eq!(record["@log"], "123456789012:h");

    let page =
        GetQueryResultsRequest { query_id: Some(id.clone()), max_items: Some(3), ..Default::default() };
    let page = LogsService.get_query_results(&bench.ctx(), page).unwrap();
    assert_eq!(page.results.len(), 3);
    let rest = GetQueryResultsRequest { query_id: Some(id), next_token: page.next_token, max_items: None };
    let rest = LogsService.get_query_results(&bench.ctx(), rest).unwrap();
    assert_eq!((column(&rest, "@message"), rest.next_token), (vec!["one".to_owned()], None));
}

#[test]
fn limits_and_times_hold() {
    let bench = Bench::new();
    group(&bench, "g");
    put(&bench, "g", "i-1", &[(-7_200_000, "old"), (-9000, "1"), (-8000, "2"), (-7000, "3")]);
    let limited =
        StartQueryRequest { log_group_name: Some("g".into()), limit: Some(2), ..query("fields @message") };
    assert_eq!(column(&finished(&bench, &start(&bench, limited)), "@message"), ["3", "2"]);
    let all = StartQueryRequest { log_group_names: vec!["g".into()], ..query("fields @message") };
    assert_eq!(column(&finished(&bench, &start(&bench, all)), "@message").len(), 3);
}

#[test]
fn queries_are_described_and_stopped() {
    let bench = Bench::new();
    group(&bench, "g");
    let of_group = |text| StartQueryRequest { log_group_name: Some("g".into()), ..query(text) };
    let first = start(&bench, of_group("fields @message"));
    finished(&bench, &first);
    let second = start(&bench, of_group("fields @timestamp"));
    finished(&bench, &second);
    let describe = |input| LogsService.describe_queries(&bench.ctx(), input).unwrap();
    let page = describe(DescribeQueriesRequest { max_results: Some(1), ..Default::default() });
    assert_eq!(page.queries[0].query_id.as_ref(), Some(&second));
    let rest = describe(DescribeQueriesRequest { next_token: page.next_token, ..Default::default() });
    assert_eq!((rest.queries.len(), rest.queries[0].query_id.as_ref()), (1, Some(&first)));
    let info = &rest.queries[0];
    assert_eq!((info.status.as_deref(), info.log_group_name.as_deref()), (Some("Complete"), Some("g")));
    let none = DescribeQueriesRequest { status: Some("Running".into()), ..Default::default() };
    assert!(describe(none).queries.is_empty());

    let stop =
        |id: &str| LogsService.stop_query(&bench.ctx(), StopQueryRequest { query_id: Some(id.into()) });
    let refused = stop(&first).unwrap_err();
    assert!(refused.code == "InvalidParameterException" && refused.message.contains("Complete"), "{refused}");
    assert_eq!(stop("none").unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn what_cannot_be_queried_is_refused() {
    let bench = Bench::new();
    group(&bench, "g");
    let of_group = |text| StartQueryRequest { log_group_name: Some("g".into()), ..query(text) };
    let now = time::now() / 1000;
    for (input, code) in [
        (query("fields @message"), "InvalidParameterException"),
        (
            StartQueryRequest { log_group_names: vec!["g".into()], ..of_group("fields @message") },
            "InvalidParameterException",
        ),
        (
            StartQueryRequest { log_group_name: Some("none".into()), ..query("fields @message") },
            "ResourceNotFoundException",
        ),
        (
            StartQueryRequest { query_language: Some("SQL".into()), ..of_group("SELECT 1") },
            "InvalidParameterException",
        ),
        (
            StartQueryRequest {
                start_time: Some(now),
                end_time: Some(now - 1),
                ..of_group("fields @message")
            },
            "InvalidParameterException",
        ),
        (
            StartQueryRequest { log_group_names: vec!["g".into(); 51], ..query("fields @message") },
            "InvalidParameterException",
        ),
        (of_group("fields @message | make coffee"), "MalformedQueryException"),
    ] {
        let refused = LogsService.start_query(&bench.ctx(), input.clone()).unwrap_err();
        assert_eq!(refused.code, code, "{input:?}");
    }
    let bad = GetLogRecordRequest { log_record_pointer: Some("x".into()), ..Default::default() };
    assert_eq!(LogsService.get_log_record(&bench.ctx(), bad).unwrap_err().code, "InvalidParameterException");
}
