//! The instance's time zone.

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz};

/// Milliseconds of a day.
pub const DAY: i64 = 24 * 60 * 60 * 1000;
/// All zones of today change their clocks at a multiple of this (milliseconds), so an offset holds for as long.
const SLOT: i64 = 15 * 60 * 1000;

/// The zone of times that do not name theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZone {
    /// The instance's own.
    Local,
    /// Coordinated Universal Time.
    Utc,
}

/// A time zone that remembers what it was asked last: lines follow each other in time.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: tz::TimeZone,
    /// A slot of local time and its offset in seconds.
    offset: Option<(i64, i64)>,
    /// A slot of universal time and its date.
    date: Option<(i64, Date)>,
}

impl Zone {
    pub fn new(zone: TimeZone) -> Self {
        let zone = match zone {
            TimeZone::Local => tz::TimeZone::system(),
            TimeZone::Utc => tz::TimeZone::UTC,
        };
        Self::of(zone)
    }

    pub(super) fn of(zone: tz::TimeZone) -> Self {
        Self { zone, offset: None, date: None }
    }

    /// Seconds east of Greenwich at a local time, given in milliseconds as if it were universal. Of an hour that comes
    /// twice, the first is meant.
    pub fn offset(&mut self, civil: i64) -> i64 {
        let slot = civil.div_euclid(SLOT);
        match self.offset {
            Some((known, offset)) if known == slot => offset,
            _ => {
                let offset = self.ask(slot * SLOT);
                self.offset = Some((slot, offset));
                offset
            }
        }
    }

    fn ask(&self, civil: i64) -> i64 {
        let Ok(timestamp) = Timestamp::from_millisecond(civil) else { return 0 };
        let civil: DateTime = tz::TimeZone::UTC.to_datetime(timestamp);
        self.zone.to_ambiguous_zoned(civil).compatible().map_or(0, |zoned| zoned.offset().seconds().into())
    }

    /// The date at an instant.
    pub fn date(&mut self, now: i64) -> Date {
        let slot = now.div_euclid(SLOT);
        match self.date {
            Some((known, date)) if known == slot => date,
            _ => {
                let date = self.zone.to_datetime(Timestamp::from_millisecond(now).unwrap_or_default()).date();
                self.date = Some((slot, date));
                date
            }
        }
    }
}

/// Days from the epoch to a date.
pub fn days(date: Date) -> i64 {
    // Howard Hinnant's algorithm (https://howardhinnant.github.io/date_algorithms.html#days_from_civil): a year begins
    // in March, so the leap day is its last.
    let (month, day) = (i64::from(date.month()), i64::from(date.day()));
    let year = i64::from(date.year()) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The names of the instance's time zone, in winter and in summer.
pub fn local_names() -> Vec<String> {
    let zone = tz::TimeZone::system();
    let half_a_year = jiff::SignedDuration::from_hours(24 * 182);
    let now = Timestamp::now();
    let mut names: Vec<String> = [now, now + half_a_year]
        .iter()
        .map(|instant| zone.to_offset_info(*instant).abbreviation().to_owned())
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_that_of_its_time_and_of_an_hour_that_comes_twice_the_first() {
        let mut zone = Zone::of(tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let hour = 60 * 60 * 1000;
        for (date, time, hours) in [
            ((2024, 1, 15), 12 * hour, 1),
            ((2024, 7, 15), 12 * hour, 2),
            ((2024, 3, 31), 2 * hour - 1, 1),
            ((2024, 3, 31), 3 * hour, 2),
            ((2024, 10, 27), 2 * hour + hour / 2, 2),
            ((2024, 10, 27), 3 * hour, 1),
        ] {
            let civil = days(Date::new(date.0, date.1, date.2).unwrap()) * DAY + time;
            assert_eq!(zone.offset(civil), hours * 3600, "{date:?} {time}");
        }
    }

    #[test]
    fn the_date_is_the_zones() {
        // 2024-03-10T23:30:00Z
        let now = 1_710_113_400_000;
        let mut zone = Zone::of(tz::TimeZone::posix("CET-1").unwrap());
        assert_eq!(zone.date(now).to_string(), "2024-03-11");
        assert_eq!(zone.date(now - 60 * 60 * 1000).to_string(), "2024-03-10");
    }

    #[test]
    fn days_are_counted_from_the_epoch() {
        for (date, expected) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2024, 3, 10), 19_792),
            ((1600, 1, 1), -135_140),
        ] {
            assert_eq!(days(Date::new(date.0, date.1, date.2).unwrap()), expected, "{date:?}");
        }
    }
}
