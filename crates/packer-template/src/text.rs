//! Strings of a template, their expressions, and where in the file they stand.

use crate::{
    error::Error,
    language::ExpressionError,
    source::{Place, Source, Span},
};

/// An error in a string's expression, with its place in the file. `place` is where the string begins; none for a
/// default of ours.
pub(crate) fn locate(error: ExpressionError, place: Option<&Place>, path: &str) -> Error {
    let mut located = Error::new(error.message).path(path);
    if let Some(Place { source, span }) = place {
        located = located.at(source, inside(source, *span, error.offset));
    }
    located.help = error.help;
    located
}

/// The place of a byte of a string's value, where the string begins at `span`. Escapes are longer in the file than in
/// the value, so they are counted along.
pub(crate) fn inside(source: &Source, span: Span, offset: usize) -> Span {
    let Some(start) = source.index(span) else { return span };
    let written = &source.text()[start..];
    // Not a string: a name for want of one, or a block that was laid over another.
    let Some(body) = written.strip_prefix('"') else { return span };
    let mut value_length = 0;
    let mut rest = body;
    while value_length < offset {
        let Some((taken, length)) = next(rest) else { break };
        value_length += length;
        rest = &rest[taken..];
    }
    source.span(source.text().len() - rest.len())
}

/// How many bytes the first character takes in the file and in the value; none at the end of the string.
fn next(rest: &str) -> Option<(usize, usize)> {
    let c = rest.chars().next()?;
    match c {
        '"' => None,
        '\\' => {
            if !rest[1..].starts_with('u') {
                return Some((1 + rest[1..].chars().next()?.len_utf8(), 1));
            }
            let unit = |from: usize| u32::from_str_radix(rest.get(from..from + 4)?, 16).ok();
            let first = unit(2)?;
            // Two halves of a character beyond the first 65536 make four bytes.
            if (0xd800..0xdc00).contains(&first) && rest.get(6..8) == Some("\\u") {
                return Some((12, 4));
            }
            Some((6, char::from_u32(first).map_or(3, char::len_utf8)))
        }
        c => Some((c.len_utf8(), c.len_utf8())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside_of_strings_with_escapes() {
        let source = Source::new("a", "{\"k\": \"a\\n\\u00e9é\\ud83d\\ude00{{x}}\"}");
        let span = Span { line: 1, column: 7 };
        // a=1, \n=1, é=2, é=2, 😀=4 bytes in the value.
        let place = inside(&source, span, 10);
        assert_eq!(source.text().chars().skip(place.column - 1).take(5).collect::<String>(), "{{x}}");
        assert_eq!(inside(&source, span, 0).column, 8);
        assert_eq!(inside(&source, span, 999).column, source.text().chars().count() - 1);
        assert_eq!(inside(&source, Span { line: 1, column: 1 }, 3), Span { line: 1, column: 1 });
    }
}
