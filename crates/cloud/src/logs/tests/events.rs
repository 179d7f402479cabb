//! Putting, getting and filtering events.

use super::*;

fn get(bench: &Bench, input: GetLogEventsRequest) -> GetLogEventsResponse {
    let input = GetLogEventsRequest {
        log_group_name: Some("g".into()),
        log_stream_name: Some("i-1".into()),
        ..input
    };
    LogsService.get_log_events(&bench.ctx(), input).unwrap()
}

fn messages(answer: &GetLogEventsResponse) -> Vec<&str> {
    answer.events.iter().filter_map(|event| event.message.as_deref()).collect()
}

#[test]
fn a_stream_is_read_from_either_end() {
    let bench = Bench::new();
    group(&bench, "g");
    put(&bench, "g", "i-1", &[(-5000, "1"), (-4000, "2"), (-3000, "3"), (-2000, "4"), (-1000, "5")]);
    let two = || GetLogEventsRequest { limit: Some(2), ..Default::default() };
    let with = |token: &Option<String>| GetLogEventsRequest { next_token: token.clone(), ..two() };

    let latest = get(&bench, two());
    assert_eq!(messages(&latest), ["4", "5"]);
    let before = get(&bench, with(&latest.next_backward_token));
    assert_eq!(messages(&before), ["2", "3"]);
    let first = get(&bench, with(&before.next_backward_token));
    assert_eq!(messages(&first), ["1"]);
    let end = get(&bench, with(&first.next_backward_token));
    assert!(end.events.is_empty());
    assert_eq!(end.next_backward_token, first.next_backward_token, "the same token at the end");
    let back = get(&bench, with(&end.next_forward_token));
    assert_eq!(messages(&back), ["1", "2"], "the way back begins with what was given last");

    let head = get(&bench, GetLogEventsRequest { start_from_head: Some(true), ..two() });
    assert_eq!(messages(&head), ["1", "2"]);
    assert_eq!(messages(&get(&bench, with(&head.next_forward_token))), ["3", "4"]);

    let end = get(&bench, with(&latest.next_forward_token));
    assert!(end.events.is_empty());
    assert_eq!(end.next_forward_token, latest.next_forward_token);
    put(&bench, "g", "i-1", &[(0, "6")]);
    assert_eq!(messages(&get(&bench, with(&end.next_forward_token))), ["6"], "what came since");
}

#[test]
fn an_empty_stream_has_tokens_that_find_what_comes() {
    let bench = Bench::new();
    group(&bench, "g");
    let empty = get(&bench, GetLogEventsRequest::default());
    assert!(empty.events.is_empty());
    put(&bench, "g", "i-1", &[(0, "1")]);
    let next = GetLogEventsRequest { next_token: empty.next_forward_token, ..Default::default() };
    assert_eq!(messages(&get(&bench, next)), ["1"]);
}

#[test]
fn times_are_cut_as_each_operation_says() {
    let bench = Bench::new();
    group(&bench, "g");
    let request = batch("g", "i-1", &[(-2, "1"), (-1, "2"), (0, "3")]);
    let times: Vec<Option<i64>> = request.log_events.iter().map(|event| event.timestamp).collect();
    LogsService.put_log_events(&bench.ctx(), request).unwrap();
    let span = GetLogEventsRequest { start_time: times[1], end_time: times[2], ..Default::default() };
    assert_eq!(messages(&get(&bench, span)), ["2"], "the end is not included");
    let span = FilterLogEventsRequest {
        log_group_name: Some("g".into()),
        start_time: times[1],
        end_time: times[2],
        ..Default::default()
    };
    let found = LogsService.filter_log_events(&bench.ctx(), span).unwrap().events;
    assert_eq!(found.len(), 2, "the end is included");
}

#[test]
fn a_page_holds_a_megabyte() {
    let bench = Bench::new();
    group(&bench, "g");
    let large = "x".repeat(600_000);
    for offset in [-2, -1] {
        put(&bench, "g", "i-1", &[(offset, &large)]);
    }
    let latest = get(&bench, GetLogEventsRequest::default());
    assert_eq!(latest.events.len(), 1);
    let before = GetLogEventsRequest { next_token: latest.next_backward_token, ..Default::default() };
    assert_eq!(get(&bench, before).events.len(), 1);
    let filter = FilterLogEventsRequest { log_group_name: Some("g".into()), ..Default::default() };
    let found = LogsService.filter_log_events(&bench.ctx(), filter).unwrap();
    assert_eq!((found.events.len(), found.next_token.is_some()), (1, true));
}

