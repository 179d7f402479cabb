//! IAM policy documents: parsing with IAM's own complaints, and evaluation that says which statement decided.
//!
//! ```
//! use iam_policy::{Context, NamedPolicy, Outcome, PolicyDocument, PolicyKind, Request, evaluate};
//!
//! let text = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecs:Poll", "Resource": "*"}}"#;
//! let document = PolicyDocument::parse(text, PolicyKind::Identity).unwrap();
//! let context = Context::default();
//! let request = Request { action: "ecs:Poll", resource: "*", principal: None, context: &context };
//! let decision = evaluate(&[NamedPolicy { name: "instances", document: &document }], &request);
//! assert_eq!(decision.outcome, Outcome::Allow);
//! assert_eq!(decision.statement.unwrap().policy, "instances");
//! ```
//!
//! Limits: permissions boundaries, session policies, resource policies and service control policies are for the
//! caller to combine: each is one call of [`evaluate`].

mod condition;
mod context;
mod document;
mod evaluate;
mod parse;
mod pattern;
mod principal;

pub use condition::{Condition, Operator, Quantifier};
pub use context::Context;
pub use document::{Effect, Matcher, PolicyDocument, PolicyKind, Statement, Version, size};
pub use evaluate::{DecidingStatement, Decision, NamedPolicy, Outcome, Request, evaluate};
pub use parse::MalformedPolicy;
pub use pattern::{glob, glob_ignore_case};
pub use principal::{Principal, Principals};
