//! What the whole operation comes to: success, failure, and where it goes from there.

use super::{Advance, Host, Work};
use crate::cloudformation::blueprint::Blueprint;
use crate::cloudformation::exports;
use crate::cloudformation::state::{OnFailure, OperationKind, Phase, Resource, Step};
use crate::cloudformation::status::{ResourceStatus, StackStatus};
use crate::store::StoreError;

impl<H: Host> Work<'_, H> {
    /// All resources are what they should be: outputs are evaluated and the operation ends or cleans up.
    pub(super) fn succeed(&mut self, blueprint: &Blueprint) -> Result<Advance, StoreError> {
        let scope = self.scope();
        let outputs = blueprint
            .outputs(&scope)
            .and_then(|outputs| exports::check(self.host.store(), &self.stack, &outputs).map(|()| outputs));
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(reason) => return self.fail_forward(Some(reason)),
        };
        // Evaluated once more for the exports that the definition uses now; errors have shown before.
        for (logical_id, declared) in blueprint.resources() {
            if let Some(kind) = self.host.types().get(&declared.type_) {
                let _ = blueprint.resource(logical_id, &scope, kind.schema());
            }
        }
        let imports = scope.imported.into_inner();
        let kind = self.operation.kind;
        self.transition(|journal| {
            journal.stack.outputs = outputs;
            journal.stack.imports = imports;
            if kind == OperationKind::Create {
                journal.stack_becomes(StackStatus::CreateComplete, None)?;
                journal.stack.operation = None;
                return Ok(());
            }
            enter(journal, Phase::Sweep, false);
            journal.stack_becomes(StackStatus::UpdateCompleteCleanupInProgress, None)
        })
    }

    /// The operation has failed: running attempts are cancelled, and the way back begins unless the caller
    /// wants everything left as it is. `reason` is for failures that no resource stands for.
    pub(super) fn fail_forward(&mut self, reason: Option<String>) -> Result<Advance, StoreError> {
        self.cancel_running()?;
        let reason = reason.unwrap_or_else(|| self.failed_resources());
        let (creating, on_failure) = (self.creating(), self.operation.on_failure);
        let previous = self.operation.previous.clone();
        self.transition(|journal| match (creating, on_failure) {
            (true, OnFailure::DoNothing) => {
                journal.stack_becomes(StackStatus::CreateFailed, Some(reason))?;
                journal.stack.operation = None;
                Ok(())
            }
            (false, OnFailure::DoNothing) => {
                journal.stack_becomes(StackStatus::UpdateFailed, Some(reason))?;
                journal.stack.operation = None;
                Ok(())
            }
            (true, OnFailure::Rollback) => {
                enter(journal, Phase::Sweep, true);
                let reason = format!("{reason}. Rollback requested by user.");
                journal.stack_becomes(StackStatus::RollbackInProgress, Some(reason))
            }
            (true, OnFailure::Delete) => {
                enter(journal, Phase::Sweep, true);
                let reason = format!("{reason}. Delete requested by user.");
                journal.stack_becomes(StackStatus::DeleteInProgress, Some(reason))
            }
            (false, OnFailure::Rollback | OnFailure::Delete) => {
                enter(journal, Phase::Revert, true);
                journal.stack.definition = previous.or(journal.stack.definition.take());
                journal.stack_becomes(StackStatus::UpdateRollbackInProgress, Some(reason))
            }
        })
    }

    fn failed_resources(&self) -> String {
        let failed: Vec<&str> = self
            .resources
            .values()
            .filter(|resource| matches!(resource.step, Step::Failed(_)))
            .map(|resource| resource.logical_id.as_str())
            .collect();
        if failed.is_empty() {
            return match self.creating() {
                true => "Stack creation time exceeded the specified timeout".to_owned(),
                false => "The update was cancelled by the user".to_owned(),
            };
        }
        let verb = if self.creating() { "create" } else { "update" };
        format!("The following resource(s) failed to {verb}: [{}]", failed.join(", "))
    }

    fn cancel_running(&mut self) -> Result<(), StoreError> {
        let running: Vec<String> = self
            .resources
            .values()
            .filter(|resource| matches!(resource.step, Step::Active(_)))
            .map(|resource| resource.logical_id.clone())
            .collect();
        for logical_id in running {
            let verb = match self.failed_status(&logical_id) {
                ResourceStatus::CreateFailed => "creation",
                _ => "update",
            };
            self.fail(&logical_id, format!("Resource {verb} cancelled"))?;
        }
        Ok(())
    }

    /// The sweep is over; `stuck` are the resources that could not be deleted.
    pub(super) fn swept(&mut self, stuck: &[String]) -> Result<Advance, StoreError> {
        let end =
            end_of(self.operation.kind, self.operation.failed, self.operation.on_failure, !stuck.is_empty());
        let reason = (!stuck.is_empty() && end.is_failure())
            .then(|| format!("The following resource(s) failed to delete: [{}]. ", stuck.join(", ")));
        let now = self.host.now();
        self.transition(|journal| {
            journal.stack_becomes(end.status(), reason)?;
            journal.stack.operation = None;
            if end == End::Deleted {
                journal.stack.outputs.clear();
                journal.stack.imports.clear();
                journal.stack.deleted.get_or_insert(now);
            }
            for resource in journal.tx.list::<Resource>(&journal.stack.region) {
                if resource.stack_id == journal.stack.id
                    && (resource.before.is_some() || resource.step != Step::Done)
                {
                    let mut resource = Resource::clone(&resource);
                    resource.before = None;
                    resource.step = Step::Done;
                    journal.tx.put(resource)?;
                }
            }
            Ok(())
        })
    }
}

