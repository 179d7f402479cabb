//! What can be written as a value: small types that are read from text and refuse what makes no sense.

mod mode;
mod names;
mod quantity;
mod span;
mod text;
mod version;

pub use mode::Mode;
pub use names::{AbsolutePath, Name, Several};
pub use quantity::Quantity;
pub use span::Span;
pub use text::{Pattern, Text};
pub use version::{Format, Requirement};

pub(crate) use text::excerpt;
