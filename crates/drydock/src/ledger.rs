//! What `build` and `up` write down about images: what they are made from, how their builds went.

use std::path::PathBuf;

use aws_clients::Target;
use builder::aws::Session;
use builder::build::{BuildOutcome, Outcome, Plan, PlannedBuild};
use builder::history::{self, Beginning, Store};
use builder::inputs;
use builder::ui::{Console, Kind, Line};

use crate::exit::Failure;
use crate::template::Loaded;

/// One build, written down from its beginning.
pub struct Entry {
    session: Session,
    /// What is known before the build starts.
    pub beginning: Beginning,
}

impl Entry {
    /// Finds out what a build is going to be made from.
    ///
    /// # Errors
    /// When a file or the source image is not there.
    pub async fn begin(build: &PlannedBuild, loaded: &Loaded, target: &Target) -> Result<Self, Failure> {
        let of_build = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", build.name));
        let session = Session::open(&build.config.access, target).await.map_err(|error| of_build(&error))?;
        let source = inputs::source_image(&session, build).await.map_err(|error| of_build(&error))?;
        let inputs = inputs::read(build, &loaded.context, &loaded.frozen, &source, &session.region)
            .map_err(|error| of_build(&error))?;
        let template =
            loaded.context.host.template.clone().unwrap_or_else(|| PathBuf::from("standard input"));
        let beginning = Beginning {
            inputs,
            source_ami: source.id,
            template: template.display().to_string(),
            host: nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_else(|_| "this machine".to_owned()),
            started: jiff::Timestamp::now(),
        };
        Ok(Self { session, beginning })
    }

    /// The API, as the build reaches it.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Writes down how it went, when it made an image; says what could not be written.
    pub async fn keep(&self, outcome: &BuildOutcome, say: &dyn Fn(&str)) {
        let kept = match Store::of_user() {
            Ok(store) => history::keep(&self.session, &self.beginning, outcome, &store).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = kept {
            say(&format!("Warning: {error}"));
        }
    }
}

/// All builds of a run, written down as far as they get.
pub struct Ledger(Vec<(String, Entry)>);

impl Ledger {
    /// Finds out what the builds are going to be made from. One that lacks something is left out: the build itself
    /// tells what, in its own words.
    pub async fn begin(plan: &Plan, loaded: &Loaded, target: &Target) -> Self {
        let mut entries = Vec::new();
        for build in &plan.builds {
            if let Ok(entry) = Entry::begin(build, loaded, target).await {
                entries.push((build.name.clone(), entry));
            }
        }
        Self(entries)
    }

    /// Writes down how the builds went that made images.
    pub async fn keep(&self, outcome: &Outcome, console: &dyn Console) {
        let say = |text: &str| console.show(Line::general(Kind::Say, text));
        for build in &outcome.builds {
            if let Some((_, entry)) = self.0.iter().find(|(name, _)| *name == build.name) {
                entry.keep(build, &say).await;
            }
        }
    }
}
