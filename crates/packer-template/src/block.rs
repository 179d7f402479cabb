//! The pieces of a template that configure something: builders, provisioners, post-processors.

use std::time::Duration;

use indexmap::IndexMap;

use crate::{
    context::Context,
    error::Error,
    language::{self, Scope, Section},
    node::Entry,
    source::{Source, Span},
    text,
};

/// The options of one builder, provisioner or post-processor as written, without the keys that Packer itself reads
/// (`type`, `only`, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The file it stands in.
    pub source: Source,
    /// Where it begins.
    pub span: Span,
    /// Where it is in the structure: `builders/0`.
    pub path: String,
    /// What configures it: `amazon-ebs`, `shell`.
    pub kind: String,
    /// The options in the order of the file.
    pub options: Vec<Entry>,
}

impl Block {
    /// The same block with another's options laid over it, as `override` does.
    pub fn merged(&self, over: &Block) -> Block {
        let mut merged = self.clone();
        for entry in &over.options {
            match merged.options.iter_mut().find(|option| option.key == entry.key) {
                Some(option) => *option = entry.clone(),
                None => merged.options.push(entry.clone()),
            }
        }
        merged
    }
}

/// A builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Its name as written, possibly with template functions; its type when it has none. Rendered by
    /// [`Template::build_names`](crate::Template::build_names).
    pub name: String,
    /// Where the name (or the type, for want of one) stands.
    pub name_span: Span,
    /// Its options; `kind` is the type.
    pub block: Block,
}

/// A provisioner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioner {
    /// Its options; `kind` is the type.
    pub block: Block,
    /// The builds it runs in, and those it does not.
    pub selection: Selection,
    /// Options for single builds, by build name.
    pub overrides: IndexMap<String, Block>,
    /// How long to wait before it.
    pub pause_before: Duration,
    /// After how long it has failed; zero for never.
    pub timeout: Duration,
    /// How often it is tried again, possibly with template functions (`max_retries`).
    pub max_retries: Option<String>,
    /// Where `max_retries` stands.
    pub max_retries_span: Span,
}

impl Provisioner {
    /// Its options in one build, which is named as the builder's name is written: `override` applied.
    pub fn block_for(&self, build: &str) -> Block {
        self.overrides.get(build).map_or_else(|| self.block.clone(), |over| self.block.merged(over))
    }

    /// How often it is tried again after it has failed: `max_retries` rendered; a negative number is none, as in
    /// Packer.
    ///
    /// # Errors
    /// An expression that fails, or a text that is no whole number.
    pub fn retries(&self, context: &Context) -> Result<u32, Error> {
        let Some(written) = &self.max_retries else { return Ok(0) };
        let path = format!("{}/max_retries", self.block.path);
        // Packer renders it outside of the build.
        let outside = Context { build: None, ..context.clone() };
        let scope = Scope::new(&outside, Section::Options { amazon: false });
        let place = self.block.source.place(self.max_retries_span);
        let rendered =
            language::render(written, &scope).map_err(|error| text::locate(error, Some(&place), &path))?;
        match rendered.parse::<i64>() {
            Ok(number) => Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX)),
            Err(_) => Err(Error::new(format!("'max_retries' must be a whole number, not '{rendered}'"))
                .at(&self.block.source, self.max_retries_span)
                .path(path)),
        }
    }
}

/// A post-processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostProcessor {
    /// Its name; its type when it has none. `-except` can name it.
    pub name: String,
    /// Its options; `kind` is the type.
    pub block: Block,
    /// The builds it runs for, and those it does not.
    pub selection: Selection,
    /// Whether what it was given is kept; none leaves it to the post-processor.
    pub keep_input_artifact: Option<bool>,
}

/// `only` and `except`: names of builders as they are written, expressions and all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The only builds it is for; empty for all.
    pub only: Vec<String>,
    /// The builds it is not for.
    pub except: Vec<String>,
}

impl Selection {
    /// Whether a build is left out.
    pub fn skips(&self, build: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == build);
        if self.only.is_empty() { named(&self.except) } else { !named(&self.only) }
    }
}
