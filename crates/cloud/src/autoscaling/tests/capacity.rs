//! Growing, shrinking and the instances in between.

use super::*;
use crate::autoscaling::reconciler;

fn named(group: &str, instance_id: &str, shrinks: bool) -> DetachInstancesQuery {
    DetachInstancesQuery {
        auto_scaling_group_name: Some(group.into()),
        instance_ids: vec![instance_id.into()],
        should_decrement_desired_capacity: Some(shrinks),
    }
}

#[tokio::test]
async fn a_group_grows_and_shrinks_and_says_why() {
    let fleet = Fleet::running();
    fleet.create(1);
    fleet.in_service(1).await;
    fleet.set_desired(3);
    fleet.in_service(3).await;
    let input = UpdateAutoScalingGroupType {
        auto_scaling_group_name: Some("g".into()),
        desired_capacity: Some(0),
        ..Default::default()
    };
    AutoScalingService.update_auto_scaling_group(&fleet.ctx(), input).unwrap();
    fleet.in_service(0).await;

    let told = fleet.told();
    assert_eq!(told.len(), 6, "{told:#?}");
    assert!(told[0].0.starts_with("Launching a new EC2 instance: i-"), "{}", told[0].0);
    assert_eq!(
        told[0].1,
        "At T a user request created an AutoScalingGroup changing the desired capacity from 0 to 1.  At T an instance \
         was started in response to a difference between desired and actual capacity, increasing the capacity from 0 \
         to 1."
    );
    for (_, cause) in &told[1..3] {
        assert_eq!(
            cause,
            "At T a user request explicitly set group desired capacity changing the desired capacity from 1 to 3.  At T \
             an instance was started in response to a difference between desired and actual capacity, increasing the \
             capacity from 1 to 3."
        );
    }
    for (description, cause) in &told[3..] {
        let id = description.strip_prefix("Terminating EC2 instance: ").unwrap();
        assert_eq!(
            *cause,
            format!(
                "At T a user request update of AutoScalingGroup constraints to min: 0, max: 10, desired: 0 changing \
                 the desired capacity from 3 to 0.  At T an instance was taken out of service in response to a \
                 difference between desired and actual capacity, shrinking the capacity from 3 to 0.  At T instance \
                 {id} was selected for termination."
            )
        );
    }
    let activities =
        AutoScalingService.describe_scaling_activities(&fleet.ctx(), Default::default()).unwrap();
    for activity in activities.activities {
        assert_eq!((activity.status_code.as_deref(), activity.progress), (Some("Successful"), Some(100)));
        assert!(activity.end_time.is_some());
        let details: serde_json::Value = serde_json::from_str(&activity.details.unwrap()).unwrap();
        assert!(details["Subnet ID"].as_str().unwrap().starts_with("subnet-"));
    }
    assert!(instances(&fleet.bench.cloud).iter().all(|instance| !instance.state.lives()));
}

#[tokio::test]
async fn instances_are_launched_side_by_side_in_all_zones_with_the_groups_tags() {
    let fleet = Fleet::new();
    let tag = |key: &str, value: &str, propagates| Tag {
        key: Some(key.into()),
        value: Some(value.into()),
        propagate_at_launch: Some(propagates),
        ..Default::default()
    };
    let input = CreateAutoScalingGroupType {
        tags: vec![
            tag("Name", "worker", true),
            tag("Owner", "me", false),
            tag("aws:cloudformation:stack-name", "stack", true),
        ],
        ..fleet.group(4)
    };
    let service = Ctx::service(&fleet.bench.cloud, REGION, "cloudformation.amazonaws.com");
    assert!(
        message(AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input.clone())).contains("aws:")
    );
    AutoScalingService.create_auto_scaling_group(&service, input).unwrap();

    reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    let launched = instances(&fleet.bench.cloud);
    assert_eq!(launched.len(), 4, "one look is enough");
    let mut zones: Vec<&str> = launched.iter().map(|instance| instance.zone.as_str()).collect();
    zones.sort_unstable();
    assert_eq!(zones, ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]);
    for instance in &launched {
        let tags: Vec<_> = instance.tags.iter().collect();
        let expected = [
            ("Name", "worker"),
            ("aws:autoscaling:groupName", "g"),
            ("aws:cloudformation:stack-name", "stack"),
        ];
        assert_eq!(tags, expected);
        assert_eq!(instance.requester_id.as_deref(), Some("autoscaling.amazonaws.com"));
        assert!(instance.monitoring);
    }
    let group = fleet.describe();
    assert!(group.instances.iter().all(|instance| instance.lifecycle_state.as_deref() == Some("Pending")));
    reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    assert_eq!(instances(&fleet.bench.cloud).len(), 4, "and another changes nothing");
}

