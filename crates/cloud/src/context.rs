//! What a request brings with it: who calls, for which account and region.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::Cloud;
use crate::ids;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The account itself, as every local user of the host is.
    Root,
    /// A role's session: an instance with a profile, or who assumed a role.
    Role {
        /// The role's name.
        role: String,
        /// The session's name; for an instance profile the instance's id.
        session: String,
    },
    /// An instance that identified itself by its identity document (scheme `CFN_V1`); may only ask
    /// CloudFormation about its own stack.
    Instance {
        /// The instance's id.
        instance_id: String,
    },
    /// The cloud's own services, which act for the account (Auto Scaling launching instances).
    Service {
        /// The service's principal, e.g. `autoscaling.amazonaws.com`.
        principal: &'static str,
    },
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Through the daemon's listener on the host.
    Host,
    /// From inside a VPC, by the instance with this address. Two VPCs may use the same addresses, so the
    /// VPC belongs to it.
    Instance {
        /// The VPC's id.
        vpc_id: Arc<str>,
        /// The instance's private address.
        address: Ipv4Addr,
    },
}

/// The context of one request or of one step of a reconciler.
#[derive(Clone)]
pub struct Ctx {
    /// The cloud.
    pub cloud: Arc<Cloud>,
    /// The twelve-digit account number.
    pub account: Arc<str>,
    /// The region that the request is for.
    pub region: Arc<str>,
    /// Who calls.
    pub caller: Caller,
    /// Where the call came from.
    pub origin: Origin,
    /// The request's id, given back in the answer.
    pub request_id: String,
}

impl Ctx {
    /// The context in which the cloud's own service acts in a region of the account.
    pub fn service(cloud: &Arc<Cloud>, region: &str, principal: &'static str) -> Self {
        Self {
            cloud: Arc::clone(cloud),
            account: Arc::from(cloud.config.account.as_str()),
            region: Arc::from(region),
            caller: Caller::Service { principal },
            origin: Origin::Host,
            request_id: ids::uuid(),
        }
    }

    /// An ARN of this account and region.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// The ARN of who calls, as `GetCallerIdentity` gives it.
    pub fn caller_arn(&self) -> String {
        match &self.caller {
            Caller::Root => format!("arn:aws:iam::{}:root", self.account),
            Caller::Role { role, session } => {
                format!("arn:aws:sts::{}:assumed-role/{role}/{session}", self.account)
            }
            Caller::Instance { instance_id } => self.arn("ec2", &format!("instance/{instance_id}")),
            Caller::Service { principal } => format!("arn:aws:iam::{}:service/{principal}", self.account),
        }
    }
}
