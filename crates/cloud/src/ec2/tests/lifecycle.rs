use std::time::Duration;

use machine::sim::{Call, Outcome};

use super::*;
use crate::ec2::Ec2Service;
use crate::ec2::reconciler::note_power_off;
use crate::ec2::state::{InstanceRecord, InstanceState, NetworkInterfaceRecord, VolumeRecord, VolumeState};
use crate::testing::REGION;

/// Launches one instance and waits until it is in a state.
async fn launched(bench: &Bench, request: RunInstancesRequest, state: InstanceState) -> String {
    let reservation = Ec2Service.run_instances(&bench.ctx(), request).unwrap();
    let id = reservation.instances[0].instance_id.clone().unwrap();
    reaches(bench, &id, state).await;
    id
}

async fn reaches(bench: &Bench, id: &str, state: InstanceState) {
    bench
        .until(&format!("{id} {state:?}"), |cloud| {
            cloud.store.get::<InstanceRecord>(REGION, id).is_some_and(|instance| instance.state == state)
        })
        .await;
}

fn ids(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

fn terminate(bench: &Bench, id: &str) {
    let input = TerminateInstancesRequest { instance_ids: ids(id), ..Default::default() };
    Ec2Service.terminate_instances(&bench.ctx(), input).unwrap();
}

fn status(bench: &Bench, id: &str) -> String {
    let input = DescribeInstanceStatusRequest {
        instance_ids: ids(id),
        include_all_instances: Some(true),
        ..Default::default()
    };
    let mut result = Ec2Service.describe_instance_status(&bench.ctx(), input).unwrap();
    result.instance_statuses.remove(0).instance_status.unwrap().status.unwrap()
}

#[tokio::test]
async fn from_launch_to_termination() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1), InstanceState::Running).await;
    assert_eq!(status(&bench, &id), "ok");
    let Some(Call::Boot(spec)) = bench.driver.calls().into_iter().next() else { panic!("no boot") };
    assert_eq!(spec.root.device, "/dev/xvda");
    assert_eq!(spec.volumes.iter().map(|volume| volume.device.as_str()).collect::<Vec<_>>(), ["/dev/xvdcz"]);
    assert_eq!(spec.memory_mib, Some(1024));
    assert!(spec.root.file.exists());
    bench.driver.print(&id, "login:");

    terminate(&bench, &id);
    assert_eq!(state(&bench, &id), "shutting-down");
    reaches(&bench, &id, InstanceState::Terminated).await;
    assert!(!spec.root.file.exists(), "the volume's file is gone");
    assert!(bench.cloud.store.list::<VolumeRecord>(REGION).is_empty());
    assert!(bench.cloud.store.list::<NetworkInterfaceRecord>(REGION).is_empty());
    assert_eq!(bench.driver.calls().last(), Some(&Call::Destroy(id.clone())));
    let input = GetConsoleOutputRequest { instance_id: Some(id.clone()), ..Default::default() };
    let console = Ec2Service.get_console_output(&bench.ctx(), input).unwrap().output.unwrap();
    assert_eq!(crate::api::values::base64(&console).unwrap(), b"login:", "kept after the end");
    assert_eq!(
        described(&bench, &id).state_reason.unwrap().code.as_deref(),
        Some("Client.UserInitiatedShutdown")
    );
    reconciler.abort();
}

#[tokio::test]
async fn an_instance_that_does_not_boot_says_why() {
    let bench = Bench::new();
    bench.driver.foresee(Outcome::Fails { console: "Kernel panic".into() });
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1), InstanceState::Terminated).await;
    let reason = described(&bench, &id).state_reason.unwrap();
    assert_eq!(reason.code.as_deref(), Some("Server.InternalError"));
    assert!(reason.message.as_deref().unwrap().contains("Kernel panic"), "{reason:?}");
    reconciler.abort();
}

#[tokio::test]
async fn stop_start_and_reboot() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1), InstanceState::Running).await;
    let input = StopInstancesRequest { instance_ids: ids(&id), ..Default::default() };
    Ec2Service.stop_instances(&bench.ctx(), input).unwrap();
    reaches(&bench, &id, InstanceState::Stopped).await;
    let stopped = described(&bench, &id);
    assert_eq!(stopped.public_ip_address, None, "a stopped instance gives its public address back");
    assert_eq!(stopped.block_device_mappings.len(), 2, "and keeps its volumes");
    let input = StartInstancesRequest { instance_ids: ids(&id), ..Default::default() };
    Ec2Service.start_instances(&bench.ctx(), input).unwrap();
    reaches(&bench, &id, InstanceState::Running).await;
    assert!(described(&bench, &id).public_ip_address.is_some());
    let input = RebootInstancesRequest { instance_ids: ids(&id), ..Default::default() };
    Ec2Service.reboot_instances(&bench.ctx(), input).unwrap();
    bench
        .until("rebooted", |cloud| !cloud.store.get::<InstanceRecord>(REGION, &id).unwrap().reboot_requested)
        .await;
    assert_eq!(bench.driver.calls().last(), Some(&Call::Reboot(id.clone())));
    assert_eq!(state(&bench, &id), "running");
    reconciler.abort();
}