#[test]
fn filters_find_in_streams_by_name_prefix_and_pattern() {
    let bench = Bench::new();
    group(&bench, "g");
    for name in ["i-2", "task"] {
        stream(&bench, "g", name);
    }
    put(&bench, "g", "i-1", &[(-4000, "GET /"), (-1000, "POST / ERROR")]);
    put(&bench, "g", "i-2", &[(-3000, "GET /a ERROR")]);
    put(&bench, "g", "task", &[(-2000, "GET /b")]);
    let found = |input: FilterLogEventsRequest| -> Vec<(String, String)> {
        let mut all = Vec::new();
        let mut input = FilterLogEventsRequest { log_group_name: Some("g".into()), limit: Some(1), ..input };
        loop {
            let page = LogsService.filter_log_events(&bench.ctx(), input.clone()).unwrap();
            assert!(page.events.len() <= 1);
            for event in page.events {
                assert_eq!(event.event_id.map(|id| id.len()), Some(56));
                all.push((event.log_stream_name.unwrap(), event.message.unwrap()));
            }
            if page.next_token.is_none() {
                return all;
            }
            input.next_token = page.next_token;
        }
    };
    let base = FilterLogEventsRequest::default;
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(stream, message)| ((*stream).to_owned(), (*message).to_owned())).collect()
    };
    let all = [("i-1", "GET /"), ("i-2", "GET /a ERROR"), ("task", "GET /b"), ("i-1", "POST / ERROR")];
    assert_eq!(found(base()), pairs(&all));
    let pattern = FilterLogEventsRequest { filter_pattern: Some("ERROR GET".into()), ..base() };
    assert_eq!(found(pattern), pairs(&[all[1]]));
    let prefix = FilterLogEventsRequest { log_stream_name_prefix: Some("i-".into()), ..base() };
    assert_eq!(found(prefix), pairs(&[all[0], all[1], all[3]]));
    let named = FilterLogEventsRequest { log_stream_names: vec!["task".into(), "i-2".into()], ..base() };
    assert_eq!(found(named), pairs(&[all[1], all[2]]));
    let none = FilterLogEventsRequest { log_stream_name_prefix: Some("x".into()), ..base() };
    assert!(found(none).is_empty());

    for (input, code) in [
        (
            FilterLogEventsRequest { log_stream_names: vec!["x".into()], ..base() },
            "ResourceNotFoundException",
        ),
        (
            FilterLogEventsRequest {
                log_stream_names: vec!["task".into()],
                log_stream_name_prefix: Some("t".into()),
                ..base()
            },
            "InvalidParameterException",
        ),
        (FilterLogEventsRequest { next_token: Some("x".into()), ..base() }, "InvalidParameterException"),
        (
            FilterLogEventsRequest { log_group_identifier: Some("g".into()), ..base() },
            "InvalidParameterException",
        ),
        (FilterLogEventsRequest { unmask: Some(true), ..base() }, "InvalidParameterException"),
    ] {
        let input = FilterLogEventsRequest { log_group_name: Some("g".into()), ..input };
        assert_eq!(LogsService.filter_log_events(&bench.ctx(), input).unwrap_err().code, code);
    }
}

#[test]
fn late_events_are_told_and_the_others_stored() {
    let bench = Bench::new();
    group(&bench, "g");
    const DAY: i64 = 86_400_000;
    let answer = put(&bench, "g", "i-1", &[(-15 * DAY, "old"), (0, "1"), (DAY, "new")]);
    let told = answer.rejected_log_events_info.unwrap();
    assert_eq!((told.too_old_log_event_end_index, told.too_new_log_event_start_index), (Some(1), Some(2)));
    assert_eq!(messages(&get(&bench, GetLogEventsRequest::default())), ["1"]);
    let all_old = put(&bench, "g", "i-1", &[(-15 * DAY, "old")]);
    assert!(all_old.next_sequence_token.is_some() && all_old.rejected_log_events_info.is_some());
    let any_token =
        PutLogEventsRequest { sequence_token: Some("1".into()), ..batch("g", "i-1", &[(0, "2")]) };
    LogsService.put_log_events(&bench.ctx(), any_token).unwrap();
    let nowhere = LogsService.put_log_events(&bench.ctx(), batch("g", "i-9", &[(0, "x")])).unwrap_err();
    assert_eq!(
        (nowhere.code.as_str(), nowhere.message.as_str()),
        ("ResourceNotFoundException", "The specified log stream does not exist.")
    );
}

#[test]
fn the_service_refuses_on_demand() {
    let bench = Bench::new();
    group(&bench, "g");
    let fault = r#"[{"operation":"PutLogEvents","code":"ThrottlingException","times":1}]"#;
    bench.cloud.logs.faults.set(serde_json::from_str(fault).unwrap());
    assert_eq!(bench.cloud.logs.faults.meet("PutLogEvents").unwrap_err().code, "ThrottlingException");
    put(&bench, "g", "i-1", &[(0, "1")]);
}

#[test]
fn events_are_there_after_a_restart() {
    let bench = Bench::new();
    group(&bench, "g");
    put(&bench, "g", "i-1", &[(-1000, "1"), (0, "2")]);
    let token = get(
        &bench,
        GetLogEventsRequest { limit: Some(1), start_from_head: Some(true), ..Default::default() },
    );
    let bench = bench.reopen();
    assert_eq!(messages(&get(&bench, GetLogEventsRequest::default())), ["1", "2"]);
    let rest = GetLogEventsRequest { next_token: token.next_forward_token, ..Default::default() };
    assert_eq!(messages(&get(&bench, rest)), ["2"]);
}
