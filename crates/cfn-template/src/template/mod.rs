//! A template's sections, parsed and checked.

mod conditions;
mod mappings;
mod outputs;
mod parameters;
mod resources;
mod validate;

use std::collections::BTreeSet;

use indexmap::IndexMap;

pub use mappings::{MappingValue, Mappings};
pub use outputs::Output;
pub use parameters::{Parameter, ParameterType};
pub use resources::{DeletionPolicy, Resource};

use template_text::suggest::did_you_mean;

use crate::{
    error::{Errors, TemplateErrors},
    function::Reader,
    node::{Entry, Map, Node, Value},
    source::Source,
    span::{Place, Span},
    yaml,
};

/// The most resources a template may declare.
pub const MAX_RESOURCES: usize = 500;
/// The most parameters a template may declare.
pub const MAX_PARAMETERS: usize = 200;
/// The most mappings a template may declare.
pub const MAX_MAPPINGS: usize = 200;
/// The most outputs a template may declare.
pub const MAX_OUTPUTS: usize = 200;
/// The longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 1024;
/// The largest template given in the request itself (`TemplateBody`), in bytes. The caller checks it.
pub const MAX_INLINE_BYTES: usize = 51_200;
/// The largest template at all, in bytes.
pub const MAX_BYTES: usize = 1_000_000;

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// A parsed template. Every reference in it leads somewhere.
#[derive(Clone, Debug)]
pub struct Template {
    /// `Description`.
    pub description: Option<String>,
    /// `Metadata`, as written.
    pub metadata: Option<Node>,
    /// `Parameters`, in the order written.
    pub parameters: IndexMap<String, Parameter>,
    /// `Mappings`.
    pub mappings: Mappings,
    /// `Conditions`: each a condition function.
    pub conditions: IndexMap<String, Entry>,
    /// `Resources`, in the order written.
    pub resources: IndexMap<String, Resource>,
    /// `Outputs`, in the order written.
    pub outputs: IndexMap<String, Output>,
}

impl Template {
    /// Parses a template in YAML or JSON and checks all that can be known without parameters.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, TemplateErrors> {
        let mut errors = Errors::default();
        if text.len() > MAX_BYTES {
            let message = format!("Template may not exceed {MAX_BYTES} bytes in size.");
            errors.add(&Place::ROOT, Span::new(1, 1), message);
            return Err(errors.into_error());
        }
        let Some(root) = yaml::parse(text, &mut errors) else { return Err(errors.into_error()) };
        let span = root.span;
        let Value::Map(sections) = root.value else {
            errors.add(&Place::ROOT, span, "Template format error: unsupported structure.");
            return Err(errors.into_error());
        };
        let declared = Declared::new(&sections);
        let source = Source::new(text);
        let template =
            Self::from_sections(sections, span, &mut Reader { source: &source, errors: &mut errors });
        template.validate(&declared, &mut errors);
        errors.into_result(template)
    }

    fn from_sections(mut sections: Map, span: Span, reader: &mut Reader<'_>) -> Self {
        check_section_names(&sections, reader.errors);
        check_version(sections.get("AWSTemplateFormatVersion"), reader.errors);
        let description = description(sections.get("Description"), reader.errors);
        let metadata = sections.shift_remove("Metadata").map(|entry| entry.node);
        let has_resources = sections.contains_key("Resources");
        let mut members = |name: &str, reader: &mut Reader<'_>| {
            let entry = sections.shift_remove(name)?;
            section_members(name, entry, reader.errors)
        };
        let parameters = members("Parameters", reader);
        let mappings = members("Mappings", reader);
        let conditions = members("Conditions", reader);
        let resources = members("Resources", reader);
        let outputs = members("Outputs", reader);
        let template = Self {
            description,
            metadata,
            parameters: parameters::read(parameters.unwrap_or_default(), reader.errors),
            mappings: Mappings::read(mappings.unwrap_or_default(), reader.errors),
            conditions: conditions::read(conditions.unwrap_or_default(), reader),
            resources: resources::read(resources.unwrap_or_default(), reader),
            outputs: outputs::read(outputs.unwrap_or_default(), reader),
        };
        if template.resources.is_empty() && (!has_resources || reader.errors.is_empty()) {
            let message = "Template format error: At least one Resources member must be defined.";
            reader.errors.add(&Place::ROOT, span, message);
        }
        template
    }
}