/// Puts the operation into a phase.
pub(super) fn enter(
    journal: &mut crate::cloudformation::events::Journal<'_, '_>,
    phase: Phase,
    failed: bool,
) {
    if let Some(operation) = &mut journal.stack.operation {
        operation.phase = phase;
        operation.prepared = false;
        operation.failed = failed;
    }
}

/// How an operation can end after its sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Deleted,
    DeleteFailed,
    RolledBack,
    RollbackFailed,
    Updated,
    UpdateRolledBack,
}

impl End {
    fn status(self) -> StackStatus {
        match self {
            Self::Deleted => StackStatus::DeleteComplete,
            Self::DeleteFailed => StackStatus::DeleteFailed,
            Self::RolledBack => StackStatus::RollbackComplete,
            Self::RollbackFailed => StackStatus::RollbackFailed,
            Self::Updated => StackStatus::UpdateComplete,
            Self::UpdateRolledBack => StackStatus::UpdateRollbackComplete,
        }
    }

    fn is_failure(self) -> bool {
        matches!(self, Self::DeleteFailed | Self::RollbackFailed)
    }
}

/// An update that cannot delete what it left behind is complete all the same, as on AWS.
fn end_of(kind: OperationKind, failed: bool, on_failure: OnFailure, stuck: bool) -> End {
    match (kind, failed) {
        (OperationKind::Update, false) => End::Updated,
        (OperationKind::Update, true) => End::UpdateRolledBack,
        (OperationKind::Create, _) if on_failure != OnFailure::Delete => {
            if stuck {
                End::RollbackFailed
            } else {
                End::RolledBack
            }
        }
        (OperationKind::Create | OperationKind::Delete, _) => {
            if stuck {
                End::DeleteFailed
            } else {
                End::Deleted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_end_as_cloudformations_do() {
        use OnFailure::{Delete, Rollback};
        use OperationKind as K;
        let cases = [
            (K::Create, true, Rollback, false, StackStatus::RollbackComplete),
            (K::Create, true, Rollback, true, StackStatus::RollbackFailed),
            (K::Create, true, Delete, false, StackStatus::DeleteComplete),
            (K::Create, true, Delete, true, StackStatus::DeleteFailed),
            (K::Update, false, Rollback, true, StackStatus::UpdateComplete),
            (K::Update, true, Rollback, false, StackStatus::UpdateRollbackComplete),
            (K::Delete, false, Rollback, false, StackStatus::DeleteComplete),
            (K::Delete, false, Rollback, true, StackStatus::DeleteFailed),
        ];
        for (kind, failed, on_failure, stuck, expected) in cases {
            assert_eq!(
                end_of(kind, failed, on_failure, stuck).status(),
                expected,
                "{kind:?} {failed} {stuck}"
            );
        }
    }
}
