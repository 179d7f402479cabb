use super::*;
use crate::awslogs::config::ini;
use crate::awslogs::config::names::tests::Known;
use crate::awslogs::config::problem::{Problem, Severity};

fn read(text: &str) -> (General, Vec<LogStreamSettings>, Vec<Problem>) {
    let mut problems = Problems::default();
    let document = ini::parse(text, &mut problems);
    let general = general(&document, &mut problems);
    let streams = streams(&document, &Known(true), &mut problems);
    (general, streams, problems.into_vec())
}

/// The one stream of a section with these options beside those that must be there.
fn one(options: &str) -> (LogStreamSettings, Vec<Problem>) {
    let must = "file = /a\nlog_group_name = g\nlog_stream_name = s\n";
    let (_, mut streams, problems) = read(&format!("[general]\n[x]\n{must}{options}"));
    assert_eq!(streams.len(), 1, "{problems:?}");
    (streams.remove(0), problems)
}

#[test]
fn the_issues_own_configuration_is_read() {
    let (general, streams, problems) = read(
        "[general]\nstate_file = /var/lib/awslogs/agent-state\n\n[/var/log/dmesg]\nfile = /var/log/dmesg\n\
         log_group_name = /todobackend/ec2/Group/var/log/dmesg\nlog_stream_name = {instance_id}\n\n\
         [/var/log/ecs/ecs-init.log]\nfile = /var/log/ecs/ecs-init.log*\n\
         log_group_name = /todobackend/ec2/Group/var/log/ecs/ecs-init\nlog_stream_name = {instance_id}\n\
         datetime_format = %Y-%m-%dT%H:%M:%SZ\ntime_zone = UTC\n",
    );
    assert_eq!(problems, []);
    assert_eq!(
        general,
        General { state_file: "/var/lib/awslogs/agent-state".into(), gzip: true, queue_size: 10 }
    );
    let [dmesg, init] = &streams[..] else { panic!("{streams:?}") };
    assert_eq!((dmesg.section.as_str(), dmesg.log_stream_name.as_str()), ("/var/log/dmesg", "i-0123"));
    assert!(dmesg.datetime_format.is_none());
    assert_eq!(init.file.as_str(), "/var/log/ecs/ecs-init.log*");
    assert_eq!(init.time_zone, TimeZone::Utc);
    assert_eq!(init.datetime_format.as_ref().unwrap().as_str(), "%Y-%m-%dT%H:%M:%SZ");
}

#[test]
fn what_is_not_said_is_amazons_default() {
    let (stream, problems) = one("");
    assert_eq!(problems, []);
    assert_eq!(stream.time_zone, TimeZone::Local);
    assert_eq!(stream.initial_position, InitialPosition::StartOfFile);
    assert_eq!(stream.encoding, Encoding::UTF_8);
    assert!(matches!(stream.multi_line_start_pattern, LineStart::NotBlank));
    assert_eq!(stream.buffer_duration, Duration::from_secs(5));
    assert_eq!((stream.batch_count, stream.batch_size), (10_000, 1_048_576));
    assert_eq!(stream.file_fingerprint_lines, FingerprintLines { first: 1, last: 1 });
}

#[test]
fn what_is_said_is_taken() {
    let (stream, problems) = one(
        "initial_position = end_of_file\nencoding = latin_1\nbuffer_duration = 60000\nbatch_count = 10\n\
         batch_size = 2048\nfile_fingerprint_lines = 1-3\ndatetime_format = %b %d\n\
         multi_line_start_pattern = {datetime_format}\n",
    );
    assert_eq!(problems, []);
    assert_eq!(stream.initial_position, InitialPosition::EndOfFile);
    assert_eq!(stream.encoding.name(), "latin_1");
    assert_eq!(stream.buffer_duration, Duration::from_secs(60));
    assert_eq!((stream.batch_count, stream.batch_size), (10, 2048));
    assert_eq!(stream.file_fingerprint_lines, FingerprintLines { first: 1, last: 3 });
    assert!(stream.multi_line_start_pattern.is_start(b"at Mar 10"));
    assert!(!stream.multi_line_start_pattern.is_start(b"text"));
}

/// An option, what must hold of the settings, and what is said.
type Corrected = (&'static str, fn(&LogStreamSettings) -> bool, &'static str);

