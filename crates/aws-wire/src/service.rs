//! What the wire says of each service: protocol, names, codes.

use crate::Service;
use crate::value::Structure;

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form parameters in, XML out: IAM, STS, CloudFormation, Auto Scaling.
    Query,
    /// EC2's variant of [`Protocol::Query`], with its own naming rules.
    Ec2,
    /// JSON 1.0 and 1.1: ECS, Systems Manager.
    Json,
}

/// A service's entry in the generated table.
#[derive(Debug)]
pub struct ServiceModel {
    /// The service in a SigV4 credential scope.
    pub signing_name: &'static str,
    /// The first label of the host name, e.g. `ec2`.
    pub endpoint_prefix: &'static str,
    /// AWS's name for people.
    pub full_name: &'static str,
    /// The `Version` parameter, e.g. `2016-11-15`.
    pub api_version: &'static str,
    /// How it speaks.
    pub protocol: Protocol,
    /// What stands before the operation in `X-Amz-Target`; empty if the protocol has no such header.
    pub target_prefix: &'static str,
    /// Namespace of its XML; empty for JSON services.
    pub xml_namespace: &'static str,
    /// Whether one endpoint serves all regions.
    pub is_global: bool,
    /// Operations that have types here.
    pub operations: &'static [OperationModel],
    /// Operations that AWS has and that have no types here.
    pub unsupported: &'static [&'static str],
    /// Error codes whose HTTP status is not 400, sorted by code.
    pub errors: &'static [(&'static str, u16)],
}

/// A supported operation, for code that learns only at run time which one it has to do with.
#[derive(Debug)]
pub struct OperationModel {
    /// AWS's name.
    pub name: &'static str,
    /// Makes an empty input.
    pub input: fn() -> Box<dyn Structure>,
    /// Makes an empty output.
    pub output: fn() -> Box<dyn Structure>,
}

impl OperationModel {
    pub(crate) const fn new<I, O>(name: &'static str) -> Self
    where
        I: Structure + Default + 'static,
        O: Structure + Default + 'static,
    {
        Self { name, input: || Box::new(I::default()), output: || Box::new(O::default()) }
    }
}

impl ServiceModel {
    /// The supported operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&'static OperationModel> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// The HTTP status that the model gives the error `code`, if it is not 400.
    pub fn error_status(&self, code: &str) -> Option<u16> {
        self.errors.iter().find(|(known, _)| *known == code).map(|(_, status)| *status)
    }
}

impl Service {
    /// How it speaks.
    pub fn protocol(self) -> Protocol {
        self.model().protocol
    }

    /// The service that a credential scope names, e.g. `ec2`.
    pub fn from_signing_name(name: &str) -> Option<Self> {
        Self::find(|model| model.signing_name == name)
    }

    /// The service whose API has the `Version` parameter `version`; each query service has its own.
    pub fn from_api_version(version: &str) -> Option<Self> {
        Self::find(|model| model.protocol != Protocol::Json && model.api_version == version)
    }

    /// The service of an `X-Amz-Target` prefix.
    pub fn from_target_prefix(prefix: &str) -> Option<Self> {
        Self::find(|model| !model.target_prefix.is_empty() && model.target_prefix == prefix)
    }

    /// The service of a host name's first label.
    pub fn from_endpoint_prefix(prefix: &str) -> Option<Self> {
        Self::find(|model| model.endpoint_prefix == prefix)
    }

    fn find(accept: impl Fn(&ServiceModel) -> bool) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| accept(service.model()))
    }
}
