//! The states of stacks, resources and change sets, spelled as the API spells them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are written as CloudFormation's constants.
macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The API's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// The state of a stack.
    StackStatus {
        /// Only a change set of type CREATE has been made.
        ReviewInProgress = "REVIEW_IN_PROGRESS",
        /// Being created.
        CreateInProgress = "CREATE_IN_PROGRESS",
        /// Creation failed and nothing was rolled back.
        CreateFailed = "CREATE_FAILED",
        /// Created.
        CreateComplete = "CREATE_COMPLETE",
        /// Creation failed; what was made is being deleted.
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        /// Creation failed, and so did deleting what was made.
        RollbackFailed = "ROLLBACK_FAILED",
        /// Creation failed; what was made is gone.
        RollbackComplete = "ROLLBACK_COMPLETE",
        /// Being deleted.
        DeleteInProgress = "DELETE_IN_PROGRESS",
        /// Something could not be deleted.
        DeleteFailed = "DELETE_FAILED",
        /// Deleted.
        DeleteComplete = "DELETE_COMPLETE",
        /// Being updated.
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        /// Updated; what was replaced or removed is being deleted.
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        /// Updated.
        UpdateComplete = "UPDATE_COMPLETE",
        /// The update failed and nothing was rolled back.
        UpdateFailed = "UPDATE_FAILED",
        /// The update failed; resources are being brought back to what they were.
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        /// Bringing a resource back failed.
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        /// Brought back; what the failed update made is being deleted.
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        /// Brought back.
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    }
}

states! {
    /// The state of a resource in a stack, or of the stack itself in an event.
    ResourceStatus {
        /// Being created.
        CreateInProgress = "CREATE_IN_PROGRESS",
        /// Creation failed.
        CreateFailed = "CREATE_FAILED",
        /// Created.
        CreateComplete = "CREATE_COMPLETE",
        /// Being updated.
        UpdateInProgress = "UPDATE_IN_PROGRESS",
        /// The update failed.
        UpdateFailed = "UPDATE_FAILED",
        /// Updated.
        UpdateComplete = "UPDATE_COMPLETE",
        /// Being deleted.
        DeleteInProgress = "DELETE_IN_PROGRESS",
        /// Deletion failed.
        DeleteFailed = "DELETE_FAILED",
        /// Deleted.
        DeleteComplete = "DELETE_COMPLETE",
        /// Kept, because its deletion policy or the caller said so.
        DeleteSkipped = "DELETE_SKIPPED",
    }
}

states! {
    /// The state of a change set.
    ChangeSetStatus {
        /// It can be executed.
        CreateComplete = "CREATE_COMPLETE",
        /// It cannot be executed.
        Failed = "FAILED",
    }
}

states! {
    /// Whether a change set can be, is being or has been executed.
    ExecutionStatus {
        /// It failed.
        Unavailable = "UNAVAILABLE",
        /// It can be executed.
        Available = "AVAILABLE",
        /// It has been executed.
        ExecuteComplete = "EXECUTE_COMPLETE",
        /// The stack has changed since.
        Obsolete = "OBSOLETE",
    }
}

impl StackStatus {
    /// Whether the stack still counts: its name is taken and it is found by it.
    pub fn exists(self) -> bool {
        self != Self::DeleteComplete
    }

    /// Whether the engine is at work on the stack.
    pub fn in_progress(self) -> bool {
        match self {
            Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::DeleteInProgress
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress => true,
            Self::ReviewInProgress
            | Self::CreateFailed
            | Self::CreateComplete
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackComplete => false,
        }
    }

    /// Whether the stack can be updated now.
    pub fn updatable(self) -> bool {
        match self {
            Self::CreateComplete | Self::UpdateComplete | Self::UpdateRollbackComplete => true,
            // After a failure that was not rolled back, an update carries on from what is there.
            Self::CreateFailed | Self::UpdateFailed => true,
            Self::ReviewInProgress
            | Self::CreateInProgress
            | Self::RollbackInProgress
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteInProgress
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackCompleteCleanupInProgress => false,
        }
    }

    /// Whether a deletion may begin now. CloudFormation also deletes a stack in mid-creation.
    pub fn deletable(self) -> bool {
        match self {
            Self::UpdateInProgress
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress
            | Self::UpdateRollbackCompleteCleanupInProgress => false,
            Self::ReviewInProgress
            | Self::CreateInProgress
            | Self::CreateFailed
            | Self::CreateComplete
            | Self::RollbackInProgress
            | Self::RollbackFailed
            | Self::RollbackComplete
            | Self::DeleteInProgress
            | Self::DeleteFailed
            | Self::DeleteComplete
            | Self::UpdateComplete
            | Self::UpdateFailed
            | Self::UpdateRollbackFailed
            | Self::UpdateRollbackComplete => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_spelled_as_in_the_api() {
        let all = [
            (StackStatus::UpdateCompleteCleanupInProgress, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            (StackStatus::ReviewInProgress, "REVIEW_IN_PROGRESS"),
        ];
        for (status, text) in all {
            assert_eq!(status.to_string(), text);
            assert_eq!(serde_json::to_value(status).unwrap(), text);
        }
    }

    #[test]
    fn a_stack_at_work_is_neither_updated_nor_gone() {
        assert!(StackStatus::UpdateInProgress.in_progress());
        assert!(!StackStatus::UpdateInProgress.updatable());
        assert!(!StackStatus::UpdateInProgress.deletable());
        assert!(StackStatus::CreateInProgress.deletable());
        assert!(!StackStatus::DeleteComplete.exists());
    }
}
