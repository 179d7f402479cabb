//! Where two values differ.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::ValueChange;
use crate::evaluate::scalar_text;

/// The differences between two values, each as deep as the values have the same shape. Scalars are compared as
/// text, as CloudFormation does: `80` and `"80"` are the same.
pub(super) fn changes(path: &str, before: Option<&Json>, after: Option<&Json>) -> Vec<ValueChange> {
    let mut found = Vec::new();
    collect(path, before, after, &mut found);
    found
}

fn collect(path: &str, before: Option<&Json>, after: Option<&Json>, found: &mut Vec<ValueChange>) {
    match (before, after) {
        (Some(Json::Object(was)), Some(Json::Object(now))) => {
            let keys: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
            for key in keys {
                collect(&format!("{path}/{key}"), was.get(key), now.get(key), found);
            }
        }
        (Some(Json::Array(was)), Some(Json::Array(now))) => {
            for index in 0..was.len().max(now.len()) {
                collect(&format!("{path}/{index}"), was.get(index), now.get(index), found);
            }
        }
        (was, now) if same(was, now) => {}
        (was, now) => {
            found.push(ValueChange { path: path.to_owned(), before: was.cloned(), after: now.cloned() });
        }
    }
}

fn same(was: Option<&Json>, now: Option<&Json>) -> bool {
    was == now
        || matches!((was.and_then(scalar_text), now.and_then(scalar_text)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_as_deep_as_they_can_be() {
        let cases = [
            (json!({"a": 1}), json!({"a": "1"}), vec![]),
            (json!({"a": 1, "b": [1, 2]}), json!({"a": 2, "b": [1, 3]}), vec!["/a", "/b/1"]),
            (json!([1]), json!([1, {"x": 1}]), vec!["/1"]),
            (json!({"a": {"b": 1}}), json!({"a": [1]}), vec!["/a"]),
            (json!({"a": 1}), json!({}), vec!["/a"]),
            (json!(null), json!(""), vec![""]),
        ];
        for (was, now, expected) in cases {
            let found = changes("", Some(&was), Some(&now));
            let paths: Vec<&str> = found.iter().map(|change| change.path.as_str()).collect();
            assert_eq!(paths, expected, "{was} {now}");
        }
    }
}
