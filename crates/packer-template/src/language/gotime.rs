//! Times in Go's manner: the layout shows how the reference time, Mon Jan 2 15:04:05 MST 2006, would be written.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// The elements of a layout. Where one begins another, the longer one stands first, in the order in which Go looks.
const ELEMENTS: [(&str, Element); 39] = [
    ("January", Element::MonthName),
    ("Jan", Element::MonthAbbreviated),
    ("Monday", Element::DayName),
    ("Mon", Element::DayAbbreviated),
    ("MST", Element::ZoneName),
    ("002", Element::DayOfYear),
    ("01", Element::Month2),
    ("02", Element::Day2),
    ("03", Element::Hour12Padded),
    ("04", Element::Minute2),
    ("05", Element::Second2),
    ("06", Element::Year2),
    ("15", Element::Hour24),
    ("1", Element::Month),
    ("2006", Element::Year),
    ("2", Element::Day),
    ("_2006", Element::BlankYear),
    ("__2", Element::DayOfYearBlank),
    ("_2", Element::DayBlank),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::HalfUpper),
    ("pm", Element::HalfLower),
    ("-070000", Element::Offset("000000")),
    ("-07:00:00", Element::Offset("00:00:00")),
    ("-0700", Element::Offset("0000")),
    ("-07:00", Element::Offset("00:00")),
    ("-07", Element::Offset("00")),
    ("Z070000", Element::Zulu),
    ("Z07:00:00", Element::Zulu),
    ("Z0700", Element::Zulu),
    ("Z07:00", Element::Zulu),
    ("Z07", Element::Zulu),
    (".0", Element::Fraction { separator: '.', keep: true }),
    (",0", Element::Fraction { separator: ',', keep: true }),
    (".9", Element::Fraction { separator: '.', keep: false }),
    (",9", Element::Fraction { separator: ',', keep: false }),
    ("\0", Element::Literal),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    MonthName,
    MonthAbbreviated,
    DayName,
    DayAbbreviated,
    ZoneName,
    DayOfYear,
    DayOfYearBlank,
    Month,
    Month2,
    Day,
    Day2,
    DayBlank,
    Hour12,
    Hour12Padded,
    Hour24,
    Minute,
    Minute2,
    Second,
    Second2,
    Year,
    Year2,
    /// `_2006` is an underscore and a year, not a day and `006`.
    BlankYear,
    HalfUpper,
    HalfLower,
    /// Times are UTC: the offset is written as this.
    Offset(&'static str),
    Zulu,
    /// Fractions of a second, as many digits as the layout has; `keep` keeps zeros at the end.
    Fraction {
        separator: char,
        keep: bool,
    },
    Literal,
}

/// A time in UTC by a layout.
pub(super) fn format(time: Timestamp, layout: &str) -> String {
    let civil = time.to_zoned(TimeZone::UTC).datetime();
    let mut out = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        match element(rest) {
            Some((element, length)) => {
                write(&mut out, element, &rest[..length], civil);
                rest = &rest[length..];
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// The element that `rest` begins with, and its length.
fn element(rest: &str) -> Option<(Element, usize)> {
    let (name, element) = ELEMENTS.iter().find(|(name, _)| rest.starts_with(name))?;
    match element {
        // Go asks that no small letter follow the abbreviations: there is no month in "Janitor".
        Element::MonthAbbreviated | Element::DayAbbreviated
            if rest[name.len()..].starts_with(|c: char| c.is_ascii_lowercase()) =>
        {
            None
        }
        Element::Fraction { .. } => {
            let digit = name.chars().nth(1)?;
            let digits = rest[1..].chars().take_while(|c| *c == digit).count();
            // Go takes it for a fraction only when no further digit follows.
            let follows = rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
            (!follows).then_some((*element, 1 + digits))
        }
        Element::Literal => None,
        _ => Some((*element, name.len())),
    }
}

fn write(out: &mut String, element: Element, written: &str, time: DateTime) {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let name = |names: &[&'static str], number: i8| {
        usize::try_from(number - 1).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let month = name(&MONTHS, time.month());
    let day = name(&DAYS, time.weekday().to_monday_one_offset());
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let text = match element {
        Element::MonthName => month.to_owned(),
        Element::MonthAbbreviated => month[..3].to_owned(),
        Element::DayName => day.to_owned(),
        Element::DayAbbreviated => day[..3].to_owned(),
        Element::ZoneName => "UTC".to_owned(),
        Element::DayOfYear => format!("{:03}", time.day_of_year()),
        Element::DayOfYearBlank => format!("{:3}", time.day_of_year()),
        Element::Month => time.month().to_string(),
        Element::Month2 => format!("{:02}", time.month()),
        Element::Day => time.day().to_string(),
        Element::Day2 => format!("{:02}", time.day()),
        Element::DayBlank => format!("{:2}", time.day()),
        Element::Hour12 => hour12.to_string(),
        Element::Hour12Padded => format!("{hour12:02}"),
        Element::Hour24 => format!("{:02}", time.hour()),
        Element::Minute => time.minute().to_string(),
        Element::Minute2 => format!("{:02}", time.minute()),
        Element::Second => time.second().to_string(),
        Element::Second2 => format!("{:02}", time.second()),
        Element::Year => format!("{:04}", time.year()),
        Element::Year2 => format!("{:02}", time.year() % 100),
        Element::BlankYear => format!("_{:04}", time.year()),
        Element::HalfUpper => if time.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        Element::HalfLower => if time.hour() >= 12 { "pm" } else { "am" }.to_owned(),
        Element::Offset(zeros) => format!("+{zeros}"),
        Element::Zulu => "Z".to_owned(),
        Element::Fraction { separator, keep } => fraction(time, separator, keep, written.len() - 1),
        Element::Literal => written.to_owned(),
    };
    out.push_str(&text);
}

fn fraction(time: DateTime, separator: char, keep: bool, digits: usize) -> String {
    let mut all = format!("{:09}", time.subsec_nanosecond());
    if digits > all.len() {
        all.push_str(&"0".repeat(digits - all.len()));
    }
    all.truncate(digits);
    if !keep {
        all.truncate(all.trim_end_matches('0').len());
        if all.is_empty() {
            return all;
        }
    }
    format!("{separator}{all}")
}
