//! Formats of times, in the notation of Python's `strptime` and of the CloudWatch agent.

/// Whose notation a format is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Python's `strptime`, which Amazon's CloudWatch Logs agent uses.
    Python,
    /// The CloudWatch agent's: also `%-d` and its like, and up to nine digits of a second's fraction.
    CloudWatch,
}

/// What is wrong with a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A directive that does not exist.
    #[error("%{0} is not a directive")]
    Unknown(String),
    /// A directive that stands twice.
    #[error("%{0} stands in it twice")]
    Twice(char),
    /// A percent sign without a directive.
    #[error("it ends with a single %")]
    Unfinished,
    /// There is no directive in it.
    #[error("there is no directive in it")]
    Timeless,
}

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// These bytes, in either case.
    Literal(Box<[u8]>),
    /// White space, at least one character.
    Spaces,
    /// A value.
    Field(Field),
}

/// A value in a time. The variants' names are what the values are; the letters are `strptime`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `%Y`
    Year,
    /// `%y`
    YearOfCentury,
    /// `%m`
    Month,
    /// `%B`
    MonthName,
    /// `%b`
    MonthShort,
    /// `%d`
    Day,
    /// `%j`
    DayOfYear,
    /// `%A`
    WeekdayName,
    /// `%a`
    WeekdayShort,
    /// `%w`: Sunday is 0
    WeekdayFromSunday,
    /// `%u`: Monday is 1
    WeekdayFromMonday,
    /// `%U`: weeks begin on Sundays
    WeekFromSunday,
    /// `%W`: weeks begin on Mondays
    WeekFromMonday,
    /// `%G`
    IsoYear,
    /// `%V`
    IsoWeek,
    /// `%H`
    Hour,
    /// `%I`
    HalfDayHour,
    /// `%p`
    HalfDay,
    /// `%M`
    Minute,
    /// `%S`
    Second,
    /// `%f`, of at most so many digits
    Fraction(u8),
    /// `%Z`
    ZoneName,
    /// `%z`
    Offset,
}

/// Takes a format apart.
///
/// # Errors
/// When it is not one.
pub fn parse(format: &str, dialect: Dialect) -> Result<Vec<Item>, FormatError> {
    let mut parser = Parser { dialect, items: Vec::new(), seen: String::new() };
    parser.run(format)?;
    if parser.seen.is_empty() { Err(FormatError::Timeless) } else { Ok(parser.items) }
}

struct Parser {
    dialect: Dialect,
    items: Vec<Item>,
    seen: String,
}

impl Parser {
    fn run(&mut self, format: &str) -> Result<(), FormatError> {
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => match rest.next().ok_or(FormatError::Unfinished)? {
                    '%' => self.literal('%'),
                    '-' if self.dialect == Dialect::CloudWatch => {
                        let letter = rest.next().ok_or(FormatError::Unfinished)?;
                        if !"mdIMSH".contains(letter) {
                            return Err(FormatError::Unknown(format!("-{letter}")));
                        }
                        self.directive(letter)?;
                    }
                    letter => self.directive(letter)?,
                },
                c if c.is_whitespace() => self.spaces(),
                c => self.literal(c),
            }
        }
        Ok(())
    }

    fn directive(&mut self, letter: char) -> Result<(), FormatError> {
        // What these stand for in the C locale, where the agent runs.
        let composed = match letter {
            'c' => "%a %b %d %H:%M:%S %Y",
            'x' => "%m/%d/%y",
            'X' => "%H:%M:%S",
            _ => "",
        };
        if !composed.is_empty() {
            return self.run(composed);
        }
        let field = self.field(letter).ok_or_else(|| FormatError::Unknown(letter.to_string()))?;
        if self.seen.contains(letter) {
            return Err(FormatError::Twice(letter));
        }
        self.seen.push(letter);
        self.items.push(Item::Field(field));
        Ok(())
    }

    fn field(&self, letter: char) -> Option<Field> {
        Some(match letter {
            'Y' => Field::Year,
            'y' => Field::YearOfCentury,
            'm' => Field::Month,
            'B' => Field::MonthName,
            'b' => Field::MonthShort,
            'd' => Field::Day,
            'j' => Field::DayOfYear,
            'A' => Field::WeekdayName,
            'a' => Field::WeekdayShort,
            'w' => Field::WeekdayFromSunday,
            'u' => Field::WeekdayFromMonday,
            'U' => Field::WeekFromSunday,
            'W' => Field::WeekFromMonday,
            'G' => Field::IsoYear,
            'V' => Field::IsoWeek,
            'H' => Field::Hour,
            'I' => Field::HalfDayHour,
            'p' => Field::HalfDay,
            'M' => Field::Minute,
            'S' => Field::Second,
            'f' => Field::Fraction(if self.dialect == Dialect::Python { 6 } else { 9 }),
            'Z' => Field::ZoneName,
            'z' => Field::Offset,
            _ => return None,
        })
    }

    fn spaces(&mut self) {
        if self.items.last() != Some(&Item::Spaces) {
            self.items.push(Item::Spaces);
        }
    }

    fn literal(&mut self, c: char) {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).as_bytes();
        let joined = match self.items.pop() {
            Some(Item::Literal(before)) => [&before, bytes].concat(),
            other => {
                self.items.extend(other);
                bytes.to_owned()
            }
        };
        self.items.push(Item::Literal(joined.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_literals_spaces_and_fields() {
        let literal = |text: &str| Item::Literal(text.as_bytes().into());
        assert_eq!(
            parse("[%b  %d] 100%%", Dialect::Python),
            Ok(vec![
                literal("["),
                Item::Field(Field::MonthShort),
                Item::Spaces,
                Item::Field(Field::Day),
                literal("]"),
                Item::Spaces,
                literal("100%"),
            ])
        );
        assert_eq!(parse("%X", Dialect::Python), parse("%H:%M:%S", Dialect::Python));
        assert_eq!(parse("%-d", Dialect::CloudWatch), parse("%d", Dialect::Python));
    }

    #[test]
    fn what_is_no_format_is_told() {
        for (format, expected) in [
            ("%Q", FormatError::Unknown("Q".to_owned())),
            ("%-d", FormatError::Unknown("-".to_owned())),
            ("%H %H", FormatError::Twice('H')),
            ("%c %Y", FormatError::Twice('Y')),
            ("%H%", FormatError::Unfinished),
            ("now", FormatError::Timeless),
        ] {
            assert_eq!(parse(format, Dialect::Python), Err(expected), "{format}");
        }
        assert_eq!(parse("%-Y", Dialect::CloudWatch), Err(FormatError::Unknown("-Y".to_owned())));
    }
}