#[test]
fn what_is_out_of_bounds_is_moved_as_amazon_moves_it() {
    let cases: [Corrected; 16] = [
        ("buffer_duration = 10", |s| s.buffer_duration == Duration::from_secs(5), "5000 is the least"),
        ("buffer_duration = soon", |s| s.buffer_duration == Duration::from_secs(5), "not a whole number"),
        ("batch_count = 10001", |s| s.batch_count == 10_000, "10000 is the most"),
        ("batch_count = 0", |s| s.batch_count == 1, "1 is the least"),
        ("batch_size = 2000000", |s| s.batch_size == 1_048_576, "1048576 is the most"),
        ("batch_size = -1", |s| s.batch_size == 1, "1 is the least"),
        ("time_zone = CET", |s| s.time_zone == TimeZone::Local, "LOCAL is used"),
        ("time_zone = utc", |s| s.time_zone == TimeZone::Local, "LOCAL is used"),
        (
            "initial_position = end",
            |s| s.initial_position == InitialPosition::StartOfFile,
            "start_of_file is used",
        ),
        ("encoding = klingon", |s| s.encoding == Encoding::UTF_8, "utf_8 is used"),
        ("file_fingerprint_lines = 0", |s| s.file_fingerprint_lines.last == 1, "the first line is used"),
        ("file_fingerprint_lines = 3-1", |s| s.file_fingerprint_lines.last == 1, "the first line is used"),
        ("datetime_format = %Q", |s| s.datetime_format.is_none(), "the time of reading is used"),
        (
            "multi_line_start_pattern = a(",
            |s| matches!(s.multi_line_start_pattern, LineStart::NotBlank),
            r"^[^\s] is used",
        ),
        (
            "multi_line_start_pattern = {datetime_format}",
            |s| matches!(s.multi_line_start_pattern, LineStart::NotBlank),
            "no usable datetime_format",
        ),
        ("dateformat = x", |_| true, "[x] has an unknown option dateformat"),
    ];
    for (option, holds, said) in cases {
        let (stream, problems) = one(option);
        assert!(holds(&stream), "{option}: {stream:?}");
        let [problem] = &problems[..] else { panic!("{option}: {problems:?}") };
        assert_eq!((problem.severity, problem.line), (Severity::Warning, Some(6)), "{option}");
        assert!(problem.to_string().contains(said), "{option}: {problem}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let (_, streams, problems) = read(
        "[generel]\nstate_file = x\n[a]\nfile = /a\nlog_group = g\nlog_stream_name = s\n[b]\nfile = rel\n\
         log_group_name = two words\nlog_stream_name = a:b\n[c]\nfile = /c\nlog_group_name = g\n\
         log_stream_name = s\nencoding = utf_16\n[d]\nfile = /d\nlog_group_name = g\nlog_stream_name = s\n",
    );
    assert_eq!(streams.iter().map(|stream| stream.section.as_str()).collect::<Vec<_>>(), ["d"]);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for expected in [
        ": error: there is no section [general]; write one; it may be empty",
        ":1: error: [generel] has no file; write file = …",
        ":2: warning: [generel] has an unknown option state_file",
        ":3: error: [a] has no log_group_name; did you mean 'log_group'?",
        ":5: warning: [a] has an unknown option log_group",
        ":8: error: file = rel is not an absolute path; begin it with /",
        ":15: error: the encoding \"utf_16\" is not supported",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}\n{told:#?}");
    }
}

#[test]
fn names_that_the_service_would_refuse_leave_out_their_section() {
    for (group, stream, said) in [
        ("two words", "s", "has other characters"),
        ("", "s", "does not have 1 to 512"),
        ("g", "a:b", "has a : or a *"),
        ("g", "", "does not have 1 to 512"),
    ] {
        let (_, streams, problems) = read(&format!(
            "[general]\n[x]\nfile = /a\nlog_group_name = {group}\nlog_stream_name = {stream}\n"
        ));
        assert!(streams.is_empty());
        assert_eq!(problems[0].severity, Severity::Section);
        assert!(problems[0].what.contains(said), "{}", problems[0]);
    }
}

#[test]
fn general_settings_are_read() {
    let (general, _, problems) = read(
        "[general]\nstate_file = /s\nqueue_size = 3\nuse_gzip_http_content_encoding = no\n\
         logging_config_file = /etc/awslogs/logging.conf\nlog_level = debug\n",
    );
    assert_eq!(general, General { state_file: "/s".into(), gzip: false, queue_size: 3 });
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains(":6: warning: [general] has an unknown option log_level"), "{told:?}");
    assert!(told[1].contains(":5: warning: logging_config_file is not read"), "{told:?}");
}
