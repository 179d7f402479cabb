//! What errors about templates have in common, whatever the template's language: the part of a line to show, and the
//! name that was probably meant. Pure.

pub mod suggest;

/// Longer lines (minified JSON) are shown as the part around the place.
const SHOWN: usize = 100;

/// The part of a line to show, and how many characters stand before the place in it.
pub fn excerpt(line: &str, column: usize) -> (String, usize) {
    // A tab is as wide as the terminal likes; a blank is as wide as the caret's line needs.
    let characters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let column = column.saturating_sub(1).min(characters.len());
    if characters.len() <= SHOWN {
        return (characters.into_iter().collect(), column);
    }
    let start = column.saturating_sub(SHOWN / 2);
    let end = (start + SHOWN).min(characters.len());
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < characters.len() { "…" } else { "" });
    let shown: String = characters[start..end].iter().collect();
    (format!("{before}{shown}{after}"), column - start + before.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let (shown, column) = excerpt(&line, 301);
        assert_eq!(shown.chars().nth(column), Some('X'));
        assert_eq!(shown.chars().count(), SHOWN + 2);
        let (shown, column) = excerpt("short", 99);
        assert_eq!((shown.as_str(), column), ("short", 5));
    }
}