#[tokio::test]
async fn a_launch_template_is_launched_in_the_version_that_is_meant() {
    let fleet = Fleet::running();
    let data = RequestLaunchTemplateData {
        image_id: Some(IMAGE.into()),
        instance_type: Some("t2.small".into()),
        ..Default::default()
    };
    let input = CreateLaunchTemplateRequest {
        launch_template_name: Some("template".into()),
        launch_template_data: Some(data),
        ..Default::default()
    };
    Ec2Service.create_launch_template(&fleet.ctx(), input).unwrap();
    let input = CreateAutoScalingGroupType {
        launch_configuration_name: None,
        launch_template: Some(LaunchTemplateSpecification {
            launch_template_name: Some("template".into()),
            version: Some("$Latest".into()),
            ..Default::default()
        }),
        ..fleet.group(1)
    };
    AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input).unwrap();
    fleet.in_service(1).await;
    let group = fleet.describe();
    assert_eq!(group.launch_template.unwrap().version.as_deref(), Some("$Latest"));
    let instance = &group.instances[0];
    assert_eq!(instance.launch_template.as_ref().unwrap().version.as_deref(), Some("1"));
    assert_eq!(instance.instance_type.as_deref(), Some("t2.small"));
}

#[tokio::test]
async fn a_terminated_instance_is_replaced_unless_the_group_shrinks() {
    let fleet = Fleet::running();
    fleet.create(2);
    fleet.in_service(2).await;
    let first = members(&fleet.bench.cloud)[0].id.clone();
    let terminate = |id: &str, shrinks| {
        let input = TerminateInstanceInAutoScalingGroupType {
            instance_id: Some(id.into()),
            should_decrement_desired_capacity: Some(shrinks),
        };
        AutoScalingService.terminate_instance_in_auto_scaling_group(&fleet.ctx(), input)
    };
    let activity = terminate(&first, false).unwrap().activity.unwrap();
    assert_eq!(activity.status_code.as_deref(), Some("InProgress"));
    assert_eq!(
        without_times(&activity.cause.unwrap()),
        format!("At T instance {first} was taken out of service in response to a user request.")
    );
    fleet.bench.until("it is gone", |cloud| members(cloud).iter().all(|member| member.id != first)).await;
    fleet.in_service(2).await;
    let second = members(&fleet.bench.cloud)[0].id.clone();
    terminate(&second, true).unwrap();
    fleet.in_service(1).await;
    assert_eq!(fleet.describe().desired_capacity, Some(1));
    assert!(message(terminate("i-0", true)).starts_with("ValidationError: Instance Id not found"));
}

#[tokio::test]
async fn who_honours_the_cooldown_waits_for_it() {
    let fleet = Fleet::running();
    fleet.create(1);
    fleet.in_service(1).await;
    let set = |honours| {
        let input = SetDesiredCapacityType {
            auto_scaling_group_name: Some("g".into()),
            desired_capacity: Some(2),
            honor_cooldown: Some(honours),
        };
        message(AutoScalingService.set_desired_capacity(&fleet.ctx(), input))
    };
    let refusal = set(true);
    assert!(refusal.starts_with("ScalingActivityInProgress: Scaling activity "), "{refusal}");
    assert_eq!(set(false), "");
}

