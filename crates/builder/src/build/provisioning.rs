//! The provisioners of a build, one after the other, as the builder's step calls them.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use packer_template::{BuildData, Context};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::plan::{Plan, PlannedBuild, PlannedProvisioner};
use super::step::Step;
use super::{Settings, StepRecord};
use crate::communicator::Communicator;
use crate::go_duration::go_duration;
use crate::provision::{Provision, ProvisionError, breakpoint, file, shell, shell_local};
use crate::ui::{Recorder, Secrets, Targeted, Ui};

/// Runs a build's provisioners and remembers how each went.
pub(super) struct Provisioning<'a> {
    build: &'a PlannedBuild,
    context: &'a Context,
    settings: &'a Settings,
    recorder: Recorder,
    secrets: &'a Secrets,
    cancel: &'a CancellationToken,
    kept: Mutex<Kept>,
}

/// What is left when provisioning is over.
#[derive(Default)]
struct Kept {
    records: Vec<StepRecord>,
    data: Option<BuildData>,
}

impl<'a> Provisioning<'a> {
    pub fn new(
        plan: &'a Plan,
        build: &'a PlannedBuild,
        settings: &'a Settings,
        voice: &Targeted,
        cancel: &'a CancellationToken,
    ) -> Self {
        let recorder = Recorder::new(Arc::new(voice.clone()), plan.secrets.clone());
        Self {
            build,
            context: &plan.context,
            settings,
            recorder,
            secrets: &plan.secrets,
            cancel,
            kept: Mutex::default(),
        }
    }

    /// What is known of the build; none before its machine was reached.
    pub fn data(&self) -> Option<BuildData> {
        self.kept.lock().data.clone()
    }

    /// How each provisioner went.
    pub fn into_records(self) -> Vec<StepRecord> {
        self.kept.into_inner().records
    }