/// The names that are declared, also those whose declaration is in error: a reference to one of those is not
/// another error.
struct Declared {
    parameters: BTreeSet<String>,
    resources: BTreeSet<String>,
}

impl Declared {
    fn new(sections: &Map) -> Self {
        let names = |section: &str| {
            let members = sections.get(section).and_then(|entry| entry.node.as_map());
            members.into_iter().flat_map(Map::keys).cloned().collect()
        };
        Self { parameters: names("Parameters"), resources: names("Resources") }
    }
}

fn check_section_names(sections: &Map, errors: &mut Errors) {
    for (name, entry) in sections {
        let place = Place::ROOT.child(name);
        let refused = match name.as_str() {
            "Transform" => {
                "Template format error: Transform is not supported: macros and transforms need a service \
                            that rewrites the template"
            }
            "Rules" => "Template format error: the Rules section is not supported",
            "Hooks" => "Template format error: the Hooks section is not supported",
            known if SECTIONS.contains(&known) => continue,
            _ => {
                let message = format!("Invalid template property or properties [{name}]");
                errors.hint(&place, entry.key_span, message, did_you_mean(name, SECTIONS));
                continue;
            }
        };
        errors.add(&place, entry.key_span, refused);
    }
}

fn check_version(entry: Option<&Entry>, errors: &mut Errors) {
    let Some(Entry { node, .. }) = entry else { return };
    if node.as_str() != Some("2010-09-09") {
        let given = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
        let message = format!(
            "Template format error: Unsupported template format version '{given}'; the only version is 2010-09-09"
        );
        errors.add(&Place::ROOT.child("AWSTemplateFormatVersion"), node.span, message);
    }
}

fn description(entry: Option<&Entry>, errors: &mut Errors) -> Option<String> {
    let node = &entry?.node;
    let place = Place::ROOT.child("Description");
    let Some(text) = node.scalar_text() else {
        errors.add(&place, node.span, "Template format error: Description must be a string.");
        return None;
    };
    if text.len() > MAX_DESCRIPTION {
        let message =
            format!("Template format error: 'Description' length is greater than {MAX_DESCRIPTION}.");
        errors.add(&place, node.span, message);
    }
    Some(text)
}

/// The members of a section that is an object of objects; empty values in it are refused.
fn section_members(name: &str, entry: Entry, errors: &mut Errors) -> Option<Map> {
    let place = Place::ROOT.child(name);
    let span = entry.node.span;
    refuse_nulls(&entry.node, &place, errors);
    match entry.node.value {
        Value::Map(map) => Some(map),
        Value::Null => None,
        _ => {
            errors.add(&place, span, format!("Template format error: {name} must be an object."));
            None
        }
    }
}

fn refuse_nulls(node: &Node, place: &Place<'_>, errors: &mut Errors) {
    match &node.value {
        Value::Null => {
            let message =
                format!("Template format error: [/{place}] 'null' values are not allowed in templates");
            errors.add(place, node.span, message);
        }
        Value::List(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| refuse_nulls(item, &place.index(index), errors));
        }
        Value::Map(map) => {
            map.iter().for_each(|(key, entry)| refuse_nulls(&entry.node, &place.child(key), errors));
        }
        _ => {}
    }
}

/// Checks a logical id: letters and digits only.
fn check_logical_id(kind: &str, id: &str, span: Span, place: &Place<'_>, errors: &mut Errors) {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        errors.add(place, span, format!("Template format error: {kind} name {id} is non alphanumeric."));
    } else if id.len() > 255 {
        errors.add(
            place,
            span,
            format!("Template format error: {kind} name {id} is longer than 255 characters."),
        );
    }
}

/// Checks how many members a section has.
fn check_count(section: &str, count: usize, most: usize, span: Span, errors: &mut Errors) {
    if count > most {
        let message = format!(
            "Template format error: Number of {}, {count}, is greater than maximum allowed, {most}",
            section.to_lowercase()
        );
        errors.add(&Place::ROOT.child(section), span, message);
    }
}

/// Reports each member of `map` that is not in `known`, with `message` before its name.
fn check_members(map: &Map, known: &[&str], message: &str, place: &Place<'_>, errors: &mut Errors) {
    for (key, entry) in map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let message = format!("{message} '{key}'");
        errors.hint(&place.child(key), entry.key_span, message, did_you_mean(key, known.iter().copied()));
    }
}

/// Where a section's first member stands.
fn first_span(map: &Map) -> Span {
    map.values().next().map(|entry| entry.key_span).unwrap_or_default()
}
