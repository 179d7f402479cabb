//! Packer's legacy JSON templates, as Packer 1.6.6 reads them. Pure: files, environment and time are handed in.

mod block;
pub mod config;
mod context;
mod convert;
mod deferred;
mod error;
mod field;
mod json;
mod language;
mod node;
mod parse;
mod resolve;
mod source;
mod template;
mod text;
mod variables;

pub use block::{Block, Builder, PostProcessor, Provisioner, Selection};
pub use context::{BuildData, Context, Files, Host, PACKER_VERSION};
pub use deferred::{Deferred, DeferredMap, amazon_fields};
pub use error::{Collector, Error, Errors, IntoErrors};
pub use field::Field;
pub use node::{Entry, Node, Value};
pub use source::{Place, Source, Span};
pub use template::Template;
pub use variables::{VarInput, VarInputs, Variable, Variables};