    /// Runs one provisioner with its pause, its retries and its record.
    async fn step(
        &self,
        index: usize,
        planned: &PlannedProvisioner,
        communicator: &Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError> {
        let (started, clock) = (SystemTime::now(), Instant::now());
        self.recorder.take();
        let mut result = self.retried(planned, communicator, data).await;
        if let (Ok(()), Some(hooks)) = (&result, &self.settings.hooks) {
            let told = hooks.after_provisioner(self.build, index, data, communicator.as_ref()).await;
            result = told.map_err(ProvisionError::Hook);
        }
        self.kept.lock().records.push(StepRecord {
            index,
            name: planned.name.clone(),
            started,
            took: clock.elapsed(),
            output: self.recorder.take(),
            exit: exit_code(&result, planned),
            error: result.as_ref().err().map(|error| self.secrets.redact(&error.to_string())),
        });
        let error = match result {
            Ok(()) => return Ok(()),
            Err(ProvisionError::Cancelled) => return Err(ProvisionError::Cancelled),
            Err(error) => ProvisionError::Step {
                number: index + 1,
                name: planned.name.clone(),
                place: format!("{}:{}", planned.block.source.name(), planned.block.span.line),
                error: Box::new(error),
            },
        };
        if let Some(hooks) = &self.settings.hooks {
            hooks.provisioner_failed(self.build, &self.secrets.redact(&error.to_string())).await;
        }
        Err(error)
    }

    /// Runs a provisioner until it succeeds, as often as its `max_retries` allows.
    async fn retried(
        &self,
        planned: &PlannedProvisioner,
        communicator: &Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError> {
        let mut left = planned.max_retries;
        loop {
            let error = match self.paused(planned, communicator, data).await {
                Ok(()) => return Ok(()),
                Err(error) if self.cancel.is_cancelled() || planned.max_retries == 0 => return Err(error),
                Err(error) => error,
            };
            if left == 0 {
                self.recorder.say("retry limit reached.");
                return Err(error);
            }
            let reason = error.to_string();
            self.recorder
                .say(&format!("Provisioner failed with {reason:?}, retrying with {left} trie(s) left"));
            left -= 1;
        }
    }

    /// Waits for `pause_before`, then runs it within its `timeout`.
    async fn paused(
        &self,
        planned: &PlannedProvisioner,
        communicator: &Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError> {
        if self.settings.debug {
            // The user's enter; without a terminal it goes on at once.
            self.recorder.ask("Pausing before the next provisioner . Press enter to continue.").await;
        }
        let pause = planned.provisioner.pause_before;
        if !pause.is_zero() {
            self.recorder.say(&format!("Pausing {} before the next provisioner...", go_duration(pause)));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => {}
            }
        }
        if self.cancel.is_cancelled() {
            return Err(ProvisionError::Cancelled);
        }
        let timeout = planned.provisioner.timeout;
        if timeout.is_zero() {
            return self.once(planned, communicator, data, self.cancel).await;
        }
        self.recorder.say(&format!("Setting a {} timeout for the next provisioner...", go_duration(timeout)));
        // The step is told to stop, as it is by Ctrl-C, so that it leaves no half of a file and no running command.
        let stop = self.cancel.child_token();
        let run = self.once(planned, communicator, data, &stop);
        tokio::pin!(run);
        tokio::select! {
            result = &mut run => return result,
            () = tokio::time::sleep(timeout) => {}
        }
        self.recorder.error("Cancelling provisioner after a timeout...");
        stop.cancel();
        match run.await {
            Err(ProvisionError::Cancelled) if self.cancel.is_cancelled() => Err(ProvisionError::Cancelled),
            _ => Err(ProvisionError::Timeout(go_duration(timeout))),
        }
    }

    async fn once(
        &self,
        planned: &PlannedProvisioner,
        communicator: &Arc<dyn Communicator>,
        data: &BuildData,
        cancel: &CancellationToken,
    ) -> Result<(), ProvisionError> {
        // Read again: only now `build` has values.
        let step = Step::decode(&planned.block, &self.context.with_build(data.clone()))?;
        let ui: &dyn Ui = &self.recorder;
        let folder = &self.settings.folder;
        match step {
            Step::Shell(config) => shell::run(&config, folder, communicator.as_ref(), data, ui, cancel).await,
            Step::File(config) => file::run(&config, folder, communicator.as_ref(), ui, cancel).await,
            Step::ShellLocal(config) => shell_local::run(&config, folder, data, ui, cancel).await,
            Step::Breakpoint(config) => breakpoint::run(&config, ui, cancel).await,
        }
    }
}

/// The code that a command ended with.
fn exit_code(result: &Result<(), ProvisionError>, planned: &PlannedProvisioner) -> Option<i32> {
    match result {
        Ok(()) => planned.success_code,
        Err(ProvisionError::Exit { code, .. }) => Some(*code),
        Err(_) => None,
    }
}

#[async_trait]
impl Provision for Provisioning<'_> {
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        data: &BuildData,
    ) -> Result<(), ProvisionError> {
        self.kept.lock().data = Some(data.clone());
        let done = self.settings.hooks.as_ref().map_or(0, |hooks| hooks.skip(&self.build.name));
        if let Some(hooks) = &self.settings.hooks {
            hooks.before_provisioners(self.build).await;
        }
        for (index, planned) in self.build.provisioners.iter().enumerate().skip(done) {
            if self.cancel.is_cancelled() {
                return Err(ProvisionError::Cancelled);
            }
            self.step(index, planned, &communicator, data).await?;
        }
        Ok(())
    }

    async fn clean_up(&self, communicator: Arc<dyn Communicator>, data: &BuildData) {
        let Some(planned) = &self.build.error_cleanup else { return };
        // It runs although the build was cancelled: that is what it is for.
        let never = CancellationToken::new();
        if let Err(error) = self.once(planned, &communicator, data, &never).await {
            self.recorder.error(&format!("{}: {error}", planned.name));
        }
    }
}
