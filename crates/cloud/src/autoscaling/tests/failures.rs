//! What goes wrong: machines that die or do not boot, a daemon that is killed.

use std::time::Duration;

use machine::sim::Outcome;

use super::*;
use crate::autoscaling::reconciler;
use crate::autoscaling::state::{ActivityStatus, LaunchRecord};
use crate::testing::image;

#[tokio::test]
async fn an_instance_that_is_killed_is_replaced() {
    let fleet = Fleet::running();
    fleet.create(1);
    fleet.in_service(1).await;
    let killed = members(&fleet.bench.cloud)[0].id.clone();
    fleet.bench.driver.die(&killed);
    let is_replaced = |cloud: &Cloud| {
        let members = members(cloud);
        members.len() == 1 && members[0].id != killed && members[0].lifecycle == Lifecycle::InService
    };
    fleet.bench.until("it is replaced", is_replaced).await;
    let told = fleet.told();
    let causes: Vec<&str> = told.iter().skip(1).map(|(_, cause)| cause.as_str()).collect();
    let expected = [
        "At T an instance was taken out of service in response to an EC2 health check indicating it has been \
         terminated or stopped.",
        "At T an instance was launched in response to an unhealthy instance needing to be replaced.",
    ];
    assert_eq!(causes, expected, "{told:#?}");
    assert!(fleet.bench.cloud.store.get::<InstanceRecord>(REGION, &killed).is_none_or(|i| !i.state.lives()));
}

#[tokio::test]
async fn an_instance_that_a_user_holds_for_ill_is_replaced_after_its_grace() {
    let fleet = Fleet::running();
    let input = CreateAutoScalingGroupType { health_check_grace_period: Some(600), ..fleet.group(1) };
    AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input).unwrap();
    fleet.in_service(1).await;
    let ill = members(&fleet.bench.cloud)[0].id.clone();
    let report = |heeds_grace| {
        let input = SetInstanceHealthQuery {
            instance_id: Some(ill.clone()),
            health_status: Some("Unhealthy".into()),
            should_respect_grace_period: heeds_grace,
        };
        AutoScalingService.set_instance_health(&fleet.ctx(), input).unwrap();
    };
    report(None);
    reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    assert_eq!(fleet.told().len(), 1, "within the grace period");
    report(Some(false));
    fleet.bench.until("it is replaced", |cloud| members(cloud).iter().all(|member| member.id != ill)).await;
    fleet.in_service(1).await;
    assert!(fleet.told()[1].1.ends_with("in response to a user health-check."));
}

#[tokio::test]
async fn a_boot_that_fails_is_told_and_tried_again_later() {
    let fleet = Fleet::running();
    fleet.bench.driver.set_outcome(Outcome::Fails { console: "no init".into() });
    fleet.create(2);
    let failed = |cloud: &Cloud| {
        let activities = cloud.store.list::<ActivityRecord>(REGION);
        activities.iter().filter(|activity| activity.status == ActivityStatus::Failed).count() == 2
    };
    fleet.bench.until("both launches have failed", failed).await;
    fleet.bench.until("both are gone", |cloud| members(cloud).is_empty()).await;
    assert_eq!(fleet.told().len(), 2, "there is no hot loop");
    for activity in fleet.bench.cloud.store.list::<ActivityRecord>(REGION) {
        let message = activity.status_message.as_deref().unwrap();
        let expected = "Instance became unhealthy while waiting for instance to be in InService state. Termination \
                        Reason: Server.InternalError: ";
        assert!(message.starts_with(expected), "{message}");
        assert!(
            activity.description.contains(".  Status Reason: Instance became"),
            "{}",
            activity.description
        );
    }
    let group = fleet.bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap();
    let setback = group.setback.clone().unwrap();
    assert_eq!(setback.failures, 1);

    fleet.bench.driver.set_outcome(Outcome::Boots { after: Duration::ZERO });
    reconciler::pass(&fleet.bench.cloud, setback.retry_at).unwrap();
    fleet.in_service(2).await;
    assert_eq!(fleet.told().len(), 4);
}

#[tokio::test]
async fn instances_that_end_by_themselves_again_and_again_are_not_replaced_in_a_hot_loop() {
    let fleet = Fleet::running();
    fleet.bench.driver.set_outcome(Outcome::Dies { after: Duration::ZERO });
    fleet.create(1);
    let both_gone = |cloud: &Cloud| instances(cloud).len() == 2 && members(cloud).is_empty();
    fleet.bench.until("the first and its replacement are gone", both_gone).await;
    reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    assert!(both_gone(&fleet.bench.cloud));
    assert!(fleet.bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap().setback.is_some());
}

#[tokio::test]
async fn a_launch_that_ec2_refuses_is_told() {
    let fleet = Fleet::new();
    let soon_gone = "ami-0000000000000dead";
    fleet.bench.cloud.images.put(&image(soon_gone, "soon-gone")).unwrap();
    let input = CreateLaunchConfigurationType { image_id: Some(soon_gone.into()), ..configuration("other") };
    AutoScalingService.create_launch_configuration(&fleet.ctx(), input).unwrap();
    fleet.bench.cloud.images.remove(soon_gone, &Default::default()).unwrap();
    let input =
        CreateAutoScalingGroupType { launch_configuration_name: Some("other".into()), ..fleet.group(1) };
    AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input).unwrap();
    for _ in 0..3 {
        reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    }
    let expected = format!("The image id '[{soon_gone}]' does not exist. Launching EC2 instance failed.");
    let told = fleet.told();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].0, format!("Launching a new EC2 instance.  Status Reason: {expected}"));
    let activities =
        AutoScalingService.describe_scaling_activities(&fleet.ctx(), Default::default()).unwrap();
    assert_eq!(activities.activities[0].status_message.as_deref(), Some(expected.as_str()));
    assert_eq!(activities.activities[0].status_code.as_deref(), Some("Failed"));
}

#[tokio::test]
async fn a_daemon_killed_between_asking_and_noting_launches_nothing_twice() {
    let fleet = Fleet::new();
    fleet.create(2);
    // What the killed daemon did: it stored both launches, and EC2 has answered one of them.
    let group = fleet.bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap();
    reconciler::converge(&fleet.bench.cloud, &group, jiff::Timestamp::now()).unwrap();
    let launches = fleet.bench.cloud.store.list::<LaunchRecord>(REGION);
    assert_eq!(launches.len(), 2);
    let service = Ctx::service(&fleet.bench.cloud, REGION, "autoscaling.amazonaws.com");
    Ec2Service.run_instances(&service, launches[0].request.clone()).unwrap();
    drop(service);

    let fleet = fleet.reopen();
    fleet.start();
    fleet.in_service(2).await;
    assert_eq!(instances(&fleet.bench.cloud).len(), 2);
    assert!(fleet.bench.cloud.store.list::<LaunchRecord>(REGION).is_empty());
    assert_eq!(fleet.told().len(), 2);
}
