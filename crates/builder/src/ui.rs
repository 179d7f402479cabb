//! What a build says, in Packer's words and shapes. The implementations for a terminal, a pipe and `-machine-readable`
//! are the caller's choice; the builder only speaks.

use async_trait::async_trait;

/// Takes what one build says.
#[async_trait]
pub trait Ui: Send + Sync {
    /// A phase: `==> amazon-ebs: …`.
    fn say(&self, message: &str);
    /// A detail or remote output: `    amazon-ebs: …`.
    fn message(&self, message: &str);
    /// Something that went wrong: `==> amazon-ebs: …` in red, on standard error.
    fn error(&self, message: &str);
    /// A record for `-machine-readable` only.
    fn machine(&self, category: &str, values: &[&str]);
    /// Asks the user; none when nobody can answer (no terminal) or the build was cancelled meanwhile.
    async fn ask(&self, question: &str) -> Option<String>;
}
