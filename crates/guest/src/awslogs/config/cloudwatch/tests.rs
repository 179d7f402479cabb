use super::*;
use crate::awslogs::config::names::tests::Known;
use crate::awslogs::config::problem::Severity;
use crate::awslogs::config::{LineStart, Problem};
use crate::awslogs::datetime::TimeZone;

fn read(files: &[(&str, &str)]) -> (Settings, Vec<Problem>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut problems = Problems::default();
    let settings = load(dir.path(), &Known(true), &mut problems);
    (settings, problems.into_vec())
}

/// A configuration with one entry of these members beside its path.
fn one(members: &str) -> (Settings, Vec<Problem>) {
    let comma = if members.is_empty() { "" } else { ",\n" };
    let entry = format!("{{\"file_path\": \"/var/log/app.log\"{comma}{members}}}");
    read(&[(
        "a.json",
        &format!("{{\"logs\": {{\"logs_collected\": {{\"files\": {{\"collect_list\": [{entry}]}}}}}}}}"),
    )])
}

#[test]
fn a_whole_configuration_is_read() {
    let (settings, problems) = read(&[
        (
            "amazon-cloudwatch-agent.json",
            r#"{
              "agent": {"region": "eu-west-1", "logfile": "/var/log/agent.log", "debug": false},
              "logs": {
                "force_flush_interval": 15,
                "log_stream_name": "{hostname}",
                "endpoint_override": "https://logs.example.com",
                "logs_collected": {"files": {"file_state_folder": "/var/lib/state", "collect_list": [
                  {
                    "file_path": "/var/log/**.log",
                    "log_group_name": "/app/{aws_region}",
                    "timestamp_format": "%b %-d %H:%M:%S",
                    "timezone": "UTC",
                    "multi_line_start_pattern": "{timestamp_format}",
                    "encoding": "utf-8",
                    "retention_in_days": 30,
                    "auto_removal": false,
                    "trim_timestamp": true,
                    "blacklist": "debug",
                    "log_group_class": "STANDARD",
                    "filters": [
                      {"type": "include", "expression": "ERROR|WARN"},
                      {"type": "exclude", "expression": "noise"}
                    ]
                  }
                ]}}
              }
            }"#,
        ),
        (
            "amazon-cloudwatch-agent.d/file_more.json",
            r#"{"logs": {"logs_collected": {"files": {"collect_list": [
              {"file_path": "/var/log/**.log", "log_group_name": "g"}, {"file_path": "/var/log/app.2024.log"}]}}}}"#,
        ),
        ("common-config.toml", "[proxy]\nhttps_proxy = \"http://p:3128\"\nno_proxy = \"169.254.169.254\"\n"),
    ]);
    assert_eq!(problems, []);
    assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
    assert_eq!(settings.endpoint.as_deref(), Some("https://logs.example.com"));
    assert_eq!(settings.log_file, Path::new("/var/log/agent.log"));
    assert_eq!(settings.state_file, Path::new("/var/lib/state/agent-state"));
    assert_eq!(settings.proxy.https.as_deref(), Some("http://p:3128"));
    let [first, again, named] = &settings.streams[..] else { panic!("{:?}", settings.streams) };
    assert_eq!(
        (first.log_group_name.as_str(), first.log_stream_name.as_str()),
        ("/app/eu-west-1", "ip-10-0-0-1.ec2.internal")
    );
    assert_eq!((first.time_zone, first.retention_in_days), (TimeZone::Utc, Some(30)));
    assert_eq!(first.buffer_duration, Duration::from_secs(15));
    assert!(first.trim_timestamp);
    assert!(first.blacklist.as_ref().unwrap().is_in(b"debug.log"));
    assert!(matches!(first.multi_line_start_pattern, LineStart::Time(_)));
    let passes = |message: &[u8]| first.filters.iter().all(|filter| filter.agrees(message));
    assert_eq!([passes(b"ERROR"), passes(b"ERROR noise"), passes(b"info")], [true, false, false]);
    assert_eq!((again.section.as_str(), again.log_stream_name.as_str()), ("/var/log/**.log #2", "i-0123"));
    assert_eq!((named.log_group_name.as_str(), named.buffer_duration.as_secs()), ("/var/log/app.2024", 5));
}

