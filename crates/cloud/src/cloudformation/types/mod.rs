//! Resource types: how each is made, changed and deleted through its service's own operations.
//!
//! A type is one small file with a unit struct that implements [`ResourceType`]; [`registry`] lists them.
//! The engine decides what happens when; a type only says how.

pub mod api;
mod autoscaling_group;
mod autoscaling_launch_configuration;
pub(super) mod ec2_checks;
mod ec2_internet_gateway;
mod ec2_launch_template;
mod ec2_route;
mod ec2_route_table;
mod ec2_security_group;
mod ec2_security_group_rule;
mod ec2_subnet;
mod ec2_subnet_route_table_association;
mod ec2_tags;
mod ec2_vpc;
mod ec2_vpc_gateway_attachment;
mod ecs_cluster;
mod iam_checks;
mod iam_instance_profile;
mod iam_policy;
mod iam_role;
mod logs_log_group;
mod logs_log_stream;
mod props;
mod ssm_parameter;

use std::collections::BTreeMap;
use std::sync::Arc;

use cfn_template::schema::ResourceSchema;
use indexmap::IndexMap;
use serde_json::Value;

use crate::cloudformation::engine::names;

/// The values that `Fn::GetAtt` can ask for.
pub type Attributes = BTreeMap<String, Value>;

/// One type of resource. `C` is the context that services are called with.
///
/// Calls return at once: what takes time is waited for in [`ResourceType::stabilize`] and
/// [`ResourceType::deleted`], which the engine asks again whenever the cloud's state has changed.
pub trait ResourceType<C>: Send + Sync {
    /// The type's name, its properties with their types, which of them force a replacement, and its attributes.
    fn schema(&self) -> &'static ResourceSchema;

    /// The property by which a template can name the resource, if there is one.
    fn name_property(&self) -> Option<&'static str> {
        None
    }

    /// The longest name that the service accepts.
    fn name_limit(&self) -> usize {
        128
    }

    /// The name or token chosen before creation.
    fn choose_name(&self, owner: &Owner, properties: &Value) -> String {
        let given =
            self.name_property().and_then(|property| properties.get(property)).and_then(Value::as_str);
        match given {
            Some(name) => name.to_owned(),
            None => names::generate(&owner.stack_name, &owner.logical_id, self.name_limit()),
        }
    }

    /// What the template asks for that cannot be, as far as it is known before anything is made. Values that
    /// depend on resources not yet made are [`unknown`].
    fn preflight(&self, _ctx: &C, _properties: &Value) -> Vec<Problem> {
        Vec::new()
    }

    /// Makes the resource, by the one call that brings it into being.
    ///
    /// # Errors
    /// Why the service refused.
    fn create(&self, ctx: &C, wanted: &Wanted<'_>) -> Result<Made, Failure>;

    /// Gives the resource what takes further calls. Its id is stored by then, so a failure here is rolled back;
    /// every call may have been made before.
    ///
    /// # Errors
    /// Why the service refused.
    fn complete(&self, _ctx: &C, _physical_id: &str, _wanted: &Wanted<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks for what an interrupted [`ResourceType::create`] with the same name may have made. Changes nothing.
    ///
    /// # Errors
    /// Why the service refused.
    fn find(&self, ctx: &C, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure>;

    /// Whether the resource is what it was made to be, and its attributes then.
    ///
    /// # Errors
    /// Why it never will be.
    fn stabilize(&self, _ctx: &C, existing: &Existing<'_>) -> Result<Progress, Failure> {
        Ok(Progress::Ready(existing.attributes.clone()))
    }

    /// Changes the resource in place. Doing the same change again does no harm.
    ///
    /// # Errors
    /// Why the service refused.
    fn update(&self, ctx: &C, change: &Change<'_>) -> Result<(), Failure>;

    /// Deletes the resource; it is no error when it is gone already.
    ///
    /// # Errors
    /// Why the service refused.
    fn delete(&self, ctx: &C, existing: &Existing<'_>) -> Result<(), Failure>;

    /// Whether the resource is gone, once its deletion has been accepted.
    ///
    /// # Errors
    /// Why it never will be.
    fn deleted(&self, _ctx: &C, _existing: &Existing<'_>) -> Result<bool, Failure> {
        Ok(true)
    }

    /// Whether its creation can wait for signals (`CreationPolicy`).
    fn awaits_signals(&self) -> bool {
        false
    }

    /// The instances that are expected to signal for the resource.
    fn signallers(&self, _ctx: &C, _physical_id: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The stack's id.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The resource's name in the template.
    pub logical_id: String,
}

impl Owner {
    /// The tags of a resource: the stack's, and CloudFormation's own that say whose it is.
    pub fn tags(&self, stack_tags: &IndexMap<String, String>) -> IndexMap<String, String> {
        let mut tags = stack_tags.clone();
        tags.insert(tag::STACK_NAME.to_owned(), self.stack_name.clone());
        tags.insert(tag::LOGICAL_ID.to_owned(), self.logical_id.clone());
        tags.insert(tag::STACK_ID.to_owned(), self.stack_id.clone());
        tags
    }
}

/// The tags that CloudFormation puts on what it makes.
pub mod tag {
    /// The stack's name.
    pub const STACK_NAME: &str = "aws:cloudformation:stack-name";
    /// The stack's id.
    pub const STACK_ID: &str = "aws:cloudformation:stack-id";
    /// The resource's name in the template.
    pub const LOGICAL_ID: &str = "aws:cloudformation:logical-id";
}

/// A resource to be made.
pub struct Wanted<'a> {
    /// Whose it will be.
    pub owner: &'a Owner,
    /// The name or token chosen for it.
    pub name: &'a str,
    /// Its evaluated properties.
    pub properties: &'a Value,
    /// The stack's tags.
    pub tags: &'a IndexMap<String, String>,
}

/// A resource that was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// Its id, which `Ref` gives.
    pub physical_id: String,
    /// Its attributes, as far as they are known at once.
    pub attributes: Attributes,
}

impl Made {
    /// A resource with no attributes known yet.
    pub fn new(physical_id: impl Into<String>) -> Self {
        Self { physical_id: physical_id.into(), attributes: Attributes::new() }
    }

    /// The same with an attribute.
    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(attribute.to_owned(), value.into());
        self
    }
}

/// A resource that exists.
pub struct Existing<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// Its id.
    pub physical_id: &'a str,
    /// The evaluated properties that it has.
    pub properties: &'a Value,
    /// The attributes known so far.
    pub attributes: &'a Attributes,
}

/// A change of a resource in place.
pub struct Change<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// Its id.
    pub physical_id: &'a str,
    /// The properties that it has.
    pub before: &'a Value,
    /// The properties that it is to have.
    pub after: &'a Value,
    /// The stack's tags before.
    pub tags_before: &'a IndexMap<String, String>,
    /// The stack's tags from now on.
    pub tags: &'a IndexMap<String, String>,
}

