//! What CloudFormation remembers: stacks, their resources, events and change sets.
//!
//! An operation on a stack is part of these records, so a daemon that is killed in the middle finds in the
//! store what was begun, under which names, and until when it may take.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::{ChangeSetStatus, ExecutionStatus, ResourceStatus, StackStatus};
use crate::store::{Kinds, Record};

/// Makes the store able to load this service's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds.add::<Stack>().add::<Resource>().add::<Event>().add::<ChangeSet>();
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// Its region.
    pub region: String,
    /// Its id, an ARN that ends with a UUID.
    pub id: String,
    /// Its name, unique among the stacks that exist in the region.
    pub name: String,
    /// Its state.
    pub status: StackStatus,
    /// Why it is in this state, after a failure.
    pub status_reason: Option<String>,
    /// When it was first submitted.
    pub created: Timestamp,
    /// When its last update began.
    pub updated: Option<Timestamp>,
    /// When its deletion began.
    pub deleted: Option<Timestamp>,
    /// The template and values in force, or being put in force. None while only reviewed.
    pub definition: Option<Definition>,
    /// What is being done to it.
    pub operation: Option<Operation>,
    /// The outputs as last evaluated.
    pub outputs: Vec<Output>,
    /// The exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// The change set that was executed last.
    pub change_set_id: Option<String>,
    /// Whether a failed operation is left as it is.
    pub disable_rollback: bool,
    /// Whether `DeleteStack` is refused.
    pub termination_protection: bool,
    /// The time limit of its creation in minutes.
    pub timeout_minutes: Option<i32>,
    /// Whether resources made by a failed operation are deleted whatever their deletion policy.
    pub retain_except_on_create: bool,
    /// The last event's time in milliseconds; events of one stack have rising times.
    pub last_event_ms: i64,
}

/// What a stack is made from: a template, the values of its parameters, tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The template as it was submitted.
    pub template: String,
    /// The values of all parameters that the template declares, in its order.
    pub parameters: IndexMap<String, ParameterValue>,
    /// The stack's tags, which its resources get as well.
    pub tags: IndexMap<String, String>,
    /// The capabilities that the caller acknowledged.
    pub capabilities: Vec<String>,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterValue {
    /// What the caller gave, or the default.
    pub value: String,
    /// For SSM parameter types: what the name stood for when the operation began.
    pub resolved: Option<String>,
    /// Whether the value must not be shown.
    pub no_echo: bool,
}

impl ParameterValue {
    /// What `Ref` gives.
    pub fn effective(&self) -> &str {
        self.resolved.as_deref().unwrap_or(&self.value)
    }
}

/// One output of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its logical id.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its description.
    pub description: Option<String>,
    /// The name that it is exported under.
    pub export_name: Option<String>,
}

/// What the engine does to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id; what the engine does for one operation is dropped when another has taken its place.
    pub id: String,
    /// What the caller asked for.
    pub kind: OperationKind,
    /// How far it is.
    pub phase: Phase,
    /// Whether the phase's preparations are done.
    pub prepared: bool,
    /// Whether it has failed and is going back.
    pub failed: bool,
    /// The caller's `ClientRequestToken`, which every event of the operation carries.
    pub token: Option<String>,
    /// Who asked; resources are made on their behalf.
    pub caller: Requester,
    /// What an update goes back to when it fails.
    pub previous: Option<Definition>,
    /// What happens after a failure.
    pub on_failure: OnFailure,
    /// When a creation with `TimeoutInMinutes` fails.
    pub deadline: Option<Timestamp>,
    /// Logical ids that a deletion keeps.
    pub retain: BTreeSet<String>,
}

/// What the caller asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// `CreateStack`, or a change set of type CREATE.
    Create,
    /// `UpdateStack`, or a change set of type UPDATE.
    Update,
    /// `DeleteStack`.
    Delete,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Resources are made and changed towards the new definition.
    Forward,
    /// An update's resources are brought back to the previous definition.
    Revert,
    /// What nobody needs any more is deleted.
    Sweep,
}

