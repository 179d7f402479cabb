//! The answers that a new repository is made from.

use super::valid::{self, Proxy};

/// The name that the skeleton has for itself.
pub const EXAMPLE: &str = "todobackend";

/// Everything that `init` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The name of the repository's folder, of its stack and of its images.
    pub name: String,
    /// The region that image and stack go to.
    pub region: String,
    /// The instances' time zone.
    pub time_zone: String,
    /// The environments, of which the first is the one that `drydock up` means. Never empty.
    pub environments: Vec<Environment>,
}

/// The stack's parameters in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name; its parameters are in `NAME.cfg`.
    pub name: String,
    /// The VPC of the instances.
    pub vpc_id: String,
    /// Its subnets for them. Never empty.
    pub subnet_ids: Vec<String>,
    /// The instances' type.
    pub instance_type: String,
    /// How many instances.
    pub desired_count: u32,
    /// For how many days logs are kept.
    pub log_retention_days: u32,
    /// The proxy on the way to AWS.
    pub proxy: Option<Proxy>,
}

impl Answers {
    /// What is answered by whoever is not asked.
    pub fn default_for(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            region: valid::DEFAULT_REGION.to_owned(),
            time_zone: "UTC".to_owned(),
            environments: ["dev", "prod"].map(Environment::default_for).into(),
        }
    }
}

impl Environment {
    /// What an environment has unless something else is said: little, unless it is a production environment by its name.
    ///
    /// The ids of VPC and subnets stand for those of somebody's AWS account; the local cloud makes twins of them.
    pub fn default_for(name: &str) -> Self {
        let production = name.starts_with("prod");
        Self {
            name: name.to_owned(),
            vpc_id: "vpc-0c0ffee0c0ffee001".to_owned(),
            subnet_ids: ["subnet-0c0ffee0c0ffee00a", "subnet-0c0ffee0c0ffee00b"].map(str::to_owned).into(),
            instance_type: if production { "t3.small" } else { "t3.micro" }.to_owned(),
            desired_count: if production { 2 } else { 1 },
            log_retention_days: if production { 90 } else { 7 },
            proxy: None,
        }
    }
}
