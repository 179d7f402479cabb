//! What a build says, in Packer's words and shapes.
//!
//! A build speaks to a [`Ui`]; a [`Targeted`] one puts the build's name and colour on what is said and hands it to a
//! [`Console`], which is the caller's choice: [`Text`] for people, [`MachineReadable`] for Packer's comma-separated
//! records, [`JsonLines`], or one of the caller's own.

mod ask;
mod console;
mod json;
mod machine;
mod record;
mod redact;
mod targeted;
mod text;
pub mod took;

use async_trait::async_trait;

pub use console::{Colour, Console, Kind, Line};
pub use json::JsonLines;
pub use machine::MachineReadable;
pub use record::Recorder;
pub use redact::{Redacting, Secrets};
pub use targeted::Targeted;
pub use text::Text;

/// Takes what one build says.
#[async_trait]
pub trait Ui: Send + Sync {
    /// A phase: `==> amazon-ebs: …`.
    fn say(&self, message: &str);
    /// A detail or remote output: `    amazon-ebs: …`.
    fn message(&self, message: &str);
    /// Something that went wrong, or remote standard error: `==> amazon-ebs: …` in red.
    fn error(&self, message: &str);
    /// A record for `-machine-readable` only.
    fn machine(&self, category: &str, values: &[&str]);
    /// Asks the user; none when nobody can answer (no terminal) or the build was cancelled meanwhile.
    async fn ask(&self, question: &str) -> Option<String>;
}