impl Change<'_> {
    /// Whether a property differs.
    pub fn touches(&self, property: &str) -> bool {
        self.before.get(property) != self.after.get(property)
    }
}

/// How far a resource is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Not there yet.
    Pending,
    /// It is what it was made to be.
    Ready(Attributes),
}

/// Why a resource could not be made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as it appears in the event.
    pub reason: String,
    /// Whether another try may succeed soon, because something else has to go first.
    pub transient: bool,
}

impl Failure {
    /// A failure that another try will not mend.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: false }
    }
}

/// Codes with which services refuse a deletion while something still uses the resource.
const IN_USE: &[&str] =
    &["DependencyViolation", "ResourceInUse", "DeleteConflict", "ScalingActivityInProgress"];

impl From<aws_wire::Error> for Failure {
    fn from(error: aws_wire::Error) -> Self {
        Self {
            transient: IN_USE.iter().any(|code| error.code.starts_with(code)),
            reason: format!(
                "{} (Status Code: {}; Error Code: {})",
                error.message.trim_end(),
                error.status,
                error.code
            ),
        }
    }
}

/// Something in the template that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, below the resource's `Properties`: `["BlockDeviceMappings", "0", "Ebs"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// A problem with a property.
    pub fn new(path: &[&str], message: impl Into<String>) -> Self {
        Self { path: path.iter().map(|step| (*step).to_owned()).collect(), message: message.into() }
    }
}

/// Stands in evaluated properties for what is not known before its resource exists. No template can hold it:
/// YAML and JSON text admits no such character.
const UNKNOWN: char = '\u{FDD0}';

/// The stand-in for a resource's reference or attribute.
pub fn unknown(logical_id: &str) -> Value {
    Value::String(format!("{UNKNOWN}{logical_id}{UNKNOWN}"))
}

/// A known text: `None` for other values and for text that holds something not yet known.
pub fn known(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.contains(UNKNOWN))
}

/// All types that this cloud has.
pub fn registry() -> Types<api::Api> {
    let mut types = Types::default();
    types
        .add(autoscaling_group::AutoScalingGroup)
        .add(autoscaling_launch_configuration::LaunchConfiguration)
        .add(ec2_internet_gateway::InternetGateway)
        .add(ec2_launch_template::LaunchTemplate)
        .add(ec2_route::Route)
        .add(ec2_route_table::RouteTable)
        .add(ec2_security_group::SecurityGroup)
        .add(ec2_security_group_rule::SecurityGroupEgress)
        .add(ec2_security_group_rule::SecurityGroupIngress)
        .add(ec2_subnet::Subnet)
        .add(ec2_subnet_route_table_association::SubnetRouteTableAssociation)
        .add(ec2_vpc::Vpc)
        .add(ec2_vpc_gateway_attachment::VpcGatewayAttachment)
        .add(ecs_cluster::Cluster)
        .add(iam_instance_profile::InstanceProfile)
        .add(iam_policy::Policy)
        .add(iam_role::Role)
        .add(logs_log_group::LogGroup)
        .add(logs_log_stream::LogStream)
        .add(ssm_parameter::Parameter);
    types
}

/// The types that a cloud has, by name.
pub struct Types<C>(BTreeMap<&'static str, Arc<dyn ResourceType<C>>>);

impl<C> Default for Types<C> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<C> Types<C> {
    /// Adds a type.
    pub fn add(&mut self, resource_type: impl ResourceType<C> + 'static) -> &mut Self {
        self.0.insert(resource_type.schema().type_name, Arc::new(resource_type));
        self
    }

    /// The type of this name.
    pub fn get(&self, name: &str) -> Option<&dyn ResourceType<C>> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// The schemas of all types, in the order of their names.
    pub fn schemas(&self) -> Vec<&'static ResourceSchema> {
        self.0.values().map(|kind| kind.schema()).collect()
    }
}
