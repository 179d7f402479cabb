//! The part of Mustache that file contents use: variables, sections, inverted sections and comments.

use super::values::{is_falsy, text};
use serde_json::Value;

/// Why a template cannot be rendered.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MustacheError {
    /// A tag that begins and never ends.
    #[error("the tag that begins with {0:?} is not closed")]
    OpenTag(String),
    /// A section that begins and never ends.
    #[error("the section {0:?} is not closed")]
    OpenSection(String),
    /// An end without a beginning.
    #[error("the section {0:?} is closed but was not opened")]
    UnopenedSection(String),
    /// Partials and changes of delimiters.
    #[error("the tag {0:?} is not supported by this cfn-init")]
    Unsupported(String),
}

enum Node {
    Text(String),
    Variable { name: String, escaped: bool },
    Section { name: String, inverted: bool, body: Vec<Node> },
}

/// Renders `template` with `context`. A name that is not in the context is empty.
pub fn render(template: &str, context: &Value) -> Result<String, MustacheError> {
    let mut rest = template;
    let nodes = parse(&mut rest, None)?;
    let mut out = String::with_capacity(template.len());
    write(&nodes, &mut vec![context], &mut out);
    Ok(out)
}

fn parse(rest: &mut &str, section: Option<&str>) -> Result<Vec<Node>, MustacheError> {
    let mut nodes = Vec::new();
    while let Some(start) = rest.find("{{") {
        nodes.push(Node::Text(rest[..start].to_owned()));
        let tag = &rest[start + 2..];
        let (close, raw) = if tag.starts_with('{') { ("}}}", true) } else { ("}}", false) };
        let body = tag.strip_prefix('{').unwrap_or(tag);
        let end = body
            .find(close)
            .ok_or_else(|| MustacheError::OpenTag(rest[start..].chars().take(20).collect()))?;
        let content = body[..end].trim();
        *rest = &body[end + close.len()..];
        if raw {
            nodes.push(Node::Variable { name: content.to_owned(), escaped: false });
            continue;
        }
        let name = content.get(1..).unwrap_or_default().trim().to_owned();
        match content.chars().next() {
            Some('!') => {}
            Some('&') => nodes.push(Node::Variable { name, escaped: false }),
            Some(sigil @ ('#' | '^')) => {
                let body = parse(rest, Some(&name))?;
                nodes.push(Node::Section { name, inverted: sigil == '^', body });
            }
            Some('/') if section == Some(name.as_str()) => return Ok(nodes),
            Some('/') => return Err(MustacheError::UnopenedSection(name)),
            Some('>' | '=') => return Err(MustacheError::Unsupported(format!("{{{{{content}}}}}"))),
            _ => nodes.push(Node::Variable { name: content.to_owned(), escaped: true }),
        }
    }
    match section {
        Some(name) => Err(MustacheError::OpenSection(name.to_owned())),
        None => {
            nodes.push(Node::Text((*rest).to_owned()));
            Ok(nodes)
        }
    }
}

fn write(nodes: &[Node], contexts: &mut Vec<&Value>, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Variable { name, escaped } => {
                let value = lookup(contexts, name).and_then(text).unwrap_or_default();
                if *escaped { push_escaped(&value, out) } else { out.push_str(&value) }
            }
            Node::Section { name, inverted, body } => {
                let value = lookup(contexts, name);
                write_section(value, *inverted, body, contexts, out);
            }
        }
    }
}

fn write_section<'v>(
    value: Option<&'v Value>,
    inverted: bool,
    body: &[Node],
    contexts: &mut Vec<&'v Value>,
    out: &mut String,
) {
    match value.filter(|value| !is_falsy(value)) {
        None if inverted => write(body, contexts, out),
        Some(Value::Array(items)) if !inverted => {
            for item in items {
                contexts.push(item);
                write(body, contexts, out);
                contexts.pop();
            }
        }
        Some(value) if !inverted => {
            contexts.push(value);
            write(body, contexts, out);
            contexts.pop();
        }
        _ => {}
    }
}

fn lookup<'v>(contexts: &[&'v Value], name: &str) -> Option<&'v Value> {
    if name == "." {
        return contexts.last().copied();
    }
    let mut parts = name.split('.');
    let first = parts.next()?;
    let found = contexts.iter().rev().find_map(|context| context.get(first))?;
    parts.try_fold(found, |value, part| value.get(part))
}

fn push_escaped(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_are_rendered() {
        let context = json!({"name": "a&b", "n": 3, "on": true, "off": false, "list": [{"x": 1}, {"x": 2}], "o": {"p": "q"}});
        let cases = [
            ("plain { } text", "plain { } text"),
            ("{{name}} {{{name}}} {{& name }}", "a&amp;b a&b a&b"),
            ("{{n}}{{missing}}{{o.p}}", "3q"),
            ("{{#on}}yes{{/on}}{{^on}}no{{/on}}{{#off}}yes{{/off}}{{^off}}no{{/off}}", "yesno"),
            ("{{#list}}{{x}},{{n}};{{/list}}", "1,3;2,3;"),
            ("{{! a comment }}end", "end"),
        ];
        for (template, expected) in cases {
            assert_eq!(render(template, &context).unwrap(), expected, "{template}");
        }
        assert_eq!(render("{{#l}}{{.}} {{/l}}", &json!({"l": ["a", 1]})).unwrap(), "a 1 ");
    }

    #[test]
    fn faults_are_named() {
        let fault = |template| render(template, &json!({})).unwrap_err();
        assert_eq!(fault("a {{b"), MustacheError::OpenTag("{{b".into()));
        assert_eq!(fault("{{#a}}"), MustacheError::OpenSection("a".into()));
        assert_eq!(fault("{{/a}}"), MustacheError::UnopenedSection("a".into()));
        assert_eq!(fault("{{> part}}"), MustacheError::Unsupported("{{> part}}".into()));
    }
}
