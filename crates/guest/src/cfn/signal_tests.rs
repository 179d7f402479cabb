//! Whole runs of `cfn-signal` and `cfn-get-metadata` against a fake API.

use super::*;
use crate::aws::imds::Imds;
use crate::testing::{NoSleep, Received, Reply, Server, http_client};
use std::io;

fn imds_or(request: &Received, api: impl Fn(&Received) -> Reply) -> Reply {
    match request.target.as_str() {
        "/latest/api/token" => Reply::new(200, "T"),
        "/latest/meta-data/instance-id" => Reply::new(200, "i-0aa"),
        "/latest/dynamic/instance-identity/document" => Reply::new(200, "{\"region\":\"us-east-1\"}\n"),
        "/latest/dynamic/instance-identity/signature" => Reply::new(200, "c2ln\nbmF0\n"),
        _ => api(request),
    }
}

struct Outcome {
    code: u8,
    out: String,
    err: String,
    calls: Vec<Received>,
}

fn run_tool(args: &[&str], api: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Outcome {
    let server = Server::start(move |request| imds_or(request, &api));
    let root = tempfile::tempdir().unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let base = server.url("");
    let args = args.iter().map(|word| word.replace("$BASE", &base));
    let options = Options::try_parse_from(std::iter::once("cfn-signal".to_owned()).chain(args)).unwrap();
    let code = {
        let mut world = World {
            root: root.path().to_owned(),
            http: http_client(),
            imds: Imds::new(http_client(), &base),
            sleeper: &NoSleep,
            stdin: &mut io::empty(),
            stdout: &mut out,
            stderr: &mut err,
        };
        run(&options, &mut world)
    };
    let calls = server.requests().into_iter().filter(|call| !call.target.starts_with("/latest/")).collect();
    Outcome { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap(), calls }
}

const RESOURCE: [&str; 6] = ["--url", "$BASE", "--stack", "web", "--resource", "Group"];

fn resource(extra: &[&'static str]) -> Vec<&'static str> {
    RESOURCE.iter().chain(extra).copied().collect()
}

#[test]
fn a_resource_is_signalled_by_the_instances_identity() {
    let outcome = run_tool(&resource(&["-e", "0"]), |_| Reply::new(200, "{}"));
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "", ""));
    let call = &outcome.calls[0];
    assert_eq!(call.header("authorization"), Some("CFN_V1 eyJyZWdpb24iOiJ1cy1lYXN0LTEifQ==:c2lnbmF0"));
    let expected = [
        ("Action", "SignalResource"),
        ("StackName", "web"),
        ("LogicalResourceId", "Group"),
        ("UniqueId", "i-0aa"),
        ("Status", "SUCCESS"),
        ("ContentType", "JSON"),
        ("Version", "2010-05-15"),
    ];
    for (name, value) in expected {
        assert_eq!(call.query(name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn failure_follows_from_either_option() {
    let cases: &[(&[&str], &str)] = &[
        (&["-e", "1"], "FAILURE"),
        (&["-e", "-9"], "FAILURE"),
        (&["--exit-code=0", "-s", "false"], "FAILURE"),
        (&["--success", "true"], "SUCCESS"),
        (&["--succ", "false", "-i", "me"], "FAILURE"),
    ];
    for (extra, status) in cases {
        let outcome = run_tool(&resource(extra), |_| Reply::new(200, "{}"));
        assert_eq!(outcome.calls[0].query("Status").as_deref(), Some(*status), "{extra:?}");
    }
}

#[test]
fn keys_sign_by_version_4() {
    let outcome =
        run_tool(&resource(&["--access-key", "AKID", "--secret-key", "S"]), |_| Reply::new(200, "{}"));
    let authorization = outcome.calls[0].header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
    assert!(authorization.contains("/us-east-1/cloudformation/aws4_request"), "{authorization}");
}

#[test]
fn an_error_of_the_api_is_printed_and_the_exit_code_is_1() {
    let body = r#"{"Error":{"Code":"ValidationError","Message":"Resource Group is in CREATE_COMPLETE state and cannot be signaled","Type":"Sender"}}"#;
    let outcome = run_tool(&resource(&[]), move |_| Reply::new(400, body));
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.err,
        "ValidationError: Resource Group is in CREATE_COMPLETE state and cannot be signaled\n"
    );
    assert_eq!(outcome.calls.len(), 1);
}

#[test]
fn a_failing_service_is_tried_five_times() {
    let outcome = run_tool(&resource(&[]), |_| Reply::new(500, "broken"));
    assert_eq!((outcome.code, outcome.err.as_str(), outcome.calls.len()), (1, "Unknown: broken\n", 5));
}

#[test]
fn a_wait_condition_gets_json() {
    let outcome = run_tool(&["-e", "1", "-d", "extra", "$BASE/handle?x=1"], |_| Reply::new(200, ""));
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.out, "CloudFormation signaled successfully with FAILURE.\n");
    let call = &outcome.calls[0];
    assert_eq!((call.method.as_str(), call.target.as_str()), ("PUT", "/handle?x=1"));
    assert_eq!(call.header("content-type"), Some(""));
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    let expected =
        json!({"Status": "FAILURE", "Reason": "Configuration failed.", "Data": "extra", "UniqueId": "i-0aa"});
    assert_eq!(body, expected);
}

#[test]
fn a_refused_wait_condition_is_an_error() {
    let outcome = run_tool(&["$BASE/handle"], |_| Reply::new(403, "expired"));
    assert_eq!((outcome.code, outcome.calls.len()), (1, 1));
    assert_eq!(outcome.err, "Error signaling CloudFormation: HTTP Error 403 : expired\n");
}

#[test]
fn wrong_combinations_are_told() {
    let cases: &[(&[&str], &str)] = &[
        (&["--resource", "R", "http://x/"], "Error: Cannot specify both a WaitConditionHandle URL and"),
        (&[], "Error: No WaitConditionHandle URL or logical resource id specified\n"),
        (&["--resource", "R"], "Error: You must specify a stack name when signaling a resource\n"),
        (&["nonsense"], "Error: Invalid WaitConditionHandle URL specified: nonsense"),
    ];
    for (args, message) in cases {
        let outcome = run_tool(args, |_| Reply::new(200, ""));
        assert_eq!(outcome.code, 1, "{args:?}");
        assert!(outcome.err.starts_with(message), "{args:?}: {}", outcome.err);
    }
}

#[test]
fn handles_may_be_in_base64() {
    assert_eq!(handle_url("aHR0cHM6Ly9leGFtcGxlLmNvbS94").as_deref(), Some("https://example.com/x"));
    assert_eq!(handle_url("ftp://x"), None);
}

#[test]
fn an_unknown_option_exits_with_2() {
    let code = main(["cfn-signal", "--nope"].map(OsString::from).to_vec());
    assert_eq!(code, 2);
}
