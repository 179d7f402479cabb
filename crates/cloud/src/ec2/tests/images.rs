//! Images of instances, snapshots and volumes of them, against simulated machines and real files.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use machine::images::{ImageState, InUse, SnapshotState};
use machine::sim::{Call, Outcome};
use machine::volumes::VolumeStore;

use super::*;
use crate::ec2::Ec2Service;
use crate::ec2::state::{InstanceRecord, InstanceState, VolumeRecord, VolumeState};
use crate::store::StoreError;
use crate::testing::REGION;

async fn launched(bench: &Bench, request: RunInstancesRequest) -> String {
    let reservation = Ec2Service.run_instances(&bench.ctx(), request).unwrap();
    let id = reservation.instances[0].instance_id.clone().unwrap();
    reaches(bench, &id, InstanceState::Running).await;
    id
}

async fn reaches(bench: &Bench, id: &str, state: InstanceState) {
    bench
        .until(&format!("{id} {state:?}"), |cloud| {
            cloud.store.get::<InstanceRecord>(REGION, id).is_some_and(|instance| instance.state == state)
        })
        .await;
}

async fn settled(bench: &Bench, image: &str) -> ImageState {
    bench
        .until(&format!("{image} is settled"), |cloud| {
            cloud.images.get(image).unwrap().is_none_or(|image| image.state != ImageState::Pending)
        })
        .await;
    bench.cloud.images.get(image).unwrap().unwrap().state
}

fn stop(bench: &Bench, id: &str) {
    let input = StopInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    Ec2Service.stop_instances(&bench.ctx(), input).unwrap();
}

fn create(bench: &Bench, instance: &str, name: &str, no_reboot: bool) -> String {
    let input = CreateImageRequest {
        instance_id: Some(instance.to_owned()),
        name: Some(name.to_owned()),
        no_reboot: Some(no_reboot),
        ..Default::default()
    };
    Ec2Service.create_image(&bench.ctx(), input).unwrap().image_id.unwrap()
}

fn image(bench: &Bench, id: &str) -> Image {
    let input = DescribeImagesRequest { image_ids: vec![id.to_owned()], ..Default::default() };
    Ec2Service.describe_images(&bench.ctx(), input).unwrap().images.remove(0)
}

fn snapshots(bench: &Bench) -> Vec<Snapshot> {
    Ec2Service.describe_snapshots(&bench.ctx(), DescribeSnapshotsRequest::default()).unwrap().snapshots
}

/// The file of an instance's volume of that device name.
fn file(bench: &Bench, instance: &str, device: &str) -> std::path::PathBuf {
    let volumes = bench.cloud.store.list::<VolumeRecord>(REGION);
    let volume = volumes.iter().find(|volume| {
        volume.attachment.as_ref().is_some_and(|a| a.instance_id == instance && a.device == device)
    });
    VolumeStore::open(bench.dir.path()).unwrap().path(&volume.unwrap().id)
}

fn write(path: &std::path::Path, text: &str) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(text.as_bytes(), 5 << 30).unwrap();
}