#[tokio::test]
async fn an_end_from_inside_or_outside_follows_the_shutdown_behaviour() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    for (behaviour, end) in [("stop", InstanceState::Stopped), ("terminate", InstanceState::Terminated)] {
        let request =
            RunInstancesRequest { instance_initiated_shutdown_behavior: Some(behaviour.into()), ..launch(1) };
        let id = launched(&bench, request, InstanceState::Running).await;
        bench.driver.die(&id);
        reaches(&bench, &id, end).await;
        let reason = described(&bench, &id).state_reason.unwrap();
        assert_eq!(reason.code.as_deref(), Some("Client.InstanceInitiatedShutdown"));
    }
    reconciler.abort();
}

#[tokio::test]
async fn an_instance_terminated_while_it_boots_is_gone() {
    let bench = Bench::new();
    bench.driver.set_outcome(Outcome::Boots { after: Duration::from_millis(300) });
    let reconciler = bench.reconcile_ec2();
    let reservation = Ec2Service.run_instances(&bench.ctx(), launch(4)).unwrap();
    for instance in &reservation.instances {
        terminate(&bench, instance.instance_id.as_deref().unwrap());
    }
    for instance in &reservation.instances {
        reaches(&bench, instance.instance_id.as_deref().unwrap(), InstanceState::Terminated).await;
    }
    assert!(bench.cloud.store.list::<VolumeRecord>(REGION).is_empty());
    reconciler.abort();
}

#[tokio::test]
async fn a_killed_daemon_carries_on() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let running = launched(&bench, launch(1), InstanceState::Running).await;
    let ended = launched(&bench, launch(1), InstanceState::Running).await;
    reconciler.abort();
    assert!(reconciler.await.unwrap_err().is_cancelled());
    terminate(&bench, &ended);
    let reservation = Ec2Service.run_instances(&bench.ctx(), launch(1)).unwrap();
    let waiting = reservation.instances[0].instance_id.clone().unwrap();

    let bench = bench.reopen();
    let reconciler = bench.reconcile_ec2();
    reaches(&bench, &waiting, InstanceState::Running).await;
    reaches(&bench, &ended, InstanceState::Terminated).await;
    assert_eq!(state(&bench, &running), "running");
    let boots = bench.driver.calls().iter().filter(|call| matches!(call, Call::Boot(_))).count();
    assert_eq!(boots, 3, "what runs is adopted, not booted again");
    bench.driver.die(&running);
    reaches(&bench, &running, InstanceState::Stopped).await;
    reconciler.abort();
}

#[tokio::test]
async fn a_cloud_that_was_stopped_boots_its_instances_again() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1), InstanceState::Running).await;
    reconciler.abort();
    assert!(reconciler.await.unwrap_err().is_cancelled());
    note_power_off(&bench.cloud).unwrap();
    bench.driver.die(&id);
    let bench = bench.reopen();
    let reconciler = bench.reconcile_ec2();
    bench
        .until("booted again", |cloud| {
            let instance = cloud.store.get::<InstanceRecord>(REGION, &id).unwrap();
            instance.state == InstanceState::Running && !instance.resumes
        })
        .await;
    assert_eq!(status(&bench, &id), "ok");
    reconciler.abort();
}

#[tokio::test]
async fn volumes_come_and_go_with_running_instances() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1), InstanceState::Running).await;
    let create = CreateVolumeRequest {
        availability_zone: Some("us-east-1a".into()),
        size: Some(1),
        ..Default::default()
    };
    let volume_id = Ec2Service.create_volume(&ctx, create).unwrap().volume_id.unwrap();
    let is = |state: VolumeState, volume_id: String| {
        move |cloud: &crate::Cloud| {
            cloud.store.get::<VolumeRecord>(REGION, &volume_id).is_some_and(|volume| volume.state == state)
        }
    };
    bench.until("available", is(VolumeState::Available, volume_id.clone())).await;
    let attach = AttachVolumeRequest {
        volume_id: Some(volume_id.clone()),
        instance_id: Some(id.clone()),
        device: Some("/dev/sdf".into()),
        ..Default::default()
    };
    Ec2Service.attach_volume(&ctx, attach.clone()).unwrap();
    assert_eq!(Ec2Service.attach_volume(&ctx, attach).unwrap_err().code, "VolumeInUse");
    bench
        .until("attached", |_| {
            let mappings = described(&bench, &id).block_device_mappings;
            mappings.iter().any(|mapping| {
                mapping.device_name.as_deref() == Some("/dev/sdf")
                    && mapping.ebs.as_ref().unwrap().status.as_deref() == Some("attached")
            })
        })
        .await;
    let delete = DeleteVolumeRequest { volume_id: Some(volume_id.clone()), ..Default::default() };
    assert_eq!(Ec2Service.delete_volume(&ctx, delete.clone()).unwrap_err().code, "VolumeInUse");
    let detach = DetachVolumeRequest { volume_id: Some(volume_id.clone()), ..Default::default() };
    Ec2Service.detach_volume(&ctx, detach).unwrap();
    bench.until("detached", is(VolumeState::Available, volume_id.clone())).await;
    assert!(bench.driver.calls().contains(&Call::Detach(id, volume_id.clone())));
    Ec2Service.delete_volume(&ctx, delete).unwrap();
    bench.until("deleted", |cloud| cloud.store.get::<VolumeRecord>(REGION, &volume_id).is_none()).await;
    reconciler.abort();
}
