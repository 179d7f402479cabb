//! `drydock build --watch`: the build made again from the step that changed, whenever a file is saved.

use std::collections::BTreeSet;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use builder::build::{Plan, Settings};
use builder::selection::Names;
use builder::ui::{Console, Kind, Line};
use builder::watch::{Load, Loaded, Screen, Watch};
use console::style;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::output::Format;
use crate::template::{self, TemplateArgs};

/// Watches until it is cancelled.
///
/// # Errors
/// When the template comes by standard input, or files cannot be watched.
pub async fn run(
    template: TemplateArgs,
    names: Names,
    settings: Settings,
    format: Format,
    cancel: CancellationToken,
) -> Result<(), Failure> {
    if template.template == Path::new("-") {
        return Err(Failure::config("--watch needs the template's file: standard input does not change"));
    }
    let folder = settings.folder.clone();
    let screen =
        Arc::new(Show { json: format == Format::Json, folder: folder.clone(), speaking: Arc::default() });
    let loader = Loader { template, names, folder };
    let watch = Watch::new(Box::new(loader), settings, screen, cancel);
    watch
        .map_err(|error| Failure::failed(error.to_string()))?
        .run()
        .await
        .map_err(|error| Failure::failed(error.to_string()))
}

/// Reads the template as the command line names it.
struct Loader {
    template: TemplateArgs,
    names: Names,
    folder: PathBuf,
}

impl Load for Loader {
    fn load(&self) -> Result<Loaded, String> {
        let told = |failure: Failure| failure.message.unwrap_or_default();
        let loaded = self.template.load().map_err(told)?;
        let plan = Plan::new(&loaded.template, &loaded.context, &self.names)
            .map_err(|error| told(template::invalid(error)))?;
        Ok(Loaded { plan, frozen: loaded.frozen })
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let named = self.template.var_files.iter().chain([&self.template.template]);
        named.map(|file| self.folder.join(file)).collect()
    }
}

/// Shows the watch: a few calm lines for people, or one JSON document a line.
struct Show {
    json: bool,
    folder: PathBuf,
    /// Whether steps run, so that what the build says is what they say.
    speaking: Arc<AtomicBool>,
}

impl Show {
    fn tell(&self, event: Value, text: impl FnOnce() -> String) {
        let line = if self.json { event.to_string() } else { text() };
        // Who has stopped reading does not want to know.
        let _ = writeln!(stdout(), "{line}");
    }

    /// A file as the user calls it.
    fn shown(&self, file: &Path) -> String {
        file.strip_prefix(&self.folder).unwrap_or(file).display().to_string()
    }
}

/// The time of the day, at the beginning of a run.
fn clock() -> String {
    style(jiff::Zoned::now().strftime("%H:%M:%S").to_string()).dim().to_string()
}

fn seconds(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}

/// Where a run begins.
fn extent(from: usize, total: usize) -> String {
    match (from, total) {
        (0, _) => format!("from the beginning, {total} steps"),
        (from, total) if from == total => "nothing to run again".to_owned(),
        (from, total) if from + 1 == total => format!("step {total} of {total}"),
        (from, total) => format!("steps {} to {total}", from + 1),
    }
}

impl Screen for Show {
    fn watching(&self, files: usize) {
        self.tell(json!({ "event": "watching", "files": files }), || {
            style(format!("watching {files} files and folders; Ctrl-C ends it and removes everything"))
                .dim()
                .to_string()
        });
    }

    fn broken(&self, errors: &str) {
        self.speaking.store(false, Ordering::Relaxed);
        self.tell(json!({ "event": "broken", "errors": errors }), || {
            format!("{}  {} {errors}", clock(), style("✗").red())
        });
    }

    fn begin(&self, changed: &BTreeSet<PathBuf>, from: usize, total: usize) {
        let changed: Vec<String> = changed.iter().map(|file| self.shown(file)).collect();
        self.tell(json!({ "event": "begin", "changed": changed, "from": from, "total": total }), || {
            let saved = match changed.as_slice() {
                [] => String::new(),
                files => format!("{} saved: ", style(files.join(", ")).bold()),
            };
            format!("{}  {saved}{}", clock(), extent(from, total))
        });
    }

    fn machine_ready(&self, took: Duration) {
        self.speaking.store(true, Ordering::Relaxed);
        self.tell(json!({ "event": "machine", "seconds": took.as_secs_f64() }), || {
            style(format!("          machine ready after {}", seconds(took))).dim().to_string()
        });
    }

    fn step(&self, index: usize, total: usize, title: &str, took: Duration) {
        let event = json!({
            "event": "step", "index": index, "total": total, "title": title, "seconds": took.as_secs_f64(),
        });
        self.tell(event, || {
            let number = style(format!("{}/{total}", index + 1)).dim();
            format!("        {} {number} {title}  {}", style("✓").green(), style(seconds(took)).dim())
        });
    }

    fn green(&self, took: Duration) {
        self.speaking.store(false, Ordering::Relaxed);
        self.tell(json!({ "event": "green", "seconds": took.as_secs_f64() }), || {
            format!("          {}", style(format!("green after {}", seconds(took))).green())
        });
    }

    fn failed(&self, reason: &str) {
        self.speaking.store(false, Ordering::Relaxed);
        self.tell(json!({ "event": "failed", "reason": reason }), || {
            format!("        {} {reason}", style("✗").red())
        });
    }

    fn overtaken(&self) {
        self.speaking.store(false, Ordering::Relaxed);
        self.tell(json!({ "event": "overtaken" }), || {
            style("          saved again: starting over").dim().to_string()
        });
    }

    fn left(&self, message: &str) {
        self.tell(json!({ "event": "left", "message": message }), || {
            format!("        {} {message}", style("!").yellow())
        });
    }

    fn ending(&self, checkpoints: usize) {
        self.tell(json!({ "event": "ending", "checkpoints": checkpoints }), || {
            style(format!("removing {checkpoints} checkpoints and everything temporary")).dim().to_string()
        });
    }

    fn console(&self) -> Arc<dyn Console> {
        Arc::new(Voice { json: self.json, speaking: self.speaking.clone() })
    }
}

/// What steps say. The phases of the build are left out: which step runs is told by the watch itself.
struct Voice {
    json: bool,
    speaking: Arc<AtomicBool>,
}

#[async_trait]
impl Console for Voice {
    fn show(&self, line: Line<'_>) {
        let is_output = matches!(line.kind, Kind::Message | Kind::Error) && line.target.is_some();
        if !is_output || !self.speaking.load(Ordering::Relaxed) {
            return;
        }
        for text in line.text.lines().filter(|text| !text.trim().is_empty()) {
            let line = match self.json {
                true => json!({ "event": "output", "text": text }).to_string(),
                false => format!("          {}", style(format!("| {text}")).dim()),
            };
            // Who has stopped reading does not want to know.
            let _ = writeln!(stdout(), "{line}");
        }
    }

    fn record(&self, _target: &str, _category: &str, _values: &[&str]) {}

    async fn ask(&self, _question: Line<'_>, _cancel: &CancellationToken) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_run_begins() {
        assert_eq!(extent(0, 6), "from the beginning, 6 steps");
        assert_eq!(extent(1, 6), "steps 2 to 6");
        assert_eq!(extent(5, 6), "step 6 of 6");
        assert_eq!(extent(6, 6), "nothing to run again");
    }
}
