//! One entry of `logs.logs_collected.files.collect_list`.

use super::ENTITY;
use super::json::{Node, Object};
use crate::awslogs::config::encoding::Encoding;
use crate::awslogs::config::files::FilePattern;
use crate::awslogs::config::groups::{RETENTION_IN_DAYS, check_group, check_stream};
use crate::awslogs::config::names::{Names, render_cloudwatch};
use crate::awslogs::config::pattern::{LinePattern, LineStart};
use crate::awslogs::config::settings::{
    Filter, FingerprintLines, InitialPosition, LogStreamSettings, MAX_BATCH_COUNT, MAX_BATCH_SIZE,
};
use crate::awslogs::datetime::{DateTimeFormat, Dialect, TimeZone};
use std::time::Duration;

const KNOWN: [&str; 18] = [
    "file_path",
    "log_group_name",
    "log_stream_name",
    "log_group_class",
    "timestamp_format",
    "timezone",
    "trim_timestamp",
    "multi_line_start_pattern",
    "encoding",
    "retention_in_days",
    "auto_removal",
    "blacklist",
    "filters",
    "from_beginning",
    "publish_multi_logs",
    "pipe",
    "kms_key_id",
    "ignore_symlinks",
];
const WITHOUT_EFFECT: [(&str, &str); 3] = [
    ("service.name", ENTITY),
    ("deployment.environment", ENTITY),
    ("backpressure_mode", "a file that was removed is read to its end as long as the agent runs"),
];
/// What would make another thing of an entry, and what to do instead.
const REFUSED: [(&str, &str); 4] = [
    ("publish_multi_logs", "write an entry for each file"),
    ("pipe", "let the program write a file"),
    ("kms_key_id", "encrypt the log group where it is made"),
    ("ignore_symlinks", "name the links in blacklist"),
];

/// What the entries have in common.
pub struct Shared<'a> {
    /// `logs.log_stream_name`.
    pub stream_name: Option<&'a str>,
    /// `logs.force_flush_interval`.
    pub flush_interval: Duration,
    /// The instance's values.
    pub names: &'a dyn Names,
}

/// Reads an entry; none when its file is not shipped.
pub fn read(mut object: Object<'_, '_>, shared: &Shared<'_>) -> Option<LogStreamSettings> {
    object.name_unknown(&KNOWN, &WITHOUT_EFFECT);
    let line = object.line;
    let Some((path, path_line)) = object.text("file_path") else {
        object.problems.fail(line, "an entry of collect_list has no file_path", "write one");
        return None;
    };
    let refused = refuse(&mut object);
    if object.boolean("auto_removal") == Some(true) {
        object.problems.warn(line, "auto_removal has no effect", "let logrotate remove what it has rotated");
    }
    let file = file(&mut object, path, path_line);
    let group = group(&mut object, path, path_line, shared);
    let stream = stream(&mut object, shared);
    let datetime_format = timestamp_format(&mut object);
    let multi_line_start_pattern = line_start(&mut object, datetime_format.as_ref());
    let encoding = encoding(&mut object);
    let settings = LogStreamSettings {
        section: path.to_owned(),
        file: file?,
        log_group_name: group?,
        log_stream_name: stream?,
        datetime_format,
        time_zone: time_zone(&mut object),
        initial_position: match object.boolean("from_beginning") {
            Some(false) => InitialPosition::EndOfFile,
            _ => InitialPosition::StartOfFile,
        },
        encoding: encoding?,
        multi_line_start_pattern,
        buffer_duration: shared.flush_interval,
        batch_count: MAX_BATCH_COUNT,
        batch_size: MAX_BATCH_SIZE,
        file_fingerprint_lines: FingerprintLines { first: 1, last: 1 },
        blacklist: pattern(&mut object, "blacklist"),
        filters: filters(&mut object),
        trim_timestamp: object.boolean("trim_timestamp").unwrap_or(false),
        retention_in_days: retention(&mut object),
    };
    (!refused).then_some(settings)
}

/// Refuses what the agent cannot do, by its name. Said with `false` it asks for nothing.
fn refuse(object: &mut Object<'_, '_>) -> bool {
    use super::json::Value;
    let mut any = false;
    for (name, advice) in REFUSED {
        if let Some(entry) = object.get(name).filter(|entry| entry.node.value != Value::Bool(false)) {
            object.problems.leave_out(entry.line, format!("{name} is not supported"), advice);
            any = true;
        }
    }
    let class = object.text("log_group_class");
    if let Some((class, line)) = class.filter(|(class, _)| !class.eq_ignore_ascii_case("STANDARD")) {
        let what = format!("log_group_class {class} is not supported");
        object.problems.leave_out(line, what, "make the group beforehand, and remove this");
        any = true;
    }
    any
}

fn file(object: &mut Object<'_, '_>, path: &str, line: usize) -> Option<FilePattern> {
    let what = if !path.starts_with('/') {
        format!("file_path {path} is not an absolute path")
    } else {
        match FilePattern::cloudwatch(path) {
            Ok(pattern) => return Some(pattern),
            Err(error) => format!("file_path {path} is not a pattern of files: {error}"),
        }
    };
    object.problems.leave_out(line, what, "");
    None
}

