//! What can be known to be wrong before any value is: references that lead nowhere, cycles.

use std::collections::BTreeSet;

use super::{Declared, Resource, Template};
use template_text::suggest::did_you_mean;

use crate::{
    error::Errors,
    function::Function,
    graph,
    node::Node,
    pseudo,
    references::{Branches, Reference, ReferenceKind, functions, references},
    span::{Place, Span, Spanned},
};

/// The section that a reference stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Conditions,
    Resources,
    Outputs,
}

impl Block {
    fn name(self) -> &'static str {
        match self {
            Self::Conditions => "Conditions",
            Self::Resources => "Resources",
            Self::Outputs => "Outputs",
        }
    }
}

impl Template {
    pub(super) fn validate(&self, declared: &Declared, errors: &mut Errors) {
        let checker = Checker { template: self, declared };
        checker.check(errors);
    }
}

/// The check of one template.
struct Checker<'a> {
    template: &'a Template,
    declared: &'a Declared,
}

impl Checker<'_> {
    fn check(&self, errors: &mut Errors) {
        self.check_names(errors);
        let section = Place::ROOT.child("Conditions");
        for (name, entry) in &self.template.conditions {
            self.check_node(&entry.node, Block::Conditions, &section.child(name), errors);
        }
        self.check_condition_cycles(errors);
        let section = Place::ROOT.child("Resources");
        for (id, resource) in &self.template.resources {
            self.check_resource(resource, &section.child(id), errors);
        }
        let section = Place::ROOT.child("Outputs");
        for (name, output) in &self.template.outputs {
            let place = section.child(name);
            self.check_node(&output.value, Block::Outputs, &place.child("Value"), errors);
            if let Some(export) = &output.export {
                self.check_node(export, Block::Outputs, &place.child("Export"), errors);
            }
            self.check_condition(output.condition.as_ref(), Block::Outputs, &place, errors);
        }
        if errors.is_empty() {
            errors.extend(graph::static_cycle(self.template));
        }
    }

    fn check_names(&self, errors: &mut Errors) {
        let section = Place::ROOT.child("Resources");
        for (id, resource) in
            self.template.resources.iter().filter(|(id, _)| self.template.parameters.contains_key(*id))
        {
            let message = format!("Template format error: {id} is the name of a parameter and of a resource");
            errors.add(&section.child(id), resource.span, message);
        }
    }

    fn check_resource(&self, resource: &Resource, place: &Place<'_>, errors: &mut Errors) {
        let properties = place.child("Properties");
        for (name, entry) in &resource.properties {
            self.check_node(&entry.node, Block::Resources, &properties.child(name), errors);
        }
        let attributes = [
            ("Metadata", &resource.metadata),
            ("CreationPolicy", &resource.creation_policy),
            ("UpdatePolicy", &resource.update_policy),
        ];
        for (name, node) in attributes {
            if let Some(node) = node {
                self.check_node(node, Block::Resources, &place.child(name), errors);
            }
        }
        self.check_condition(resource.condition.as_ref(), Block::Resources, place, errors);
        for target in
            resource.depends_on.iter().filter(|target| !self.declared.resources.contains(&target.value))
        {
            let hint = did_you_mean(&target.value, self.template.resources.keys().map(String::as_str));
            errors.hint(
                &place.child("DependsOn"),
                target.span,
                unresolved(&target.value, Block::Resources),
                hint,
            );
        }
    }

    fn check_condition(
        &self,
        name: Option<&Spanned<String>>,
        block: Block,
        place: &Place<'_>,
        errors: &mut Errors,
    ) {
        let Some(name) = name.filter(|name| !self.template.conditions.contains_key(&name.value)) else {
            return;
        };
        let message = format!(
            "Template format error: Unresolved condition dependency {} in the {} block of the template",
            name.value,
            block.name()
        );
        let hint = did_you_mean(&name.value, self.template.conditions.keys().map(String::as_str));
        errors.hint(&place.child("Condition"), name.span, message, hint);
    }

    /// Checks everything that a node's functions refer to.
    fn check_node(&self, node: &Node, block: Block, place: &Place<'_>, errors: &mut Errors) {
        for reference in references(node, Branches::Both) {
            self.check_reference(&reference, block, place, errors);
        }
        functions(node, Branches::Both, &mut |function, span| {
            self.check_function(function, span, place, errors);
        });
    }

    fn check_reference(
        &self,
        reference: &Reference<'_>,
        block: Block,
        place: &Place<'_>,
        errors: &mut Errors,
    ) {
        let name = reference.name;
        let resources = self.template.resources.keys().map(String::as_str);
        let of_attribute = matches!(reference.kind, ReferenceKind::Attribute(_));
        let value = self.declared.parameters.contains(name) || pseudo::NAMES.contains(&name);
        let resource = self.declared.resources.contains(name) && block != Block::Conditions;
        if resource || value && !of_attribute {
            return;
        }
        let (message, hint) = if block == Block::Conditions {
            let message = format!(
                "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the \
                 Conditions block of the template"
            );
            (message, did_you_mean(name, self.value_names()))
        } else if of_attribute {
            let message = format!(
                "Template error: instance of {} references undefined resource {name}",
                reference.function
            );
            let no_attributes = || format!("{name} is a parameter, which has no attributes: use Ref");
            (message, if value { Some(no_attributes()) } else { did_you_mean(name, resources) })
        } else {
            let near = did_you_mean(name, resources.chain(self.value_names()));
            let text = || format!("write ${{!{name}}} for the text ${{{name}}}");
            (unresolved(name, block), near.or_else(|| (reference.function == "Fn::Sub").then(text)))
        };
        errors.hint(place, reference.span, message, hint);
    }

    fn value_names(&self) -> impl Iterator<Item = &str> {
        self.template.parameters.keys().map(String::as_str).chain(pseudo::NAMES)
    }

    fn check_function(&self, function: &Function, span: Span, place: &Place<'_>, errors: &mut Errors) {
        match function {
            Function::If { condition, .. } => self.check_condition_name(condition, "Fn::If", place, errors),
            Function::Condition(name) => self.check_condition_name(name, "Condition", place, errors),
            Function::FindInMap { map, top_key, second_key } => {
                self.check_mapping(map, top_key, second_key, place, errors);
            }
            Function::ImportValue(name) => {
                let of_resources = references(name, Branches::Both).iter().any(|reference| {
                    matches!(reference.kind, ReferenceKind::Attribute(_))
                        || self.template.resources.contains_key(reference.name)
                });
                let mut forbidden = of_resources;
                functions(name, Branches::Both, &mut |inner, _| {
                    forbidden |= matches!(inner, Function::ImportValue(_) | Function::GetAzs(_));
                });
                if forbidden {
                    let message = "Template error: the attribute in Fn::ImportValue must not depend on any \
                                   resources, imported values, or Fn::GetAZs";
                    errors.add(place, span, message);
                }
            }
            _ => {}
        }
    }

    fn check_condition_name(
        &self,
        name: &Spanned<String>,
        function: &str,
        place: &Place<'_>,
        errors: &mut Errors,
    ) {
        if !self.template.conditions.contains_key(&name.value) {
            let message =
                format!("Template error: unresolved condition dependency {} in {function}", name.value);
            let hint = did_you_mean(&name.value, self.template.conditions.keys().map(String::as_str));
            errors.hint(place, name.span, message, hint);
        }
    }

    /// Checks the keys of `Fn::FindInMap` as far as they are written out.
    fn check_mapping(&self, map: &Node, top: &Node, second: &Node, place: &Place<'_>, errors: &mut Errors) {
        for key in [map, top, second] {
            for reference in references(key, Branches::Both) {
                if self.template.resources.contains_key(reference.name) {
                    let message = format!(
                        "Template error: Fn::FindInMap cannot refer to the resource {}: mappings are looked up \
                         before resources exist",
                        reference.name
                    );
                    errors.add(place, reference.span, message);
                }
            }
        }
        let Some(name) = map.as_str() else { return };
        if !self.template.mappings.contains(name) {
            let message = format!(
                "Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
            );
            errors.hint(place, map.span, message, did_you_mean(name, self.template.mappings.names()));
            return;
        }
        let Some(top_key) = top.scalar_text() else { return };
        let mut keys = self.template.mappings.top_keys(name);
        if !keys.any(|key| key == top_key) {
            let shown = second.scalar_text().unwrap_or_else(|| "…".to_owned());
            let message = format!("Template error: Unable to get mapping for {name}::{top_key}::{shown}");
            errors.hint(
                place,
                top.span,
                message,
                did_you_mean(&top_key, self.template.mappings.top_keys(name)),
            );
            return;
        }
        let Some(second_key) = second.scalar_text() else { return };
        if self.template.mappings.get(name, &top_key, &second_key).is_none() {
            let message =
                format!("Template error: Unable to get mapping for {name}::{top_key}::{second_key}");
            let hint = did_you_mean(&second_key, self.template.mappings.second_keys(name, &top_key));
            errors.hint(place, second.span, message, hint);
        }
    }

    /// Reports each condition that depends on itself.
    fn check_condition_cycles(&self, errors: &mut Errors) {
        let section = Place::ROOT.child("Conditions");
        for (name, entry) in &self.template.conditions {
            let mut reached = BTreeSet::new();
            let mut open = vec![name.as_str()];
            while let Some(next) = open.pop() {
                let Some(entry) = self.template.conditions.get(next) else { continue };
                functions(&entry.node, Branches::Both, &mut |function, _| {
                    if let Function::Condition(target) = function
                        && reached.insert(target.value.as_str())
                    {
                        open.push(&target.value);
                    }
                });
            }
            if reached.contains(name.as_str()) {
                let message = format!("Template error: condition {name} depends on itself");
                errors.add(&section.child(name), entry.key_span, message);
            }
        }
    }
}

fn unresolved(name: &str, block: Block) -> String {
    format!(
        "Template format error: Unresolved resource dependencies [{name}] in the {} block of the template",
        block.name()
    )
}
