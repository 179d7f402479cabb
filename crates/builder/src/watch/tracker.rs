//! A build's part in the watch: what it skips, and the checkpoints that it leaves.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use packer_template::BuildData;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::plan::{Checkpoints, Start};
use super::{Quiet, Screen};
use crate::amazon::{Polling, checkpoint};
use crate::aws::Session;
use crate::build::{Hooks, PlannedBuild};
use crate::communicator::{Communicator, Output};
use crate::inputs::Digest;

/// Writes to disk what a step has written: the file systems on the machine's own devices. A plain `sync` writes those of
/// the whole kernel, which in a container are other people's, too; it serves where `sync` knows no `-f`.
const SYNC: &str = "awk '$1 ~ \"^/dev/\" { print $2 }' /proc/mounts | xargs sync -f / 2> /dev/null || sync";

/// The name of every checkpoint and the tag that they can be found by begins so.
const CHECKPOINT: &str = "drydock:checkpoint";

/// Follows one run of the build.
pub(super) struct Tracker {
    pub start: Start,
    /// What the machine is made from before each step and after the last.
    pub chain: Vec<Digest>,
    /// The template's file, for people who find a checkpoint that was left.
    pub template: String,
    pub session: Session,
    pub polling: Polling,
    pub screen: Arc<dyn Screen>,
    pub checkpoints: Arc<Mutex<Checkpoints>>,
    pub cancel: CancellationToken,
    /// When the change was saved that this run is for.
    pub saved: Instant,
    /// When the step under way began.
    pub since: Mutex<Instant>,
    /// How the steps have ended, if they have.
    pub end: Mutex<Option<End>>,
    /// Cancelled when nothing more comes of this run: its steps have ended, and the last checkpoint is taken.
    pub settled: CancellationToken,
}

/// How the steps of a run have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Green,
    Failed,
}

impl Tracker {
    async fn checkpoint(
        &self,
        done: usize,
        instance: &str,
        communicator: &dyn Communicator,
    ) -> Result<(), String> {
        // An image is taken of what is on the disk. A machine that cannot be told so (`communicator: none`) has run no
        // step.
        let _ = communicator.run(SYNC, &Silent).await;
        let state = self.chain[done];
        let short: String = state.to_string().chars().take(12).collect();
        let name = format!("drydock-checkpoint-{short}-{}", uuid::Uuid::new_v4().simple());
        let tags = [(CHECKPOINT.to_owned(), format!("step {done} of {}", self.template))].into();
        let ui = Quiet(self.screen.clone());
        let taken =
            checkpoint::take(&self.session, instance, &name, &tags, self.polling, &ui, &self.cancel).await;
        let ami = taken.map_err(|error| format!("the checkpoint after step {done}: {error}"))?;
        self.checkpoints.lock().put(state, ami);
        Ok(())
    }
}

#[async_trait]
impl Hooks for Tracker {
    fn skip(&self, _build: &str) -> usize {
        self.start.done
    }

    fn source_ami(&self, _build: &str) -> Option<String> {
        self.start.image.clone()
    }

    async fn before_provisioners(&self, _build: &PlannedBuild) {
        self.screen.machine_ready(self.saved.elapsed());
        *self.since.lock() = Instant::now();
    }

    async fn after_provisioner(
        &self,
        build: &PlannedBuild,
        index: usize,
        data: &BuildData,
        communicator: &dyn Communicator,
    ) -> Result<(), String> {
        let took = self.since.lock().elapsed();
        let total = build.provisioners.len();
        self.screen.step(index, total, &build.provisioners[index].name, took);
        if index + 1 == total {
            *self.end.lock() = Some(End::Green);
            self.screen.green(self.saved.elapsed());
        }
        let instance = data.values.get("ID").map(String::as_str).unwrap_or_default();
        let taken = self.checkpoint(index + 1, instance, communicator).await;
        if index + 1 == total {
            self.settled.cancel();
        }
        *self.since.lock() = Instant::now();
        taken
    }

    async fn provisioner_failed(&self, _build: &PlannedBuild, reason: &str) {
        // What the end of the watch, or another save, has stopped is no failure.
        if !self.cancel.is_cancelled() {
            let mut end = self.end.lock();
            if *end == Some(End::Green) {
                // Only the last checkpoint has failed. The next run begins with the one before.
                self.screen.left(reason);
            } else {
                *end = Some(End::Failed);
                self.screen.failed(reason);
            }
        }
        self.settled.cancel();
    }
}

/// What `sync` says interests nobody.
struct Silent;

impl Output for Silent {
    fn stdout(&self, _bytes: &[u8]) {}
    fn stderr(&self, _bytes: &[u8]) {}
}
