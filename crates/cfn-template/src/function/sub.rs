//! The little language inside `Fn::Sub`.

use crate::span::Span;

/// A piece of a `Fn::Sub` string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubPart {
    /// Text to be copied.
    Literal(String),
    /// `${!Name}`, which stands for the text `${Name}`.
    Escaped(String),
    /// `${Name}` or `${Name.Attribute}`.
    Variable {
        /// What stands between the braces.
        name: String,
        /// Where the `${` stands in the template.
        span: Span,
    },
}

impl SubPart {
    /// The part as it is written.
    pub(crate) fn source(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Escaped(name) => format!("${{!{name}}}"),
            Self::Variable { name, .. } => format!("${{{name}}}"),
        }
    }
}

/// A piece without its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Escaped(&'a str),
    Variable(&'a str),
}

/// Takes a `Fn::Sub` string apart. A `$` that begins no variable is text, and so is a `${` that never ends.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        let Some(length) = text[start..].find('}') else { break };
        let inner = &text[start + 2..start + length];
        if literal < start {
            pieces.push(Piece::Literal(&text[literal..start]));
        }
        pieces.push(match inner.strip_prefix('!') {
            Some(name) => Piece::Escaped(name),
            None => Piece::Variable(inner.trim()),
        });
        at = start + length + 1;
        literal = at;
    }
    if literal < text.len() {
        pieces.push(Piece::Literal(&text[literal..]));
    }
    pieces
}

/// Whether a variable's name has only the characters that CloudFormation allows in one.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':'))
}

#[cfg(test)]
mod tests {
    use super::{Piece::*, *};

    #[test]
    fn strings_come_apart() {
        let cases: [(&str, Vec<Piece<'_>>); 8] = [
            ("", vec![]),
            ("plain $HOME $?", vec![Literal("plain $HOME $?")]),
            ("${A}", vec![Variable("A")]),
            ("a${A.B}c", vec![Literal("a"), Variable("A.B"), Literal("c")]),
            ("${!A}-${ B }", vec![Escaped("A"), Literal("-"), Variable("B")]),
            ("${AWS::Region}${A}", vec![Variable("AWS::Region"), Variable("A")]),
            ("${A", vec![Literal("${A")]),
            ("$${A}", vec![Literal("$"), Variable("A")]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }
}
