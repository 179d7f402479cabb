//! `awslogs.conf`: what Amazon's CloudWatch Logs agent is configured by, with its defaults, its limits and its
//! corrections. ("CloudWatch Logs agent reference" in the CloudWatch Logs user guide; awscli-cwlogs 1.4.6.)

use super::encoding::{Encoding, EncodingError};
use super::files::FilePattern;
use super::groups;
use super::ini::{Document, Entry, Section};
use super::names::{self, Names};
use super::pattern::{LinePattern, LineStart};
use super::problem::Problems;
use super::settings::{
    FingerprintLines, InitialPosition, LogStreamSettings, MAX_BATCH_COUNT, MAX_BATCH_SIZE,
    MIN_BUFFER_DURATION,
};
use crate::awslogs::datetime::{DateTimeFormat, Dialect, TimeZone};
use std::path::PathBuf;
use std::time::Duration;
use template_text::suggest::did_you_mean;

/// The section of settings that belong to no file.
pub const GENERAL: &str = "general";
/// Where the packages of Amazon's agent let it remember how far it has come. Its own default is a file in whatever
/// folder it is started from.
pub const STATE_FILE: &str = "/var/lib/awslogs/agent-state";
/// Batches that wait for each stream.
const QUEUE_SIZE: i64 = 10;

const GENERAL_OPTIONS: [&str; 4] =
    ["state_file", "logging_config_file", "use_gzip_http_content_encoding", "queue_size"];
const FILE_OPTIONS: [&str; 12] = [
    "file",
    "log_group_name",
    "log_stream_name",
    "datetime_format",
    "time_zone",
    "initial_position",
    "encoding",
    "multi_line_start_pattern",
    "buffer_duration",
    "batch_count",
    "batch_size",
    "file_fingerprint_lines",
];

/// What `[general]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct General {
    /// Where the agent remembers how far it has come.
    pub state_file: PathBuf,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// How many batches may wait for each stream.
    pub queue_size: usize,
}

/// Reads `[general]`.
pub fn general(document: &Document, problems: &mut Problems) -> General {
    let section = document.section(GENERAL);
    if section.is_none() {
        problems.fail(None, "there is no section [general]", "write one; it may be empty");
    }
    let empty = Section { name: GENERAL.to_owned(), line: 0, entries: Vec::new() };
    let section = section.unwrap_or(&empty);
    let mut reader = Reader { document, section, problems };
    reader.name_unknown(&GENERAL_OPTIONS);
    if let Some(entry) = reader.get("logging_config_file") {
        let advice = "it logs to /var/log/awslogs.log, which it rotates itself; remove the option";
        reader.problems.warn(entry.line, "logging_config_file is not read by this agent", advice);
    }
    let state_file = reader.get("state_file").map_or(STATE_FILE, |entry| entry.value.as_str());
    General {
        state_file: PathBuf::from(state_file),
        gzip: reader.boolean("use_gzip_http_content_encoding", true),
        queue_size: reader.number("queue_size", QUEUE_SIZE, 1, i64::from(u16::MAX)),
    }
}

/// Reads every section but `[general]`.
pub fn streams(document: &Document, names: &dyn Names, problems: &mut Problems) -> Vec<LogStreamSettings> {
    let sections = document.sections.iter().filter(|section| section.name != GENERAL);
    sections.filter_map(|section| Reader { document, section, problems }.stream(names)).collect()
}

