//! Values for a template's parameters.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use template_text::suggest::did_you_mean;

use crate::{
    error::TemplateError,
    template::{Parameter, ParameterType, Template},
};

/// What CloudFormation shows in place of a `NoEcho` parameter's value.
pub const NO_ECHO_MASK: &str = "****";

/// What is wrong with the values given for a template's parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Parameters without a default were left out.
    #[error("Parameters: [{}] must have values", names.join(", "))]
    Missing {
        /// Their names, in the order of the template.
        names: Vec<String>,
    },
    /// Values were given for parameters that the template does not declare.
    #[error("Parameters: [{}] do not exist in the template{}", names.join(", "), hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Unknown {
        /// Their names.
        names: Vec<String>,
        /// What the first one was probably meant to be.
        hint: Option<String>,
    },
    /// A value does not satisfy the parameter's declaration.
    #[error("{reason}")]
    Constraint {
        /// The parameter.
        name: String,
        /// Why, in CloudFormation's words.
        reason: String,
    },
}

impl ParameterError {
    /// The error at the declaration of the parameter that it is about, or of the first of them; without a place when
    /// none is declared.
    pub fn locate(&self, template: &Template) -> TemplateError {
        let name = match self {
            Self::Missing { names } => names.first(),
            Self::Unknown { .. } => None,
            Self::Constraint { name, .. } => Some(name),
        };
        let located = TemplateError::new(self.to_string());
        match name.and_then(|name| template.parameters.get(name).map(|parameter| (name, parameter))) {
            Some((name, parameter)) => located.at(parameter.span).path(format!("Parameters/{name}")),
            None => located,
        }
    }
}

/// Something that only the caller can know about a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The value of the SSM parameter `name` is wanted; hand it to [`ParameterValues::set_ssm`].
    SsmValue {
        /// The template's parameter.
        parameter: String,
        /// The SSM parameter.
        name: String,
    },
    /// The SSM parameter `name` must exist.
    SsmName {
        /// The template's parameter.
        parameter: String,
        /// The SSM parameter.
        name: String,
    },
    /// Things of the AWS-specific type `kind` must exist.
    Exists {
        /// The template's parameter.
        parameter: String,
        /// Such as `AWS::EC2::VPC::Id`.
        kind: &'static str,
        /// Their ids or names.
        values: Vec<String>,
    },
}

/// One parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterValue {
    /// The parameter's type.
    pub type_: ParameterType,
    /// The value as given: what `DescribeStacks` shows as `ParameterValue`.
    pub given: String,
    /// For SSM types, the value read from SSM: what `DescribeStacks` shows as `ResolvedValue`.
    pub resolved: Option<String>,
    /// Whether the value must not be shown.
    pub no_echo: bool,
}

impl ParameterValue {
    /// What `Ref` gives: a string, or a list of strings.
    pub fn to_json(&self) -> Json {
        let text = self.resolved.as_deref().unwrap_or(&self.given);
        if self.type_.is_list() { json!(split_list(text)) } else { json!(text) }
    }

    /// The value to show to users: masked when the parameter says `NoEcho`.
    pub fn shown(&self) -> &str {
        if self.no_echo { NO_ECHO_MASK } else { &self.given }
    }
}

/// The values of all of a template's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterValues(IndexMap<String, ParameterValue>);

impl ParameterValues {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.0.get(name)
    }

    /// All values, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParameterValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// What the caller must look up before the values can be used. After answering the `SsmValue` lookups with
    /// [`Self::set_ssm`], ask again: values read from SSM may be of AWS-specific types themselves.
    pub fn lookups(&self) -> Vec<Lookup> {
        self.0.iter().filter_map(|(name, value)| lookup(name, value)).collect()
    }

    /// Gives a parameter of an SSM type the value that was read from SSM. Other parameters are left alone.
    pub fn set_ssm(&mut self, parameter: &str, value: impl Into<String>) {
        if let Some(slot) = self.0.get_mut(parameter)
            && matches!(slot.type_, ParameterType::SsmValue(_))
        {
            slot.resolved = Some(value.into());
        }
    }
}

