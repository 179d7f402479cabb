//! Whatever bytes come in, the answer is a value or an error.

mod common;

use aws_wire::ec2::{RunInstancesRequest, RunInstancesRequest as Input};
use aws_wire::{decode_input, parse};
use proptest::prelude::*;

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