struct Reader<'a> {
    document: &'a Document,
    section: &'a Section,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a Entry> {
        self.document.get(self.section, name)
    }

    fn name_unknown(&mut self, known: &[&str]) {
        for entry in &self.section.entries {
            if !known.contains(&entry.name.as_str()) {
                let advice = did_you_mean(&entry.name, known.iter().copied()).unwrap_or_default();
                let what = format!("[{}] has an unknown option {}", self.section.name, entry.name);
                self.problems.warn(entry.line, what, advice);
            }
        }
    }

    fn stream(mut self, names: &dyn Names) -> Option<LogStreamSettings> {
        self.name_unknown(&FILE_OPTIONS);
        // All three are looked at before the section is given up, so that all that is wrong is told.
        let file = self.required("file");
        let group = self.required("log_group_name");
        let stream = self.required("log_stream_name");
        let format = self.datetime_format();
        let multi_line_start_pattern = self.line_start(format.as_ref());
        let encoding = self.encoding();
        let settings = LogStreamSettings {
            section: self.section.name.clone(),
            file: self.file(file?)?,
            log_group_name: self.name(group?, names, groups::check_group)?,
            log_stream_name: self.name(stream?, names, groups::check_stream)?,
            datetime_format: format,
            time_zone: self.time_zone(),
            initial_position: self.initial_position(),
            encoding: encoding?,
            multi_line_start_pattern,
            buffer_duration: self.buffer_duration(),
            batch_count: self.number("batch_count", as_i64(MAX_BATCH_COUNT), 1, as_i64(MAX_BATCH_COUNT)),
            batch_size: self.number("batch_size", as_i64(MAX_BATCH_SIZE), 1, as_i64(MAX_BATCH_SIZE)),
            file_fingerprint_lines: self.fingerprint_lines(),
            blacklist: None,
            filters: Vec::new(),
            trim_timestamp: false,
            retention_in_days: None,
        };
        Some(settings)
    }

    fn required(&mut self, name: &str) -> Option<&'a Entry> {
        let entry = self.get(name);
        if entry.is_none() {
            let what = format!("[{}] has no {name}", self.section.name);
            let misspelt = self.section.entries.iter().map(|entry| entry.name.as_str());
            let near = misspelt.filter(|other| !FILE_OPTIONS.contains(other));
            let advice = did_you_mean(name, near).unwrap_or_else(|| format!("write {name} = …"));
            self.problems.fail(self.section.line, what, advice);
        }
        entry
    }

    fn file(&mut self, entry: &Entry) -> Option<FilePattern> {
        let path = &entry.value;
        if !path.starts_with('/') {
            let what = format!("file = {path} is not an absolute path");
            self.problems.leave_out(entry.line, what, "begin it with /");
            return None;
        }
        match FilePattern::python(path) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let what = format!("file = {path} is not a pattern of files: {error}");
                self.problems.leave_out(entry.line, what, "wildcards are * ? [abc] [!abc]");
                None
            }
        }
    }

    fn name(
        &mut self,
        entry: &Entry,
        names: &dyn Names,
        check: fn(&str) -> Result<(), &'static str>,
    ) -> Option<String> {
        let option = &entry.name;
        match names::render(&entry.value, names) {
            Ok(rendered) => {
                if let Some(remark) = rendered.remark {
                    self.problems.warn(entry.line, remark, "");
                }
                match check(&rendered.name) {
                    Ok(()) => return Some(rendered.name),
                    Err(reason) => {
                        let what = format!("{option} = {:?} {reason}", rendered.name);
                        self.problems.leave_out(entry.line, what, "CloudWatch Logs would refuse it");
                    }
                }
            }
            Err(error) => {
                self.problems.leave_out(entry.line, format!("{option}: {error}"), "use another placeholder");
            }
        }
        None
    }

    fn datetime_format(&mut self) -> Option<DateTimeFormat> {
        let entry = self.get("datetime_format").filter(|entry| !entry.value.is_empty())?;
        match DateTimeFormat::new(&entry.value, Dialect::Python) {
            Ok(format) => Some(format),
            Err(error) => {
                let what = format!("datetime_format = {} is not a format of times: {error}", entry.value);
                self.problems.warn(entry.line, what, "the time of reading is used");
                None
            }
        }
    }

    fn line_start(&mut self, format: Option<&DateTimeFormat>) -> LineStart {
        let Some(entry) = self.get("multi_line_start_pattern").filter(|entry| !entry.value.is_empty()) else {
            return LineStart::NotBlank;
        };
        const ADVICE: &str = r"^[^\s] is used";
        if entry.value == "{datetime_format}" {
            if let Some(format) = format {
                return LineStart::Time(format.clone());
            }
            let what = "multi_line_start_pattern = {datetime_format}, but there is no usable datetime_format";
            self.problems.warn(entry.line, what, ADVICE);
            return LineStart::NotBlank;
        }
        match LinePattern::new(&entry.value) {
            Ok(pattern) => LineStart::Pattern(pattern),
            Err(error) => {
                let what = format!("multi_line_start_pattern = {} is not a pattern: {error}", entry.value);
                self.problems.warn(entry.line, what, ADVICE);
                LineStart::NotBlank
            }
        }
    }

    fn encoding(&mut self) -> Option<Encoding> {
        let Some(entry) = self.get("encoding") else { return Some(Encoding::UTF_8) };
        match Encoding::of_python(&entry.value) {
            Ok(encoding) => Some(encoding),
            Err(error @ EncodingError::Unsupported(_)) => {
                let advice = "write the log as utf_8; Amazon's own agent can read this encoding";
                self.problems.leave_out(entry.line, error.to_string(), advice);
                None
            }
            Err(error @ EncodingError::Unknown(_)) => {
                self.problems.warn(entry.line, error.to_string(), "utf_8 is used");
                Some(Encoding::UTF_8)
            }
        }
    }

    fn time_zone(&mut self) -> TimeZone {
        self.choice("time_zone", [("LOCAL", TimeZone::Local), ("UTC", TimeZone::Utc)])
    }

    fn initial_position(&mut self) -> InitialPosition {
        let choices =
            [("start_of_file", InitialPosition::StartOfFile), ("end_of_file", InitialPosition::EndOfFile)];
        self.choice("initial_position", choices)
    }

    /// One of two words; the first is the default.
    fn choice<T: Copy>(&mut self, name: &str, choices: [(&str, T); 2]) -> T {
        let [(default, fallback), (other, _)] = choices;
        let Some(entry) = self.get(name).filter(|entry| !entry.value.is_empty()) else { return fallback };
        match choices.iter().find(|(word, _)| *word == entry.value) {
            Some((_, value)) => *value,
            None => {
                let what = format!("{name} = {} is neither {default} nor {other}", entry.value);
                self.problems.warn(entry.line, what, format!("{default} is used"));
                fallback
            }
        }
    }

    fn buffer_duration(&mut self) -> Duration {
        let least = i64::try_from(MIN_BUFFER_DURATION.as_millis()).unwrap_or(i64::MAX);
        let milliseconds: u32 = self.number("buffer_duration", least, least, i64::from(u32::MAX));
        Duration::from_millis(milliseconds.into())
    }

    fn fingerprint_lines(&mut self) -> FingerprintLines {
        const FIRST: FingerprintLines = FingerprintLines { first: 1, last: 1 };
        let Some(entry) = self.get("file_fingerprint_lines").filter(|entry| !entry.value.is_empty()) else {
            return FIRST;
        };
        fingerprint_lines(&entry.value).unwrap_or_else(|| {
            let what = format!("file_fingerprint_lines = {} is neither N nor N-M", entry.value);
            self.problems.warn(entry.line, what, "the first line is used");
            FIRST
        })
    }

    /// A number, moved to the nearest that is allowed.
    fn number<T: TryFrom<i64> + Default>(&mut self, name: &str, default: i64, least: i64, most: i64) -> T {
        let mut value = default;
        if let Some(entry) = self.get(name) {
            match entry.value.parse::<i64>() {
                Ok(number) => {
                    value = number.clamp(least, most);
                    if value != number {
                        let bound = if number < least { "least" } else { "most" };
                        let what = format!("{name} = {number}, but {value} is the {bound}");
                        self.problems.warn(entry.line, what, format!("{value} is used"));
                    }
                }
                Err(_) => {
                    let what = format!("{name} = {} is not a whole number", entry.value);
                    self.problems.warn(entry.line, what, format!("{default} is used"));
                }
            }
        }
        // The bounds fit the type.
        T::try_from(value).unwrap_or_default()
    }

    fn boolean(&mut self, name: &str, default: bool) -> bool {
        let Some(entry) = self.get(name) else { return default };
        match entry.value.to_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => true,
            "0" | "no" | "false" | "off" => false,
            _ => {
                let what = format!("{name} = {} is neither true nor false", entry.value);
                self.problems.warn(entry.line, what, format!("{default} is used"));
                default
            }
        }
    }
}

fn as_i64(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// `2`, or `2-4`.
fn fingerprint_lines(text: &str) -> Option<FingerprintLines> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let lines = FingerprintLines { first: first.parse().ok()?, last: last.parse().ok()? };
    (1..=lines.last).contains(&lines.first).then_some(lines)
}

#[cfg(test)]
#[path = "awslogs_conf_tests.rs"]
mod tests;
