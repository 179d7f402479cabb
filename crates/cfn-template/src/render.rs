//! Showing errors in the text they are about.

use std::fmt::Write;

use template_text::excerpt;

use crate::{
    error::{TemplateError, TemplateErrors},
    source::Source,
};

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
