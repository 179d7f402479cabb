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
            (replacement != Replacement::False).then(|| match self.was.update_replace_policy {
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
        let whole = [format!("/Properties/{name}")];
        let paths = if changes.is_empty() {
            whole.to_vec()
        } else {
            changes.iter().map(|c| c.path.clone()).collect()
        };
        let recreation = paths.iter().map(|path| self.recreation(path, rules)).max();
        let detail = Detail {
            attribute,
            name: (attribute == Attribute::Properties).then(|| name.to_owned()),
            recreation: recreation.unwrap_or(RequiresRecreation::Never),
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
        let nodes = |read: fn(&crate::Resource) -> Option<&Node>| {
            let node = |view: &'_ StackView<'_>| view.template.resources.get(self.id).and_then(read).cloned();
            (node(self.before), node(self.after))
        };
        let policy = |policy: DeletionPolicy| Some(Json::from(policy.name()));
        let json = |node: &Option<Node>| node.as_ref().map(Node::to_json);
        let (metadata, creation, update) = (
            nodes(|resource| resource.metadata.as_ref()),
            nodes(|resource| resource.creation_policy.as_ref()),
            nodes(|resource| resource.update_policy.as_ref()),
        );
        // Policies are compared as written when their values cannot differ otherwise than by what is written or by
        // parameters: an unchanged evaluated policy is no change.
        let unless_same = |same: bool, node: &Option<Node>| if same { None } else { json(node) };
        let same_creation = self.was.creation_policy == self.now.creation_policy;
        let same_update = self.was.update_policy == self.now.update_policy;
        let values = [
            (Attribute::Metadata, metadata.clone(), self.was.metadata.clone(), self.now.metadata.clone()),
            (
                Attribute::CreationPolicy,
                creation.clone(),
                unless_same(same_creation, &creation.0),
                unless_same(same_creation, &creation.1),
            ),
            (
                Attribute::UpdatePolicy,
                update.clone(),
                unless_same(same_update, &update.0),
                unless_same(same_update, &update.1),
            ),
            (
                Attribute::DeletionPolicy,
                (None, None),
                policy(self.was.deletion_policy),
                policy(self.now.deletion_policy),
            ),
            (
                Attribute::UpdateReplacePolicy,
                (None, None),
                policy(self.was.update_replace_policy),
                policy(self.now.update_replace_policy),
            ),
        ];
        let details = values.into_iter().flat_map(|(attribute, nodes, was, now)| {
            let changes = compare::changes(&format!("/{}", attribute.name()), was.as_ref(), now.as_ref());
            let detail = Detail { attribute, name: None, recreation: RequiresRecreation::Never };
            self.details(&detail, (nodes.0.as_ref(), nodes.1.as_ref()), changes)
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
