//! JSON answers.

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::encode::time;
use crate::value::{ListRead, MapRead, Node, Structure, is_unit};

/// The JSON protocols: the output alone.
pub(super) fn plain(output: &dyn Structure) -> String {
    let mut out = String::with_capacity(1024);
    structure(&mut out, output);
    out
}

/// The query services' JSON: `{"XResponse": {"XResult": …, "ResponseMetadata": …}}`.
pub(super) fn query(operation: &str, request_id: &str, output: &dyn Structure) -> String {
    let mut out = format!("{{\"{operation}Response\":{{");
    if !is_unit(output) {
        key(&mut out, &format!("{operation}Result"));
        structure(&mut out, output);
        out.push(',');
    }
    out.push_str("\"ResponseMetadata\":{\"RequestId\":");
    text(&mut out, request_id);
    out.push_str("}}}");
    out
}

fn structure(out: &mut String, structure: &dyn Structure) {
    out.push('{');
    let mut first = true;
    for (index, member) in structure.schema().members.iter().enumerate() {
        let node = structure.get(index);
        if matches!(node, Node::Absent) {
            continue;
        }
        separate(out, &mut first);
        key(out, member.xml.name());
        value(out, node);
    }
    out.push('}');
}

fn value(out: &mut String, node: Node<'_>) {
    match node {
        Node::Absent => out.push_str("null"),
        Node::String(string) => text(out, string),
        Node::Integer(number) => out.push_str(&number.to_string()),
        Node::Double(number) => out.push_str(&serde_json::Value::from(number).to_string()),
        Node::Boolean(truth) => out.push_str(if truth { "true" } else { "false" }),
        Node::Timestamp(moment) => time::epoch(moment, out),
        Node::Blob(bytes) => {
            out.push('"');
            BASE64_STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        Node::Document(document) => out.push_str(&document.to_string()),
        Node::List(items) => list(out, items),
        Node::Map(entries) => map(out, entries),
        Node::Structure(inner) => structure(out, inner),
    }
}

fn list(out: &mut String, items: &dyn ListRead) {
    out.push('[');
    let mut first = true;
    for index in 0..items.count() {
        separate(out, &mut first);
        value(out, items.get(index));
    }
    out.push(']');
}

fn map(out: &mut String, entries: &dyn MapRead) {
    out.push('{');
    let mut first = true;
    entries.for_each(&mut |name, node| {
        separate(out, &mut first);
        key(out, name);
        value(out, node);
    });
    out.push('}');
}

fn separate(out: &mut String, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(',');
    }
}

fn key(out: &mut String, name: &str) {
    text(out, name);
    out.push(':');
}

/// A JSON text with its quotes.
pub(super) fn text(out: &mut String, string: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in string.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        // All of these are single bytes, so both ends are character boundaries.
        out.push_str(&string[from..at]);
        escape(out, byte);
        from = at + 1;
    }
    out.push_str(&string[from..]);
    out.push('"');
}

fn escape(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => out.push_str(&format!("\\u{byte:04x}")),
    }
}