fn lookup(name: &str, value: &ParameterValue) -> Option<Lookup> {
    let parameter = name.to_owned();
    let of_type = |type_: &ParameterType, text: &str| match type_ {
        ParameterType::Aws(kind) => Some((*kind, vec![text.to_owned()])),
        ParameterType::AwsList(kind) => Some((*kind, split_list(text))),
        _ => None,
    };
    let (kind, values) = match (&value.type_, &value.resolved) {
        (ParameterType::SsmValue(_), None) => {
            return Some(Lookup::SsmValue { parameter, name: value.given.clone() });
        }
        (ParameterType::SsmValue(inner), Some(text)) => of_type(inner, text)?,
        (ParameterType::SsmName, _) => return Some(Lookup::SsmName { parameter, name: value.given.clone() }),
        (type_, _) => of_type(type_, &value.given)?,
    };
    Some(Lookup::Exists { parameter, kind, values })
}

impl Template {
    /// Values for all parameters: those `given`, else those `previous` (parameters that the request wants to keep:
    /// `UsePreviousValue`), else defaults.
    ///
    /// # Errors
    /// Every parameter that has no value, is not declared or does not satisfy its declaration. That the SSM
    /// parameters and resources named by values exist is for the caller to check: [`ParameterValues::lookups`].
    pub fn resolve_parameters(
        &self,
        given: &BTreeMap<String, String>,
        previous: &BTreeMap<String, String>,
    ) -> Result<ParameterValues, Vec<ParameterError>> {
        let mut errors = Vec::new();
        let unknown: Vec<String> =
            given.keys().filter(|name| !self.parameters.contains_key(*name)).cloned().collect();
        if let Some(first) = unknown.first() {
            let hint = did_you_mean(first, self.parameters.keys().map(String::as_str));
            errors.push(ParameterError::Unknown { names: unknown, hint });
        }
        let mut missing = Vec::new();
        let mut values = IndexMap::new();
        for (name, parameter) in &self.parameters {
            let Some(text) = given.get(name).or_else(|| previous.get(name)).or(parameter.default.as_ref())
            else {
                missing.push(name.clone());
                continue;
            };
            if let Err(reason) = parameter.check(name, text) {
                errors.push(ParameterError::Constraint { name: name.clone(), reason });
            }
            let value = ParameterValue {
                type_: parameter.type_.clone(),
                given: text.clone(),
                resolved: None,
                no_echo: parameter.no_echo,
            };
            values.insert(name.clone(), value);
        }
        if !missing.is_empty() {
            errors.insert(0, ParameterError::Missing { names: missing });
        }
        if errors.is_empty() { Ok(ParameterValues(values)) } else { Err(errors) }
    }
}

impl Parameter {
    /// Checks a value against the declaration; the error is CloudFormation's sentence.
    pub(crate) fn check(&self, name: &str, text: &str) -> Result<(), String> {
        let items = if self.type_.is_list() && !matches!(self.type_, ParameterType::SsmValue(_)) {
            split_list(text)
        } else {
            vec![text.to_owned()]
        };
        items.iter().try_for_each(|item| self.check_item(name, item))
    }

    fn check_item(&self, name: &str, text: &str) -> Result<(), String> {
        if self.type_.is_numeric() {
            // Not a constraint of the author's, so ConstraintDescription does not speak for it.
            self.check_number(name, text)?;
        }
        let fail = |message: String| match &self.constraint_description {
            Some(description) => Err(format!("Parameter {name} failed to satisfy constraint: {description}")),
            None => Err(message),
        };
        if let Some(allowed) = &self.allowed_values
            && !allowed.iter().any(|value| value == text)
        {
            return fail(format!("Parameter '{name}' must be one of AllowedValues"));
        }
        if let (Some(pattern), Some(written)) = (&self.allowed_pattern, &self.allowed_pattern_text)
            && !pattern.is_match(text)
        {
            return fail(format!("Parameter '{name}' must match pattern {written}"));
        }
        let length = text.chars().count() as u64;
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return fail(format!("Parameter '{name}' must contain at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return fail(format!("Parameter '{name}' must contain at most {most} characters"));
        }
        let Ok(number) = text.trim().parse::<f64>() else { return Ok(()) };
        if let Some(least) = self.min_value.filter(|least| number < *least) {
            return fail(format!("Parameter '{name}' must be a number not less than {least}"));
        }
        if let Some(most) = self.max_value.filter(|most| number > *most) {
            return fail(format!("Parameter '{name}' must be a number not greater than {most}"));
        }
        Ok(())
    }

    fn check_number(&self, name: &str, text: &str) -> Result<(), String> {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(()),
            _ => Err(format!("Parameter '{name}' must be a number.")),
        }
    }
}

/// The items of a comma-separated list, blanks around them dropped. The empty text is the list of nothing.
fn split_list(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}
