//! What a resource type's properties may be, and checking templates against it.
//!
//! Schemas are written as constants:
//!
//! ```
//! use cfn_template::schema::{Kind, Property, ResourceSchema};
//!
//! const CLUSTER: ResourceSchema = ResourceSchema {
//!     type_name: "AWS::ECS::Cluster",
//!     properties: &[Property::new("ClusterName", Kind::String).replaces(), Property::new("Tags", Kind::Tags)],
//!     attributes: &["Arn"],
//! };
//! ```

mod check;
mod conform;

use std::fmt;

pub use check::{check_types, validate};
pub use conform::conform;

/// A resource type.
#[derive(Clone, Copy, Debug)]
pub struct ResourceSchema {
    /// Such as `AWS::EC2::SecurityGroup`.
    pub type_name: &'static str,
    /// The properties supported. Any other is refused.
    pub properties: &'static [Property],
    /// The attributes that `Fn::GetAtt` can ask for. One that ends in `.*` allows every name that begins so.
    pub attributes: &'static [&'static str],
}

impl ResourceSchema {
    /// Whether `Fn::GetAtt` can ask for the attribute.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => *known == name,
        })
    }

    /// What a change to the property at `path` (`["LaunchTemplate", "Version"]`; list indexes are numbers) does to
    /// the resource: what the deepest property on the path that says something else than [`Update::Mutable`] says.
    pub fn update<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Update {
        let mut update = Update::Mutable;
        let mut properties = Some(self.properties);
        for step in path {
            // A step that names no property is an index or a map's key, which its list or map speaks for.
            let found = properties.unwrap_or_default().iter().find(|property| property.name == step);
            let Some(property) = found else { continue };
            if property.update != Update::Mutable {
                update = property.update;
            }
            properties = property.kind.members();
        }
        update
    }
}

/// One property of a resource type, or one member of an object in it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// What a change to it does to the resource.
    pub update: Update,
}

impl Property {
    /// An optional property that can be changed in place.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, update: Update::Mutable }
    }

    /// The same property, required.
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same property, a change to which replaces the resource.
    pub const fn replaces(self) -> Self {
        Self { update: Update::Replacement, ..self }
    }

    /// The same property, a change to which may or may not replace the resource.
    pub const fn may_replace(self) -> Self {
        Self { update: Update::Conditional, ..self }
    }

    /// The same property, which cannot be changed.
    pub const fn immutable(self) -> Self {
        Self { update: Update::Immutable, ..self }
    }
}

/// What a change to a property does to its resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Update {
    /// The resource is changed in place.
    #[default]
    Mutable,
    /// Whether the resource is replaced depends on things that the property does not tell.
    Conditional,
    /// The resource is replaced.
    Replacement,
    /// The change is refused.
    Immutable,
}

/// What a property holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text. Numbers and booleans count as their text.
    String,
    /// One of a few words.
    Enum(&'static [&'static str]),
    /// A whole number, or its text.
    Integer,
    /// A number, or its text.
    Double,
    /// A boolean, or its text.
    Boolean,
    /// A list.
    List(&'static Kind),
    /// An object with these members and no others.
    Object(&'static [Property]),
    /// An object with members of any name.
    Map(&'static Kind),
    /// A JSON document: an object, or the text of one.
    Json,
    /// A list of `Key` and `Value`.
    Tags,
}

/// The members of each of [`Kind::Tags`].
const TAG: &[Property] =
    &[Property::new("Key", Kind::String).required(), Property::new("Value", Kind::String).required()];
const TAG_OBJECT: Kind = Kind::Object(TAG);

impl Kind {
    /// The kind that checks are written for: `Tags` is a list of objects.
    fn plain(self) -> Self {
        match self {
            Self::Tags => Self::List(&TAG_OBJECT),
            other => other,
        }
    }

    /// The members of the object, or of the objects in the list or map.
    fn members(self) -> Option<&'static [Property]> {
        match self.plain() {
            Self::Object(members) => Some(members),
            Self::List(item) | Self::Map(item) => item.members(),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plain() {
            Self::String => f.write_str("String"),
            Self::Enum(words) => write!(f, "String, one of {}", words.join(", ")),
            Self::Integer => f.write_str("Integer"),
            Self::Double => f.write_str("Double"),
            Self::Boolean => f.write_str("Boolean"),
            Self::List(Self::Object(_)) => f.write_str("List"),
            Self::List(item) => write!(f, "List of {item}"),
            Self::Object(_) => f.write_str("Object"),
            Self::Map(item) => write!(f, "Map of {item}"),
            Self::Json | Self::Tags => f.write_str("Json"),
        }
    }
}

/// Whether `text` is what a scalar of this kind may be written as.
fn is_scalar(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::String => true,
        Kind::Enum(words) => words.contains(&text),
        Kind::Integer => text.parse::<i64>().is_ok(),
        Kind::Double => text.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Boolean => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        Kind::Json => matches!(serde_json::from_str(text), Ok(serde_json::Value::Object(_))),
        Kind::List(_) | Kind::Object(_) | Kind::Map(_) | Kind::Tags => false,
    }
}

fn unsupported(name: &str) -> String {
    format!("Encountered unsupported property {name}")
}

fn missing(name: &str) -> String {
    format!("Property {name} cannot be empty.")
}

fn wrong_type(name: &str, kind: Kind) -> String {
    format!("Value of property {name} must be of type {kind}")
}
