//! Strict JSON with places. Packer takes no comments and no trailing commas, and refuses a name that stands twice in an
//! object.

use jsonc_parser::{CollectOptions, ParseOptions, ast, parse_to_ast};

use crate::{
    error::{Collector, Error, Errors},
    node::{Entry, Node, Value},
    source::Source,
};

/// Parses a file's text; none when it holds nothing but blanks.
///
/// # Errors
/// The first breach of JSON's grammar, or every name that stands twice.
pub(crate) fn parse(source: &Source) -> Result<Option<Node>, Errors> {
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(source.text(), &CollectOptions::default(), &options).map_err(|error| {
        let span = source.span(error.range().start);
        let mut reason = error.kind().to_string();
        if let Some(first) = reason.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Errors::from(Error::new(format!("this is not JSON: {reason}")).at(source, span))
    })?;
    let mut reader = Reader { source, errors: Collector::default() };
    let node = parsed.value.map(|value| reader.node(value));
    reader.errors.into_result(node)
}

struct Reader<'a> {
    source: &'a Source,
    errors: Collector,
}

impl Reader<'_> {
    fn node(&mut self, value: ast::Value<'_>) -> Node {
        let (start, value) = match value {
            ast::Value::NullKeyword(null) => (null.range.start, Value::Null),
            ast::Value::BooleanLit(lit) => (lit.range.start, Value::Bool(lit.value)),
            ast::Value::NumberLit(lit) => (lit.range.start, Value::Number(lit.value.to_owned())),
            ast::Value::StringLit(lit) => (lit.range.start, Value::String(lit.value.into_owned())),
            ast::Value::Array(array) => {
                let items = array.elements.into_iter().map(|element| self.node(element)).collect();
                (array.range.start, Value::Array(items))
            }
            ast::Value::Object(object) => {
                (object.range.start, Value::Object(self.entries(object.properties)))
            }
        };
        Node { value, span: self.source.span(start) }
    }

    fn entries(&mut self, properties: Vec<ast::ObjectProp<'_>>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(properties.len());
        for property in properties {
            let key_span = self.source.span(property.range.start);
            let key = property.name.into_string();
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = format!("'{key}' stands twice in the same object");
                let help = format!("it is in line {} already", first.key_span.line);
                self.errors.push(Error::new(message).at(self.source, key_span).help(help));
            }
            let value = self.node(property.value);
            entries.push(Entry { key, key_span, value });
        }
        entries
    }
}
