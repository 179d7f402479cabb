//! From a time's values to a date and a time of day: what Python's `strptime` makes of them.

use super::format::Field;
use jiff::civil::{Date, ISOWeekDate, Weekday};

/// The values that were found. What a format does not have stays as it is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Values {
    year: Option<i32>,
    month: Option<i32>,
    day: Option<i32>,
    day_of_year: Option<i32>,
    /// Days after Monday.
    weekday: Option<i32>,
    week: Option<Week>,
    iso_year: Option<i32>,
    iso_week: Option<i32>,
    hour: i32,
    half_day_hour: Option<i32>,
    afternoon: bool,
    minute: i32,
    second: i32,
    nanosecond: i32,
    /// Seconds east of Greenwich.
    pub offset: Option<i32>,
}

/// A week's number in its year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Week {
    FromSunday(i32),
    FromMonday(i32),
}

impl Values {
    /// Takes a value in.
    pub fn set(&mut self, field: Field, value: i32) {
        match field {
            Field::Year => self.year = Some(value),
            // POSIX: 69 to 99 are in the twentieth century.
            Field::YearOfCentury => self.year = Some(if value < 69 { 2000 + value } else { 1900 + value }),
            Field::Month | Field::MonthName | Field::MonthShort => self.month = Some(value),
            Field::Day => self.day = Some(value),
            Field::DayOfYear => self.day_of_year = Some(value),
            Field::WeekdayName | Field::WeekdayShort => self.weekday = Some(value),
            Field::WeekdayFromSunday => self.weekday = Some((value + 6) % 7),
            Field::WeekdayFromMonday => self.weekday = Some(value - 1),
            Field::WeekFromSunday => self.week = Some(Week::FromSunday(value)),
            Field::WeekFromMonday => self.week = Some(Week::FromMonday(value)),
            Field::IsoYear => self.iso_year = Some(value),
            Field::IsoWeek => self.iso_week = Some(value),
            Field::Hour => self.hour = value,
            Field::HalfDayHour => self.half_day_hour = Some(value),
            Field::HalfDay => self.afternoon = value == 1,
            Field::Minute => self.minute = value,
            Field::Second => self.second = value,
            Field::Fraction(_) => self.nanosecond = value,
            Field::ZoneName => {}
            Field::Offset => self.offset = Some(value),
        }
    }

    /// The year, where one was written.
    pub fn year(&self) -> Option<i32> {
        self.year.or(self.iso_year)
    }

    /// Whether a day was written, in whatever way.
    pub fn has_day(&self) -> bool {
        self.day.is_some() || self.has_day_without_month()
    }

    /// Whether a month was written, or what it follows from.
    pub fn has_month(&self) -> bool {
        self.month.is_some() || self.has_day_without_month()
    }

    fn has_day_without_month(&self) -> bool {
        self.day_of_year.is_some()
            || (self.weekday.is_some() && (self.week.is_some() || self.iso_week.is_some()))
    }

    /// Milliseconds after midnight; none for a leap second, which Python's times cannot hold.
    pub fn milliseconds(&self) -> Option<i64> {
        let hour = match self.half_day_hour {
            Some(hour) => hour % 12 + if self.afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        (self.second < 60).then(|| i64::from(seconds) * 1000 + i64::from(self.nanosecond / 1_000_000))
    }

    /// The date, where `year` and `month` stand for what was not written; none when there is no such day.
    pub fn date(&self, year: i32, month: i8) -> Option<Date> {
        let year = i16::try_from(self.year.unwrap_or(year)).ok()?;
        if let Some(week) = self.iso_week {
            let monday = i8::try_from(self.weekday? + 1).ok()?;
            let iso_year = i16::try_from(self.iso_year?).ok()?;
            let weekday = Weekday::from_monday_one_offset(monday).ok()?;
            return ISOWeekDate::new(iso_year, i8::try_from(week).ok()?, weekday).ok().map(Date::from);
        }
        if self.iso_year.is_some() {
            return None;
        }
        let first = Date::new(year, 1, 1).ok()?;
        let in_year = match (self.day_of_year, self.week, self.weekday) {
            (Some(day), _, _) => Some(day),
            (None, Some(week), Some(weekday)) => Some(day_of_week(first, week, weekday)),
            _ => None,
        };
        match in_year {
            Some(day) => first.checked_add(jiff::Span::new().days(i64::from(day - 1))).ok(),
            None => {
                let month = self.month.and_then(|month| i8::try_from(month).ok()).unwrap_or(month);
                Date::new(year, month, i8::try_from(self.day.unwrap_or(1)).ok()?).ok()
            }
        }
    }
}

/// The day of the year on which `weekday` of `week` falls. Week 0 holds the days before the first whole week.
fn day_of_week(first: Date, week: Week, weekday: i32) -> i32 {
    let first_weekday = i32::from(first.weekday().to_monday_zero_offset());
    let (number, first_weekday, weekday) = match week {
        Week::FromMonday(number) => (number, first_weekday, weekday),
        Week::FromSunday(number) => (number, (first_weekday + 1) % 7, (weekday + 1) % 7),
    };
    let days_in_week_0 = (7 - first_weekday) % 7;
    if number == 0 { 1 + weekday - first_weekday } else { 1 + days_in_week_0 + 7 * (number - 1) + weekday }
}