/// What happens when an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// Everything goes back to what it was.
    Rollback,
    /// The stack is deleted.
    Delete,
    /// Everything stays as it is.
    DoNothing,
}

/// Who asked for an operation, in a form that can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Requester {
    /// The account.
    Root,
    /// A role's session.
    Role {
        /// The role's name.
        role: String,
        /// The session's name.
        session: String,
    },
}

/// A resource of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The stack's region.
    pub region: String,
    /// The record's id: the stack's UUID, a slash and the logical id.
    pub key: String,
    /// The stack's id.
    pub stack_id: String,
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, e.g. `AWS::ECS::Cluster`.
    pub type_: String,
    /// Its state; none before the engine has begun with it.
    pub status: Option<ResourceStatus>,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// When the state last changed.
    pub changed: Timestamp,
    /// The physical id shown to callers, also after a deletion.
    pub shown_id: Option<String>,
    /// What exists in its name.
    pub current: Option<Incarnation>,
    /// What existed when the running update began.
    pub before: Option<Incarnation>,
    /// What is left over and awaits deletion.
    pub discards: Vec<Discard>,
    /// What the running operation is doing with it.
    pub step: Step,
    /// The signals that its creation waits for.
    pub signals: Option<SignalWait>,
}

/// One thing that exists, or is about to, for a logical id. A replacement makes another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Its type.
    pub type_: String,
    /// Its id in its service; none until it is known.
    pub physical_id: Option<String>,
    /// The evaluated properties that it was made or last updated with.
    pub properties: Value,
    /// The evaluated metadata.
    pub metadata: Option<Value>,
    /// The stack's tags that it was made or last updated with.
    pub tags: IndexMap<String, String>,
    /// The values of `Fn::GetAtt`.
    pub attributes: BTreeMap<String, Value>,
    /// The logical ids that it needs, which are deleted after it.
    pub needs: BTreeSet<String>,
    /// What happens when it leaves the template.
    pub deletion_policy: Policy,
    /// What happens when it is replaced.
    pub replace_policy: Policy,
}

/// What happens to something that the stack no longer needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless the operation that made it fails.
    RetainExceptOnCreate,
}

/// Something that awaits deletion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Discard {
    /// What it is.
    pub what: Incarnation,
    /// Which policy decides: that of a replaced one, or that of one which leaves the stack.
    pub replaced: bool,
    /// Whether the running operation itself made it.
    pub fresh: bool,
    /// How far its deletion is.
    pub state: DiscardState,
}

/// How far a deletion is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiscardState {
    /// Not begun.
    Waiting,
    /// The service has been or is being told; until `give_up` a refusal is tried again.
    Deleting {
        /// Whether the service has accepted the deletion.
        accepted: bool,
        /// The end of patience.
        give_up: Timestamp,
    },
    /// It could not be deleted.
    Failed,
}

/// What the running operation is doing with a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// Nothing, or nothing more.
    Done,
    /// Its turn has not come.
    Waiting,
    /// Being made or changed.
    Active(Attempt),
    /// It failed or was cancelled; what the attempt may have made is still to be looked for.
    Failed(Option<Attempt>),
}

/// A creation or change that has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Whether something new is made, rather than what exists changed in place.
    pub creates: bool,
    /// What it leads to.
    pub target: Incarnation,
    /// The name or token chosen before the service is called, by which a resumed attempt finds what the
    /// interrupted one made.
    pub name: String,
    /// Whether the service has accepted the call.
    pub accepted: bool,
    /// Whether the further calls that a creation takes have been made.
    pub completed: bool,
    /// When it began.
    pub since: Timestamp,
}

/// A resource's wait for signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalWait {
    /// How many successes it takes.
    pub count: u32,
    /// When the wait ends without success. Absolute, so that a restart does not prolong it.
    pub deadline: Timestamp,
    /// The signals received, by their unique id.
    pub received: IndexMap<String, Signal>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Whether it says success.
    pub success: bool,
    /// When it came.
    pub at: Timestamp,
}

