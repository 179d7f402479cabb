//! A policy document, parsed.

use crate::{condition::Condition, principal::Principals};

/// What a policy is attached to, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A policy of a user, group or role: says what its owner may do, so it names no principal.
    Identity,
    /// A role's trust policy: says who may assume the role, so it names no resource.
    Trust,
}

/// The version of the policy language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, in force when a document says nothing: `${…}` is plain text.
    #[default]
    V2008,
    /// `2012-10-17`: `${…}` is a policy variable.
    V2012,
}

/// A policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyDocument {
    /// `Version`.
    pub version: Version,
    /// `Id`.
    pub id: Option<String>,
    /// `Statement`, one or many.
    pub statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// `Sid`.
    pub sid: Option<String>,
    /// `Effect`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; `None` in identity policies.
    pub principal: Option<Matcher<Principals>>,
    /// `Action` or `NotAction`: patterns, matched without regard to case.
    pub action: Matcher<Vec<String>>,
    /// `Resource` or `NotResource`: patterns; `None` in trust policies.
    pub resource: Option<Matcher<Vec<String>>>,
    /// `Condition`: all of them must hold.
    pub conditions: Vec<Condition>,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// An element in its plain or its `Not…` form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher<T> {
    /// Matches what is listed.
    Only(T),
    /// Matches what is not listed.
    Except(T),
}

impl<T> Matcher<T> {
    /// Whether the element matches, given whether the list does.
    pub(crate) fn matches(&self, listed: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Only(list) => listed(list),
            Self::Except(list) => !listed(list),
        }
    }
}

/// A policy's size as IAM counts it against its quotas: white space does not count.
pub fn size(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}
