//! How variables get their values.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    context::{Context, Host},
    error::{Collector, Error, Errors},
    json,
    language::{self, ExpressionError, Scope, Section},
    node::Value,
    source::{Place, Source},
    template::Template,
    text,
    variables::{VarInput, VarInputs, Variables},
};

/// A value that is still to be rendered.
struct Pending {
    text: String,
    place: Option<Place>,
}

pub(crate) fn resolve(template: &Template, inputs: &VarInputs, host: &Host) -> (Variables, Option<Errors>) {
    let mut errors = Collector::default();
    let given = given(inputs, &mut errors);
    let mut pending: IndexMap<&str, Pending> = IndexMap::new();
    for variable in template.variables.values() {
        match (given.get(&variable.name), &variable.default) {
            (Some(value), _) => {
                pending.insert(&variable.name, value.pending());
            }
            (None, Some(default)) => {
                let place = Some(template.source.place(variable.default_span));
                pending.insert(&variable.name, Pending { text: default.clone(), place });
            }
            (None, None) => errors.push(
                Error::new(format!("the variable '{}' has no value", variable.name))
                    .at(&template.source, variable.span)
                    .path(format!("variables/{}", variable.name))
                    .help(format!("its default is null, so give one: -var {}=VALUE", variable.name)),
            ),
        }
    }
    // Packer's JSON templates can use variables that only the command line knows.
    for (name, value) in &given {
        if !template.variables.contains_key(name) {
            pending.insert(name, value.pending());
        }
    }
    let mut values = render(&pending, host, &mut errors);
    // In the order of the template, not in that of being rendered.
    values.sort_by(|a, _, b, _| pending.get_index_of(a.as_str()).cmp(&pending.get_index_of(b.as_str())));
    let sensitive = template.variables.values().filter(|variable| variable.sensitive);
    let sensitive = sensitive.map(|variable| variable.name.clone()).collect();
    let names = template.variables.keys().map(String::as_str).chain(pending.keys().copied());
    let failed = names.filter(|name| !values.contains_key(*name)).map(str::to_owned).collect();
    (Variables { values, sensitive, failed }, errors.into_result(()).err())
}

/// A value of the command line.
struct Given {
    text: String,
    place: Option<Place>,
}

impl Given {
    fn pending(&self) -> Pending {
        Pending { text: self.text.clone(), place: self.place.clone() }
    }
}

/// What the command line sets: files in their order, then single variables, which win over all files.
fn given(inputs: &VarInputs, errors: &mut Collector) -> IndexMap<String, Given> {
    let mut given = IndexMap::new();
    for input in &inputs.inputs {
        if let VarInput::File(source) = input {
            match file(source) {
                Ok(entries) => given.extend(entries),
                Err(found) => errors.extend(found),
            }
        }
    }
    for input in &inputs.inputs {
        if let VarInput::Var { name, value } = input {
            given.insert(name.clone(), Given { text: value.clone(), place: None });
        }
    }
    given
}

/// A variable file: a JSON object of strings.
fn file(source: &Source) -> Result<Vec<(String, Given)>, Errors> {
    let root = json::parse(source)?;
    let span = root.as_ref().map(|node| node.span).unwrap_or_default();
    let Some(Value::Object(entries)) = root.map(|node| node.value) else {
        return Err(Error::new("a variable file is a JSON object of strings").at(source, span).into());
    };
    let mut errors = Collector::default();
    let mut given = Vec::new();
    for entry in entries {
        match entry.value.value {
            Value::String(text) => {
                let place = Some(source.place(entry.value.span));
                given.push((entry.key, Given { text, place }));
            }
            // Go decodes null into an empty string.
            Value::Null => given.push((entry.key, Given { text: String::new(), place: None })),
            other => errors.push(
                Error::new(format!("the value of '{}' must be a string, not {}", entry.key, other.kind()))
                    .at(source, entry.value.span)
                    .help("put it into quotes: Packer's variables are strings"),
            ),
        }
    }
    errors.into_result(given)
}

/// Renders values until no more of them can be: they may refer to one another in any order.
fn render(
    pending: &IndexMap<&str, Pending>,
    host: &Host,
    errors: &mut Collector,
) -> IndexMap<String, String> {
    let context = Context::new(Arc::new(host.clone()), Arc::default());
    let mut values = IndexMap::new();
    let mut waiting: Vec<&str> = pending.keys().copied().collect();
    loop {
        let before = waiting.len();
        let mut stuck: Vec<(&str, ExpressionError)> = Vec::new();
        waiting.retain(|name| {
            let Pending { text, place } = &pending[name];
            let rendered = language::render(text, &Scope::new(&context, Section::Variables(&values)));
            match rendered {
                Ok(value) => {
                    values.insert((*name).to_owned(), value);
                    false
                }
                Err(error) if error.unset.is_some() => {
                    stuck.push((*name, error));
                    true
                }
                Err(error) => {
                    errors.push(text::locate(error, place.as_ref(), &format!("variables/{name}")));
                    false
                }
            }
        });
        if waiting.is_empty() {
            return values;
        }
        if waiting.len() == before {
            for (name, error) in stuck {
                errors.push(unresolved(name, error, pending));
            }
            return values;
        }
    }
}

/// Why a variable never got its value: it asks for one that is not there, or for itself by way of others.
fn unresolved(name: &str, mut error: ExpressionError, pending: &IndexMap<&str, Pending>) -> Error {
    let asked = error.unset.clone().unwrap_or_default();
    if pending.contains_key(asked.as_str()) {
        error.message = format!("the variable '{name}' needs '{asked}', which cannot get a value itself");
        error.help = Some("variables may refer to one another, but not in a circle".to_owned());
    } else {
        let known = pending.keys().copied().filter(|other| *other != name);
        error.message = format!("the variable '{name}' needs '{asked}', which is not declared");
        error.help = template_text::suggest::did_you_mean(&asked, known);
    }
    let place = pending.get(name).and_then(|pending| pending.place.as_ref());
    text::locate(error, place, &format!("variables/{name}"))
}
