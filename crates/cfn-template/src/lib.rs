//! CloudFormation's template language.
//!
//! A template goes through these stages, each of which reports everything it finds wrong, with its place:
//!
//! 1. [`Template::parse`]: YAML or JSON text to sections, functions recognised, every reference checked.
//! 2. [`Template::resolve_parameters`]: values for parameters; [`ParameterValues::lookups`] tells what only the
//!    caller can check.
//! 3. [`Conditions::evaluate`] and [`Graph::new`]: which resources there are, and in which order they are made.
//! 4. [`Evaluator`]: a resource's properties, metadata and policies, and the outputs, as values. What a template
//!    asks of its surroundings is asked of a [`Resolver`].
//!
//! [`schema`] checks resources against what their types support, [`diff`] tells what a change set changes, and
//! [`render`] shows an error in the text. Nothing here does IO.
//!
//! ```
//! use cfn_template::Template;
//!
//! let errors = Template::parse("Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Property: {}\n").unwrap_err();
//! let error = errors.first().unwrap();
//! assert_eq!(error.message, "Invalid template resource property 'Property'");
//! assert_eq!(error.suggestion.as_deref(), Some("did you mean 'Properties'?"));
//! assert_eq!(error.span.unwrap().line, 4);
//! ```
//!
//! Refused by name: `Transform` and all that needs one (`Fn::Transform`, `Fn::ForEach`, `Fn::Length`,
//! `Fn::ToJsonString`, the `DefaultValue` of `Fn::FindInMap`), the `Rules` and `Hooks` sections, YAML aliases and
//! merges.

pub mod diff;
mod error;
mod evaluate;
mod function;
mod graph;
mod node;
mod parameters;
mod policy;
pub mod pseudo;
mod references;
mod render;
mod scalar;
pub mod schema;
mod source;
mod span;
mod template;
mod yaml;

pub use error::{TemplateError, TemplateErrors};
pub use evaluate::{
    Conditions, DynamicReference, EvaluatedResource, Evaluator, OutputValue, Resolver, dynamic_references,
};
pub use function::{Function, SubPart};
pub use graph::Graph;
pub use node::{Entry, Map, Node, Value};
pub use parameters::{Lookup, NO_ECHO_MASK, ParameterError, ParameterValue, ParameterValues};
pub use policy::{
    CreationPolicy, DurationError, ResourceSignal, RollingUpdate, UpdatePolicy, format_duration,
    parse_duration, parse_signal_timeout,
};
pub use pseudo::PseudoParameters;
pub use references::{Reference, ReferenceKind};
pub use render::{render, render_all};
pub use span::{Span, Spanned};
pub use template::{
    DeletionPolicy, MAX_BYTES, MAX_INLINE_BYTES, MAX_RESOURCES, MappingValue, Mappings, Output, Parameter,
    ParameterType, Resource, Template,
};
