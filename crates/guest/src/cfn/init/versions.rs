//! RPM's order of versions.

use std::cmp::Ordering;

/// Compares two `VERSION[-RELEASE]`s: runs of letters and runs of digits in turn, numbers above words, longer above
/// shorter.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (one_version, one_release) = one.split_once('-').unwrap_or((one, ""));
    let (other_version, other_release) = other.split_once('-').unwrap_or((other, ""));
    compare_parts(one_version, other_version).then_with(|| compare_parts(one_release, other_release))
}

fn compare_parts(one: &str, other: &str) -> Ordering {
    let (one, other) = (segments(one), segments(other));
    let differing = one.iter().zip(&other).map(|(a, b)| compare_segments(a, b)).find(|order| order.is_ne());
    differing.unwrap_or_else(|| one.len().cmp(&other.len()))
}

fn compare_segments(one: &str, other: &str) -> Ordering {
    let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    match (is_number(one), is_number(other)) {
        (true, true) => {
            let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        }
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => one.cmp(other),
    }
}

fn segments(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_ascii_digit() => 1,
        c if c.is_ascii_alphabetic() => 2,
        _ => 0,
    };
    let mut found = Vec::new();
    let mut start = 0;
    let mut current = 0;
    for (index, character) in text.char_indices().chain([(text.len(), '.')]) {
        let next = class(character);
        if next != current {
            if current != 0 {
                found.push(&text[start..index]);
            }
            (start, current) = (index, next);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::*;

    #[test]
    fn versions_are_ordered_as_rpm_orders_them() {
        let cases = [
            ("1.0", "1.0", Equal),
            ("1.10", "1.9", Greater),
            ("1.0a", "1.0", Greater),
            ("1.a", "1.1", Less),
            ("1.0-2.amzn1", "1.0-1.amzn1", Greater),
            ("1.0", "1.0-1", Less),
            ("007", "7", Equal),
            ("2.4~rc1", "2.4.rc1", Equal),
            ("é1", "1", Equal),
        ];
        for (one, other, expected) in cases {
            assert_eq!(compare(one, other), expected, "{one} {other}");
            assert_eq!(compare(other, one), expected.reverse(), "{other} {one}");
        }
    }
}
