//! A template as a whole.

use indexmap::IndexMap;

use crate::{
    block::{Builder, PostProcessor, Provisioner},
    context::Context,
    error::{Error, Errors},
    parse::Depth,
    source::Source,
    variables::Variable,
};

/// A parsed template. Nothing in it is rendered yet.
#[derive(Clone, Debug)]
pub struct Template {
    /// The file it was read from.
    pub source: Source,
    /// `description`.
    pub description: Option<String>,
    /// `min_packer_version`.
    pub min_packer_version: Option<String>,
    /// The keys of the root that begin with an underscore.
    pub comments: IndexMap<String, String>,
    /// The variables in the order of the file.
    pub variables: IndexMap<String, Variable>,
    /// The builders in the order of the file.
    pub builders: Vec<Builder>,
    /// The provisioners in their order.
    pub provisioners: Vec<Provisioner>,
    /// The chains of post-processors.
    pub post_processors: Vec<Vec<PostProcessor>>,
    /// What runs when provisioning failed (`error-cleanup-provisioner`).
    pub error_cleanup_provisioner: Option<Provisioner>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Everything wrong with its structure, each with its place.
    pub fn parse(source: &Source) -> Result<Self, Errors> {
        whole(Self::parse_leniently(source))
    }

    /// Reads a template as far as it can be read, so that more can be said about it than what is wrong with its
    /// structure. None when it is no JSON object.
    pub fn parse_leniently(source: &Source) -> (Option<Self>, Option<Errors>) {
        crate::parse::parse(source, Depth::Whole)
    }

    /// Reads a template and looks at its structure only, as `-syntax-only` does: not at names that it refers to, nor
    /// at the version of Packer that it wants.
    ///
    /// # Errors
    /// Everything wrong with its structure, each with its place.
    pub fn parse_syntax(source: &Source) -> Result<Self, Errors> {
        whole(crate::parse::parse(source, Depth::Syntax))
    }

    /// The builds in order of name, as Packer runs them: the builders' names rendered.
    ///
    /// # Errors
    /// Names that do not render, and names that two builders share.
    pub fn build_names(&self, context: &Context) -> Result<Vec<(String, &Builder)>, Errors> {
        crate::parse::build_names(self, context)
    }
}

/// The template, if nothing is wrong with it.
fn whole((template, errors): (Option<Template>, Option<Errors>)) -> Result<Template, Errors> {
    match (template, errors) {
        (_, Some(errors)) => Err(errors),
        (Some(template), None) => Ok(template),
        (None, None) => Err(Error::new("the template cannot be read").into()),
    }
}
