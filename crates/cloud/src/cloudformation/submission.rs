//! Checking what a caller submits before anything is made, so that what is wrong leaves no stack behind.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::cloudformation::{Parameter, Tag};
use cfn_template::schema::check_types;
use cfn_template::{
    DeletionPolicy, Lookup, ParameterValues, Resolver, Resource as TemplateResource, Span, Template,
    TemplateError,
};
use indexmap::IndexMap;
use serde_json::Value;

use super::blueprint::{self, Blueprint};
use super::capabilities;
use super::engine::Host;
use super::exports;
use super::request::{Request, invalid};
use super::state::{Definition, ParameterValue, Stack};
use super::types::{Problem, unknown};

/// What a caller submits for a stack.
pub struct Submission<'s> {
    /// The template's text.
    pub template: String,
    /// The parameters as given.
    pub parameters: &'s [Parameter],
    /// The stack's tags; none means those it has.
    pub tags: &'s [Tag],
    /// The acknowledged capabilities.
    pub capabilities: &'s [String],
    /// The only types that the template may use, by name or `AWS::EC2::*`; all when empty.
    pub resource_types: &'s [String],
}

/// A submission that has passed all checks.
pub struct Checked {
    /// What to store.
    pub definition: Definition,
    /// What to work from.
    pub blueprint: Blueprint,
}

