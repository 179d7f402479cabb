//! The changes to one resource that is and stays part of the stack.

use indexmap::{IndexMap, IndexSet};
use serde_json::Value as Json;

use super::{
    Action, Attribute, ChangeDetail, ChangeSource, Evaluation, PolicyAction, Replacement, RequiresRecreation,
    ResourceChange, StackView, UpdateRules, ValueChange, compare, scope,
};
use crate::{
    evaluate::EvaluatedResource,
    node::Node,
    policy::{CreationPolicy, UpdatePolicy},
    references::{Branches, Reference, ReferenceKind, references},
    schema::Update,
    template::DeletionPolicy,
};

/// A resource as it is and as it is to become.
pub(super) struct Pair<'a> {
    pub(super) id: &'a str,
    pub(super) was: &'a EvaluatedResource,
    pub(super) now: &'a EvaluatedResource,
    pub(super) before: &'a StackView<'a>,
    pub(super) after: &'a StackView<'a>,
    /// The changes to the resources that this one may refer to.
    pub(super) earlier: &'a [ResourceChange],
}

/// The causes of a change to one node: by parameters and by resources.
type Causes<'a> = (IndexSet<&'a str>, IndexMap<String, ChangeSource>);

impl Pair<'_> {
    pub(super) fn change(&self, rules: &(impl UpdateRules + ?Sized)) -> Option<ResourceChange> {
        let mut details = self.properties(rules);
        details.extend(self.attributes());
        if details.is_empty() {
            return None;
        }
        let replacement = details.iter().map(replacement).max().unwrap_or(Replacement::False);
        let policy_action =
            (replacement != Replacement::False).then_some(match self.was.update_replace_policy {
                DeletionPolicy::Delete => PolicyAction::ReplaceAndDelete,
                DeletionPolicy::Retain | DeletionPolicy::RetainExceptOnCreate => {
                    PolicyAction::ReplaceAndRetain
                }
                DeletionPolicy::Snapshot => PolicyAction::ReplaceAndSnapshot,
            });
        Some(ResourceChange {
            logical_id: self.id.to_owned(),
            type_: self.now.type_.clone(),
            action: Action::Modify,
            replacement,
            policy_action,
            scope: scope(&details),
            details,
        })
    }

    fn properties(&self, rules: &(impl UpdateRules + ?Sized)) -> Vec<ChangeDetail> {
        let names: IndexSet<&String> = self.now.properties.keys().chain(self.was.properties.keys()).collect();
        names.into_iter().flat_map(|name| self.property(name, rules)).collect()
    }

    fn property(&self, name: &str, rules: &(impl UpdateRules + ?Sized)) -> Vec<ChangeDetail> {
        let path = format!("/Properties/{name}");
        let changes = compare::changes(&path, self.was.properties.get(name), self.now.properties.get(name));
        let attribute = if name == "Tags" { Attribute::Tags } else { Attribute::Properties };
        let nodes = (property_node(self.before, self.id, name), property_node(self.after, self.id, name));
        // A change that only a reference may bring is to the property as a whole.
        let paths = changes.iter().map(|change| change.path.as_str());
        let recreation = paths.map(|path| self.recreation(path, rules)).max();
        let detail = Detail {
            attribute,
            name: (attribute == Attribute::Properties).then(|| name.to_owned()),
            recreation: recreation.unwrap_or_else(|| self.recreation(&path, rules)),
        };
        self.details(&detail, nodes, changes)
    }

    fn recreation(&self, path: &str, rules: &(impl UpdateRules + ?Sized)) -> RequiresRecreation {
        let steps: Vec<&str> = path.split('/').skip(2).collect();
        match rules.update(&self.now.type_, &steps) {
            Update::Mutable => RequiresRecreation::Never,
            Update::Conditional => RequiresRecreation::Conditionally,
            Update::Replacement | Update::Immutable => RequiresRecreation::Always,
        }
    }

    fn attributes(&self) -> Vec<ChangeDetail> {
        const ATTRIBUTES: [Attribute; 5] = [
            Attribute::Metadata,
            Attribute::CreationPolicy,
            Attribute::UpdatePolicy,
            Attribute::DeletionPolicy,
            Attribute::UpdateReplacePolicy,
        ];
        let details = ATTRIBUTES.into_iter().flat_map(|attribute| {
            let (was, now) = (attribute_value(self.was, attribute), attribute_value(self.now, attribute));
            let changes = compare::changes(&format!("/{}", attribute.name()), was.as_ref(), now.as_ref());
            let detail = Detail { attribute, name: None, recreation: RequiresRecreation::Never };
            let node = |view| attribute_node(view, self.id, attribute);
            self.details(&detail, (node(self.before), node(self.after)), changes)
        });
        details.collect()
    }

    /// A detail for each cause of a change.
    fn details(
        &self,
        detail: &Detail,
        (was, now): (Option<&Node>, Option<&Node>),
        changes: Vec<ValueChange>,
    ) -> Vec<ChangeDetail> {
        let (parameters, resources) = self.causes(now);
        let mut details = Vec::new();
        if !changes.is_empty() {
            let rewritten = was.map(Node::to_json) != now.map(Node::to_json);
            if rewritten || parameters.is_empty() {
                details.push(detail.with(ChangeSource::DirectModification, None, changes.clone()));
            }
            for parameter in parameters {
                let cause = Some(parameter.to_owned());
                details.push(detail.with(ChangeSource::ParameterReference, cause, changes.clone()));
            }
        }
        for (entity, source) in resources {
            details.push(detail.with(source, Some(entity), Vec::new()));
        }
        details
    }

    fn causes<'n>(&self, node: Option<&'n Node>) -> Causes<'n> {
        let (mut parameters, mut resources) = (IndexSet::new(), IndexMap::new());
        let Some(node) = node else { return (parameters, resources) };
        for reference in references(node, Branches::Taken(&self.after.conditions)) {
            if self.after.parameters.get(reference.name).is_some() {
                if self.parameter_changed(reference.name) {
                    parameters.insert(reference.name);
                }
            } else if let Some((entity, source)) = self.resource_cause(&reference) {
                resources.insert(entity, source);
            }
        }
        (parameters, resources)
    }

    fn parameter_changed(&self, name: &str) -> bool {
        let was = self.before.parameters.get(name).map(|value| value.to_json());
        was != self.after.parameters.get(name).map(|value| value.to_json())
    }

    /// What a reference may bring: another physical id when its resource is replaced, another attribute also when
    /// it is changed in place (such as a launch template's latest version).
    fn resource_cause(&self, reference: &Reference<'_>) -> Option<(String, ChangeSource)> {
        let change = self
            .earlier
            .iter()
            .find(|change| change.logical_id == reference.name && change.action == Action::Modify)?;
        match reference.kind {
            ReferenceKind::Ref if change.replacement == Replacement::False => None,
            ReferenceKind::Ref => Some((reference.name.to_owned(), ChangeSource::ResourceReference)),
            ReferenceKind::Attribute(attribute) => {
                let entity = match attribute {
                    Some(attribute) => format!("{}.{attribute}", reference.name),
                    None => reference.name.to_owned(),
                };
                Some((entity, ChangeSource::ResourceAttribute))
            }
        }
    }
}

