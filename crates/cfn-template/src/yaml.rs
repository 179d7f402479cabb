//! From text to the plain value tree.
//!
//! One parser reads YAML and JSON. Short-form tags become their long form here (`!Sub x` is `{Fn::Sub: x}`), so
//! nothing after this module knows which form was written.

use indexmap::map::Entry as Slot;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::{
    error::{Errors, TemplateError},
    function,
    node::{Entry, Map, Node, Value},
    scalar,
    span::{Place, Span},
};

/// Deeper nesting than any template needs; it bounds the recursion of everything that walks the tree.
const MAX_DEPTH: usize = 100;

/// Parses `text`, which holds one YAML or JSON document. `None` when it is not well-formed.
pub(crate) fn parse(text: &str, errors: &mut Errors) -> Option<Node> {
    let json = is_json(text);
    let tidied;
    let mut source = text;
    if json {
        // YAML forbids tabs where JSON allows them. In well-formed JSON a raw tab is never inside a string, so
        // blanks may take their places, and no column moves.
        match serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')) {
            Ok(_) => {
                tidied = join_surrogates(&text.replace('\t', " "));
                source = &tidied;
            }
            Err(error) => {
                let span = Span::new(error.line(), error.column().max(1));
                errors.add(&Place::ROOT, span, malformed("JSON", span, &json_detail(&error)));
                return None;
            }
        }
    }
    let mut builder = Builder { errors, stack: Vec::new(), root: None, documents: 0 };
    let mut failure = None;
    for event in Parser::new_from_str(source) {
        match event {
            Ok((event, span)) => {
                if let Err(Stop { span, message }) = builder.event(event, position(&span.start)) {
                    builder.refuse(span, message, None);
                    return None;
                }
            }
            Err(error) => {
                failure = Some((position(error.marker()), error.info().to_owned()));
                break;
            }
        }
    }
    let root = builder.root.take();
    let Some((span, detail)) = failure else {
        if root.is_none() {
            errors.add(&Place::ROOT, Span::new(1, 1), "Template format error: unsupported structure.");
        }
        return root;
    };
    errors.add(&Place::ROOT, span, malformed("YAML", span, &detail));
    None
}

/// Whether the text is JSON: an object whose first key is quoted. An object of unquoted keys is YAML.
fn is_json(text: &str) -> bool {
    let object = text.trim_start_matches('\u{feff}').trim_start().strip_prefix('{');
    object.is_some_and(|rest| rest.trim_start().starts_with('"'))
}

fn malformed(language: &str, span: Span, detail: &str) -> String {
    let Span { line, column } = span;
    format!("Template format error: {language} not well-formed. (line {line}, column {column}): {detail}")
}

