//! A definition made ready to work from: the template parsed, its values resolved, its resources in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cfn_template::schema::{ResourceSchema, conform};
use cfn_template::{
    Conditions, DeletionPolicy, Evaluator, Graph, ParameterValues, PseudoParameters, Resolver, Template,
    TemplateErrors,
};
use indexmap::IndexMap;
use serde_json::Value;

use super::engine::Host;
use super::state::{Definition, Output, Policy, Stack};

/// What a stack is to be.
pub struct Blueprint {
    template: Template,
    values: ParameterValues,
    pseudo: PseudoParameters,
    resources: IndexMap<String, Declared>,
}

/// A resource that is to be part of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its type.
    pub type_: String,
    /// The resources that must be there before it.
    pub needs: BTreeSet<String>,
    /// What happens when it leaves the template.
    pub deletion_policy: Policy,
    /// What happens when it is replaced.
    pub replace_policy: Policy,
}

/// A resource as the template says it with everything it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Its properties, an object.
    pub properties: Value,
    /// Its metadata.
    pub metadata: Option<Value>,
    /// How many signals its creation waits for, and how long.
    pub signals: Option<SignalPolicy>,
}

/// How many signals a creation waits for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalPolicy {
    /// How many.
    pub count: u32,
    /// How long.
    pub timeout: Duration,
}

impl Blueprint {
    /// Makes a stored definition ready.
    ///
    /// # Errors
    /// What is wrong with it; it has been checked when it was submitted.
    pub fn compile(definition: &Definition, stack: &Stack, account: &str) -> Result<Self, TemplateErrors> {
        let template = Template::parse(&definition.template)?;
        let given: BTreeMap<String, String> =
            definition.parameters.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
        let mut values = template.resolve_parameters(&given, &BTreeMap::new()).map_err(|errors| {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            TemplateErrors::from(cfn_template::TemplateError::new(reasons.join("; ")))
        })?;
        for (name, value) in &definition.parameters {
            if let Some(resolved) = &value.resolved {
                values.set_ssm(name, resolved);
            }
        }
        Self::assemble(template, values, pseudo(stack, account))
    }

    /// Joins a template and its values.
    ///
    /// # Errors
    /// Conditions that cannot be evaluated, and resources that need one another.
    pub fn assemble(
        template: Template,
        values: ParameterValues,
        pseudo: PseudoParameters,
    ) -> Result<Self, TemplateErrors> {
        let conditions = Conditions::evaluate(&template, &values, &pseudo)?;
        let graph = Graph::new(&template, &conditions)?;
        let resources = graph
            .order()
            .iter()
            .filter_map(|id| Some((id, template.resources.get(id)?)))
            .map(|(id, resource)| {
                let declared = Declared {
                    type_: resource.type_.value.clone(),
                    needs: graph.dependencies(id).map(str::to_owned).collect(),
                    deletion_policy: policy(resource.deletion_policy),
                    replace_policy: policy(resource.update_replace_policy),
                };
                (id.clone(), declared)
            })
            .collect();
        Ok(Self { template, values, pseudo, resources })
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The parameters' values.
    pub fn values(&self) -> &ParameterValues {
        &self.values
    }

    /// The resources that are to exist, each after those it needs.
    pub fn resources(&self) -> &IndexMap<String, Declared> {
        &self.resources
    }

    /// A resource with everything in it evaluated and brought to the types that its schema has.
    ///
    /// # Errors
    /// What cannot be evaluated.
    pub fn resource(
        &self,
        logical_id: &str,
        resolver: &dyn Resolver,
        schema: &ResourceSchema,
    ) -> Result<Evaluated, String> {
        let resource = self
            .template
            .resources
            .get(logical_id)
            .ok_or_else(|| format!("the template has no resource {logical_id}"))?;
        let text = |errors: TemplateErrors| errors.to_string();
        let evaluator = self.evaluator(resolver).map_err(text)?;
        let policy = evaluator.creation_policy(resource).map_err(text)?;
        let properties = evaluator.properties(resource).map_err(text)?;
        Ok(Evaluated {
            properties: Value::Object(conform(resource, properties, schema).map_err(text)?),
            metadata: evaluator.metadata(resource).map_err(text)?,
            signals: policy
                .and_then(|policy| policy.resource_signal)
                .map(|signal| SignalPolicy { count: signal.count, timeout: signal.timeout }),
        })
    }

    /// The stack's outputs.
    ///
    /// # Errors
    /// What cannot be evaluated.
    pub fn outputs(&self, resolver: &dyn Resolver) -> Result<Vec<Output>, String> {
        let text = |errors: TemplateErrors| errors.to_string();
        let outputs = self.evaluator(resolver).map_err(text)?.outputs().map_err(text)?;
        Ok(outputs
            .into_iter()
            .map(|output| Output {
                key: output.name,
                value: output.value,
                description: output.description,
                export_name: output.export_name,
            })
            .collect())
    }

    /// What evaluates the template's parts.
    ///
    /// # Errors
    /// Conditions that cannot be evaluated.
    pub fn evaluator<'b>(&'b self, resolver: &'b dyn Resolver) -> Result<Evaluator<'b>, TemplateErrors> {
        Evaluator::new(&self.template, &self.values, &self.pseudo, resolver)
    }
}

/// The values of `AWS::StackName` and the like for a stack.
pub fn pseudo(stack: &Stack, account: &str) -> PseudoParameters {
    PseudoParameters {
        region: stack.region.clone(),
        account_id: account.to_owned(),
        stack_name: stack.name.clone(),
        stack_id: stack.id.clone(),
        notification_arns: Vec::new(),
    }
}

/// The value of `{{resolve:service:reference}}`.
pub(super) fn dynamic<H: Host>(
    host: &H,
    ctx: &H::Ctx,
    service: &str,
    reference: &str,
) -> Result<String, String> {
    match service {
        "ssm" => {
            let (name, version) = reference.split_once(':').unwrap_or((reference, ""));
            if !version.is_empty() {
                return Err(format!(
                    "version {version} of the SSM parameter {name} cannot be asked for; leave the version out"
                ));
            }
            host.ssm_parameter(ctx, name).ok_or_else(|| format!("the SSM parameter {name} does not exist"))
        }
        other => Err(format!("dynamic references to {other} are not supported")),
    }
}

fn policy(declared: Option<DeletionPolicy>) -> Policy {
    match declared {
        None | Some(DeletionPolicy::Delete) => Policy::Delete,
        // Snapshots are refused when a template is submitted; should one get here, nothing must be lost.
        Some(DeletionPolicy::Retain | DeletionPolicy::Snapshot) => Policy::Retain,
        Some(DeletionPolicy::RetainExceptOnCreate) => Policy::RetainExceptOnCreate,
    }
}
