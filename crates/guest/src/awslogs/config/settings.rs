//! What the log agent is to do: values that have been checked, whichever file said them.

use super::encoding::Encoding;
use super::files::FilePattern;
use super::pattern::{LinePattern, LineStart};
use crate::aws::credentials::Credentials;
use crate::aws::proxy::ProxySettings;
use crate::awslogs::datetime::{DateTimeFormat, TimeZone};
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes of one PutLogEvents request, each event's overhead counted. (PutLogEvents, CloudWatch Logs API.)
pub const MAX_BATCH_SIZE: usize = 1024 * 1024;
/// Most events of one PutLogEvents request.
pub const MAX_BATCH_COUNT: usize = 10_000;
/// Amazon's agent sends a batch at the earliest this long after its first event, unless the batch is full.
pub const MIN_BUFFER_DURATION: Duration = Duration::from_millis(5000);

/// Everything that the agent needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the agent remembers how far it has come.
    pub state_file: PathBuf,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// How many full batches may wait for each stream; reading stops beyond it.
    pub queue_size: usize,
    /// The region to ship to; none where the instance's own is meant.
    pub region: Option<String>,
    /// The address of the service, where it is not the region's own.
    pub endpoint: Option<String>,
    /// Keys from the configuration; none where the instance's role is meant.
    pub credentials: Option<Credentials>,
    /// The proxy on the way to the service.
    pub proxy: ProxySettings,
    /// The agent's own log.
    pub log_file: PathBuf,
    /// What is shipped where, in the order of the configuration.
    pub streams: Vec<LogStreamSettings>,
}

/// One file, or one pattern of files, and the stream that its lines go to.
#[derive(Debug, Clone)]
pub struct LogStreamSettings {
    /// The section's name in `awslogs.conf`. Unique: what is remembered of files is kept under it.
    pub section: String,
    /// The files: the generations of one log, of which the one last written to is followed.
    pub file: FilePattern,
    /// The log group.
    pub log_group_name: String,
    /// The log stream, the instance's values put in.
    pub log_stream_name: String,
    /// How times are written; none where an event's time is the time of reading it.
    pub datetime_format: Option<DateTimeFormat>,
    /// The zone of times that do not name theirs.
    pub time_zone: TimeZone,
    /// Where the first file is read from when nothing is known of it.
    pub initial_position: InitialPosition,
    /// How the file's text is encoded.
    pub encoding: Encoding,
    /// Which lines begin an event.
    pub multi_line_start_pattern: LineStart,
    /// How long a batch may wait for more events.
    pub buffer_duration: Duration,
    /// Most events of a batch.
    pub batch_count: usize,
    /// Most bytes of a batch, as PutLogEvents counts them.
    pub batch_size: usize,
    /// Which lines tell one file from another.
    pub file_fingerprint_lines: FingerprintLines,
    /// Files that are left alone, by their base name.
    pub blacklist: Option<LinePattern>,
    /// What decides about an event: it is shipped when every filter agrees.
    pub filters: Vec<Filter>,
    /// Whether the time is cut out of the message.
    pub trim_timestamp: bool,
    /// The group's retention, set when the agent starts.
    pub retention_in_days: Option<u32>,
}

/// Where an unknown first file is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialPosition {
    /// From its start.
    StartOfFile,
    /// From where it ends now.
    EndOfFile,
}

/// The lines, counted from 1 and both included, whose text is a file's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FingerprintLines {
    /// The first line.
    pub first: usize,
    /// The last line.
    pub last: usize,
}

/// A condition on events.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whether a match keeps the event or drops it.
    pub keeps: bool,
    /// What is looked for in the message.
    pub expression: LinePattern,
}

impl Filter {
    /// Whether this filter lets `message` through.
    pub fn agrees(&self, message: &[u8]) -> bool {
        self.expression.is_in(message) == self.keeps
    }
}