fn read(path: &std::path::Path, length: usize) -> String {
    let mut bytes = vec![0; length];
    fs::File::open(path).unwrap().read_exact_at(&mut bytes, 5 << 30).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn an_image_of_a_stopped_instance_holds_its_volumes() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    stop(&bench, &id);
    reaches(&bench, &id, InstanceState::Stopped).await;
    write(&file(&bench, &id, "/dev/xvdcz"), "written before");
    let made = create(&bench, &id, "mine", false);
    assert_eq!(image(&bench, &made).state.as_deref(), Some("pending"));
    assert_eq!(settled(&bench, &made).await, ImageState::Available);
    let described = image(&bench, &made);
    let mappings: Vec<_> = described
        .block_device_mappings
        .iter()
        .map(|m| (m.device_name.clone().unwrap(), m.ebs.as_ref().unwrap().snapshot_id.is_some()))
        .collect();
    assert_eq!(mappings, [("/dev/xvda".to_owned(), true), ("/dev/xvdcz".to_owned(), true)]);
    assert_eq!(described.source_instance_id.as_ref(), Some(&id));
    assert_eq!(described.owner_id.as_deref(), Some("123456789012"));
    for snapshot in snapshots(&bench) {
        assert_eq!(snapshot.state.as_deref(), Some("completed"));
        assert_eq!(snapshot.progress.as_deref(), Some("100%"));
        let expected = format!("Created by CreateImage({id}) for {made}");
        assert_eq!(snapshot.description.as_ref(), Some(&expected));
        assert!(snapshot.full_snapshot_size_in_bytes.unwrap() < 8 << 20, "{snapshot:?}");
    }
    // What is written later is not in it.
    write(&file(&bench, &id, "/dev/xvdcz"), "written  after");
    let of_mine = RunInstancesRequest { image_id: Some(made.clone()), ..launch(1) };
    let second = launched(&bench, of_mine).await;
    assert_eq!(read(&file(&bench, &second, "/dev/xvdcz"), 14), "written before");
    let root = described.block_device_mappings[0].ebs.as_ref().unwrap().snapshot_id.clone().unwrap();
    let volumes = bench.cloud.store.list::<VolumeRecord>(REGION);
    assert!(volumes.iter().any(|v| v.source.snapshot() == Some(&root) && v.layers.is_some()));
    reconciler.abort();
}

#[tokio::test]
async fn an_instance_that_runs_is_powered_off_for_its_image_or_held_still() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    let count = |wanted: &Call| bench.driver.calls().iter().filter(|call| *call == wanted).count();
    let boots = || bench.driver.calls().iter().filter(|call| matches!(call, Call::Boot(_))).count();

    let kept_running = create(&bench, &id, "kept-running", true);
    assert_eq!(settled(&bench, &kept_running).await, ImageState::Available);
    assert_eq!(count(&Call::HoldStill(id.clone())), 1, "once for both volumes");
    assert_eq!((count(&Call::Shutdown(id.clone())), boots()), (0, 1));

    let rebooted = create(&bench, &id, "rebooted", false);
    assert_eq!(settled(&bench, &rebooted).await, ImageState::Available);
    bench
        .until("it has booted again", |cloud| {
            !cloud.store.get::<InstanceRecord>(REGION, &id).unwrap().imaging
        })
        .await;
    assert_eq!(state(&bench, &id), "running");
    assert_eq!(count(&Call::HoldStill(id.clone())), 1);
    assert_eq!((count(&Call::Shutdown(id.clone())), boots()), (1, 2));
    reconciler.abort();
}

#[tokio::test]
async fn what_a_killed_daemon_began_is_finished() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    reconciler.abort();
    let _ = reconciler.await;
    // Asked for while nobody carries it out.
    let made = create(&bench, &id, "mine", false);
    let bench = bench.reopen();
    assert_eq!(image(&bench, &made).state.as_deref(), Some("pending"));
    let reconciler = bench.reconcile_ec2();
    assert_eq!(settled(&bench, &made).await, ImageState::Available);
    reconciler.abort();
}

#[tokio::test]
async fn an_image_that_was_only_half_recorded_was_never_made() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    reconciler.abort();
    let _ = reconciler.await;
    let made = create(&bench, &id, "mine", true);
    let lost = snapshots(&bench)[0].snapshot_id.clone().unwrap();
    fs::remove_file(bench.dir.path().join(format!("images/snapshots/{lost}.json"))).unwrap();
    let bench = bench.reopen();
    let reconciler = bench.reconcile_ec2();
    bench.until("the image is gone", |cloud| cloud.images.get(&made).unwrap().is_none()).await;
    assert_eq!(snapshots(&bench), []);
    reconciler.abort();
}

