//! Whatever bytes come in, the answer is a value or an error.

mod common;

use aws_wire::ec2::{RunInstancesRequest, RunInstancesRequest as Input};
use aws_wire::logs::PutLogEventsRequest;
use aws_wire::{decode_any, decode_input, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

/// JSON that is near to a batch of log events.
fn near_a_batch() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        Just(json!(1.0)),
        Just(json!(1.5)),
        "\\PC{0,3}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let name = prop::sample::select(vec![
            "logGroupName",
            "logEvents",
            "message",
            "timestamp",
            "entity",
            "keyAttributes",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics(uri in "/[a-zA-Z0-9.=&%+?-]{0,40}", body in prop::collection::vec(any::<u8>(), 0..200)) {
        let request = http::Request::builder().method("POST").uri(uri).header("host", "ec2.us-east-1.amazonaws.com");
        let Ok(request) = request.body(()) else { return Ok(()) };
        if let Ok(request) = parse(&request.into_parts().0, &body) {
            let _ = decode_input::<RunInstancesRequest>(&request);
        }
    }

    #[test]
    fn decoding_never_panics(
        names in prop::collection::vec(
            "(BlockDeviceMapping|TagSpecification|Placement|Ebs|Tag|Key|MinCount|Filter|[0-9]{1,11}|[a-z]?)(\\.(1|2|Ebs|Tag|Key|Value|x|))\
             {0,5}",
            0..12,
        ),
        value in "[ -~é]{0,12}",
    ) {
        let value = value.replace(['&', '%', '+'], "");
        let body: String = names.iter().map(|name| format!("&{name}={value}")).collect();
        if let Ok(request) = common::ec2(&format!("Action=RunInstances{body}")) {
            let _ = decode_input::<Input>(&request);
        }
    }

    #[test]
    fn json_is_decoded_alike_on_both_roads(events in near_a_batch(), more in near_a_batch(), cut in 0..200_usize) {
        let body = json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events, "entity": more}).to_string();
        let broken: String = body.chars().take(cut).chain("}".chars()).collect();
        for body in [body, broken] {
            let Ok(request) = common::logs("PutLogEvents", &body) else { continue };
            let quick = decode_input::<PutLogEventsRequest>(&request);
            let slow = decode_any(&request).map(|input| {
                serde_json::from_value::<PutLogEventsRequest>(serde_json::to_value(input.as_ref()).unwrap()).unwrap()
            });
            prop_assert_eq!(quick, slow, "{}", body);
        }
    }

    #[test]
    fn stored_inputs_come_back(image in "\\PC{0,8}", groups in prop::collection::vec("\\PC{0,8}", 0..4), count in any::<i32>()) {
        let input = Input {
            image_id: Some(image),
            security_groups: groups,
            min_count: Some(count),
            ..Input::default()
        };
        let stored = serde_json::to_string(&input).unwrap();
        prop_assert_eq!(serde_json::from_str::<Input>(&stored).unwrap(), input);
    }
}

#[test]
fn deep_json_is_refused() {
    let body = "[".repeat(100_000);
    assert_eq!(common::ecs("ListClusters", &body).unwrap_err().code, "SerializationException");
}
