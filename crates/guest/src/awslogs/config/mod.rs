//! The log agent's configuration, as Amazon's two agents have it.

pub mod encoding;
pub mod files;
pub mod pattern;
pub mod settings;

pub use encoding::Encoding;
pub use files::FilePattern;
pub use pattern::{LinePattern, LineStart};
pub use settings::{Filter, FingerprintLines, InitialPosition, LogStreamSettings, Settings, Which};
