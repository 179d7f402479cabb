//! Stacks with an Auto Scaling group, on simulated machines: signals, sizes, failures, a killed daemon.

use std::sync::Arc;

use aws_wire::cloudformation::{
    CloudFormation, CreateStackInput, DeleteStackInput, DescribeStackResourceInput, Parameter,
    SignalResourceInput, UpdateStackInput,
};
use tokio::task::JoinSet;

use super::service_tests::{input, regions, settled};
use super::state::{Event, Stack};
use super::{CloudFormationService, run};
use crate::context::{Caller, Ctx};
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::testing::{Bench, REGION};

const CLUSTER: &str = r#"
Parameters:
  Count: {Type: Number, Default: 1}
Resources:
  Wall:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: wall}
  Config:
    Type: AWS::AutoScaling::LaunchConfiguration
    Metadata: {'AWS::CloudFormation::Init': {config: {commands: {10_first_run: {command: sh firstrun.sh}}}}}
    Properties:
      ImageId: ami-0000000000000ba5e
      InstanceType: t2.micro
      SecurityGroups: [!Ref Wall]
      UserData: !Base64 'echo hello'
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    CreationPolicy: {ResourceSignal: {Count: !Ref Count, Timeout: PT15M}}
    Properties:
      LaunchConfigurationName: !Ref Config
      MinSize: 0
      MaxSize: 4
      DesiredCapacity: !Ref Count
      AvailabilityZones: !GetAZs ''
      Tags: [{Key: Name, Value: !Sub '${AWS::StackName}-instance', PropagateAtLaunch: 'true'}]
"#;

/// What makes the records true.
fn reconcilers(bench: &Bench) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let cloud = || Arc::clone(&bench.cloud);
    tasks.spawn({
        let cloud = cloud();
        async move { crate::ec2::reconciler::run(cloud).await.unwrap() }
    });
    tasks.spawn({
        let cloud = cloud();
        async move {
            crate::autoscaling::run(cloud).await;
        }
    });
    tasks.spawn(run(cloud()));
    tasks
}

fn running(cloud: &crate::Cloud) -> Vec<String> {
    let instances = cloud.store.list::<InstanceRecord>(REGION);
    let alive = instances.iter().filter(|instance| instance.state == InstanceState::Running);
    alive.map(|instance| instance.id.clone()).collect()
}

async fn until_running(bench: &Bench, count: usize) -> Vec<String> {
    bench.until("the instances run", |cloud| running(cloud).len() == count).await;
    running(&bench.cloud)
}

/// What `cfn-signal` says inside an instance.
fn signal(ctx: &Ctx, instance: &str, status: &str) -> Result<(), aws_wire::Error> {
    let ctx = Ctx { caller: Caller::Instance { instance_id: instance.into() }, ..ctx.clone() };
    CloudFormationService.signal_resource(
        &ctx,
        SignalResourceInput {
            stack_name: Some("base".into()),
            logical_resource_id: Some("Group".into()),
            unique_id: Some(instance.into()),
            status: Some(status.into()),
        },
    )
}

fn with_count(count: &str) -> Vec<Parameter> {
    vec![Parameter {
        parameter_key: Some("Count".into()),
        parameter_value: Some(count.into()),
        ..Default::default()
    }]
}

fn resize(ctx: &Ctx, count: &str) {
    let update = UpdateStackInput {
        stack_name: Some("base".into()),
        use_previous_template: Some(true),
        parameters: with_count(count),
        ..Default::default()
    };
    CloudFormationService.update_stack(ctx, update).unwrap();
}

