//! Durations as Packer says them: the two largest units, `7 seconds 312 milliseconds`.

use std::time::Duration;

/// Units and their length in microseconds, the largest first.
const UNITS: [(&str, u128); 8] = [
    ("year", 365 * 86_400_000_000),
    ("week", 7 * 86_400_000_000),
    ("day", 86_400_000_000),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1_000),
    ("microsecond", 1),
];

/// The two largest units that are not zero.
pub fn took(duration: Duration) -> String {
    let mut rest = duration.as_micros();
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(2);
    match parts.is_empty() {
        true => "0 microseconds".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_units_are_told() {
        let cases = [
            (0, "0 microseconds"),
            (3, "3 microseconds"),
            (49_575, "49 milliseconds 575 microseconds"),
            (7_312_999, "7 seconds 312 milliseconds"),
            (61_000_000, "1 minute 1 second"),
            (3_600_000_007, "1 hour 7 microseconds"),
            (90_061_000_000, "1 day 1 hour"),
        ];
        for (micros, expected) in cases {
            assert_eq!(took(Duration::from_micros(micros)), expected);
        }
    }
}