#[tokio::test]
async fn a_snapshot_of_what_is_gone_fails_and_its_image_with_it() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    stop(&bench, &id);
    reaches(&bench, &id, InstanceState::Stopped).await;
    fs::remove_file(file(&bench, &id, "/dev/xvdcz")).unwrap();
    let made = create(&bench, &id, "mine", false);
    assert_eq!(settled(&bench, &made).await, ImageState::Failed);
    let failed = image(&bench, &made);
    assert_eq!(failed.state.as_deref(), Some("failed"));
    let reason = failed.state_reason.unwrap().message.unwrap();
    assert!(reason.contains("cannot open"), "{reason}");
    let of_it = RunInstancesRequest { image_id: Some(made), ..launch(1) };
    let refused = Ec2Service.run_instances(&bench.ctx(), of_it).unwrap_err();
    assert_eq!(refused.code, "InvalidAMIID.Unavailable");
    reconciler.abort();
}

#[tokio::test]
async fn deregistering_and_deleting() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    let made = create(&bench, &id, "mine", true);
    settled(&bench, &made).await;
    let ctx = bench.ctx();
    let ids: Vec<String> = snapshots(&bench).into_iter().filter_map(|s| s.snapshot_id).collect();
    let delete = |id: &str| {
        let input = DeleteSnapshotRequest { snapshot_id: Some(id.to_owned()), ..Default::default() };
        Ec2Service.delete_snapshot(&ctx, input)
    };
    assert_eq!(delete(&ids[0]).unwrap_err().code, "InvalidSnapshot.InUse");

    let second = launched(&bench, RunInstancesRequest { image_id: Some(made.clone()), ..launch(1) }).await;
    let deregister =
        |dry_run| DeregisterImageRequest { image_id: Some(made.clone()), dry_run, ..Default::default() };
    let tried = Ec2Service.deregister_image(&ctx, deregister(Some(true))).unwrap_err();
    assert_eq!(tried.code, "DryRunOperation");
    Ec2Service.deregister_image(&ctx, deregister(None)).unwrap();
    assert_eq!(
        Ec2Service.deregister_image(&ctx, deregister(None)).unwrap_err().code,
        "InvalidAMIID.NotFound"
    );
    // Its instance boots again all the same.
    stop(&bench, &second);
    reaches(&bench, &second, InstanceState::Stopped).await;
    let start = StartInstancesRequest { instance_ids: vec![second.clone()], ..Default::default() };
    Ec2Service.start_instances(&ctx, start).unwrap();
    reaches(&bench, &second, InstanceState::Running).await;

    for id in &ids {
        delete(id).unwrap();
        assert_eq!(delete(id).unwrap_err().code, "InvalidSnapshot.NotFound");
    }
    assert_eq!(snapshots(&bench), []);
    let dir = bench.dir.path().join("images/snapshots");
    tokio::time::timeout(Duration::from_secs(5), async {
        while fs::read_dir(&dir).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the files are removed");
    reconciler.abort();
}

#[tokio::test]
async fn a_volume_of_a_snapshot_and_a_snapshot_of_a_volume() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let ctx = bench.ctx();
    let volume = |size, snapshot_id: Option<&String>| CreateVolumeRequest {
        availability_zone: Some("us-east-1a".to_owned()),
        size,
        snapshot_id: snapshot_id.cloned(),
        ..Default::default()
    };
    let path = |id: &str| VolumeStore::open(bench.dir.path()).unwrap().path(id);
    let available = |id: String| {
        let bench = &bench;
        async move {
            bench
                .until("the volume is there", |cloud| {
                    let volume = cloud.store.get::<VolumeRecord>(REGION, &id);
                    volume.is_some_and(|volume| volume.state == VolumeState::Available)
                })
                .await;
        }
    };
    let first = Ec2Service.create_volume(&ctx, volume(Some(8), None)).unwrap().volume_id.unwrap();
    available(first.clone()).await;
    write(&path(&first), "some bytes");
    let input = CreateSnapshotRequest { volume_id: Some(first.clone()), ..Default::default() };
    let taken = Ec2Service.create_snapshot(&ctx, input).unwrap();
    assert_eq!(taken.state.as_deref(), Some("pending"));
    let snapshot = taken.snapshot_id.unwrap();
    // Deleted at once: the bytes are copied before they go.
    let delete = DeleteVolumeRequest { volume_id: Some(first.clone()), ..Default::default() };
    Ec2Service.delete_volume(&ctx, delete).unwrap();
    bench
        .until("the snapshot is completed", |cloud| {
            cloud.images.snapshot(&snapshot).unwrap().unwrap().state == SnapshotState::Completed
        })
        .await;
    bench.until("the volume is gone", |cloud| cloud.store.list::<VolumeRecord>(REGION).is_empty()).await;
    let small = Ec2Service.create_volume(&ctx, volume(Some(7), Some(&snapshot))).unwrap_err();
    assert_eq!(small.code, "InvalidBlockDeviceMapping");
    let second = Ec2Service.create_volume(&ctx, volume(None, Some(&snapshot))).unwrap();
    assert_eq!((second.size, second.snapshot_id.as_ref()), (Some(8), Some(&snapshot)));
    let second = second.volume_id.unwrap();
    available(second.clone()).await;
    assert_eq!(read(&path(&second), 10), "some bytes");
    reconciler.abort();
}