fn told(bench: &Bench) -> Vec<String> {
    let events = bench.cloud.store.list::<Event>(REGION);
    events
        .iter()
        .map(|event| {
            format!("{} {} {}", event.logical_id, event.status, event.reason.clone().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_group_is_complete_when_its_instances_have_signalled() {
    let bench = Bench::new();
    regions(&bench);
    let mut tasks = reconcilers(&bench);
    let ctx = bench.ctx();
    CloudFormationService.create_stack(&ctx, input(CLUSTER)).unwrap();
    let instances = until_running(&bench, 1).await;

    // What cfn-init reads, by the instance's own identity.
    let inside = Ctx { caller: Caller::Instance { instance_id: instances[0].clone() }, ..ctx.clone() };
    let ask = DescribeStackResourceInput {
        stack_name: Some("base".into()),
        logical_resource_id: Some("Config".into()),
    };
    let detail =
        CloudFormationService.describe_stack_resource(&inside, ask).unwrap().stack_resource_detail.unwrap();
    assert!(detail.metadata.unwrap().contains("firstrun.sh"));
    let stranger = signal(&ctx, "i-00000000000000bad", "SUCCESS").unwrap_err();
    assert_eq!(stranger.code, "AccessDenied");

    signal(&ctx, &instances[0], "SUCCESS").unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    assert!(signal(&ctx, &instances[0], "SUCCESS").unwrap_err().message.ends_with("cannot be signaled"));

    resize(&ctx, "3");
    settled(&bench, "UPDATE_COMPLETE").await;
    assert_eq!(running(&bench.cloud).len(), 3, "an update is complete when the instances are in service");
    resize(&ctx, "0");
    settled(&bench, "UPDATE_COMPLETE").await;
    assert!(running(&bench.cloud).is_empty());

    let delete = DeleteStackInput { stack_name: Some("base".into()), ..Default::default() };
    CloudFormationService.delete_stack(&ctx, delete).unwrap();
    settled(&bench, "DELETE_COMPLETE").await;
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_failed_first_run_is_told_with_its_command_and_output() {
    let bench = Bench::new();
    regions(&bench);
    let mut tasks = reconcilers(&bench);
    let ctx = bench.ctx();
    CloudFormationService.create_stack(&ctx, input(CLUSTER)).unwrap();
    let instance = until_running(&bench, 1).await.remove(0);
    bench.driver.put_file(
        &instance,
        "/var/log/cfn-init.log",
        "2026-01-01 00:00:00,000 [INFO] -----------------------Starting build-----------------------\n\
         2026-01-01 00:00:01,000 [ERROR] Command 10_first_run (sh firstrun.sh) failed\n\
         2026-01-01 00:00:01,000 [ERROR] Error encountered during build of config: Command 10_first_run failed\n",
    );
    bench.driver.put_file(
        &instance,
        "/var/log/cfn-init-cmd.log",
        "2026-01-01 00:00:00,500 P9 [INFO] Command 10_first_run\n\
         2026-01-01 00:00:00,900 P9 [INFO] \tno space left\n\
         2026-01-01 00:00:01,000 P9 [ERROR] Exited with error code 1\n",
    );
    signal(&ctx, &instance, "FAILURE").unwrap();
    settled(&bench, "ROLLBACK_COMPLETE").await;
    let reason = format!(
        "Group CREATE_FAILED Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% \
         MinSuccessfulInstancesPercent requirement. {instance}: cfn-init command 10_first_run (sh firstrun.sh) \
         failed with exit code 1; its last output: no space left"
    );
    assert!(told(&bench).contains(&reason), "{:#?}", told(&bench));
    assert!(running(&bench.cloud).is_empty());
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_killed_daemon_carries_on_where_it_was() {
    let bench = Bench::new();
    regions(&bench);
    let mut tasks = reconcilers(&bench);
    let created = CreateStackInput { parameters: with_count("2"), ..input(CLUSTER) };
    CloudFormationService.create_stack(&bench.ctx(), created).unwrap();
    let instances = until_running(&bench, 2).await;
    signal(&bench.ctx(), &instances[0], "SUCCESS").unwrap();
    tasks.shutdown().await;

    let bench = bench.reopen();
    let mut tasks = reconcilers(&bench);
    signal(&bench.ctx(), &instances[1], "SUCCESS").unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    assert_eq!(running(&bench.cloud).len(), 2);
    assert_eq!(bench.cloud.store.list::<Stack>(REGION).len(), 1);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_changed_launch_configuration_is_replaced_and_the_old_one_deleted() {
    let bench = Bench::new();
    regions(&bench);
    let mut tasks = reconcilers(&bench);
    let ctx = bench.ctx();
    let created = CreateStackInput { parameters: with_count("0"), ..input(CLUSTER) };
    CloudFormationService.create_stack(&ctx, created).unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    let update = UpdateStackInput {
        stack_name: Some("base".into()),
        template_body: Some(CLUSTER.replace("t2.micro", "t2.small")),
        parameters: with_count("0"),
        ..Default::default()
    };
    CloudFormationService.update_stack(&ctx, update).unwrap();
    settled(&bench, "UPDATE_COMPLETE").await;
    let told = told(&bench);
    let at = |what: &str| {
        told.iter().position(|event| event.starts_with(what)).unwrap_or_else(|| panic!("{what}: {told:#?}"))
    };
    assert!(at("Config UPDATE_COMPLETE") < at("Group UPDATE_IN_PROGRESS"));
    assert!(at("Group UPDATE_COMPLETE") < at("base UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    assert!(at("base UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < at("Config DELETE_COMPLETE"));
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_size_that_the_group_cannot_have_is_taken_back() {
    let bench = Bench::new();
    regions(&bench);
    let mut tasks = reconcilers(&bench);
    let ctx = bench.ctx();
    CloudFormationService.create_stack(&ctx, input(CLUSTER)).unwrap();
    let instances = until_running(&bench, 1).await;
    signal(&ctx, &instances[0], "SUCCESS").unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    resize(&ctx, "9");
    settled(&bench, "UPDATE_ROLLBACK_COMPLETE").await;
    assert_eq!(running(&bench.cloud), instances, "the instance has gone on");
    tasks.shutdown().await;
}
