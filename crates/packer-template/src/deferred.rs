//! Options that Packer renders only when the build has got there: tags, `execute_command`.

use std::collections::BTreeMap;

use crate::{
    context::{BuildData, Context},
    error::{Error, Errors},
    field::Field,
    language::{self, Scope, Section},
    source::Place,
    text,
};

/// What `.` is when an option is rendered late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dot {
    /// The builder's own fields; a name that is not among them is an error.
    Fields(&'static [&'static str]),
    /// The build's values and the fields of the moment; other names have no value.
    Values,
}

/// A string whose template expressions are evaluated late.
#[derive(Clone, Debug)]
pub struct Deferred {
    pub(crate) text: String,
    /// Where it is written; none for a default of ours.
    pub(crate) place: Option<Place>,
    pub(crate) path: String,
    pub(crate) context: Context,
    pub(crate) amazon: bool,
    pub(crate) dot: Dot,
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
        let moment = fields.iter().map(|(name, value)| ((*name).to_owned(), Field::from(*value)));
        let (dot, strict) = match self.dot {
            Dot::Fields(_) => (data.fields.clone().into_iter().chain(moment).collect(), true),
            Dot::Values => {
                let values =
                    data.values.iter().map(|(name, value)| (name.clone(), Field::from(value.as_str())));
                (values.chain(moment).collect(), false)
            }
        };
        let context = self.context.with_build(data.clone());
        let section = Section::Options { amazon: self.amazon };
        let scope = Scope::new(&context, section).with_dot(Field::Map(dot), strict);
        language::render(&self.text, &scope)
            .map_err(|error| text::locate(error, self.place.as_ref(), &self.path))
    }

    /// Checks what can be known before the build: that the expressions can be parsed, and name fields that there are.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let known = match self.dot {
            Dot::Fields(known) => Some(known),
            Dot::Values => None,
        };
        language::check(&self.text, known)
            .map_err(|error| text::locate(error, self.place.as_ref(), &self.path))
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

/// The fields that amazon-ebs offers in late options.
pub(crate) const AMAZON_FIELDS: &[&str] = &[
    "BuildRegion",
    "SourceAMI",
    "SourceAMICreationDate",
    "SourceAMIName",
    "SourceAMIOwner",
    "SourceAMIOwnerName",
    "SourceAMITags",
];

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