/// An event of a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The stack's region.
    pub region: String,
    /// The record's id: the stack's UUID, a slash and the time in milliseconds, so that ids sort by time.
    pub key: String,
    /// The event's id in the API.
    pub event_id: String,
    /// The stack's id.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The resource's logical id, or the stack's name.
    pub logical_id: String,
    /// The resource's physical id, or the stack's id.
    pub physical_id: Option<String>,
    /// The resource's type.
    pub type_: String,
    /// When it happened.
    pub at: Timestamp,
    /// The new state, a [`ResourceStatus`] or [`StackStatus`].
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The evaluated properties as JSON.
    pub properties: Option<String>,
    /// The operation's `ClientRequestToken`.
    pub token: Option<String>,
    /// The operation's id.
    pub operation_id: Option<String>,
}

/// A change set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// Its region.
    pub region: String,
    /// Its id, an ARN that ends with a UUID.
    pub id: String,
    /// Its name, unique among its stack's.
    pub name: String,
    /// The stack's id.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// Its description.
    pub description: Option<String>,
    /// Whether executing it creates the stack.
    pub creates: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Its state.
    pub status: ChangeSetStatus,
    /// Why it failed.
    pub status_reason: Option<String>,
    /// Whether it can be executed.
    pub execution: ExecutionStatus,
    /// What the stack is to become.
    pub definition: Definition,
    /// What executing it does, in the API's shape.
    pub changes: Vec<aws_wire::cloudformation::Change>,
    /// What happens when its execution fails.
    pub on_failure: Option<OnFailure>,
    /// The caller's token, for which a repeated request finds this one.
    pub client_token: Option<String>,
}

/// The UUID at the end of a stack's or change set's id.
pub fn uuid_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The key of a stack's resource record.
pub fn resource_key(stack_id: &str, logical_id: &str) -> String {
    format!("{}/{logical_id}", uuid_of(stack_id))
}

impl Stack {
    /// Whether `name` is this stack's name or id. A name finds only stacks that exist; an id also deleted ones.
    pub fn answers_to(&self, name: &str) -> bool {
        self.id == name || (self.name == name && self.status.exists())
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.definition.as_ref()?.tags.get(key).map(String::as_str)
    }
}

impl Resource {
    /// A resource that nothing has been done for.
    pub fn new(stack: &Stack, logical_id: &str, type_: &str, now: Timestamp) -> Self {
        Self {
            region: stack.region.clone(),
            key: resource_key(&stack.id, logical_id),
            stack_id: stack.id.clone(),
            logical_id: logical_id.to_owned(),
            type_: type_.to_owned(),
            status: None,
            reason: None,
            changed: now,
            shown_id: None,
            current: None,
            before: None,
            discards: Vec::new(),
            step: Step::Waiting,
            signals: None,
        }
    }

    /// What is being made, or else what exists.
    pub fn newest(&self) -> Option<&Incarnation> {
        match &self.step {
            Step::Active(attempt) => Some(&attempt.target),
            Step::Failed(attempt) => {
                attempt.as_ref().map(|attempt| &attempt.target).or(self.current.as_ref())
            }
            Step::Done | Step::Waiting => self.current.as_ref(),
        }
    }
}

impl Record for Stack {
    const KIND: &'static str = "cloudformation.stack";
    fn region(&self) -> &str {
        &self.region
    }
    fn id(&self) -> &str {
        &self.id
    }
}

impl Record for Resource {
    const KIND: &'static str = "cloudformation.resource";
    fn region(&self) -> &str {
        &self.region
    }
    fn id(&self) -> &str {
        &self.key
    }
}

impl Record for Event {
    const KIND: &'static str = "cloudformation.event";
    fn region(&self) -> &str {
        &self.region
    }
    fn id(&self) -> &str {
        &self.key
    }
}

impl Record for ChangeSet {
    const KIND: &'static str = "cloudformation.change-set";
    fn region(&self) -> &str {
        &self.region
    }
    fn id(&self) -> &str {
        &self.id
    }
}
