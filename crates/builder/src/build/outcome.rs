//! How a run ended, and how it is told.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::artifact::Artifact;
use crate::ui::took::took;
use crate::ui::{Console, Kind, Line};

/// How a run ended.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The builds that were begun, in order of name.
    pub builds: Vec<BuildOutcome>,
    /// Whether the user stopped it.
    pub cancelled: bool,
    /// How long all took together.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// How one build ended.
#[derive(Debug, Serialize)]
pub struct BuildOutcome {
    /// Its name.
    pub name: String,
    /// Its builder's type.
    pub builder_type: String,
    /// What it left; also when a post-processor failed afterwards.
    pub artifacts: Vec<Artifact>,
    /// Why it failed.
    pub error: Option<String>,
    /// Its provisioners, as far as it came.
    pub steps: Vec<StepRecord>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
}

/// What is remembered of a provisioner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// Its place among the template's provisioners of this build, from 0.
    pub index: usize,
    /// Its type and what it runs: `shell scripts/storage.sh`.
    pub name: String,
    /// When it began, as seconds since 1970.
    #[serde(serialize_with = "since_1970")]
    pub started: SystemTime,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// What it said, without sensitive values.
    pub output: String,
    /// The code that its command failed with.
    pub exit: Option<i32>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Outcome {
    /// Whether every build succeeded.
    pub fn succeeded(&self) -> bool {
        !self.cancelled && self.builds.iter().all(|build| build.error.is_none())
    }

    /// Tells it as Packer does: the time, what failed, what was made.
    pub fn tell(&self, console: &dyn Console) {
        let say = |text: &str| console.show(Line::general(Kind::Say, text));
        say(&format!("\n==> Wait completed after {}", took(self.took)));
        if self.cancelled {
            say("Cleanly cancelled builds after being interrupted.");
            return;
        }
        self.tell_errors(console);
        if self.builds.iter().all(|build| build.artifacts.is_empty() || build.error.is_some()) {
            say("\n==> Builds finished but no artifacts were created.");
            self.tell_kept(console);
            return;
        }
        say("\n==> Builds finished. The artifacts of successful builds are:");
        for build in self.builds.iter().filter(|build| build.error.is_none()) {
            build.tell_artifacts(console);
        }
        self.tell_kept(console);
    }

    fn tell_errors(&self, console: &dyn Console) {
        let failed = || self.builds.iter().filter_map(|build| Some((build, build.error.as_ref()?)));
        if failed().next().is_none() {
            return;
        }
        console.record("", "error-count", &[&failed().count().to_string()]);
        let error = |text: &str| console.show(Line::general(Kind::Error, text));
        error("\n==> Some builds didn't complete successfully and had errors:");
        for (build, reason) in failed() {
            console.record(&build.name, "error", &[reason]);
            error(&format!("--> {}: {reason}", build.name));
        }
    }

    /// What failed builds left: an image whose post-processing failed is there nevertheless.
    fn tell_kept(&self, console: &dyn Console) {
        for build in self.builds.iter().filter(|build| build.error.is_some()) {
            for artifact in &build.artifacts {
                let text = format!("--> {} (failed, but kept): {}", build.name, artifact.description);
                console.show(Line::general(Kind::Say, &text));
            }
        }
    }
}

impl BuildOutcome {
    fn tell_artifacts(&self, console: &dyn Console) {
        let record = |values: &[&str]| console.record(&self.name, "artifact", values);
        console.record(&self.name, "artifact-count", &[&self.artifacts.len().to_string()]);
        for (index, artifact) in self.artifacts.iter().enumerate() {
            let index = index.to_string();
            record(&[&index, "builder-id", &artifact.builder_id]);
            record(&[&index, "id", &artifact.id()]);
            record(&[&index, "string", &artifact.description]);
            record(&[&index, "files-count", &artifact.files.len().to_string()]);
            for (number, file) in artifact.files.iter().enumerate() {
                record(&[&index, "file", &number.to_string(), file]);
            }
            record(&[&index, "end"]);
            let text = format!("--> {}: {}", self.name, artifact.description);
            console.show(Line::general(Kind::Say, &text));
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_millis() as f64 / 1000.0)
}

fn since_1970<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_f64(since.as_millis() as f64 / 1000.0)
}
