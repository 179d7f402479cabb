//! What the service models say of each structure: members, their types and their names on the wire.

/// A structure of a service model.
#[derive(Debug)]
pub struct Schema {
    /// The shape's name, e.g. `RunInstancesRequest`.
    pub name: &'static str,
    /// In the model's order; a member's place is its index in [`Structure::get`](crate::value::Structure::get).
    pub members: &'static [Member],
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The model's name, used for storing and in the JSON protocols.
    pub name: &'static str,
    /// The name in requests of the query and ec2 protocols.
    pub query: &'static str,
    /// The name in XML answers.
    pub xml: Tag,
    /// The member's type.
    pub kind: Type,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Whether `Debug` hides it.
    pub sensitive: bool,
}

/// A type of a service model.
#[derive(Debug)]
pub enum Type {
    /// Text, enumerations included.
    String,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Long,
    /// Single or double precision.
    Double,
    /// `true` or `false`.
    Boolean,
    /// A point in time.
    Timestamp,
    /// Bytes, in Base64 on the wire.
    Blob,
    /// Any JSON value.
    Document,
    /// A string or number of which not every value is allowed.
    Limited(&'static Limits),
    /// A list.
    List(&'static List),
    /// A map with text keys.
    Map(&'static Map),
    /// A structure.
    Structure(&'static Schema),
}

/// What a service's model allows of a string or number; the service's own code may allow less.
#[derive(Debug)]
pub struct Limits {
    /// [`Type::String`], [`Type::Integer`] or [`Type::Long`].
    pub kind: Type,
    /// The only values of a string; empty if there are others.
    pub values: &'static [&'static str],
    /// Least length of a string in characters, or least number.
    pub min: Option<i64>,
    /// Greatest length of a string in characters, or greatest number.
    pub max: Option<i64>,
}

/// A list type.
#[derive(Debug)]
pub struct List {
    /// Closing tag of an item in the query protocol and in XML, e.g. `</member>`.
    pub item: &'static str,
    /// Whether items stand directly in the list's parent.
    pub flattened: bool,
    /// The items' type.
    pub element: Type,
}

/// A map type.
#[derive(Debug)]
pub struct Map {
    /// Closing tag of a key.
    pub key: &'static str,
    /// Closing tag of a value.
    pub value: &'static str,
    /// Whether entries stand directly in the map's parent.
    pub flattened: bool,
    /// The values' type.
    pub element: Type,
}

/// An element name, kept as its closing tag, of which the opening tag is a part: writing either needs no formatting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(&'static str);

impl Tag {
    /// From a closing tag such as `</item>`.
    pub const fn from_closing(closing: &'static str) -> Self {
        Self(closing)
    }

    /// Appends `<name>`.
    pub fn open(self, out: &mut String) {
        out.push('<');
        out.push_str(self.0.get(2..).unwrap_or_default());
    }

    /// Appends `</name>`.
    pub fn close(self, out: &mut String) {
        out.push_str(self.0);
    }

    /// Appends `<name/>`.
    pub fn empty(self, out: &mut String) {
        out.push('<');
        out.push_str(self.name());
        out.push_str("/>");
    }

    /// The bare name.
    pub fn name(self) -> &'static str {
        bare(self.0)
    }
}

/// The name in a closing tag; a text that is no closing tag (JSON services have none) is its own name.
pub(crate) fn bare(closing: &'static str) -> &'static str {
    closing.strip_prefix("</").and_then(|name| name.strip_suffix('>')).unwrap_or(closing)
}

impl Type {
    /// How an error message calls the type.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer | Self::Long => "an integer",
            Self::Double => "a number",
            Self::Boolean => "a boolean (true or false)",
            Self::Timestamp => "a timestamp in ISO 8601",
            Self::Blob => "a Base64 text",
            Self::Document => "a document",
            Self::Limited(limits) => limits.kind.describe(),
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Structure(_) => "a structure",
        }
    }
}

/// A member as generated code writes it.
pub(crate) const fn member(name: &'static str, query: &'static str, xml: &'static str, kind: Type) -> Member {
    Member { name, query, xml: Tag(xml), kind, required: false, sensitive: false }
}

impl Member {
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}
