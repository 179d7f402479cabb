//! Periods of time, and the times that they divide time at.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A unit of periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// Reads a unit by its name or one of its abbreviations; those of more than one letter may have a plural `s`.
    pub(super) fn parse(text: &str) -> Option<Unit> {
        let all = [
            (Unit::Millisecond, ["ms", "msec", "millisecond"]),
            (Unit::Second, ["s", "sec", "second"]),
            (Unit::Minute, ["m", "min", "minute"]),
            (Unit::Hour, ["h", "hr", "hour"]),
            (Unit::Day, ["d", "d", "day"]),
            (Unit::Week, ["w", "w", "week"]),
            (Unit::Month, ["mo", "mon", "month"]),
            (Unit::Quarter, ["q", "qtr", "quarter"]),
            (Unit::Year, ["y", "yr", "year"]),
        ];
        let named = |name: &str| all.iter().find(|(_, names)| names.contains(&name)).map(|(unit, _)| *unit);
        let singular = text.strip_suffix('s').filter(|singular| singular.len() > 1);
        named(text).or_else(|| named(singular?))
    }

    /// Its length in milliseconds, if it has one.
    fn milliseconds(self) -> Option<i64> {
        match self {
            Unit::Millisecond => Some(1),
            Unit::Second => Some(1000),
            Unit::Minute => Some(60_000),
            Unit::Hour => Some(3_600_000),
            Unit::Day => Some(86_400_000),
            Unit::Week => Some(7 * 86_400_000),
            Unit::Month | Unit::Quarter | Unit::Year => None,
        }
    }

    /// Its length in months, where it is one of the calendar.
    fn months(self) -> i64 {
        match self {
            Unit::Quarter => 3,
            Unit::Year => 12,
            _ => 1,
        }
    }
}

/// A number of units, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    count: i64,
    unit: Unit,
}

/// Weeks begin on Mondays: the first one after the epoch, a Thursday.
const FIRST_MONDAY: i64 = 4 * 86_400_000;

impl Period {
    /// A period, unless it is none at all or longer than time.
    pub(super) fn new(count: i64, unit: Unit) -> Option<Period> {
        let length = count.checked_mul(unit.milliseconds().unwrap_or(32 * 86_400_000))?;
        (1..=i64::MAX / 4).contains(&length).then_some(Period { count, unit })
    }

    /// The start of the period that a time (milliseconds since 1970) is in, in UTC.
    pub(super) fn floor(self, time: i64) -> i64 {
        match self.unit.milliseconds() {
            Some(unit) => {
                let length = unit * self.count;
                let offset = if self.unit == Unit::Week { FIRST_MONDAY } else { 0 };
                time.saturating_sub((time - offset).rem_euclid(length))
            }
            None => self.floor_months(time).unwrap_or(time),
        }
    }

    /// The end of the period that a time is in; a time at a start stays.
    pub(super) fn ceil(self, time: i64) -> i64 {
        let floor = self.floor(time);
        if floor == time {
            return time;
        }
        match self.unit.milliseconds() {
            Some(unit) => floor.saturating_add(unit * self.count),
            None => self.next_months(floor).unwrap_or(time),
        }
    }

    fn floor_months(self, time: i64) -> Option<i64> {
        let date = Timestamp::from_millisecond(time).ok()?.to_zoned(TimeZone::UTC).date();
        let months = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
        // Counted from 1970, as the shorter units are.
        let length = self.count * self.unit.months();
        let floor = months - (months - 1970 * 12).rem_euclid(length);
        let year = i16::try_from(floor.div_euclid(12)).ok()?;
        let month = i8::try_from(floor.rem_euclid(12) + 1).ok()?;
        milliseconds(Date::new(year, month, 1).ok()?)
    }

    fn next_months(self, floor: i64) -> Option<i64> {
        let date = Timestamp::from_millisecond(floor).ok()?.to_zoned(TimeZone::UTC).date();
        let months = self.count.checked_mul(self.unit.months())?;
        milliseconds(date.checked_add(i32::try_from(months).ok()?.months()).ok()?)
    }
}

fn milliseconds(date: Date) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.count, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::{Period, Unit};

    fn period(text: &str) -> Period {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap();
        Period::new(text[..digits].parse().unwrap(), Unit::parse(&text[digits..]).unwrap()).unwrap()
    }

    #[test]
    fn floors_and_ceilings() {
        for (text, floor, ceil) in [
            ("250ms", "2026-11-21T10:35:17.750Z", "2026-11-21T10:35:18Z"),
            ("10secs", "2026-11-21T10:35:10Z", "2026-11-21T10:35:20Z"),
            ("5m", "2026-11-21T10:35:00Z", "2026-11-21T10:40:00Z"),
            ("1hr", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"),
            ("1d", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            ("1w", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            ("1mo", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("1q", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2years", "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
            let time = at("2026-11-21T10:35:17.901Z");
            assert_eq!(period(text).floor(time), at(floor), "{text}");
            assert_eq!(period(text).ceil(time), at(ceil), "{text}");
            assert_eq!(period(text).ceil(at(floor)), at(floor), "{text}");
        }
    }

    #[test]
    fn units() {
        assert_eq!(Unit::parse("hrs"), Some(Unit::Hour));
        assert_eq!(Unit::parse("ms"), Some(Unit::Millisecond));
        assert_eq!(Unit::parse("ds"), None);
        assert_eq!(Unit::parse("fortnight"), None);
        assert_eq!(Period::new(0, Unit::Day), None);
        assert_eq!(Period::new(i64::MAX, Unit::Day), None);
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_period(time in any::<i64>(), count in 1..400_i64, unit in 0..9_usize) {
            let units = ["ms", "s", "m", "h", "d", "w", "mo", "q", "y"];
            let period = Period::new(count, Unit::parse(units[unit]).unwrap()).unwrap();
            let time = time / 4;
            prop_assert!(period.floor(time) <= time);
            prop_assert!(period.ceil(time) >= time);
            prop_assert_eq!(period.floor(period.floor(time)), period.floor(time));
        }
    }
}