#[tokio::test]
async fn names_are_checked_and_unique() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    create(&bench, &id, "mine", true);
    for (name, code) in [
        ("mine", "InvalidAMIName.Duplicate"),
        ("base", "InvalidAMIName.Duplicate"),
        ("a;b", "InvalidAMIName.Malformed"),
        ("ab", "InvalidAMIName.Malformed"),
    ] {
        let input = CreateImageRequest {
            instance_id: Some(id.clone()),
            name: Some(name.to_owned()),
            no_reboot: Some(true),
            ..Default::default()
        };
        assert_eq!(Ec2Service.create_image(&bench.ctx(), input).unwrap_err().code, code, "{name}");
    }
    reconciler.abort();
}

#[tokio::test]
async fn layers_stay_while_volumes_and_snapshots_stand_on_them() {
    let bench = Bench::new();
    let layer = bench.cloud.images.layers_dir().join("layer");
    fs::create_dir(&layer).unwrap();
    let mut own = crate::testing::image("ami-0000000b", "own");
    own.owner = crate::DEFAULT_ACCOUNT.to_owned();
    own.layers = vec![layer.clone()];
    bench.cloud.images.put(&own).unwrap();
    let reconciler = bench.reconcile_ec2();
    let request = RunInstancesRequest { image_id: Some(own.id.clone()), ..launch(1) };
    let id = launched(&bench, request).await;
    let Some(Call::Boot(spec)) = bench.driver.calls().into_iter().next() else { panic!("no boot") };
    assert_eq!(spec.image_layers, [layer.as_path()]);
    let made = create(&bench, &id, "mine", true);
    settled(&bench, &made).await;
    assert_eq!(crate::in_use(&bench.cloud.store).layers.into_iter().collect::<Vec<_>>(), [layer.as_path()]);
    let input = DeregisterImageRequest { image_id: Some(own.id), ..Default::default() };
    Ec2Service.deregister_image(&bench.ctx(), input).unwrap();
    assert!(layer.exists());
    // Without the instance and the image, only the snapshot stands on it.
    bench
        .cloud
        .store
        .write::<_, StoreError>(|tx| {
            for volume in tx.list::<VolumeRecord>(REGION) {
                tx.remove::<VolumeRecord>(REGION, &volume.id);
            }
            Ok(())
        })
        .unwrap();
    bench.cloud.images.remove(&made, &InUse::default()).unwrap();
    assert!(layer.exists(), "a snapshot of a root volume is nothing without its layers");
    for snapshot in snapshots(&bench) {
        let input = DeleteSnapshotRequest { snapshot_id: snapshot.snapshot_id, ..Default::default() };
        Ec2Service.delete_snapshot(&bench.ctx(), input).unwrap();
    }
    tokio::time::timeout(Duration::from_secs(5), async {
        while layer.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("nothing stands on the layer any more");
    reconciler.abort();
}

#[tokio::test]
async fn an_instance_does_not_start_while_it_is_copied() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let id = launched(&bench, launch(1)).await;
    stop(&bench, &id);
    reaches(&bench, &id, InstanceState::Stopped).await;
    reconciler.abort();
    let _ = reconciler.await;
    let made = create(&bench, &id, "mine", false);
    bench.driver.set_outcome(Outcome::Boots { after: Duration::ZERO });
    let start = StartInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() };
    Ec2Service.start_instances(&bench.ctx(), start).unwrap();
    let reconciler = bench.reconcile_ec2();
    reaches(&bench, &id, InstanceState::Running).await;
    let image = bench.cloud.images.get(&made).unwrap().unwrap();
    let first = image.block_devices[0].snapshot.clone().unwrap();
    let snapshot = bench.cloud.images.snapshot(&first).unwrap().unwrap();
    assert_eq!(snapshot.state, SnapshotState::Completed, "copied before it ran");
    assert!(!bench.driver.calls().contains(&Call::HoldStill(id)));
    reconciler.abort();
}

