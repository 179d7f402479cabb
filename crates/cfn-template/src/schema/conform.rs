//! Checking what came out of an evaluation, and bringing it to the types that the schema has.

use serde_json::{Map as JsonMap, Value as Json};

use super::{Kind, Property, ResourceSchema, is_scalar, missing, unsupported, wrong_type};
use template_text::suggest::did_you_mean;

use crate::{
    error::{Errors, TemplateErrors},
    evaluate::scalar_text,
    span::{Place, Span},
    template::Resource,
};

/// Brings evaluated properties to the types that the schema has: `"true"` becomes `true` and `"5"` becomes `5`
/// where a boolean or number is wanted, `5` becomes `"5"` where text is, and the text of a JSON document becomes
/// the document.
///
/// # Errors
/// Every property that cannot be, each placed at the top-level property it is in.
pub fn conform(
    resource: &Resource,
    properties: JsonMap<String, Json>,
    schema: &ResourceSchema,
) -> Result<JsonMap<String, Json>, TemplateErrors> {
    let mut errors = Errors::default();
    let section = Place::ROOT.child("Resources");
    let place = section.child(&resource.logical_id);
    let mut conformer = Conformer { resource, span: resource.span, errors: &mut errors };
    let properties = conformer.object(properties, schema.properties, &place.child("Properties"), true);
    errors.into_result(properties)
}

struct Conformer<'a> {
    resource: &'a Resource,
    /// Where the top-level property under way stands.
    span: Span,
    errors: &'a mut Errors,
}

impl Conformer<'_> {
    fn object(
        &mut self,
        map: JsonMap<String, Json>,
        properties: &[Property],
        place: &Place<'_>,
        top: bool,
    ) -> JsonMap<String, Json> {
        for property in
            properties.iter().filter(|property| property.required && !map.contains_key(property.name))
        {
            self.errors.add(place, self.span, missing(property.name));
        }
        let mut conformed = JsonMap::new();
        for (name, value) in map {
            if top && let Some(entry) = self.resource.properties.get(&name) {
                self.span = entry.key_span;
            }
            let place = place.child(&name);
            let value = match properties.iter().find(|property| property.name == name) {
                Some(property) => self.value(value, &name, property.kind, &place),
                None => {
                    let hint = did_you_mean(&name, properties.iter().map(|property| property.name));
                    self.errors.hint(&place, self.span, unsupported(&name), hint);
                    continue;
                }
            };
            conformed.insert(name, value);
        }
        conformed
    }

    fn value(&mut self, value: Json, name: &str, kind: Kind, place: &Place<'_>) -> Json {
        match (value, kind.plain()) {
            (Json::Array(items), Kind::List(item)) => {
                let items = items.into_iter().enumerate();
                Json::Array(
                    items.map(|(index, value)| self.value(value, name, *item, &place.index(index))).collect(),
                )
            }
            (Json::Object(map), Kind::Object(members)) => {
                Json::Object(self.object(map, members, place, false))
            }
            (Json::Object(map), Kind::Map(item)) => {
                let conformed = map.into_iter().map(|(key, value)| {
                    let value = self.value(value, &key, *item, &place.child(&key));
                    (key, value)
                });
                Json::Object(conformed.collect())
            }
            (value @ Json::Object(_), Kind::Json) => value,
            (value, kind) => match scalar_text(&value).filter(|text| is_scalar(kind, text)) {
                Some(text) => typed(text, kind),
                None => {
                    self.errors.add(place, self.span, wrong_type(name, kind));
                    value
                }
            },
        }
    }
}

/// Text that is known to be of the kind, as a value of its type.
fn typed(text: String, kind: Kind) -> Json {
    let typed = match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Json::from),
        Kind::Double => text.parse::<f64>().ok().map(Json::from),
        Kind::Boolean => Some(Json::Bool(text.eq_ignore_ascii_case("true"))),
        Kind::Json => serde_json::from_str(&text).ok(),
        _ => None,
    };
    typed.unwrap_or(Json::String(text))
}
