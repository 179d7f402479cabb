//! Fields discovered in messages that are JSON: `user.roles.0` is the first element of `roles` in `user`.

use std::borrow::Cow;

use super::value::Value;
use crate::json::{Scalar, Tree};

/// How many fields of a message are discovered (the service's own limit); those after them do not exist.
const MAX_FIELDS: usize = 200;

/// The fields that a query wants, by their flattened names, and the places of their values.
#[derive(Debug, Clone)]
pub(super) struct Discovery {
    wanted: Vec<(String, usize)>,
    tree: Tree,
}

impl Discovery {
    pub(super) fn new(wanted: Vec<(String, usize)>) -> Discovery {
        let mut tree = Tree::dotted();
        wanted.iter().for_each(|(name, slot)| tree.insert_name(name, *slot));
        Discovery { wanted, tree }
    }

    /// Finds the fields in a message and gives them to `set` with their places; of what it gives for a place, the last
    /// counts. A message that is not an object of JSON has none.
    pub(super) fn run<'m>(&self, message: &'m str, set: &mut impl FnMut(usize, Value<'m>)) {
        if !message.trim_start().starts_with('{') {
            return;
        }
        // There is a comma before every field but the first: with few commas nothing needs counting.
        if memchr::memchr_iter(b',', message.as_bytes()).nth(MAX_FIELDS - 1).is_some() {
            return self.count(message, set);
        }
        let complete = self.tree.read(message, &mut |slot, raw| set(slot, value(raw)));
        if !complete {
            self.wanted.iter().for_each(|(_, slot)| set(*slot, Value::Null));
        }
    }

    /// Finds the fields among the first ones of a message that has many.
    fn count<'m>(&self, message: &str, set: &mut impl FnMut(usize, Value<'m>)) {
        let Ok(json) = serde_json::from_str(message) else { return };
        let mut left = MAX_FIELDS;
        self.flatten(String::new(), &json, &mut left, set);
    }

    fn flatten<'m>(
        &self,
        name: String,
        json: &serde_json::Value,
        left: &mut usize,
        set: &mut impl FnMut(usize, Value<'m>),
    ) {
        let part = |part: &str| match name.is_empty() {
            true => part.to_owned(),
            false => format!("{name}.{part}"),
        };
        match json {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| self.flatten(part(key), value, left, set));
            }
            serde_json::Value::Array(list) => {
                let parts = list.iter().enumerate();
                parts.for_each(|(index, value)| self.flatten(part(&index.to_string()), value, left, set));
            }
            leaf if *left > 0 => {
                *left -= 1;
                for (_, slot) in self.wanted.iter().filter(|(wanted, _)| *wanted == name) {
                    set(*slot, Value::from_json(leaf));
                }
            }
            _ => {}
        }
    }
}

/// The value that raw JSON stands for; none for maps and lists, whose parts are fields of their own.
fn value(raw: &str) -> Value<'_> {
    match Scalar::of(raw) {
        None | Some(Scalar::Null) => Value::Null,
        Some(Scalar::Bool(truth)) => Value::Bool(truth),
        Some(Scalar::Number(number)) => Value::Text(Cow::Borrowed(number)),
        Some(Scalar::Text(text)) => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{Discovery, MAX_FIELDS};
    use crate::insights::value::Value;

    fn discover(name: &str, message: &str) -> Option<String> {
        let mut found = Value::Null;
        Discovery::new(vec![(name.to_owned(), 0)]).run(message, &mut |_, value| found = value);
        found.text().map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn names_are_flattened() {
        let message = r#" {"a": 1.50, "b": {"c": [{"d": "x\ty"}, 7]}, "e.f": true, "g": {"h.i": null, "0": "k"}, "@m": 2} "#;
        for (name, expected) in [
            ("a", Some("1.50")),
            ("b", None),
            ("b.c", None),
            ("b.c.0.d", Some("x\ty")),
            ("b.c.1", Some("7")),
            ("b.c.2", None),
            ("e.f", Some("1")),
            ("g.h.i", None),
            ("g.0", Some("k")),
            ("@m", Some("2")),
            ("A", None),
        ] {
            assert_eq!(discover(name, message).as_deref(), expected, "{name}");
        }
        for message in ["", "no JSON", "[1]", r#"{"a": 1} x"#, r#"{"a": 1"#, "1"] {
            assert_eq!(discover("a", message), None, "{message}");
        }
    }

    #[test]
    fn only_the_first_fields_are_discovered() {
        let message = |nested: bool| {
            let fields: Vec<_> = (0..300).map(|n| format!(r#""f{n}": {n}"#)).collect();
            match nested {
                true => format!(r#"{{"in": {{{}}}}}"#, fields.join(", ")),
                false => format!("{{{}}}", fields.join(", ")),
            }
        };
        assert_eq!(discover("f199", &message(false)).as_deref(), Some("199"));
        assert_eq!(discover(&format!("f{MAX_FIELDS}"), &message(false)), None);
        assert_eq!(discover("in.f199", &message(true)).as_deref(), Some("199"));
        assert_eq!(discover("in.f200", &message(true)), None);
        // Commas in texts are no fields.
        assert_eq!(
            discover("b", &format!(r#"{{"a": "{}", "b": 1}}"#, ",".repeat(500))).as_deref(),
            Some("1")
        );
    }

    /// JSON with names that are easily mistaken for each other.
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|truth| json!(truth)),
            (-9..9).prop_map(|number| json!(number)),
            "[a\"\\\\é\n]{0,3}".prop_map(|text| json!(text)),
        ];
        let name = prop::sample::select(vec!["a", "b", "0", "1", "a.b", "a.0", "", "é\n"]);
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let map = prop::collection::vec((name.clone(), inner.clone()), 0..4)
                .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
            prop_oneof![
                map.prop_map(serde_json::Value::Object),
                prop::collection::vec(inner, 0..3).prop_map(serde_json::Value::Array),
            ]
        })
    }

    proptest! {
        /// Reading along the tree and flattening everything come to the same.
        #[test]
        fn both_ways_of_finding_fields_agree(
            json in json(),
            names in prop::collection::vec("[ab01]([.][ab01]){0,3}", 1..5),
        ) {
            let message = json!({ "a": json, "b": [json] }).to_string();
            let discovery = Discovery::new(names.into_iter().zip(0..).collect());
            let mut read = vec![Value::Null; 5];
            let mut flattened = read.clone();
            discovery.run(&message, &mut |slot, value| read[slot] = value);
            discovery.count(&message, &mut |slot, value| flattened[slot] = value);
            prop_assert_eq!(read, flattened, "{}", message);
        }
    }
}
