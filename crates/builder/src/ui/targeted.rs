//! One build's voice.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Colour, Console, Kind, Line, Ui};

/// Puts a build's name and colour on what it says.
#[derive(Clone)]
pub struct Targeted {
    console: Arc<dyn Console>,
    target: String,
    colour: Colour,
    cancel: CancellationToken,
}

impl Targeted {
    /// The voice of the build called `target`. A question ends unanswered when `cancel` is cancelled.
    pub fn new(
        console: Arc<dyn Console>,
        target: impl Into<String>,
        colour: Colour,
        cancel: CancellationToken,
    ) -> Self {
        Self { console, target: target.into(), colour, cancel }
    }

    /// The voice of one of the build's post-processors: `amazon-ebs (manifest)`.
    #[must_use]
    pub fn of_post_processor(&self, kind: &str) -> Self {
        Self { target: format!("{} ({kind})", self.target), ..self.clone() }
    }

    /// A sentence that names its build itself, such as `Build 'amazon-ebs' finished after …`.
    pub fn sentence(&self, kind: Kind, text: &str) {
        self.console.show(Line { kind, target: None, colour: Some(self.colour), text });
    }

    /// Says whose colour this is.
    pub fn introduce(&self) {
        self.sentence(Kind::Say, &format!("{}: output will be in this color.", self.target));
    }

    fn line<'a>(&'a self, kind: Kind, text: &'a str) -> Line<'a> {
        Line { kind, target: Some(&self.target), colour: Some(self.colour), text }
    }
}

#[async_trait]
impl Ui for Targeted {
    fn say(&self, message: &str) {
        self.console.show(self.line(Kind::Say, message));
    }

    fn message(&self, message: &str) {
        self.console.show(self.line(Kind::Message, message));
    }

    fn error(&self, message: &str) {
        self.console.show(self.line(Kind::Error, message));
    }

    fn machine(&self, category: &str, values: &[&str]) {
        self.console.record(&self.target, category, values);
    }

    async fn ask(&self, question: &str) -> Option<String> {
        self.console.ask(self.line(Kind::Say, question), &self.cancel).await
    }
}