#[test]
fn what_cannot_be_done_is_refused_by_its_name() {
    for (members, said, severity) in [
        ("\"publish_multi_logs\": true", "publish_multi_logs is not supported", Severity::Section),
        ("\"pipe\": true", "pipe is not supported", Severity::Section),
        ("\"kms_key_id\": \"arn\"", "kms_key_id is not supported", Severity::Section),
        (
            "\"log_group_class\": \"INFREQUENT_ACCESS\"",
            "INFREQUENT_ACCESS is not supported",
            Severity::Section,
        ),
        ("\"encoding\": \"utf-16\"", "the encoding \"utf-16\" is not supported", Severity::Section),
        ("\"log_group_name\": \"two words\"", "has other characters", Severity::Section),
        (
            "\"filters\": [{\"type\": \"include\", \"expression\": \"a(\"}]",
            "is not a pattern",
            Severity::Fatal,
        ),
        (
            "\"filters\": [{\"type\": \"keep\", \"expression\": \"a\"}]",
            "neither include nor",
            Severity::Fatal,
        ),
        ("\"filters\": [{\"type\": \"include\"}]", "has no expression", Severity::Fatal),
        ("\"blacklist\": \"a(\"", "is not a pattern", Severity::Fatal),
        ("\"retention_in_days\": 2", "is not one that CloudWatch Logs has", Severity::Warning),
        ("\"timezone\": \"CET\"", "Local is used", Severity::Warning),
        ("\"timestamp_format\": \"%Q\"", "the time of reading is used", Severity::Warning),
        ("\"log_grup_name\": \"g\"", "did you mean 'log_group_name'?", Severity::Warning),
        ("\"auto_removal\": true", "let logrotate remove", Severity::Warning),
        ("\"service.name\": \"s\"", "service.name has no effect", Severity::Warning),
        ("\"auto_removal\": \"yes\"", "auto_removal is a string, not true or false", Severity::Fatal),
    ] {
        let (settings, problems) = one(members);
        let [problem] = &problems[..] else { panic!("{members}: {problems:?}") };
        assert!(problem.to_string().contains(said), "{members}: {problem}");
        assert_eq!((problem.severity, problem.line.is_some()), (severity, true), "{members}");
        assert_eq!(settings.streams.is_empty(), severity == Severity::Section, "{members}");
    }
    let (settings, problems) = one("\"publish_multi_logs\": false");
    assert_eq!((settings.streams.len(), problems), (1, vec![]));
}

#[test]
fn what_concerns_the_whole_is_told_with_its_line() {
    for (text, said) in [
        ("{", ":1: error: this is not JSON: "),
        ("", "error: the file is empty"),
        ("[]", ":1: error: the configuration is a list, not an object"),
        ("{\n\"metrics\": {}}", ":2: warning: the configuration.metrics has no effect"),
        ("{\"logs\":\n{\"credentials\": {\"role_arn\": \"x\"}}}", ":2: error: credentials.role_arn is not"),
        ("{\"logs\": {\"force_flush_interval\": 0}}", "is not between 1 and 172800; 5 is used"),
        ("{\"logs\": {\"logs_collected\": {\"windows_events\": {}}}}", "windows_events has no effect"),
        ("{\"logs\": {\"logs_collected\": {\"files\": {\"collect_list\": [{}]}}}}", "has no file_path"),
    ] {
        let (_, problems) = read(&[("a.json", text)]);
        assert!(problems[0].to_string().contains(said), "{text}: {problems:?}");
    }
    let (_, problems) = read(&[]);
    assert!(problems[0].to_string().contains("no configuration of the CloudWatch agent"));
    let conflict = r#"{"agent": {"region": "us-east-1"}}"#;
    let (_, problems) = read(&[("a.json", conflict), ("b.json", r#"{"agent": {"region": "eu-west-1"}}"#)]);
    assert!(
        problems[0].to_string().contains("region is eu-west-1 here and us-east-1 in a file"),
        "{problems:?}"
    );
    let (_, problems) = read(&[
        ("a.json", conflict),
        ("common-config.toml", "[credentials]\nshared_credential_profile = \"x\""),
    ]);
    assert!(problems[0].to_string().contains("shared_credential_profile of [credentials] is not supported"));
}