#[tokio::test]
async fn volumes_grow() {
    let bench = Bench::new();
    let reconciler = bench.reconcile_ec2();
    let ctx = bench.ctx();
    let id = launched(&bench, launch(1)).await;
    let volumes = bench.cloud.store.get::<InstanceRecord>(REGION, &id).unwrap().volumes.clone();
    let grow = |volume: &str, size| {
        let input = ModifyVolumeRequest {
            volume_id: Some(volume.to_owned()),
            size: Some(size),
            ..Default::default()
        };
        Ec2Service.modify_volume(&ctx, input)
    };
    let has = |volume: String, size| {
        let bench = &bench;
        async move {
            bench
                .until("the volume has grown", |cloud| {
                    cloud.store.get::<VolumeRecord>(REGION, &volume).unwrap().size_gib == size
                })
                .await;
        }
    };
    let [root, data] = volumes.as_slice() else { panic!("{volumes:?}") };
    assert_eq!(grow(root, 9).unwrap_err().code, "UnsupportedOperation", "its instance runs");
    assert_eq!(grow(data, 21).unwrap_err().code, "InvalidParameterValue", "it only grows");
    let begun = grow(data, 23).unwrap().volume_modification.unwrap();
    assert_eq!(begun.modification_state.as_deref(), Some("modifying"));
    has(data.clone(), 23).await;
    assert!(bench.driver.calls().contains(&Call::Grow(id.clone(), data.clone(), 23)));
    assert_eq!(fs::metadata(file(&bench, &id, "/dev/xvdcz")).unwrap().len(), 23 << 30);

    stop(&bench, &id);
    reaches(&bench, &id, InstanceState::Stopped).await;
    grow(root, 9).unwrap();
    let start = StartInstancesRequest { instance_ids: vec![id.clone()], ..Default::default() };
    Ec2Service.start_instances(&ctx, start).unwrap();
    reaches(&bench, &id, InstanceState::Running).await;
    let volume = bench.cloud.store.get::<VolumeRecord>(REGION, root).unwrap();
    assert_eq!(volume.size_gib, 9, "grown before it booted");
    let input = DescribeVolumesModificationsRequest { volume_ids: vec![root.clone()], ..Default::default() };
    let shown = Ec2Service.describe_volumes_modifications(&ctx, input).unwrap().volumes_modifications;
    assert_eq!(
        (shown[0].modification_state.as_deref(), shown[0].original_size),
        (Some("completed"), Some(8))
    );
    reconciler.abort();
}
