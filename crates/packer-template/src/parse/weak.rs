//! Lax conversion of what Packer reads of a block itself. Nothing is rendered here.

use std::time::Duration;

use super::Parser;
use crate::{
    convert,
    node::{Entry, Node, Value},
};

impl Parser<'_> {
    /// A string, or a number or truth value taken for one.
    pub(super) fn weak_string(&mut self, node: &Node, path: &str) -> Option<String> {
        convert::string(&node.value).map_err(|message| self.error(node.span, path, message)).ok()
    }

    /// A list of strings, or one string.
    pub(super) fn weak_strings(&mut self, entry: Option<&Entry>, path: &str) -> Vec<String> {
        let Some(entry) = entry else { return Vec::new() };
        let path = format!("{path}/{}", entry.key);
        match &entry.value.value {
            Value::Array(items) => items.iter().filter_map(|item| self.weak_string(item, &path)).collect(),
            _ => self.weak_string(&entry.value, &path).into_iter().collect(),
        }
    }

    /// A duration such as `10s`, or a number of nanoseconds.
    pub(super) fn weak_duration(&mut self, entry: Option<&Entry>, path: &str) -> Duration {
        let Some(entry) = entry else { return Duration::ZERO };
        match convert::duration(&entry.value.value) {
            Ok(nanoseconds) => Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0)),
            Err(message) => {
                self.error(entry.value.span, format!("{path}/{}", entry.key), message);
                Duration::ZERO
            }
        }
    }
}
