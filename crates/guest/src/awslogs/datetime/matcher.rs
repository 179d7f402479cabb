//! Finding a time in a line: what the regular expression of a format finds in Python, without a regular expression.
//!
//! A format is a handful of items, each of which has at most six lengths that it may take. They are tried in the order
//! in which Python's expression tries its alternatives, from the left of the line, so the same text is found.

use super::format::{Field, Item};
use super::values::Values;

/// Names that are told apart by their letters, whatever their case; in order.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A format made ready for finding.
#[derive(Debug)]
pub struct Matcher {
    items: Vec<Item>,
    /// The names that `%Z` stands for, longest first.
    zones: Vec<String>,
    /// The bytes that a time can begin with.
    first: [bool; 256],
}

impl Matcher {
    /// Makes a format ready. `zones` are the names of the instance's own time zone.
    pub fn new(items: Vec<Item>, zones: &[String]) -> Self {
        let mut zones: Vec<String> = zones.iter().map(|name| name.to_ascii_lowercase()).collect();
        zones.extend(["utc", "gmt"].map(str::to_owned));
        zones.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let first = first_bytes(items.first(), &zones);
        Self { items, zones, first }
    }

    /// Where the first time in `line` begins and ends, and its values.
    pub fn find(&self, line: &[u8]) -> Option<(usize, usize, Values)> {
        let mut values = Values::default();
        for (start, byte) in line.iter().enumerate() {
            if self.first[usize::from(*byte)]
                && let Some(end) = self.follow(&self.items, line, start, &mut values)
            {
                return Some((start, end, values));
            }
        }
        None
    }

    /// Matches `items` at `at`; returns where they end.
    fn follow(&self, items: &[Item], line: &[u8], at: usize, values: &mut Values) -> Option<usize> {
        let Some((item, rest)) = items.split_first() else { return Some(at) };
        let text = &line[at..];
        match item {
            Item::Literal(expected) => {
                let there = text.get(..expected.len())?;
                there
                    .eq_ignore_ascii_case(expected)
                    .then(|| self.follow(rest, line, at + expected.len(), values))?
            }
            Item::Spaces => {
                let most = text.iter().take_while(|byte| is_space(**byte)).count();
                (1..=most).rev().find_map(|length| self.follow(rest, line, at + length, values))
            }
            Item::Field(field) => self.lengths(*field, text, |length, value| {
                values.set(*field, value);
                self.follow(rest, line, at + length, values)
            }),
        }
    }

    /// Calls `next` with each length and value that `field` may take at the begin of `text` until it succeeds.
    fn lengths(
        &self,
        field: Field,
        text: &[u8],
        mut next: impl FnMut(usize, i32) -> Option<usize>,
    ) -> Option<usize> {
        let mut number = |two: (i32, i32), least: i32| {
            two_digits(text)
                .filter(|value| (two.0..=two.1).contains(value))
                .and_then(|value| next(2, value))
                .or_else(|| digit(text, 0).filter(|value| *value >= least).and_then(|value| next(1, value)))
        };
        match field {
            Field::Hour => number((0, 23), 0),
            Field::Minute => number((0, 59), 0),
            Field::Second => number((0, 61), 0),
            Field::WeekFromSunday | Field::WeekFromMonday => number((0, 53), 0),
            Field::IsoWeek => number((1, 53), 0),
            Field::HalfDayHour | Field::Month => number((1, 12), 1),
            Field::Day => number((1, 31), 1).or_else(|| {
                (text.first() == Some(&b' '))
                    .then(|| digit(text, 1).filter(|value| *value > 0))
                    .flatten()
                    .and_then(|value| next(2, value))
            }),
            Field::Year | Field::IsoYear => digits(text, 4).and_then(|value| next(4, value)),
            Field::YearOfCentury => two_digits(text).and_then(|value| next(2, value)),
            Field::DayOfYear => [(3, 366), (2, 99), (1, 9)].into_iter().find_map(|(length, most)| {
                digits(text, length)
                    .filter(|value| (1..=most).contains(value))
                    .and_then(|value| next(length, value))
            }),
            Field::WeekdayFromSunday => {
                digit(text, 0).filter(|value| *value <= 6).and_then(|value| next(1, value))
            }
            Field::WeekdayFromMonday => {
                digit(text, 0).filter(|value| (1..=7).contains(value)).and_then(|value| next(1, value))
            }
            Field::MonthName => name(text, &MONTHS, None).and_then(|(length, at)| next(length, at + 1)),
            Field::MonthShort => name(text, &MONTHS, Some(3)).and_then(|(length, at)| next(length, at + 1)),
            Field::WeekdayName => name(text, &WEEKDAYS, None).and_then(|(length, at)| next(length, at)),
            Field::WeekdayShort => name(text, &WEEKDAYS, Some(3)).and_then(|(length, at)| next(length, at)),
            Field::HalfDay => name(text, &["am", "pm"], None).and_then(|(length, at)| next(length, at)),
            Field::Fraction(most) => fraction(text, most, next),
            Field::ZoneName => {
                let mut known = self.zones.iter().filter(|name| starts_with(text, name));
                known.find_map(|name| next(name.len(), 0))
            }
            Field::Offset => offset(text).and_then(|seconds| next(5, seconds)),
        }
    }
}

