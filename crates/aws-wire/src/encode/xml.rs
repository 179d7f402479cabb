//! XML of the query and ec2 protocols, written straight into a string: this is the hot path of every `Describe`.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::encode::time;
use crate::schema::{List, Map, Tag, Type};
use crate::value::{ListRead, MapRead, Node, Structure, is_unit};

/// Room for an answer of usual size, so that few reallocations follow.
const INITIAL_CAPACITY: usize = 2048;

/// `<XResponse><requestId/>…</XResponse>`; an operation without output answers `<return>true</return>`.
pub(super) fn ec2(operation: &str, namespace: &str, request_id: &str, output: &dyn Structure) -> String {
    let mut out = start(operation, namespace);
    text_element(&mut out, "requestId", request_id);
    if output.schema().members.is_empty() {
        out.push_str("<return>true</return>");
    }
    structure(&mut out, output);
    end(&mut out, operation);
    out
}

/// `<XResponse><XResult>…</XResult><ResponseMetadata>…</XResponse>`.
pub(super) fn query(operation: &str, namespace: &str, request_id: &str, output: &dyn Structure) -> String {
    let mut out = start(operation, namespace);
    if !is_unit(output) {
        let _ = write!(out, "<{operation}Result>");
        structure(&mut out, output);
        let _ = write!(out, "</{operation}Result>");
    }
    out.push_str("<ResponseMetadata>");
    text_element(&mut out, "RequestId", request_id);
    out.push_str("</ResponseMetadata>");
    end(&mut out, operation);
    out
}

fn start(operation: &str, namespace: &str) -> String {
    let mut out = String::with_capacity(INITIAL_CAPACITY);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(out, "<{operation}Response xmlns=\"{namespace}\">");
    out
}

fn end(out: &mut String, operation: &str) {
    let _ = write!(out, "</{operation}Response>");
}

/// `<name>text</name>`, escaped.
pub(super) fn text_element(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, "<{name}>");
    escape(text, out);
    let _ = write!(out, "</{name}>");
}

fn structure(out: &mut String, structure: &dyn Structure) {
    for (index, member) in structure.schema().members.iter().enumerate() {
        value(out, member.xml, structure.get(index), &member.kind);
    }
}

/// The element `tag` with `node` in it; nothing for an absent one.
fn value(out: &mut String, tag: Tag, node: Node<'_>, kind: &Type) {
    match node {
        Node::Absent => {}
        Node::List(items) => list(out, tag, items, kind),
        Node::Map(entries) => map(out, tag, entries, kind),
        _ => {
            tag.open(out);
            content(out, node);
            tag.close(out);
        }
    }
}

fn content(out: &mut String, node: Node<'_>) {
    match node {
        Node::String(text) => escape(text, out),
        Node::Integer(number) => _ = write!(out, "{number}"),
        Node::Double(number) => _ = write!(out, "{number}"),
        Node::Boolean(truth) => out.push_str(if truth { "true" } else { "false" }),
        Node::Timestamp(moment) => time::iso8601(moment, out),
        Node::Blob(bytes) => BASE64_STANDARD.encode_string(bytes, out),
        Node::Structure(inner) => structure(out, inner),
        Node::Document(document) => escape(&document.to_string(), out),
        Node::Absent | Node::List(_) | Node::Map(_) => {}
    }
}

fn list(out: &mut String, tag: Tag, items: &dyn ListRead, kind: &Type) {
    let Type::List(List { item, flattened, element }) = kind else { return };
    let all = 0..items.count();
    if *flattened {
        return all.for_each(|index| value(out, tag, items.get(index), element));
    }
    if all.is_empty() {
        return tag.empty(out);
    }
    tag.open(out);
    all.for_each(|index| value(out, Tag::from_closing(item), items.get(index), element));
    tag.close(out);
}

fn map(out: &mut String, tag: Tag, entries: &dyn MapRead, kind: &Type) {
    let Type::Map(Map { key: key_tag, value: value_tag, flattened, element }) = kind else { return };
    let entry_tag = if *flattened { tag } else { Tag::from_closing("</entry>") };
    if !flattened {
        tag.open(out);
    }
    entries.for_each(&mut |key, node| {
        entry_tag.open(out);
        value(out, Tag::from_closing(key_tag), Node::String(key), &Type::String);
        value(out, Tag::from_closing(value_tag), node, element);
        entry_tag.close(out);
    });
    if !flattened {
        tag.close(out);
    }
}

/// Appends `text` with XML's special characters escaped. Characters that XML 1.0 cannot carry at all become U+FFFD,
/// and a carriage return, which parsers would turn into a line feed, becomes a reference.
pub(super) fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    // All special characters are single bytes, so both sides of one are character boundaries.
    while let Some(at) = rest.bytes().position(|byte| SPECIAL[usize::from(byte)]) {
        out.push_str(&rest[..at]);
        out.push_str(reference(rest.as_bytes()[at]));
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// The bytes that cannot stand for themselves, as a table: most texts have none, and this finds that out fastest.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < b' ' {
        table[byte as usize] = !matches!(byte, b'\t' | b'\n');
        byte += 1;
    }
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table
};

fn reference(special: u8) -> &'static str {
    match special {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'"' => "&quot;",
        b'\r' => "&#xD;",
        _ => "\u{fffd}",
    }
}
