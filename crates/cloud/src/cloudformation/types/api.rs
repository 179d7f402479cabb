//! The services that resource types call, each by its own operations.

use aws_wire::autoscaling::AutoScaling;
use aws_wire::ec2::Ec2;
use aws_wire::ecs::Ecs;
use aws_wire::iam::Iam;
use aws_wire::logs::Logs;
use aws_wire::ssm::Ssm;

use crate::context::Ctx;

/// The services behind the resource types.
pub struct Services {
    /// EC2.
    pub ec2: &'static (dyn Ec2<Ctx> + Sync),
    /// Auto Scaling.
    pub autoscaling: &'static (dyn AutoScaling<Ctx> + Sync),
    /// IAM.
    pub iam: &'static (dyn Iam<Ctx> + Sync),
    /// ECS.
    pub ecs: &'static (dyn Ecs<Ctx> + Sync),
    /// CloudWatch Logs.
    pub logs: &'static (dyn Logs<Ctx> + Sync),
    /// SSM.
    pub ssm: &'static (dyn Ssm<Ctx> + Sync),
}

/// What a real resource type is called with.
pub struct Api {
    /// The context of the calls.
    pub ctx: Ctx,
    /// The services.
    pub services: &'static Services,
}
