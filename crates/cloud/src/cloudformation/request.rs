//! What all operations have in common: who asks what of which region, and how stacks are found.

use std::sync::Arc;

use aws_wire::Error;

use super::engine::Host;
use super::state::{Requester, Stack};
use crate::api::paging::{self, Limits, Order, PageRequest};
use crate::context::Caller;

/// The page size of most lists.
pub const PAGE: i32 = 100;

/// One request.
pub struct Request<'r, H: Host> {
    /// The surroundings.
    pub host: &'r H,
    /// The caller's own context.
    pub ctx: &'r H::Ctx,
    /// The region.
    pub region: &'r str,
    /// Who asks.
    pub caller: &'r Caller,
}

/// A `ValidationError`, CloudFormation's answer to almost everything that is wrong.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::client("ValidationError", message)
}

/// The refusal of a parameter that this cloud does not have.
pub fn unsupported(parameter: &str, why: &str) -> Error {
    invalid(format!("{parameter} is not supported: {why}"))
}

/// Refuses a parameter that was given.
///
/// # Errors
/// When `given`.
pub fn refuse(given: bool, parameter: &str, why: &str) -> Result<(), Error> {
    if given { Err(unsupported(parameter, why)) } else { Ok(()) }
}

impl<H: Host> Request<'_, H> {
    /// The stack of this name or id. A deleted one is only found by its id.
    ///
    /// # Errors
    /// `ValidationError`, in the words that clients look for.
    pub fn stack(&self, name: &str) -> Result<Arc<Stack>, Error> {
        self.find_stack(name).ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }

    /// The stack of this name or id, if there is one.
    pub fn find_stack(&self, name: &str) -> Option<Arc<Stack>> {
        self.host.store().list::<Stack>(self.region).into_iter().find(|stack| stack.answers_to(name))
    }

    /// The stack of a request whose `StackName` is required.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: Option<&str>) -> Result<Arc<Stack>, Error> {
        self.stack(name.unwrap_or_default())
    }

    /// Who the engine works for.
    ///
    /// # Errors
    /// When an instance asks by its identity document, which is only good for reading and signalling.
    pub fn requester(&self) -> Result<Requester, Error> {
        match self.caller {
            Caller::Root | Caller::Service { .. } => Ok(Requester::Root),
            Caller::Role { role, session } => {
                Ok(Requester::Role { role: role.clone(), session: session.clone() })
            }
            Caller::Instance { instance_id } => Err(denied(instance_id, "this operation")),
        }
    }

    /// An instance that identified itself by its identity document may only touch the stack that it
    /// belongs to.
    ///
    /// # Errors
    /// `AccessDenied` for another stack.
    pub fn check_membership(&self, stack: &Stack) -> Result<(), Error> {
        match self.caller {
            Caller::Instance { instance_id } if !self.host.belongs(self.ctx, instance_id, stack) => {
                Err(denied(instance_id, &stack.name))
            }
            _ => Ok(()),
        }
    }

    /// Cuts a page out of a list.
    ///
    /// # Errors
    /// When the token is not one of ours.
    pub fn page<T>(
        &self,
        items: Vec<T>,
        token: Option<&str>,
        size: i32,
        order: Order,
        key: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let keyed: Vec<(String, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
        let limits = Limits { min: size, max: size, default: Some(size) };
        let request = PageRequest { max: None, token };
        let page = paging::page(keyed, request, limits, order, |(key, _)| key)
            .map_err(|error| invalid(error.to_string()))?;
        Ok((page.items.into_iter().map(|(_, item)| item).collect(), page.next))
    }
}

fn denied(instance_id: &str, what: &str) -> Error {
    Error::with_status(
        "AccessDenied",
        format!("User: {instance_id} is not authorized to access {what}: the instance does not belong to it"),
        403,
    )
}
