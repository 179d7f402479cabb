//! Where the lines of all builds come together.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A phase.
    Say,
    /// A detail, or remote output.
    Message,
    /// Something that went wrong, or remote standard error.
    Error,
}

/// A colour of the terminal; the five that builds take turns with, in Packer's order, and red for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it all")]
pub enum Colour {
    Green,
    Cyan,
    Magenta,
    Yellow,
    Blue,
    Red,
}

impl Colour {
    /// The colour of the build at `index`.
    pub fn of_build(index: usize) -> Self {
        const TURNS: [Colour; 5] =
            [Colour::Green, Colour::Cyan, Colour::Magenta, Colour::Yellow, Colour::Blue];
        TURNS[index % TURNS.len()]
    }

    /// Its number in a `Select Graphic Rendition` sequence.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Blue => 34,
            Self::Magenta => 35,
            Self::Cyan => 36,
        }
    }
}

/// Something said, on its way to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it is.
    pub kind: Kind,
    /// The build that says it, with its post-processor if one speaks (`amazon-ebs (manifest)`). None for sentences
    /// that name their build themselves or are about all of them.
    pub target: Option<&'a str>,
    /// The build's colour; none for what is about all builds, which gets no time stamp either.
    pub colour: Option<Colour>,
    /// What is said; it may have several lines.
    pub text: &'a str,
}

impl<'a> Line<'a> {
    /// A sentence about all builds.
    pub fn general(kind: Kind, text: &'a str) -> Self {
        Self { kind, target: None, colour: None, text }
    }
}

/// Takes what all builds say. Implementations write whole lines at a time, whoever speaks meanwhile.
#[async_trait]
pub trait Console: Send + Sync {
    /// Shows a line.
    fn show(&self, line: Line<'_>);

    /// Writes a record for machines; nothing is written where people read.
    fn record(&self, target: &str, category: &str, values: &[&str]);

    /// Whether each build's colour is shown, so that it is worth telling which it is.
    fn is_coloured(&self) -> bool {
        false
    }

    /// Asks the user. None when nobody can answer, or the build was cancelled meanwhile.
    async fn ask(&self, question: Line<'_>, cancel: &CancellationToken) -> Option<String>;
}