/// The bytes that the first item of a format can begin with.
fn first_bytes(item: Option<&Item>, zones: &[String]) -> [bool; 256] {
    let mut first = [false; 256];
    let mut allow = |byte: u8| {
        first[usize::from(byte.to_ascii_lowercase())] = true;
        first[usize::from(byte.to_ascii_uppercase())] = true;
    };
    match item {
        Some(Item::Literal(bytes)) => bytes.first().copied().into_iter().for_each(allow),
        Some(Item::Spaces) => (0..=255).filter(|byte| is_space(*byte)).for_each(allow),
        Some(Item::Field(field)) => match field {
            Field::MonthName | Field::MonthShort => MONTHS.iter().for_each(|name| allow(name.as_bytes()[0])),
            Field::WeekdayName | Field::WeekdayShort => {
                WEEKDAYS.iter().for_each(|name| allow(name.as_bytes()[0]));
            }
            Field::HalfDay => b"ap".iter().copied().for_each(allow),
            Field::ZoneName => zones.iter().filter_map(|name| name.bytes().next()).for_each(allow),
            Field::Offset => b"+-".iter().copied().for_each(allow),
            Field::Day => b" 0123456789".iter().copied().for_each(allow),
            _ => (b'0'..=b'9').for_each(allow),
        },
        None => {}
    }
    first
}

/// What `\s` is in Python's patterns, as far as it is ASCII.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0x1c..=0x1f)
}

fn digit(text: &[u8], at: usize) -> Option<i32> {
    text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i32::from(byte - b'0'))
}

fn two_digits(text: &[u8]) -> Option<i32> {
    Some(digit(text, 0)? * 10 + digit(text, 1)?)
}

fn digits(text: &[u8], count: usize) -> Option<i32> {
    (0..count).try_fold(0, |value, at| Some(value * 10 + digit(text, at)?))
}

fn starts_with(text: &[u8], name: &str) -> bool {
    text.get(..name.len()).is_some_and(|there| there.eq_ignore_ascii_case(name.as_bytes()))
}

/// The name that `text` begins with, of which only the first `letters` count: its length and its place among `names`.
fn name(text: &[u8], names: &[&str], letters: Option<usize>) -> Option<(usize, i32)> {
    let found =
        names.iter().zip(0..).find(|(name, _)| starts_with(text, &name[..letters.unwrap_or(name.len())]))?;
    let (name, at) = found;
    Some((letters.unwrap_or(name.len()), at))
}

/// A second's fraction in nanoseconds: as many digits as there are, or fewer.
fn fraction(text: &[u8], most: u8, mut next: impl FnMut(usize, i32) -> Option<usize>) -> Option<usize> {
    let there = text.iter().take(most.into()).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=there).rev().find_map(|length| {
        let value = digits(text, length)?;
        next(length, value * 10_i32.pow(9 - u32::try_from(length).ok()?))
    })
}

/// `+HHMM` or `-HHMM`, in seconds.
fn offset(text: &[u8]) -> Option<i32> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(text.get(1..)?, 2)?;
    let minutes = digits(text.get(3..)?, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 3600 + minutes * 60))
}