/// Without a name, the group is called after the file, up to its last dot.
fn group(object: &mut Object<'_, '_>, path: &str, path_line: usize, shared: &Shared<'_>) -> Option<String> {
    let (template, line) = object.text("log_group_name").unwrap_or_else(|| {
        let folder = path.rfind('/').map_or(0, |slash| slash + 1);
        let end = path[folder..].rfind('.').map_or(path.len(), |dot| folder + dot);
        (&path[..end], path_line)
    });
    name(object, "log_group_name", template, line, shared, check_group)
}

/// Without a name, the stream is called after the instance.
fn stream(object: &mut Object<'_, '_>, shared: &Shared<'_>) -> Option<String> {
    let line = object.line;
    let (template, line) =
        object.text("log_stream_name").unwrap_or((shared.stream_name.unwrap_or("{instance_id}"), line));
    name(object, "log_stream_name", template, line, shared, check_stream)
}

fn name(
    object: &mut Object<'_, '_>,
    option: &str,
    template: &str,
    line: usize,
    shared: &Shared<'_>,
    check: fn(&str) -> Result<(), &'static str>,
) -> Option<String> {
    let rendered = match render_cloudwatch(template, shared.names) {
        Ok(rendered) => rendered,
        Err(error) => {
            object.problems.leave_out(line, format!("{option}: {error}"), "use another placeholder");
            return None;
        }
    };
    if let Some(remark) = rendered.remark {
        object.problems.warn(line, remark, "");
    }
    if let Err(reason) = check(&rendered.name) {
        let what = format!("{option} {:?} {reason}", rendered.name);
        object.problems.leave_out(line, what, "CloudWatch Logs would refuse it");
        return None;
    }
    Some(rendered.name)
}

fn timestamp_format(object: &mut Object<'_, '_>) -> Option<DateTimeFormat> {
    let (text, line) = object.text("timestamp_format")?;
    match DateTimeFormat::new(text, Dialect::CloudWatch) {
        Ok(format) => Some(format),
        Err(error) => {
            let what = format!("timestamp_format {text} is not a format of times: {error}");
            object.problems.warn(line, what, "the time of reading is used");
            None
        }
    }
}

fn time_zone(object: &mut Object<'_, '_>) -> TimeZone {
    match object.text("timezone") {
        Some(("UTC", _)) => TimeZone::Utc,
        None | Some(("Local" | "LOCAL", _)) => TimeZone::Local,
        Some((other, line)) => {
            object.problems.warn(line, format!("timezone {other} is neither Local nor UTC"), "Local is used");
            TimeZone::Local
        }
    }
}

fn line_start(object: &mut Object<'_, '_>, format: Option<&DateTimeFormat>) -> LineStart {
    let Some((text, line)) = object.text("multi_line_start_pattern") else { return LineStart::NotBlank };
    const ADVICE: &str = r"^[\S] is used";
    if text == "{timestamp_format}" {
        if let Some(format) = format {
            return LineStart::Time(format.clone());
        }
        let what = "multi_line_start_pattern is {timestamp_format}, but there is no usable timestamp_format";
        object.problems.warn(line, what, ADVICE);
        return LineStart::NotBlank;
    }
    pattern(object, "multi_line_start_pattern").map_or(LineStart::NotBlank, LineStart::Pattern)
}

fn encoding(object: &mut Object<'_, '_>) -> Option<Encoding> {
    let Some((name, line)) = object.text("encoding") else { return Some(Encoding::UTF_8) };
    match Encoding::of_label(name) {
        Ok(encoding) => Some(encoding),
        Err(error) => {
            object.problems.leave_out(line, error.to_string(), "write the log as utf-8");
            None
        }
    }
}

fn retention(object: &mut Object<'_, '_>) -> Option<u32> {
    let (days, line) = object.number("retention_in_days").filter(|(days, _)| *days != -1)?;
    let known = u32::try_from(days).ok().filter(|days| RETENTION_IN_DAYS.contains(days));
    if known.is_none() {
        let what = format!("retention_in_days {days} is not one that CloudWatch Logs has");
        object.problems.warn(line, what, "the group's retention is left as it is");
    }
    known
}

/// A pattern under `name`. One that is none is a fatal problem, as it is to the CloudWatch agent: what it was to keep
/// out must not be shipped.
fn pattern(object: &mut Object<'_, '_>, name: &str) -> Option<LinePattern> {
    let (text, line) = object.text(name)?;
    match LinePattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            object.problems.fail(line, format!("{name} {text} is not a pattern: {error}"), "");
            None
        }
    }
}

fn filters(object: &mut Object<'_, '_>) -> Vec<Filter> {
    let nodes: &[Node] = object.list("filters");
    nodes.iter().filter_map(|node| filter(Object::new("filters", node, object.problems)?)).collect()
}

fn filter(mut object: Object<'_, '_>) -> Option<Filter> {
    object.name_unknown(&["type", "expression"], &[]);
    let line = object.line;
    let keeps = match object.text("type") {
        Some(("include", _)) => Some(true),
        Some(("exclude", _)) => Some(false),
        _ => {
            object.problems.fail(line, "a filter's type is neither include nor exclude", "");
            None
        }
    };
    if object.get("expression").is_none() {
        object.problems.fail(line, "a filter has no expression", "");
    }
    let expression = pattern(&mut object, "expression");
    Some(Filter { keeps: keeps?, expression: expression? })
}