/// serde_json ends its message with the place, which the error has already.
fn json_detail(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

fn position(marker: &Marker) -> Span {
    Span::new(marker.line().max(1), marker.col() + 1)
}

/// JSON writes characters beyond the basic plane as two `\u` escapes, which YAML does not know.
fn join_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match surrogate_pair(rest) {
            Some(joined) => {
                out.push(joined);
                12
            }
            None => {
                // The escaped character goes along, so that an escaped backslash does not start an escape.
                let end = rest.char_indices().nth(2).map_or(rest.len(), |(index, _)| index);
                out.push_str(&rest[..end]);
                end
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

fn surrogate_pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok().filter(|joined| *joined as u32 > 0xffff)
}

/// Something that makes the rest of the document meaningless.
struct Stop {
    span: Span,
    message: String,
}

enum Frame {
    List { span: Span, tag: Option<Tag>, items: Vec<Node> },
    Map { span: Span, tag: Option<Tag>, map: Map, key: Option<(String, Span)> },
}

impl Frame {
    /// The way from this frame to what is read in it now.
    fn step(&self) -> Option<String> {
        match self {
            Self::List { items, .. } => Some(items.len().to_string()),
            Self::Map { key, .. } => key.as_ref().map(|(key, _)| key.clone()),
        }
    }
}

struct Builder<'e> {
    errors: &'e mut Errors,
    stack: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => self.document(span),
            Event::Alias(_) => Err(Stop {
                span,
                message: "Template error: YAML aliases are not allowed in CloudFormation templates".into(),
            }),
            Event::Scalar(text, style, _, tag) => self.scalar(&text, style, tag.as_deref(), span),
            Event::SequenceStart(_, tag) => {
                let frame = Frame::List { span, tag: tag.map(|tag| tag.into_owned()), items: Vec::new() };
                self.push(frame, span)
            }
            Event::MappingStart(_, tag) => {
                let tag = tag.map(|tag| tag.into_owned());
                self.push(Frame::Map { span, tag, map: Map::new(), key: None }, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.pop(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents > 1 {
            let message = "Template format error: a template is one document, and another begins here".into();
            return Err(Stop { span, message });
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame, span: Span) -> Result<(), Stop> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("Template format error: values are nested deeper than {MAX_DEPTH} levels");
            return Err(Stop { span, message });
        }
        if let Some(Frame::Map { key: None, .. }) = self.stack.last() {
            return Err(Stop { span, message: "Template format error: a key must be a string".into() });
        }
        self.stack.push(frame);
        Ok(())
    }

    fn pop(&mut self) -> Result<(), Stop> {
        let (node, tag) = match self.stack.pop() {
            Some(Frame::List { span, tag, items }) => (Node::new(span, Value::List(items)), tag),
            Some(Frame::Map { span, tag, map, .. }) => (Node::new(span, Value::Map(map)), tag),
            None => return Ok(()),
        };
        let node = self.tagged(node, tag.as_ref());
        self.place(node)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<(), Stop> {
        if let Some(Frame::Map { key: slot @ None, .. }) = self.stack.last_mut() {
            if text == "<<" && style == ScalarStyle::Plain {
                let message =
                    "Template error: YAML hash merges (<<) are not supported in CloudFormation templates";
                return Err(Stop { span, message: message.into() });
            }
            *slot = Some((text.to_owned(), span));
            return Ok(());
        }
        let plain = style == ScalarStyle::Plain;
        let value = match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix != "str" => scalar::resolve(text),
            Some(tag) if is_function(tag) && plain => scalar::resolve(text),
            None if plain => scalar::resolve(text),
            _ => Value::String(text.to_owned()),
        };
        let node = self.tagged(Node::new(span, value), tag);
        self.place(node)
    }

    /// Applies a tag: functions are wrapped in their long form, core tags say nothing new, others are refused.
    fn tagged(&mut self, node: Node, tag: Option<&Tag>) -> Node {
        let Some(tag) = tag else { return node };
        if is_function(tag) {
            return match function::long_name(&tag.suffix) {
                Some(name) => function::wrap(name, node),
                None => {
                    let (message, hint) = function::unknown_tag(&tag.suffix);
                    self.refuse(node.span, message, hint);
                    node
                }
            };
        }
        let known = ["str", "int", "float", "bool", "null", "map", "seq"];
        let non_specific = tag.handle.is_empty() || tag.suffix.is_empty();
        if !(non_specific || tag.is_yaml_core_schema() && known.contains(&tag.suffix.as_str())) {
            let written =
                if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
            let message =
                format!("Template format error: the YAML tag {written} is not supported in templates");
            self.refuse(node.span, message, None);
        }
        node
    }

    /// Records an error at the path that the parser has come to.
    fn refuse(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        let steps: Vec<String> = self.stack.iter().filter_map(Frame::step).collect();
        self.errors.push(TemplateError::new(message).at(span).path(steps.join("/")).suggest(hint));
    }

    fn place(&mut self, node: Node) -> Result<(), Stop> {
        let mut duplicate = None;
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { map, key, .. }) => {
                if let Some((key, key_span)) = key.take() {
                    match map.entry(key) {
                        Slot::Vacant(slot) => {
                            slot.insert(Entry { key_span, node });
                        }
                        Slot::Occupied(slot) => {
                            duplicate = Some((slot.key().clone(), slot.get().key_span.line, key_span));
                        }
                    }
                }
            }
        }
        if let Some((key, first, span)) = duplicate {
            let message =
                format!("Template format error: Duplicate key '{key}', first given in line {first}");
            self.refuse(span, message, None);
        }
        Ok(())
    }
}

fn is_function(tag: &Tag) -> bool {
    tag.handle == "!" && !tag.suffix.is_empty()
}
