//! A cloud for tests: a store in a temporary directory, simulated machines and networks.

use std::sync::Arc;
use std::time::Duration;

use machine::images::{BlockDevice, Image, ImageState, ImageStore, Snapshot, SnapshotState};
use machine::sim::SimDriver;

use crate::context::{Caller, Ctx, Origin};
use crate::credentials::RootKey;
use crate::identity::IdentityKey;
use crate::logs::Logs;
use crate::vpc::Vpcs;
use crate::{Cloud, Config, ec2};

/// The one region of tests.
pub const REGION: &str = "us-east-1";

/// The id of the one image of tests.
pub const IMAGE: &str = "ami-0000000000000ba5e";

/// A cloud and what its tests look at.
pub struct Bench {
    /// The cloud.
    pub cloud: Arc<Cloud>,
    /// Its machines.
    pub driver: SimDriver,
    /// Its state directory, removed when the bench goes.
    pub dir: Arc<tempfile::TempDir>,
}

impl Bench {
    /// A new cloud with one image, [`IMAGE`].
    #[allow(
        clippy::new_without_default,
        reason = "it makes a directory and a key: nothing that is there by default"
    )]
    pub fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let bench = Self::open(dir, SimDriver::new());
        bench.cloud.images.put(&image(IMAGE, "base")).unwrap();
        bench
    }

    /// The cloud after its daemon was killed and started again; the machines have gone on. The old bench must
    /// be gone.
    pub fn reopen(self) -> Self {
        let Self { cloud, driver, dir } = self;
        drop(cloud);
        Self::open(dir, driver)
    }

    fn open(dir: Arc<tempfile::TempDir>, driver: SimDriver) -> Self {
        let state = dir.path();
        let cloud = Cloud {
            config: Config::new(state),
            store: crate::open_store(state).unwrap(),
            driver: Arc::new(driver.clone()),
            images: ImageStore::open(state).unwrap(),
            root_key: RootKey::open(state).unwrap(),
            identity: IdentityKey::new(state),
            vpcs: Arc::new(Vpcs::simulated(state, REGION).unwrap()),
            logs: Logs::open(state).unwrap(),
        };
        Self { cloud: Arc::new(cloud), driver, dir }
    }

    /// The context of a request by the account itself.
    pub fn ctx(&self) -> Ctx {
        Ctx {
            cloud: Arc::clone(&self.cloud),
            account: Arc::from(self.cloud.config.account.as_str()),
            region: Arc::from(REGION),
            caller: Caller::Root,
            origin: Origin::Host,
            request_id: crate::ids::uuid(),
        }
    }

    /// Runs EC2's reconciler until the handle is aborted.
    pub fn reconcile_ec2(&self) -> tokio::task::JoinHandle<()> {
        let cloud = Arc::clone(&self.cloud);
        tokio::spawn(async move { ec2::reconciler::run(cloud).await.unwrap() })
    }

    /// Waits until something is true of the cloud.
    ///
    /// # Panics
    /// When it is not within ten seconds.
    pub async fn until(&self, what: &str, is_true: impl Fn(&Cloud) -> bool) {
        let mut changes = self.cloud.store.changes();
        let waiting = async {
            while !is_true(&self.cloud) {
                changes.changed().await.unwrap();
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(),
            "not within 10 s: {what}"
        );
    }
}

/// An image with the devices of the ECS-optimised AMI and no layers.
pub fn image(id: &str, name: &str) -> Image {
    Image {
        id: id.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        created: jiff::Timestamp::now(),
        owner: machine::images::AMAZON.to_owned(),
        region: None,
        layers: Vec::new(),
        architecture: "x86_64".to_owned(),
        state: ImageState::Available,
        root_device: "/dev/xvda".to_owned(),
        block_devices: BlockDevice::ecs_optimised(),
        tags: Default::default(),
        alias_of: None,
        ..Image::default()
    }
}

/// A completed snapshot of a data volume; it has no file.
pub fn snapshot(id: &str, size_gib: u32) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        region: REGION.to_owned(),
        owner: crate::DEFAULT_ACCOUNT.to_owned(),
        volume_id: "vol-00000001".to_owned(),
        size_gib,
        description: String::new(),
        started: jiff::Timestamp::now(),
        completed: Some(jiff::Timestamp::now()),
        state: SnapshotState::Completed,
        reason: None,
        origin: machine::images::Origin::Volume("vol-00000001".to_owned()),
        batch: id.to_owned(),
        layers: None,
        shared: Default::default(),
        tags: Default::default(),
    }
}
