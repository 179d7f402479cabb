//! The time in a line of a log.
//!
//! ```text
//! let format = DateTimeFormat::new("%b %d %H:%M:%S", Dialect::Python)?;
//! let mut finder = TimeFinder::new(format, TimeZone::Local);
//! finder.find(b"Feb 29 12:00:00 host kernel: hello", now).map(|found| found.timestamp)
//! ```
//!
//! Pure, but for the instance's time zone, which is read once.

mod format;
mod matcher;
mod values;
mod zone;

#[cfg(test)]
mod tests;

pub use format::{Dialect, FormatError};
pub use zone::TimeZone;

use self::matcher::Matcher;
use self::values::Values;
use self::zone::Zone;
use jiff::civil::Date;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// CloudWatch Logs takes no event that lies further ahead. (PutLogEvents.)
const AHEAD: i64 = 2 * 60 * 60 * 1000;
/// The CloudWatch agent takes a time without its year for last year's when it lies further ahead.
const CLOUDWATCH_AHEAD: i64 = 30 * 24 * 60 * 60 * 1000;

/// How times are written in a file; cheap to copy.
#[derive(Clone)]
pub struct DateTimeFormat(Arc<Inner>);

struct Inner {
    text: String,
    dialect: Dialect,
    matcher: Matcher,
}

impl DateTimeFormat {
    /// Makes a format ready for finding.
    ///
    /// # Errors
    /// When it is not one.
    pub fn new(text: &str, dialect: Dialect) -> Result<Self, FormatError> {
        let items = format::parse(text, dialect)?;
        let matcher = Matcher::new(items, &zone::local_names());
        Ok(Self(Arc::new(Inner { text: text.to_owned(), dialect, matcher })))
    }

    /// Whether there is something that looks like a time in `line`.
    pub fn is_in(&self, line: &[u8]) -> bool {
        self.0.matcher.find(line).is_some()
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for DateTimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DateTimeFormat({:?})", self.0.text)
    }
}

/// A time in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Milliseconds after the epoch.
    pub timestamp: i64,
    /// Where it stands.
    pub at: Range<usize>,
}

/// Finds the times in the lines of one file. It remembers what it found last about the time zone, so there is one a
/// file.
#[derive(Debug, Clone)]
pub struct TimeFinder {
    format: DateTimeFormat,
    zone: Zone,
}

impl TimeFinder {
    /// A finder of times of this format; those that do not name their zone are of `time_zone`.
    pub fn new(format: DateTimeFormat, time_zone: TimeZone) -> Self {
        Self { format, zone: Zone::new(time_zone) }
    }

    /// The first time in `message`, which is UTF-8 or another superset of ASCII. `now`, in milliseconds after the
    /// epoch, decides about what was not written.
    pub fn find(&mut self, message: &[u8], now: i64) -> Option<Found> {
        let (start, end, values) = self.format.0.matcher.find(message)?;
        Some(Found { timestamp: self.instant(&values, now)?, at: start..end })
    }

    fn instant(&mut self, values: &Values, now: i64) -> Option<i64> {
        if let Some(year) = values.year() {
            return self.on(values.date(year, 1)?, values);
        }
        let today = self.zone.date(now);
        if !values.has_month() {
            return self.lately(values, today, now);
        }
        let this_year = i32::from(today.year());
        let candidate = values.date(this_year, 1);
        let is_last_years = match self.format.0.dialect {
            Dialect::Python => candidate.is_none_or(|date| date.month() > today.month()),
            Dialect::CloudWatch => candidate
                .and_then(|date| self.on(date, values))
                .is_none_or(|instant| instant - now > CLOUDWATCH_AHEAD),
        };
        let date = if is_last_years { values.date(this_year - 1, 1)? } else { candidate? };
        self.on(date, values)
    }

    /// The last time before now, or just ahead, with this day of the month or this time of day.
    fn lately(&mut self, values: &Values, today: Date, now: i64) -> Option<i64> {
        let dates = if values.has_day() {
            let before = today.first_of_month().yesterday().ok()?;
            [
                values.date(today.year().into(), today.month()),
                values.date(before.year().into(), before.month()),
            ]
        } else {
            [Some(today), today.yesterday().ok()]
        };
        dates
            .into_iter()
            .flatten()
            .filter_map(|date| self.on(date, values))
            .find(|instant| instant - now <= AHEAD)
    }

    /// The instant of the values' time of day on `date`.
    fn on(&mut self, date: Date, values: &Values) -> Option<i64> {
        let civil = zone::days(date) * zone::DAY + values.milliseconds()?;
        let offset = values.offset.map_or_else(|| self.zone.offset(civil), i64::from);
        Some(civil - offset * 1000)
    }
}
