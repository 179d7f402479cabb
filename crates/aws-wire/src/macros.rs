//! What every generated structure implements, so that the generated files hold only what differs.

/// Makes `$name` a [`Structure`](crate::value::Structure) whose schema is the static `$schema` and whose members, in
/// the schema's order, are the fields `$field`; and gives it serde's traits and a `Debug` that hides secrets.
macro_rules! structure {
    ($name:ident, $schema:ident, [$($index:literal $field:ident,)*]) => {
        impl crate::value::Structure for $name {
            fn schema(&self) -> &'static crate::schema::Schema {
                &$schema
            }

            fn get(&self, index: usize) -> crate::value::Node<'_> {
                match index {
                    $($index => crate::value::Value::node(&self.$field),)*
                    _ => crate::value::Node::Absent,
                }
            }

            fn slot(&mut self, index: usize) -> Option<crate::value::Slot<'_>> {
                match index {
                    $($index => Some(crate::value::Value::slot(&mut self.$field)),)*
                    _ => None,
                }
            }
        }

        impl crate::value::Value for $name {
            fn node(&self) -> crate::value::Node<'_> {
                crate::value::Node::Structure(self)
            }

            fn slot(&mut self) -> crate::value::Slot<'_> {
                crate::value::Slot::Structure(self)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::reflect::debug(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                crate::stored::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                crate::stored::deserialize(deserializer)
            }
        }
    };
}
