//! Regular expressions: which substrings a text must contain if one is to match, and what is wrong with one.

use regex_syntax::hir::{Hir, HirKind};

/// Substrings that every text contains in which `expression` matches; none where nothing is certain.
pub(crate) fn required_literals(expression: &str) -> Vec<String> {
    let mut literals = Vec::new();
    if let Ok(hir) = regex_syntax::parse(expression) {
        collect(&hir, &mut literals);
    }
    literals
}

fn collect(hir: &Hir, literals: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Literal(literal) => {
            if let Ok(text) = str::from_utf8(&literal.0) {
                literals.push(text.to_owned());
            }
        }
        HirKind::Capture(capture) => collect(&capture.sub, literals),
        HirKind::Repetition(repetition) if repetition.min > 0 => collect(&repetition.sub, literals),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, literals)),
        // One of the alternatives is enough, so none is certain.
        HirKind::Alternation(_)
        | HirKind::Repetition(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Empty => {}
    }
}

/// What is wrong with an expression, in one line.
pub(crate) fn complaint(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it would take too much memory".to_owned(),
        // The last line tells what, those before it show where.
        other => {
            let text = other.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::required_literals;

    #[test]
    fn what_must_be_there() {
        for (expression, expected) in [
            ("abc", vec!["abc"]),
            ("abc.*def", vec!["abc", "def"]),
            ("a(bc)+d", vec!["a", "bc", "d"]),
            ("(?:abc)?def", vec!["def"]),
            ("abc|abd", vec![]),
            ("(?i)abc", vec![]),
            ("", vec![]),
            (r"\d+ ms$", vec![" ms"]),
        ] {
            let mut literals = required_literals(expression);
            literals.retain(|literal| !literal.is_empty());
            assert_eq!(literals, expected, "{expression}");
        }
    }
}
