//! A build that is made again whenever its template or one of its files is saved, from the step that changed.
//!
//! After each step an image of the machine is taken, a checkpoint, under the digest of everything that it is made from
//! so far. After a save the build begins with the newest checkpoint whose digest it shares; what comes later is
//! forgotten. The build itself leaves no image: that is what a build without `--watch` is for.

mod files;
mod plan;
mod tracker;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use packer_template::Variables;
use packer_template::config::AmazonEbs;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use plan::{Change, Checkpoints, Start};

use crate::amazon::{Polling, checkpoint};
use crate::aws::{Session, SessionError};
use crate::build::{self, Plan, PlannedBuild, Settings};
use crate::inputs::{self, Inputs, SourceImage};
use crate::ui::{Console, Ui};
use files::Watcher;
use tracker::Tracker;

/// Where the watch is told.
pub trait Screen: Send + Sync {
    /// The watch begins, or watches other files than before.
    fn watching(&self, files: usize);
    /// The template or a file cannot be used as it is now.
    fn broken(&self, errors: &str);
    /// A run begins. `changed` is what was saved, nothing for the first run; `from` is the step that it begins with,
    /// from 0, of `total`.
    fn begin(&self, changed: &BTreeSet<PathBuf>, from: usize, total: usize);
    /// The machine is there, and steps begin to speak.
    fn machine_ready(&self, took: Duration);
    /// A step has succeeded.
    fn step(&self, index: usize, total: usize, title: &str, took: Duration);
    /// All steps have, so long after the save.
    fn green(&self, took: Duration);
    /// The run has failed.
    fn failed(&self, reason: &str);
    /// A run was given up because of another save.
    fn overtaken(&self);
    /// Something could not be removed.
    fn left(&self, message: &str);
    /// The watch is over and takes its checkpoints away.
    fn ending(&self, checkpoints: usize);
    /// Where the build itself speaks.
    fn console(&self) -> Arc<dyn Console>;
}

/// A template as it is at the moment.
pub struct Loaded {
    /// What it will do; with one build.
    pub plan: Plan,
    /// The variables of a [frozen](inputs::frozen) host.
    pub frozen: Variables,
}

/// Reads the template anew.
pub trait Load: Send + Sync {
    /// Reads template and variables.
    ///
    /// # Errors
    /// Everything that is wrong with them, for people to read.
    fn load(&self) -> Result<Loaded, String>;
    /// The template's file and those of variables.
    fn files(&self) -> BTreeSet<PathBuf>;
}

/// Why there is no watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The files cannot be watched.
    #[error("the files cannot be watched: {0}")]
    Files(#[from] notify::Error),
}

/// A watch.
pub struct Watch {
    loader: Box<dyn Load>,
    settings: Settings,
    screen: Arc<dyn Screen>,
    cancel: CancellationToken,
    watcher: Watcher,
    checkpoints: Arc<Mutex<Checkpoints>>,
    /// The last run's session, to remove checkpoints with.
    session: Option<Session>,
    /// What the last run was made from.
    last: Option<Inputs>,
    /// Runs that still clean up.
    ending: JoinSet<()>,
}

/// What a run needs.
struct Prepared {
    plan: Arc<Plan>,
    session: Session,
    inputs: Inputs,
}

impl Watch {
    /// A watch that has not begun. `cancel` ends it.
    ///
    /// # Errors
    /// When this system cannot watch files.
    pub fn new(
        loader: Box<dyn Load>,
        settings: Settings,
        screen: Arc<dyn Screen>,
        cancel: CancellationToken,
    ) -> Result<Self, WatchError> {
        Ok(Self {
            loader,
            settings,
            screen,
            cancel,
            watcher: Watcher::new()?,
            checkpoints: Arc::default(),
            session: None,
            last: None,
            ending: JoinSet::new(),
        })
    }

    /// Builds and watches until it is cancelled, then removes everything that it has made.
    ///
    /// # Errors
    /// When the files cannot be watched.
    pub async fn run(mut self) -> Result<(), WatchError> {
        let result = self.work().await;
        let session = self.session.take();
        let images = self.checkpoints.lock().take_all();
        self.screen.ending(images.len());
        while self.ending.join_next().await.is_some() {}
        // A run that was cancelled may have finished one more meanwhile.
        let late = self.checkpoints.lock().take_all();
        if let Some(session) = session {
            remove(&session, images.into_iter().chain(late), &self.screen).await;
        }
        result
    }

    async fn work(&mut self) -> Result<(), WatchError> {
        self.watcher.set(self.loader.files())?;
        let mut changed = BTreeSet::new();
        loop {
            match self.prepare().await {
                Err(errors) => self.screen.broken(&errors),
                Ok(prepared) => {
                    self.watch_files(&prepared.inputs)?;
                    if let Some(overtaken_by) = self.build(prepared, &changed).await {
                        changed = overtaken_by;
                        continue;
                    }
                }
            }
            changed = tokio::select! {
                changed = self.watcher.changed() => changed,
                () = self.cancel.cancelled() => return Ok(()),
            };
        }
    }

    fn watch_files(&mut self, inputs: &Inputs) -> Result<(), WatchError> {
        let before = self.watcher.count();
        let mut files = self.loader.files();
        files.extend(inputs.files());
        self.watcher.set(files)?;
        if self.watcher.count() != before {
            self.screen.watching(self.watcher.count());
        }
        Ok(())
    }

