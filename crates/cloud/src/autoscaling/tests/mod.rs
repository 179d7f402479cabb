//! The service on a simulated cloud.

mod capacity;
mod failures;
mod requests;

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::*;
use aws_wire::ec2::{CreateLaunchTemplateRequest, Ec2 as _, RequestLaunchTemplateData};

use super::state::{ActivityRecord, GroupRecord, Lifecycle, MemberRecord};
use super::{AutoScalingService, run};
use crate::ec2::Ec2Service;
use crate::ec2::state::{InstanceRecord, SubnetRecord};
use crate::testing::{Bench, IMAGE, REGION};
use crate::{Cloud, Ctx};

/// A cloud with a launch configuration `lc`.
struct Fleet {
    bench: Bench,
}

impl Fleet {
    fn new() -> Self {
        let bench = Bench::new();
        crate::ec2::ensure_region(&bench.cloud, REGION).unwrap();
        AutoScalingService.create_launch_configuration(&bench.ctx(), configuration("lc")).unwrap();
        Self { bench }
    }

    /// The same with the reconcilers of EC2 and Auto Scaling.
    fn running() -> Self {
        let fleet = Self::new();
        fleet.start();
        fleet
    }

    /// Starts the reconcilers; they end with the test's runtime.
    fn start(&self) {
        self.bench.reconcile_ec2();
        tokio::spawn(run(Arc::clone(&self.bench.cloud)));
    }

    /// The daemon is killed and started again; its reconcilers do not run.
    fn reopen(self) -> Self {
        Self { bench: self.bench.reopen() }
    }

    fn ctx(&self) -> Ctx {
        self.bench.ctx()
    }

    /// The ids of default subnets in so many zones.
    fn subnets(&self, count: usize) -> Vec<String> {
        let mut subnets = self.bench.cloud.store.list::<SubnetRecord>(REGION);
        subnets.sort_by(|a, b| a.zone.cmp(&b.zone));
        subnets.iter().take(count).map(|subnet| subnet.id.clone()).collect()
    }

    fn create(&self, desired: i32) {
        AutoScalingService.create_auto_scaling_group(&self.ctx(), self.group(desired)).unwrap();
    }

    /// A group `g` of up to ten instances in two zones.
    fn group(&self, desired: i32) -> CreateAutoScalingGroupType {
        CreateAutoScalingGroupType {
            auto_scaling_group_name: Some("g".into()),
            launch_configuration_name: Some("lc".into()),
            min_size: Some(0),
            max_size: Some(10),
            desired_capacity: Some(desired),
            vpc_zone_identifier: Some(self.subnets(2).join(",")),
            ..Default::default()
        }
    }

    fn describe(&self) -> AutoScalingGroup {
        AutoScalingService
            .describe_auto_scaling_groups(&self.ctx(), Default::default())
            .unwrap()
            .auto_scaling_groups
            .remove(0)
    }

    fn set_desired(&self, desired: i32) {
        let input = SetDesiredCapacityType {
            auto_scaling_group_name: Some("g".into()),
            desired_capacity: Some(desired),
            honor_cooldown: None,
        };
        AutoScalingService.set_desired_capacity(&self.ctx(), input).unwrap();
    }

    async fn in_service(&self, count: usize) {
        self.bench
            .until("so many are in service", |cloud| {
                let members = members(cloud);
                members.len() == count
                    && members.iter().all(|member| member.lifecycle == Lifecycle::InService)
            })
            .await;
    }

    /// Descriptions and causes, the newest last.
    fn told(&self) -> Vec<(String, String)> {
        let mut activities = self.bench.cloud.store.list::<ActivityRecord>(REGION);
        activities.sort_by_key(|activity| activity.start);
        activities.iter().map(|a| (a.description.clone(), without_times(&a.cause))).collect()
    }

    fn processes(&self, names: &[&str]) -> ScalingProcessQuery {
        ScalingProcessQuery {
            auto_scaling_group_name: Some("g".into()),
            scaling_processes: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

fn configuration(name: &str) -> CreateLaunchConfigurationType {
    CreateLaunchConfigurationType {
        launch_configuration_name: Some(name.into()),
        image_id: Some(IMAGE.into()),
        instance_type: Some("t2.micro".into()),
        ..Default::default()
    }
}

fn members(cloud: &Cloud) -> Vec<Arc<MemberRecord>> {
    cloud.store.list(REGION)
}

fn instances(cloud: &Cloud) -> Vec<Arc<InstanceRecord>> {
    cloud.store.list(REGION)
}

/// A cause with `T` for each time.
fn without_times(cause: &str) -> String {
    let words =
        cause.split(' ').map(|word| if word.starts_with("20") && word.ends_with('Z') { "T" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().map(|error| format!("{}: {}", error.code, error.message)).unwrap_or_default()
}
