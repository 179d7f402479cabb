//! Where a pattern or a query is wrong, shown to people. Pure.

/// The line of a text that is wrong, and a mark under the place: the first character and the one after the last.
pub fn mark(text: &str, place: Option<(usize, usize)>) -> String {
    let Some((start, end)) = place else { return format!("  {text}") };
    let mut line_start = 0;
    for line in text.split('\n') {
        let length = line.chars().count();
        if start <= line_start + length {
            let column = start - line_start;
            let width = end.saturating_sub(start).clamp(1, (length - column.min(length)).max(1));
            return format!("  {line}\n  {}{}", " ".repeat(column), "^".repeat(width));
        }
        line_start += length + 1;
    }
    format!("  {text}")
}

/// The place that a service's message tells in words: `at offset 8`, in bytes, or `line 1, column 9`, from 1.
pub fn of_message(message: &str, text: &str) -> Option<(usize, usize)> {
    let start = match number_after(message, "at offset ") {
        Some(bytes) => text.char_indices().take_while(|(at, _)| *at < bytes).count(),
        None => {
            let line = number_after(message, "line ")?.checked_sub(1)?;
            let column = number_after(message, "column ")?.checked_sub(1)?;
            text.split('\n').take(line).map(|line| line.chars().count() + 1).sum::<usize>() + column
        }
    };
    Some((start, start + 1))
}

fn number_after(message: &str, words: &str) -> Option<usize> {
    let (_, rest) = message.rsplit_once(words)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_under_the_place() {
        for (text, place, expected) in [
            ("abc", Some((1, 2)), "  abc\n   ^"),
            ("abc", Some((3, 4)), "  abc\n     ^"),
            ("abc", Some((1, 99)), "  abc\n   ^^"),
            ("abc", Some((2, 0)), "  abc\n    ^"),
            ("é1\nfilter x", Some((10, 11)), "  filter x\n         ^"),
            ("abc", Some((50, 51)), "  abc"),
            ("abc", None, "  abc"),
        ] {
            assert_eq!(mark(text, place), expected, "{text:?} {place:?}");
        }
    }

    #[test]
    fn a_place_may_be_told_in_words() {
        for (message, text, expected) in [
            ("a word is expected, at offset 8", "{ $.a = ", Some((8, 9))),
            ("unbalanced (at offset 4)", "éé x", Some((2, 3))),
            ("Query syntax error (line 1, column 3)", "abc", Some((2, 3))),
            ("Query syntax error (line 2, column 1)", "ab\ncd", Some((3, 4))),
            ("line 0, column 1", "ab", None),
            ("Invalid filter pattern", "ab", None),
            ("at offset of 8", "ab", None),
        ] {
            assert_eq!(of_message(message, text), expected, "{message}");
        }
    }
}