#[tokio::test]
async fn instances_leave_and_join() {
    let fleet = Fleet::running();
    fleet.create(2);
    fleet.in_service(2).await;
    let id = members(&fleet.bench.cloud)[0].id.clone();
    let detached = AutoScalingService.detach_instances(&fleet.ctx(), named("g", &id, true)).unwrap();
    assert_eq!(detached.activities[0].description, Some(format!("Detaching EC2 instance: {id}")));
    assert_eq!(members(&fleet.bench.cloud).len(), 1);
    let instance = fleet.bench.cloud.store.get::<InstanceRecord>(REGION, &id).unwrap();
    assert!(instance.state.lives());
    assert_eq!(instance.tags.get("aws:autoscaling:groupName"), None);
    let again = AutoScalingService.detach_instances(&fleet.ctx(), named("g", &id, true));
    assert_eq!(
        message(again),
        format!("ValidationError: The instance {id} is not part of Auto Scaling group g.")
    );

    let attach =
        AttachInstancesQuery { auto_scaling_group_name: Some("g".into()), instance_ids: vec![id.clone()] };
    AutoScalingService.attach_instances(&fleet.ctx(), attach.clone()).unwrap();
    fleet.in_service(2).await;
    assert_eq!(fleet.describe().desired_capacity, Some(2));
    assert!(
        message(AutoScalingService.attach_instances(&fleet.ctx(), attach)).contains("is already part of")
    );
}

#[tokio::test]
async fn suspended_processes_wait_until_they_are_resumed() {
    let fleet = Fleet::running();
    fleet.create(1);
    fleet.in_service(1).await;
    AutoScalingService.suspend_processes(&fleet.ctx(), fleet.processes(&["Launch"])).unwrap();
    let suspended = fleet.describe().suspended_processes;
    assert_eq!(suspended[0].process_name.as_deref(), Some("Launch"));
    assert!(suspended[0].suspension_reason.as_ref().unwrap().starts_with("User suspended at 20"));
    fleet.set_desired(2);
    reconciler::pass(&fleet.bench.cloud, jiff::Timestamp::now()).unwrap();
    assert_eq!(members(&fleet.bench.cloud).len(), 1);
    AutoScalingService.resume_processes(&fleet.ctx(), fleet.processes(&[])).unwrap();
    fleet.in_service(2).await;
    let unknown = AutoScalingService.suspend_processes(&fleet.ctx(), fleet.processes(&["Sail"]));
    assert!(message(unknown).contains("Sail"));
}

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty_or_by_force() {
    let fleet = Fleet::running();
    fleet.create(2);
    fleet.in_service(2).await;
    let delete = |by_force| {
        let input = DeleteAutoScalingGroupType {
            auto_scaling_group_name: Some("g".into()),
            force_delete: Some(by_force),
        };
        AutoScalingService.delete_auto_scaling_group(&fleet.ctx(), input)
    };
    assert!(message(delete(false)).starts_with("ResourceInUse: You cannot delete an AutoScalingGroup while"));
    delete(true).unwrap();
    assert_eq!(fleet.describe().status.as_deref(), Some("Delete in progress"));
    let meanwhile = AutoScalingService.create_auto_scaling_group(&fleet.ctx(), fleet.group(1));
    assert!(message(meanwhile).contains("pending delete"));
    fleet.bench.until("it is gone", |cloud| cloud.store.list::<GroupRecord>(REGION).is_empty()).await;
    assert!(instances(&fleet.bench.cloud).iter().all(|instance| !instance.state.lives()));

    let ask = |include| {
        let input =
            DescribeScalingActivitiesType { include_deleted_groups: Some(include), ..Default::default() };
        AutoScalingService.describe_scaling_activities(&fleet.ctx(), input).unwrap().activities
    };
    assert!(ask(false).is_empty());
    assert_eq!(ask(true).len(), 4);
    assert!(ask(true).iter().all(|activity| activity.auto_scaling_group_state.as_deref() == Some("Deleted")));
    assert!(message(delete(true)).contains("AutoScalingGroup name not found"));
}
