//! Showing errors in the text they are about.

use std::fmt::Write;

use crate::{
    error::{TemplateError, TemplateErrors},
    source::Source,
};

/// Longer lines (minified JSON) are shown as the part around the place.
const SHOWN: usize = 100;

/// An error with the line it is in and a caret under the place:
///
/// ```text
/// error: Invalid template resource property 'Propertys'
///   --> stack.yml:4:5
///    |
///  4 |     Propertys:
///    |     ^
///    = at Resources/Cluster/Propertys
///    = did you mean 'Properties'?
/// ```
pub fn render(error: &TemplateError, file: &str, text: &str) -> String {
    render_with(error, file, &Source::new(text))
}

/// Every error, a blank line between two.
pub fn render_all(errors: &TemplateErrors, file: &str, text: &str) -> String {
    let source = Source::new(text);
    errors.iter().map(|error| render_with(error, file, &source)).collect::<Vec<_>>().join("\n")
}

fn render_with(error: &TemplateError, file: &str, source: &Source<'_>) -> String {
    let mut out = format!("error: {}\n", error.message);
    let mut margin = String::new();
    // Writing to a String cannot fail.
    if let Some(span) = error.span {
        let number = span.line.to_string();
        margin = " ".repeat(number.len() + 1);
        let _ = writeln!(out, "{margin}--> {file}:{}:{}", span.line, span.column);
        if let Some(line) = source.line(span.line) {
            let (line, column) = excerpt(line, span.column);
            let _ = writeln!(out, "{margin} |\n {number} | {line}\n{margin} | {}^", " ".repeat(column));
        }
    } else {
        let _ = writeln!(out, "--> {file}");
    }
    if !error.path.is_empty() {
        let _ = writeln!(out, "{margin} = at {}", error.path);
    }
    if let Some(suggestion) = &error.suggestion {
        let _ = writeln!(out, "{margin} = {suggestion}");
    }
    out
}

/// The part of a line to show, and how many characters stand before the place in it.
fn excerpt(line: &str, column: usize) -> (String, usize) {
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
