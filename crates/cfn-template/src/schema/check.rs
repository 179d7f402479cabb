//! Checking what is written in a template, before anything is evaluated.

use super::{Kind, Property, ResourceSchema, is_scalar, missing, unsupported, wrong_type};
use template_text::suggest::did_you_mean;

use crate::{
    error::{Errors, TemplateError, TemplateErrors},
    function::Function,
    node::{Map, Node, Value},
    pseudo::NO_VALUE,
    references::{Branches, ReferenceKind, references},
    span::{Place, Span},
    template::{Resource, Template},
};

/// Checks a whole template against the resource types that are supported: their properties, and the attributes
/// that are asked of them.
///
/// # Errors
/// Every resource of another type, every property that is unsupported, missing or of the wrong type, and every
/// attribute that the type does not have.
pub fn check_types(template: &Template, schemas: &[&ResourceSchema]) -> Result<(), TemplateErrors> {
    let schema_of = |name: &str| schemas.iter().find(|schema| schema.type_name == name).copied();
    let mut errors = Errors::default();
    let section = Place::ROOT.child("Resources");
    for resource in template.resources.values() {
        let type_ = &resource.type_;
        if let Some(schema) = schema_of(&type_.value) {
            errors.extend(validate(resource, schema));
        } else {
            let place = section.child(&resource.logical_id);
            let message = format!("Template format error: Unrecognized resource types: [{}]", type_.value);
            let hint = did_you_mean(&type_.value, schemas.iter().map(|schema| schema.type_name));
            errors.hint(&place.child("Type"), type_.span, message, hint);
        }
        for (attribute, node) in resource.nodes() {
            let place = section.child(&resource.logical_id);
            check_attributes(template, node, &place.child(attribute), &schema_of, &mut errors);
        }
    }
    let section = Place::ROOT.child("Outputs");
    for (name, output) in &template.outputs {
        check_attributes(template, &output.value, &section.child(name), &schema_of, &mut errors);
    }
    errors.into_result(())
}

/// Checks that every attribute that a node asks for is one its resource has.
fn check_attributes<'s>(
    template: &Template,
    node: &Node,
    place: &Place<'_>,
    schema_of: &dyn Fn(&str) -> Option<&'s ResourceSchema>,
    errors: &mut Errors,
) {
    for reference in references(node, Branches::Both) {
        let ReferenceKind::Attribute(Some(attribute)) = reference.kind else { continue };
        let Some(resource) = template.resources.get(reference.name) else { continue };
        let Some(schema) = schema_of(&resource.type_.value) else { continue };
        if !schema.has_attribute(attribute) {
            let message = format!(
                "Template error: resource {} does not support attribute type {attribute} in {}",
                reference.name, reference.function
            );
            let hint = did_you_mean(attribute, schema.attributes.iter().copied());
            errors.hint(place, reference.span, message, hint);
        }
    }
}

/// Checks a resource's properties as they are written. What a function will give is not known yet, so functions
/// pass unless they can never give what is wanted; [`super::conform`] checks what came out.
pub fn validate(resource: &Resource, schema: &ResourceSchema) -> Vec<TemplateError> {
    let mut errors = Errors::default();
    let section = Place::ROOT.child("Resources");
    let place = section.child(&resource.logical_id);
    let place = place.child("Properties");
    check_object(&resource.properties, schema.properties, resource.span, &place, &mut errors);
    errors.into_result(()).map_or_else(TemplateErrors::into_vec, |()| Vec::new())
}

fn check_object(map: &Map, properties: &[Property], span: Span, place: &Place<'_>, errors: &mut Errors) {
    for (name, entry) in map {
        match properties.iter().find(|property| property.name == name) {
            Some(property) => check_value(&entry.node, name, property.kind, &place.child(name), errors),
            None => {
                let hint = did_you_mean(name, properties.iter().map(|property| property.name));
                errors.hint(&place.child(name), entry.key_span, unsupported(name), hint);
            }
        }
    }
    for property in properties.iter().filter(|property| property.required && !map.contains_key(property.name))
    {
        errors.add(place, span, missing(property.name));
    }
}

fn check_value(node: &Node, name: &str, kind: Kind, place: &Place<'_>, errors: &mut Errors) {
    let kind = kind.plain();
    match (&node.value, kind) {
        (Value::Function(function), _) => check_function(function, node.span, name, kind, place, errors),
        (Value::List(items), Kind::List(item)) => {
            for (index, node) in items.iter().enumerate() {
                check_value(node, name, *item, &place.index(index), errors);
            }
        }
        (Value::Map(map), Kind::Object(members)) => check_object(map, members, node.span, place, errors),
        (Value::Map(map), Kind::Map(item)) => {
            for (key, entry) in map {
                check_value(&entry.node, key, *item, &place.child(key), errors);
            }
        }
        (Value::Map(_), Kind::Json) => {}
        _ => {
            if !node.scalar_text().is_some_and(|text| is_scalar(kind, &text)) {
                let text = node.scalar_text().unwrap_or_default();
                let hint = match kind {
                    Kind::Enum(words) => did_you_mean(&text, words.iter().copied()),
                    _ => None,
                };
                errors.hint(place, node.span, wrong_type(name, kind), hint);
            }
        }
    }
}

fn check_function(
    function: &Function,
    span: Span,
    name: &str,
    kind: Kind,
    place: &Place<'_>,
    errors: &mut Errors,
) {
    let gives_list = matches!(function, Function::Split { .. } | Function::GetAzs(_) | Function::Cidr { .. });
    let gives_text = !function.may_be_list();
    let wrong = match function {
        Function::Ref(target) if target.value == NO_VALUE => false,
        Function::If { then, otherwise, .. } => {
            check_value(then, name, kind, place, errors);
            check_value(otherwise, name, kind, place, errors);
            false
        }
        _ => match kind {
            Kind::List(_) => gives_text,
            Kind::Object(_) | Kind::Map(_) => gives_text || gives_list,
            _ => gives_list,
        },
    };
    if wrong {
        errors.add(
            place,
            span,
            format!("{}, which {} does not give", wrong_type(name, kind), function.name()),
        );
    }
}
