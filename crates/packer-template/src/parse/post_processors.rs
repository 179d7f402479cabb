//! `post-processors`: names, objects, and chains of them. Packer converts nothing here.

use super::{Parser, find_entry};
use crate::{
    block::{Block, PostProcessor, Selection},
    node::{Entry, Node, Value},
};

/// What Packer reads of a post-processor; the rest are its options.
const TAKEN: [&str; 5] = ["except", "keep_input_artifact", "name", "only", "type"];

impl Parser<'_> {
    pub(super) fn post_processors(&mut self, node: &Node) -> Vec<Vec<PostProcessor>> {
        let Value::Array(items) = &node.value else {
            let message = format!("'post-processors' must be a list, not {}", node.value.kind());
            self.error(node.span, "post-processors", message);
            return Vec::new();
        };
        let mut chains = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("post-processors/{index}");
            let chain: Vec<_> = match &item.value {
                Value::Array(chain) => {
                    let numbered = chain.iter().enumerate();
                    numbered
                        .filter_map(|(inner, node)| self.post_processor(node, &format!("{path}/{inner}")))
                        .collect()
                }
                _ => self.post_processor(item, &path).into_iter().collect(),
            };
            chains.push(chain);
        }
        chains
    }

    fn post_processor(&mut self, node: &Node, path: &str) -> Option<PostProcessor> {
        let entries = match &node.value {
            Value::String(kind) => {
                let block = Block {
                    source: self.source.clone(),
                    span: node.span,
                    path: path.to_owned(),
                    kind: kind.clone(),
                    options: Vec::new(),
                };
                let selection = Selection::default();
                return Some(PostProcessor {
                    name: kind.clone(),
                    block,
                    selection,
                    keep_input_artifact: None,
                });
            }
            Value::Object(entries) => entries,
            Value::Array(_) => {
                self.error(node.span, path, "a chain of post-processors cannot stand inside of a chain");
                return None;
            }
            other => {
                let message = format!("a post-processor is a name or an object, not {}", other.kind());
                self.error(node.span, path, message);
                return None;
            }
        };
        let kind = self.strict_string(find_entry(entries, "type"), path);
        let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
            self.error(node.span, path, "\"type\" is missing");
            return None;
        };
        let name = self.strict_string(find_entry(entries, "name"), path).filter(|name| !name.is_empty());
        Some(PostProcessor {
            name: name.unwrap_or_else(|| kind.clone()),
            selection: Selection {
                only: self.strict_strings(find_entry(entries, "only"), path),
                except: self.strict_strings(find_entry(entries, "except"), path),
            },
            keep_input_artifact: self.keep(find_entry(entries, "keep_input_artifact"), path),
            block: self.block(entries, node.span, path.to_owned(), kind, &TAKEN),
        })
    }

    fn strict_string(&mut self, entry: Option<&Entry>, path: &str) -> Option<String> {
        let entry = entry?;
        match &entry.value.value {
            Value::String(text) => Some(text.clone()),
            other => {
                let message = format!("'{}' must be a string, not {}", entry.key, other.kind());
                self.error(entry.value.span, format!("{path}/{}", entry.key), message);
                None
            }
        }
    }

    fn strict_strings(&mut self, entry: Option<&Entry>, path: &str) -> Vec<String> {
        let Some(entry) = entry else { return Vec::new() };
        self.names(&entry.value, &format!("{path}/{}", entry.key))
    }

    fn keep(&mut self, entry: Option<&Entry>, path: &str) -> Option<bool> {
        let entry = entry?;
        match &entry.value.value {
            Value::Bool(keep) => Some(*keep),
            other => {
                let message = format!("'keep_input_artifact' must be true or false, not {}", other.kind());
                self.error(entry.value.span, format!("{path}/keep_input_artifact"), message);
                None
            }
        }
    }
}
