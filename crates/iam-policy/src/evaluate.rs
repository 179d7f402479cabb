//! Deciding a request.

use std::fmt;

use crate::{
    context::Context,
    document::{Effect, PolicyDocument, Statement, Version},
    pattern::Pattern,
    principal::Principal,
};

/// A policy and the name that decisions call it by.
#[derive(Clone, Copy, Debug)]
pub struct NamedPolicy<'a> {
    /// Its name or ARN.
    pub name: &'a str,
    /// The policy.
    pub document: &'a PolicyDocument,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The action, such as `ecs:RegisterContainerInstance`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for actions that have none. Trust policies do not look at it.
    pub resource: &'a str,
    /// Who asks; wanted by trust policies only.
    pub principal: Option<&'a Principal>,
    /// The condition keys.
    pub context: &'a Context,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement says anything about it.
    ImplicitDeny,
}

/// The statement that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidingStatement {
    /// The name of its policy.
    pub policy: String,
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
}

impl fmt::Display for DecidingStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) => write!(f, "statement {sid} of policy {}", self.policy),
            None => write!(f, "statement {} of policy {}", self.index + 1, self.policy),
        }
    }
}

/// A decision and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub outcome: Outcome,
    /// The statement that decided; `None` when none said anything.
    pub statement: Option<DecidingStatement>,
}

impl Decision {
    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }

    /// The message of the error `AccessDenied`, in the words that AWS has for it. `None` for a request that is
    /// allowed.
    pub fn denial(&self, principal_arn: &str, action: &str, resource: &str) -> Option<String> {
        let reason = match self.outcome {
            Outcome::Allow => return None,
            Outcome::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
            Outcome::ImplicitDeny => format!("because no identity-based policy allows the {action} action"),
        };
        Some(format!(
            "User: {principal_arn} is not authorized to perform: {action} on resource: {resource} {reason}"
        ))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.outcome, &self.statement) {
            (Outcome::Allow, Some(statement)) => write!(f, "allowed by {statement}"),
            (Outcome::Allow, None) => f.write_str("allowed"),
            (Outcome::ExplicitDeny, Some(statement)) => write!(f, "denied by {statement}"),
            (Outcome::ExplicitDeny, None) => f.write_str("denied"),
            (Outcome::ImplicitDeny, _) => f.write_str("no statement allows it"),
        }
    }
}

/// Decides a request by a set of policies of one kind: a deny anywhere wins, then an allow anywhere; without either
/// the request is denied.
pub fn evaluate(policies: &[NamedPolicy<'_>], request: &Request<'_>) -> Decision {
    let mut allowed = None;
    for policy in policies {
        let statements = policy.document.statements.iter().enumerate();
        for (index, statement) in statements.filter(|(_, s)| applies(s, policy.document.version, request)) {
            let deciding =
                DecidingStatement { policy: policy.name.to_owned(), index, sid: statement.sid.clone() };
            match statement.effect {
                Effect::Deny => {
                    return Decision { outcome: Outcome::ExplicitDeny, statement: Some(deciding) };
                }
                Effect::Allow => allowed = allowed.or(Some(deciding)),
            }
        }
    }
    let outcome = if allowed.is_some() { Outcome::Allow } else { Outcome::ImplicitDeny };
    Decision { outcome, statement: allowed }
}

fn applies(statement: &Statement, version: Version, request: &Request<'_>) -> bool {
    principal_matches(statement, request)
        && action_matches(statement, request.action)
        && resource_matches(statement, version, request)
        && statement.conditions.iter().all(|condition| condition.holds(request.context, version))
}

fn principal_matches(statement: &Statement, request: &Request<'_>) -> bool {
    let Some(element) = &statement.principal else { return true };
    let principal = request.principal.unwrap_or(&Principal::Anonymous);
    element.matches(|principals| principals.contains(principal))
}

fn action_matches(statement: &Statement, action: &str) -> bool {
    let listed = |patterns: &Vec<String>| {
        patterns.iter().any(|pattern| Pattern::plain(pattern).matches_ignoring_case(action))
    };
    statement.action.matches(listed)
}

fn resource_matches(statement: &Statement, version: Version, request: &Request<'_>) -> bool {
    let Some(element) = &statement.resource else { return true };
    let matches = |text: &String| {
        let pattern = match version {
            Version::V2008 => Some(Pattern::plain(text)),
            Version::V2012 => Pattern::with_variables(text, request.context),
        };
        pattern.is_some_and(|pattern| pattern.matches(request.resource))
    };
    element.matches(|patterns| patterns.iter().any(matches))
}