/// What the details of one part have in common.
struct Detail {
    attribute: Attribute,
    name: Option<String>,
    recreation: RequiresRecreation,
}

impl Detail {
    fn with(
        &self,
        source: ChangeSource,
        causing_entity: Option<String>,
        changes: Vec<ValueChange>,
    ) -> ChangeDetail {
        let evaluation = match source {
            ChangeSource::DirectModification | ChangeSource::ParameterReference => Evaluation::Static,
            ChangeSource::ResourceReference | ChangeSource::ResourceAttribute => Evaluation::Dynamic,
        };
        ChangeDetail {
            attribute: self.attribute,
            name: self.name.clone(),
            requires_recreation: self.recreation,
            evaluation,
            source,
            causing_entity,
            changes,
        }
    }
}

fn replacement(detail: &ChangeDetail) -> Replacement {
    match (detail.requires_recreation, detail.evaluation) {
        (RequiresRecreation::Never, _) => Replacement::False,
        (RequiresRecreation::Always, Evaluation::Static) => Replacement::True,
        _ => Replacement::Conditional,
    }
}

fn property_node<'a>(view: &'a StackView<'_>, id: &str, name: &str) -> Option<&'a Node> {
    view.template.resources.get(id)?.properties.get(name).map(|entry| &entry.node)
}

fn attribute_node<'a>(view: &'a StackView<'_>, id: &str, attribute: Attribute) -> Option<&'a Node> {
    let resource = view.template.resources.get(id)?;
    match attribute {
        Attribute::Metadata => resource.metadata.as_ref(),
        Attribute::CreationPolicy => resource.creation_policy.as_ref(),
        Attribute::UpdatePolicy => resource.update_policy.as_ref(),
        // Properties are compared one by one, and these policies are words without functions.
        Attribute::Properties
        | Attribute::Tags
        | Attribute::DeletionPolicy
        | Attribute::UpdateReplacePolicy => None,
    }
}

fn attribute_value(resource: &EvaluatedResource, attribute: Attribute) -> Option<Json> {
    match attribute {
        Attribute::Properties | Attribute::Tags => None,
        Attribute::Metadata => resource.metadata.clone(),
        Attribute::CreationPolicy => resource.creation_policy.as_ref().map(CreationPolicy::to_json),
        Attribute::UpdatePolicy => resource.update_policy.as_ref().map(UpdatePolicy::to_json),
        Attribute::DeletionPolicy => Some(Json::from(resource.deletion_policy.name())),
        Attribute::UpdateReplacePolicy => Some(Json::from(resource.update_replace_policy.name())),
    }
}