impl<H: Host> Request<'_, H> {
    /// Checks a submission for a stack, which need not be stored yet.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its place in the template.
    pub(super) fn check(&self, stack: &Stack, submission: &Submission<'_>) -> Result<Checked, Error> {
        let template = Template::parse(&submission.template).map_err(|errors| refused(errors.into_vec()))?;
        self.check_support(&template, submission.resource_types)?;
        let values = self.parameters(&template, stack, submission.parameters)?;
        capabilities::check(&template, submission.capabilities)?;
        let pseudo = blueprint::pseudo(stack, self.host.account());
        let parameters = stored(&values);
        let blueprint =
            Blueprint::assemble(template, values, pseudo).map_err(|errors| refused(errors.into_vec()))?;
        self.preflight(stack, &blueprint)?;
        let tags = match (submission.tags, &stack.definition) {
            ([], Some(definition)) => definition.tags.clone(),
            (tags, _) => checked_tags(tags)?,
        };
        let capabilities = submission.capabilities.to_vec();
        let template = submission.template.clone();
        Ok(Checked { definition: Definition { template, parameters, tags, capabilities }, blueprint })
    }

    /// Refuses by name and place what this cloud does not have: types, properties, attributes, policies.
    ///
    /// # Errors
    /// All of them.
    pub(super) fn check_support(&self, template: &Template, allowed: &[String]) -> Result<(), Error> {
        let mut errors = match check_types(template, &self.host.types().schemas()) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_vec(),
        };
        for resource in template.resources.values() {
            let type_ = &resource.type_;
            if !allowed.is_empty() && !allowed.iter().any(|pattern| covers(pattern, &type_.value)) {
                let message =
                    format!("Resource type {} is not allowed by parameter ResourceTypes", type_.value);
                let path = format!("Resources/{}/Type", resource.logical_id);
                errors.push(TemplateError::new(message).at(type_.span).path(path));
            }
            if let Some(kind) = self.host.types().get(&type_.value) {
                errors.extend(unsupported_policies(resource, kind.awaits_signals()));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(refused(errors)) }
    }

    /// The values of all parameters, checked against their declarations and against the cloud.
    fn parameters(
        &self,
        template: &Template,
        stack: &Stack,
        given: &[Parameter],
    ) -> Result<ParameterValues, Error> {
        let mut values = BTreeMap::new();
        let mut previous = BTreeMap::new();
        let known = stack.definition.as_ref().map(|definition| &definition.parameters);
        for parameter in given {
            let name = parameter.parameter_key.clone().unwrap_or_default();
            match (&parameter.parameter_value, parameter.use_previous_value.unwrap_or_default()) {
                (Some(_), true) => {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and \
                         non empty value for a parameter"
                    )));
                }
                (_, true) => {
                    let Some(value) = known.and_then(|known| known.get(&name)) else {
                        return Err(invalid(format!(
                            "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for \
                             a parameter key not in the previous template"
                        )));
                    };
                    previous.insert(name, value.value.clone());
                }
                (value, false) => {
                    values.insert(name, value.clone().unwrap_or_default());
                }
            }
        }
        let mut values = template.resolve_parameters(&values, &previous).map_err(|errors| {
            let reasons: Vec<String> =
                errors.iter().map(|error| error.locate(template).to_string()).collect();
            invalid(reasons.join("\n"))
        })?;
        self.look_up(&mut values)?;
        Ok(values)
    }

    /// Answers what only the cloud knows about parameters: SSM values, and whether named things exist.
    fn look_up(&self, values: &mut ParameterValues) -> Result<(), Error> {
        for lookup in values.lookups() {
            let (parameter, name) = match lookup {
                Lookup::SsmValue { parameter, name } => (parameter, name),
                Lookup::SsmName { .. } | Lookup::Exists { .. } => continue,
            };
            let Some(value) = self.host.ssm_parameter(self.ctx, &name) else {
                return Err(invalid(format!(
                    "Unable to fetch parameters [{name}] from parameter store for this account. (parameter \
                     {parameter})"
                )));
            };
            values.set_ssm(&parameter, value);
        }
        let mut problems = Vec::new();
        for lookup in values.lookups() {
            match lookup {
                Lookup::SsmName { parameter, name } if self.host.ssm_parameter(self.ctx, &name).is_none() => {
                    problems.push(missing_value(&name, &parameter));
                }
                Lookup::SsmName { .. } | Lookup::SsmValue { .. } => {}
                Lookup::Exists { parameter, kind, values } => {
                    match self.host.missing(self.ctx, kind, &values) {
                        Ok(None) => {}
                        Ok(Some(value)) => problems.push(missing_value(&value, &parameter)),
                        Err(reason) => problems.push(format!("Parameter {parameter}: {reason}")),
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(invalid(problems.join("\n"))) }
    }

    /// Asks every resource's type whether what the template wants of it can be at all.
    fn preflight(&self, stack: &Stack, blueprint: &Blueprint) -> Result<(), Error> {
        let resolver = Unmade { request: self, stack };
        let mut errors = Vec::new();
        for (logical_id, declared) in blueprint.resources() {
            let Some(resource) = blueprint.template().resources.get(logical_id) else { continue };
            let Some(kind) = self.host.types().get(&declared.type_) else { continue };
            match blueprint.resource(logical_id, &resolver, kind.schema()) {
                Ok(evaluated) => {
                    let problems = kind.preflight(self.ctx, &evaluated.properties);
                    errors.extend(problems.into_iter().map(|problem| place(resource, problem)));
                }
                // With values of resources that are not made, functions may fail that will not fail later.
                Err(_) if !declared.needs.is_empty() => {}
                Err(reason) => errors.push(TemplateError::new(reason)),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(refused(errors)) }
    }
}

fn missing_value(value: &str, parameter: &str) -> String {
    format!(
        "Parameter validation failed: parameter value {value} for parameter name {parameter} does not exist"
    )
}

/// All errors in one `ValidationError`, one a line.
pub(super) fn refused(errors: Vec<TemplateError>) -> Error {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
    if errors.len() > SHOWN {
        lines.push(format!("and {} more", errors.len() - SHOWN));
    }
    invalid(lines.join("\n"))
}

/// Whether a pattern of `ResourceTypes` covers a type.
fn covers(pattern: &str, type_: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => type_.starts_with(start),
        None => pattern == type_,
    }
}

fn unsupported_policies(resource: &TemplateResource, awaits_signals: bool) -> Vec<TemplateError> {
    let id = &resource.logical_id;
    let error = |message: String, span: Span, tail: &str| {
        TemplateError::new(message).at(span).path(format!("Resources/{id}/{tail}"))
    };
    let mut errors = Vec::new();
    if let Some(node) = &resource.update_policy {
        let message = format!("UpdatePolicy of resource {id} is not supported");
        errors.push(error(message, node.span, "UpdatePolicy"));
    }
    if let Some(node) = &resource.creation_policy {
        if !awaits_signals {
            let message =
                format!("CreationPolicy is not supported for resource type {}", resource.type_.value);
            errors.push(error(message, node.span, "CreationPolicy"));
        } else if let Some(auto_scaling) = node.get("AutoScalingCreationPolicy") {
            let message = "AutoScalingCreationPolicy is not supported: all signals must succeed".to_owned();
            errors.push(error(message, auto_scaling.span, "CreationPolicy/AutoScalingCreationPolicy"));
        }
    }
    let policies = [
        ("DeletionPolicy", resource.deletion_policy),
        ("UpdateReplacePolicy", resource.update_replace_policy),
    ];
    for (name, policy) in policies {
        if policy == Some(DeletionPolicy::Snapshot) {
            let message =
                format!("{name} Snapshot is not supported for resource type {}", resource.type_.value);
            errors.push(error(message, resource.span, name));
        }
    }
    errors
}

/// Puts a type's complaint at its place in the template: as deep as the template is written out there.
fn place(resource: &TemplateResource, problem: Problem) -> TemplateError {
    let mut span = resource.span;
    let mut steps = problem.path.iter();
    if let Some(entry) = steps.next().and_then(|name| resource.properties.get(name)) {
        span = entry.node.span;
        let mut node = &entry.node;
        for step in steps {
            let next = match (node.as_list(), step.parse::<usize>()) {
                (Some(items), Ok(index)) => items.get(index),
                _ => node.get(step),
            };
            let Some(next) = next else { break };
            node = next;
            span = node.span;
        }
    }
    let path = format!("Resources/{}/Properties/{}", resource.logical_id, problem.path.join("/"));
    TemplateError::new(problem.message).at(span).path(path)
}

fn stored(values: &ParameterValues) -> IndexMap<String, ParameterValue> {
    values
        .iter()
        .map(|(name, value)| {
            let stored = ParameterValue {
                value: value.given.clone(),
                resolved: value.resolved.clone(),
                no_echo: value.no_echo,
            };
            (name.to_owned(), stored)
        })
        .collect()
}

/// A request's tags, by key.
///
/// # Errors
/// When a key is reserved, empty or given twice.
fn checked_tags(tags: &[Tag]) -> Result<IndexMap<String, String>, Error> {
    let mut checked = crate::api::tags::Tags::new();
    let pairs =
        tags.iter().map(|tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default()));
    checked.merge(pairs.clone(), false).map_err(|error| invalid(error.to_string()))?;
    Ok(pairs.collect())
}

/// Answers for resources before they are made: all that is known of them is that it is unknown.
struct Unmade<'u, 'r, H: Host> {
    request: &'u Request<'r, H>,
    stack: &'u Stack,
}

impl<H: Host> Resolver for Unmade<'_, '_, H> {
    fn reference(&self, logical_id: &str) -> Option<String> {
        unknown(logical_id).as_str().map(str::to_owned)
    }

    fn attribute(&self, logical_id: &str, _attribute: &str) -> Option<Value> {
        Some(unknown(logical_id))
    }

    fn import_value(&self, export: &str) -> Option<String> {
        exports::find(self.request.host.store(), &self.stack.region, export).map(|(_, value)| value)
    }

    fn availability_zones(&self, region: &str) -> Option<Vec<String>> {
        let region = if region.is_empty() { self.request.region } else { region };
        self.request.host.availability_zones(self.request.ctx, region)
    }

    fn dynamic(&self, service: &str, reference: &str) -> Result<String, String> {
        blueprint::dynamic(self.request.host, self.request.ctx, service, reference)
    }
}
