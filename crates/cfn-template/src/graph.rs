//! Which resource waits for which.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};

use crate::{
    error::{TemplateError, TemplateErrors},
    evaluate::Conditions,
    references::{Branches, references},
    span::Place,
    template::{Resource, Template},
};

/// The dependencies between the resources of a stack, those that conditions exclude left out.
///
/// A resource depends on those it refers to in its properties, metadata and policies, and on those it names in
/// `DependsOn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Every resource in the order written, with those it depends on.
    dependencies: IndexMap<String, IndexSet<String>>,
    dependents: IndexMap<String, IndexSet<String>>,
    order: Vec<String>,
}

impl Graph {
    /// The graph of a template's resources under one set of conditions.
    ///
    /// # Errors
    /// `Circular dependency between resources: [A, B]`, placed at the cycle's first resource.
    pub fn new(template: &Template, conditions: &Conditions) -> Result<Self, TemplateErrors> {
        let included = |resource: &&Resource| conditions.include(resource);
        Self::build(template, Branches::Taken(conditions), included).map_err(TemplateErrors::from)
    }

    fn build(
        template: &Template,
        branches: Branches<'_>,
        included: impl Fn(&&Resource) -> bool,
    ) -> Result<Self, TemplateError> {
        let resources: IndexMap<&str, &Resource> = template
            .resources
            .values()
            .filter(included)
            .map(|resource| (resource.logical_id.as_str(), resource))
            .collect();
        let mut dependencies = IndexMap::new();
        let mut dependents: IndexMap<String, IndexSet<String>> =
            resources.keys().map(|id| ((*id).to_owned(), IndexSet::new())).collect();
        for (id, resource) in &resources {
            let targets: IndexSet<String> = targets(resource, branches)
                .filter(|target| resources.contains_key(target.as_str()))
                .collect();
            for target in &targets {
                dependents.entry(target.clone()).or_default().insert((*id).to_owned());
            }
            dependencies.insert((*id).to_owned(), targets);
        }
        match sorted(&dependencies) {
            Ok(order) => Ok(Self { dependencies, dependents, order }),
            Err(cycle) => Err(circular(template, &cycle)),
        }
    }

    /// All resources, each after those it depends on; among equals, in the order written.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// Whether the resource is in the graph.
    pub fn contains(&self, logical_id: &str) -> bool {
        self.dependencies.contains_key(logical_id)
    }

    /// The resources that this one waits for while it is made.
    pub fn dependencies(&self, logical_id: &str) -> impl Iterator<Item = &str> {
        self.dependencies.get(logical_id).into_iter().flatten().map(String::as_str)
    }

    /// The resources that wait for this one while they are made, and must be gone before it is deleted.
    pub fn dependents(&self, logical_id: &str) -> impl Iterator<Item = &str> {
        self.dependents.get(logical_id).into_iter().flatten().map(String::as_str)
    }
}

/// The cycle that a template has whatever its parameters are, if any.
pub(crate) fn static_cycle(template: &Template) -> Option<TemplateError> {
    Graph::build(template, Branches::Neither, |resource| resource.condition.is_none()).err()
}

fn targets<'a>(resource: &'a Resource, branches: Branches<'a>) -> impl Iterator<Item = String> + 'a {
    let referred = resource
        .nodes()
        .flat_map(move |(_, node)| references(node, branches))
        .map(|reference| reference.name.to_owned());
    referred.chain(resource.depends_on.iter().map(|target| target.value.clone()))
}

/// A topological order, or a cycle.
fn sorted(dependencies: &IndexMap<String, IndexSet<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut order: IndexSet<&str> = IndexSet::new();
    // Written order is kept wherever dependencies allow: each pass takes what has become ready.
    let mut waiting: Vec<&String> = dependencies.keys().collect();
    while !waiting.is_empty() {
        let before = order.len();
        waiting.retain(|id| {
            let ready = dependencies[*id].iter().all(|target| order.contains(target.as_str()));
            if ready {
                order.insert(id.as_str());
            }
            !ready
        });
        if order.len() == before {
            return Err(cycle(dependencies, &waiting));
        }
    }
    Ok(order.into_iter().map(str::to_owned).collect())
}

/// A cycle among resources that all wait for one another.
fn cycle(dependencies: &IndexMap<String, IndexSet<String>>, waiting: &[&String]) -> Vec<String> {
    let among: BTreeSet<&str> = waiting.iter().map(|id| id.as_str()).collect();
    let mut path: Vec<&str> = Vec::new();
    let mut at = waiting.first().map(|id| id.as_str());
    // Each of them waits for another of them, so the walk comes back to where it was.
    while let Some(id) = at {
        if let Some(start) = path.iter().position(|seen| *seen == id) {
            return path[start..].iter().map(|id| (*id).to_owned()).collect();
        }
        path.push(id);
        at = dependencies[id].iter().map(String::as_str).find(|target| among.contains(target));
    }
    path.into_iter().map(str::to_owned).collect()
}

fn circular(template: &Template, cycle: &[String]) -> TemplateError {
    // The cycle is told from its first member in the file, so that the message does not depend on the walk.
    let index = |id: &String| template.resources.get_index_of(id).unwrap_or(usize::MAX);
    let start = (0..cycle.len()).min_by_key(|at| index(&cycle[*at])).unwrap_or_default();
    let told: Vec<&str> = cycle[start..].iter().chain(&cycle[..start]).map(String::as_str).collect();
    let error = TemplateError::new(format!("Circular dependency between resources: [{}]", told.join(", ")));
    match told.first().and_then(|id| template.resources.get(*id)) {
        Some(resource) => {
            let section = Place::ROOT.child("Resources");
            error.at(resource.span).path(section.child(&resource.logical_id).to_string())
        }
        None => error,
    }
}
