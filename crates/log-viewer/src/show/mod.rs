//! What events look like: coloured lines on a terminal, plain ones in a pipe, JSON lines for programs.

mod json;
mod labels;
mod terminal;
mod text;

pub use json::JsonLines;
pub use terminal::Terminal;
pub use text::Plain;