    /// Reads everything anew.
    async fn prepare(&self) -> Result<Prepared, String> {
        let Loaded { plan, frozen } = self.loader.load()?;
        let [build] = plan.builds.as_slice() else {
            return Err(format!(
                "--watch is about one build, and {} are chosen: choose one with -only",
                plan.builds.len()
            ));
        };
        let session = Session::open(&build.config.access, &self.settings.target);
        let session = session.await.map_err(|error: SessionError| error.to_string())?;
        let source: SourceImage =
            inputs::source_image(&session, build).await.map_err(|error| error.to_string())?;
        let inputs = inputs::read(build, &plan.context, &frozen, &source, &session.region)
            .map_err(|error| error.to_string())?;
        Ok(Prepared { plan: Arc::new(without_image(&plan)), session, inputs })
    }

    /// Runs the build as far as is needed. Answers with what was saved when a save overtakes it.
    async fn build(&mut self, prepared: Prepared, changed: &BTreeSet<PathBuf>) -> Option<BTreeSet<PathBuf>> {
        let saved = Instant::now();
        let Prepared { plan, session, inputs } = prepared;
        if self.last.as_ref().is_some_and(|last| Change::between(last, &inputs) == Change::Nothing) {
            return None;
        }
        let start = self.checkpoints.lock().start(&inputs);
        let outdated = self.checkpoints.lock().outdated(&inputs);
        self.screen.begin(changed, start.done, inputs.steps.len());
        if start.image.is_some() && start.done == inputs.steps.len() {
            // All steps have been green before, on the very same machine.
            self.screen.green(saved.elapsed());
            self.last = Some(inputs);
            remove(&session, outdated, &self.screen).await;
            return None;
        }
        let cancel = self.cancel.child_token();
        let tracker = Arc::new(Tracker {
            start,
            chain: inputs.chain(),
            template: plan
                .context
                .host
                .template
                .as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            polling: polling(&plan.builds[0], &self.settings),
            session: session.clone(),
            screen: self.screen.clone(),
            checkpoints: self.checkpoints.clone(),
            cancel: cancel.clone(),
            saved,
            since: Mutex::new(saved),
            end: Mutex::default(),
            settled: CancellationToken::new(),
        });
        self.session = Some(session.clone());
        self.last = Some(inputs);
        let run =
            Run { plan, tracker: tracker.clone(), settings: self.settings.clone(), cancel: cancel.clone() };
        let (ended, mut end) = tokio::sync::oneshot::channel();
        let screen = self.screen.clone();
        self.ending.spawn(async move {
            run.complete(screen.as_ref()).await;
            // A watch that has gone on needs no answer.
            let _ = ended.send(());
            remove(&session, outdated, &screen).await;
        });
        let mut saved_again = None;
        loop {
            tokio::select! {
                _ = &mut end => return saved_again,
                // The machine goes away by itself.
                () = tracker.settled.cancelled() => return saved_again,
                () = self.cancel.cancelled() => return None,
                changed = self.watcher.changed(), if saved_again.is_none() => {
                    if tracker.end.lock().is_some() {
                        // The last checkpoint is under way, and what was saved may begin with it.
                        saved_again = Some(changed);
                    } else if self.is_overtaken().await {
                        self.screen.overtaken();
                        cancel.cancel();
                        // What it was for is not done: the same inputs are no reason to leave the next run out.
                        self.last = None;
                        return Some(changed);
                    }
                }
            }
        }
    }

    /// Whether what is there now makes another machine than the run under way.
    async fn is_overtaken(&self) -> bool {
        match (self.prepare().await, &self.last) {
            (Ok(prepared), Some(last)) => Change::between(last, &prepared.inputs) != Change::Nothing,
            _ => true,
        }
    }
}

/// One run of the build.
struct Run {
    plan: Arc<Plan>,
    tracker: Arc<Tracker>,
    settings: Settings,
    cancel: CancellationToken,
}

impl Run {
    async fn complete(self, screen: &dyn Screen) {
        let settings = Settings { hooks: Some(self.tracker.clone()), ..self.settings };
        let outcome = build::run(&self.plan, &Arc::new(settings), screen.console(), &self.cancel).await;
        let error = outcome.builds.iter().find_map(|build| build.error.as_deref());
        // Steps that fail have been told when they did; this is for what comes before them.
        let told = self.tracker.end.lock().is_some() || self.cancel.is_cancelled();
        if let Some(reason) = error.filter(|_| !told) {
            screen.failed(reason);
        }
    }
}

/// The same plan, which ends before an image is made of the machine.
fn without_image(plan: &Plan) -> Plan {
    let without = |build: &PlannedBuild| {
        let mut config: AmazonEbs = (*build.config).clone();
        config.ami.skip_create_ami = true;
        PlannedBuild { config: Arc::new(config), post_processors: Vec::new(), ..build.clone() }
    };
    Plan {
        builds: plan.builds.iter().map(without).collect(),
        context: plan.context.clone(),
        secrets: plan.secrets.clone(),
        warnings: Vec::new(),
    }
}

fn polling(build: &PlannedBuild, settings: &Settings) -> Polling {
    Polling::new(&build.config.access.aws_polling, |name| settings.env.get(name).cloned())
}

async fn remove(session: &Session, images: impl IntoIterator<Item = String>, screen: &Arc<dyn Screen>) {
    let ui = Quiet(screen.clone());
    for image in images {
        for leftover in checkpoint::remove(session, &image, &ui).await {
            screen.left(&leftover.to_string());
        }
    }
}

/// A voice of which only what went wrong is heard.
struct Quiet(Arc<dyn Screen>);

#[async_trait]
impl Ui for Quiet {
    fn say(&self, _message: &str) {}

    fn message(&self, _message: &str) {}

    fn error(&self, message: &str) {
        self.0.left(message);
    }

    fn machine(&self, _category: &str, _values: &[&str]) {}

    async fn ask(&self, _question: &str) -> Option<String> {
        None
    }
}
