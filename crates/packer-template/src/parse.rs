//! From JSON to a template.

use crate::{
    block::Builder,
    context::Context,
    error::{Error, Errors},
    source::Source,
    template::Template,
};

pub(crate) fn parse(source: &Source) -> Result<Template, Errors> {
    Err(Error::new(format!("{}: templates cannot be read yet", source.name())).into())
}

pub(crate) fn build_names<'a>(
    template: &'a Template,
    _context: &Context,
) -> Result<Vec<(String, &'a Builder)>, Errors> {
    Ok(template.builders.iter().map(|builder| (builder.name.clone(), builder)).collect())
}
