//! Values of generated types, seen without their types: [`Node`] to read one and [`Slot`] to fill one.
//!
//! Codecs walk these beside a [`Schema`], so each is compiled once and not once for each of a thousand structures.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::schema::Schema;

/// Any JSON value, where a model leaves the shape open.
pub type Document = serde_json::Value;

/// Bytes that travel as Base64.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(pub Vec<u8>);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// A value to read.
#[derive(Clone, Copy)]
pub enum Node<'a> {
    /// A scalar or structure that is not there.
    Absent,
    /// Text.
    String(&'a str),
    /// An integer or long.
    Integer(i64),
    /// A float or double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// A timestamp.
    Timestamp(Timestamp),
    /// A blob.
    Blob(&'a [u8]),
    /// A document.
    Document(&'a Document),
    /// A list.
    List(&'a dyn ListRead),
    /// A map.
    Map(&'a dyn MapRead),
    /// A structure.
    Structure(&'a dyn Structure),
}

/// A place to fill. Taking the slot of an absent value makes it present.
pub enum Slot<'a> {
    /// Text.
    String(&'a mut String),
    /// A 32-bit integer.
    Integer(&'a mut i32),
    /// A 64-bit integer.
    Long(&'a mut i64),
    /// A float or double.
    Double(&'a mut f64),
    /// A boolean.
    Boolean(&'a mut bool),
    /// A timestamp.
    Timestamp(&'a mut Timestamp),
    /// A blob.
    Blob(&'a mut Vec<u8>),
    /// A document.
    Document(&'a mut Document),
    /// A list.
    List(&'a mut dyn ListFill),
    /// A map.
    Map(&'a mut dyn MapFill),
    /// A structure.
    Structure(&'a mut dyn Structure),
}

/// A value of any type that the models have.
pub trait Value {
    /// The value, to read.
    fn node(&self) -> Node<'_>;
    /// The value, to fill.
    fn slot(&mut self) -> Slot<'_>;
}

/// A generated structure.
pub trait Structure {
    /// Its members.
    fn schema(&self) -> &'static Schema;
    /// The member at `index`, [`Node::Absent`] if there is none.
    fn get(&self, index: usize) -> Node<'_>;
    /// The member at `index`, to fill; none if the schema has no such member.
    fn slot(&mut self, index: usize) -> Option<Slot<'_>>;
}

/// A list to read.
pub trait ListRead {
    /// Number of items.
    fn count(&self) -> usize;
    /// The item at `index`; [`Node::Absent`] beyond the end.
    fn get(&self, index: usize) -> Node<'_>;
}

/// A list to fill.
pub trait ListFill {
    /// Appends an item.
    fn push(&mut self) -> Slot<'_>;
}

/// A map to read.
pub trait MapRead {
    /// Whether it has no entry.
    fn is_empty(&self) -> bool;
    /// Calls `visit` with each entry in the keys' order.
    fn for_each(&self, visit: &mut dyn FnMut(&str, Node<'_>));
}

/// A map to fill.
pub trait MapFill {
    /// The value under `key`, made if need be.
    fn entry(&mut self, key: String) -> Slot<'_>;
}

static UNIT: Schema = Schema { name: "Unit", members: &[] };

/// Whether `structure` is `()`, the output of an operation that has none, and not a structure without members.
pub(crate) fn is_unit(structure: &dyn Structure) -> bool {
    std::ptr::eq(structure.schema(), &UNIT)
}

/// The input or output of an operation that has none.
impl Structure for () {
    fn schema(&self) -> &'static Schema {
        &UNIT
    }

    fn get(&self, _: usize) -> Node<'_> {
        Node::Absent
    }

    fn slot(&mut self, _: usize) -> Option<Slot<'_>> {
        None
    }
}

macro_rules! scalar {
    ($type:ty, $value:ident => $node:expr, $slot:expr) => {
        impl Value for $type {
            fn node(&self) -> Node<'_> {
                let $value = self;
                $node
            }

            fn slot(&mut self) -> Slot<'_> {
                let $value = self;
                $slot
            }
        }
    };
}

scalar!(String, value => Node::String(value), Slot::String(value));
scalar!(i32, value => Node::Integer(i64::from(*value)), Slot::Integer(value));
scalar!(i64, value => Node::Integer(*value), Slot::Long(value));
scalar!(f64, value => Node::Double(*value), Slot::Double(value));
scalar!(bool, value => Node::Boolean(*value), Slot::Boolean(value));
scalar!(Timestamp, value => Node::Timestamp(*value), Slot::Timestamp(value));
scalar!(Blob, value => Node::Blob(&value.0), Slot::Blob(&mut value.0));
scalar!(Document, value => Node::Document(value), Slot::Document(value));

impl<T: Value + Default> Value for Option<T> {
    fn node(&self) -> Node<'_> {
        self.as_ref().map_or(Node::Absent, Value::node)
    }

    fn slot(&mut self) -> Slot<'_> {
        self.get_or_insert_default().slot()
    }
}

impl<T: Value> Value for Box<T> {
    fn node(&self) -> Node<'_> {
        (**self).node()
    }

    fn slot(&mut self) -> Slot<'_> {
        (**self).slot()
    }
}

impl<T: Value + Default> Value for Vec<T> {
    fn node(&self) -> Node<'_> {
        Node::List(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::List(self)
    }
}

impl<T: Value> ListRead for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> Node<'_> {
        self.as_slice().get(index).map_or(Node::Absent, Value::node)
    }
}

impl<T: Value + Default> ListFill for Vec<T> {
    fn push(&mut self) -> Slot<'_> {
        self.push_mut(T::default()).slot()
    }
}

impl<V: Value + Default> Value for BTreeMap<String, V> {
    fn node(&self) -> Node<'_> {
        Node::Map(self)
    }

    fn slot(&mut self) -> Slot<'_> {
        Slot::Map(self)
    }
}

impl<V: Value> MapRead for BTreeMap<String, V> {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn for_each(&self, visit: &mut dyn FnMut(&str, Node<'_>)) {
        for (key, value) in self {
            visit(key, value.node());
        }
    }
}

impl<V: Value + Default> MapFill for BTreeMap<String, V> {
    fn entry(&mut self, key: String) -> Slot<'_> {
        Self::entry(self, key).or_default().slot()
    }
}
