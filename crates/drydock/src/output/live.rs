//! A live picture on a terminal: a line for each resource and each instance, with the time that it takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use console::style;
use deployer::follow::{Observer, Outcome, Progress, ResourceEvent};
use deployer::instances::StackInstance;
use deployer::phase::Phase;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Display, failure_lines};

pub struct Live {
    stack: String,
    started: Instant,
    lines: MultiProgress,
    head: ProgressBar,
    resources: BTreeMap<String, Line>,
    instances: BTreeMap<String, Line>,
}

struct Line {
    bar: ProgressBar,
    since: Instant,
    width: usize,
}

/// How far the status stands from the left edge, so that the columns are straight.
const NAME_WIDTH: usize = 46;

impl Live {
    pub fn new(stack: &str) -> Self {
        let lines = MultiProgress::new();
        let head = lines.add(spinner());
        head.set_message(format!("{}", style(stack).bold()));
        Self {
            stack: stack.to_owned(),
            started: Instant::now(),
            lines,
            head,
            resources: BTreeMap::new(),
            instances: BTreeMap::new(),
        }
    }

    fn resource(&mut self, event: &ResourceEvent) {
        if event.logical_id == self.stack || event.resource_type == "AWS::CloudFormation::Stack" {
            self.head.set_message(format!("{}  {}", style(&self.stack).bold(), status(&event.status)));
            return;
        }
        let lines = &self.lines;
        let line = self
            .resources
            .entry(event.logical_id.clone())
            .or_insert_with(|| Line::new(lines.add(spinner()), 2));
        let reason = event.reason.as_deref().filter(|_| !event.failed()).unwrap_or_default();
        line.set(&event.logical_id, &status(&event.status), reason);
        if !event.status.ends_with("_IN_PROGRESS") {
            line.end(mark(&event.status));
        }
    }

    fn instance(&mut self, instance: &StackInstance) {
        let after = self.instances.values().last().or_else(|| self.resources.get(&instance.logical_id));
        let bar = match after {
            Some(line) => self.lines.insert_after(&line.bar, spinner()),
            None => self.lines.add(spinner()),
        };
        let line = match self.instances.get_mut(&instance.id) {
            Some(line) => {
                self.lines.remove(&bar);
                line
            }
            None => self.instances.entry(instance.id.clone()).or_insert_with(|| Line::new(bar, 4)),
        };
        let address = instance.public_ip.as_deref().or(instance.private_ip.as_deref()).unwrap_or_default();
        line.set(&instance.id, &phase(&instance.phase), address);
        match instance.phase {
            Phase::Registered => line.end(style("✓").green().to_string()),
            Phase::Gone(_) => line.end(style("·").dim().to_string()),
            _ => {}
        }
    }
}

impl Line {
    fn new(bar: ProgressBar, indent: usize) -> Self {
        bar.set_prefix(" ".repeat(indent));
        Self { bar, since: Instant::now(), width: NAME_WIDTH.saturating_sub(indent) }
    }

    fn set(&self, name: &str, status: &str, detail: &str) {
        let width = self.width;
        let detail = style(detail).dim();
        self.bar.set_message(format!("{name:<width$} {status} {detail}"));
    }

    /// Stops the spinner; the line stays with its mark and the time taken.
    fn end(&self, mark: String) {
        let took = seconds(self.since.elapsed());
        // The template is a constant of this file's.
        if let Ok(style) = ProgressStyle::with_template("{prefix}{spinner} {msg} {elapsed_precise:.dim}") {
            let style = style.template(&format!("{{prefix}}{mark} {{msg}} {took}"));
            if let Ok(style) = style {
                self.bar.set_style(style);
            }
        }
        self.bar.disable_steady_tick();
        self.bar.tick();
    }
}

impl Observer for Live {
    fn observe(&mut self, progress: Progress) {
        match progress {
            Progress::Resource(event) => self.resource(&event),
            Progress::Instance(instance) => self.instance(&instance),
            Progress::GivenUp { instance_id, logical_id, console_tail } => {
                self.note(&format!("{instance_id} of {logical_id}: its user data ended without a signal"));
                for line in console_tail {
                    self.note(&format!("  {}", style(format!("| {line}")).dim()));
                }
            }
        }
    }
}

impl Display for Live {
    fn note(&mut self, line: &str) {
        // A terminal that has gone away needs no notes.
        let _ = self.lines.println(line);
    }

    fn finish(&mut self, outcome: &Outcome) {
        for line in self.resources.values().chain(self.instances.values()) {
            line.bar.abandon();
        }
        self.head.finish_and_clear();
        let took = seconds(self.started.elapsed());
        eprintln!(
            "{} {}  {} {took}",
            mark(&outcome.status),
            style(&self.stack).bold(),
            status(&outcome.status)
        );
        if !outcome.succeeded() {
            for line in failure_lines(outcome) {
                eprintln!("  {line}");
            }
        }
        for (key, value) in &outcome.outputs {
            eprintln!("  {} {value}", style(format!("{key} =")).dim());
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is a constant of this file's; the default serves if it were ever wrong.
    if let Ok(style) = ProgressStyle::with_template("{prefix}{spinner:.cyan} {msg} {elapsed:.dim}") {
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn status(status: &str) -> String {
    if status.contains("FAILED") || status.contains("ROLLBACK") {
        style(status).red().to_string()
    } else if status.ends_with("_COMPLETE") {
        style(status).green().to_string()
    } else {
        style(status).yellow().to_string()
    }
}

fn mark(status: &str) -> String {
    if status.contains("FAILED") || status.contains("ROLLBACK") {
        style("✗").red().to_string()
    } else {
        style("✓").green().to_string()
    }
}

fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Registered => style(phase).green().to_string(),
        Phase::Gone(_) => style(phase).dim().to_string(),
        _ => style(phase).yellow().to_string(),
    }
}

fn seconds(time: Duration) -> String {
    style(format!("{:.1}s", time.as_secs_f64())).dim().to_string()
}
