//! User variables: declared in the template, set by `-var`, `-var-file` and the environment.

use indexmap::IndexMap;

use crate::{
    context::Host,
    error::Errors,
    source::{Source, Span},
    template::Template,
};

/// A variable that a template declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its default as written; none when the caller must give a value (`null`).
    pub default: Option<String>,
    /// Where the default stands.
    pub default_span: Span,
    /// Whether its value is kept out of what the program prints.
    pub sensitive: bool,
}

/// What the command line sets: `-var` wins over `-var-file`, and of each kind the later one wins.
#[derive(Clone, Debug, Default)]
pub struct VarInputs {
    /// In the order of the command line.
    pub inputs: Vec<VarInput>,
}

/// One `-var` or `-var-file`.
#[derive(Clone, Debug)]
pub enum VarInput {
    /// `-var name=value`
    Var {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// `-var-file`: a JSON object.
    File(Source),
}

/// The values of all variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    pub(crate) values: IndexMap<String, String>,
    pub(crate) sensitive: Vec<String>,
    /// Declared variables that have no value because of an error.
    pub(crate) failed: Vec<String>,
}

impl Variables {
    /// Gives every variable its value: from the command line, or by its default, in which `env` and other variables
    /// are allowed.
    ///
    /// # Errors
    /// Variables that have no value, variable files that are no objects of strings, defaults that do not render, and
    /// values for variables that the template does not declare.
    pub fn resolve(template: &Template, inputs: &VarInputs, host: &Host) -> Result<Self, Errors> {
        let (variables, errors) = Self::resolve_leniently(template, inputs, host);
        errors.map_or(Ok(variables), Err)
    }

    /// The same as far as it goes. Options that use a variable which got no value are passed over in silence by the
    /// checks, since that error is told already.
    pub fn resolve_leniently(template: &Template, inputs: &VarInputs, host: &Host) -> (Self, Option<Errors>) {
        crate::resolve::resolve(template, inputs, host)
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// All variables, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values to keep out of everything that is printed; no empty ones.
    pub fn sensitive_values(&self) -> impl Iterator<Item = &str> {
        self.sensitive.iter().filter_map(|name| self.get(name)).filter(|value| !value.is_empty())
    }
}
