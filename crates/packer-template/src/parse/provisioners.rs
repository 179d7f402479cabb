//! `provisioners` and `error-cleanup-provisioner`.

use indexmap::IndexMap;

use super::{Parser, find_entry};
use crate::{
    block::{Block, Provisioner, Selection},
    node::{Entry, Node, Value},
};

/// What Packer reads of a provisioner; the rest are its options.
const TAKEN: [&str; 7] = ["except", "max_retries", "only", "override", "pause_before", "timeout", "type"];

impl Parser<'_> {
    pub(super) fn provisioners(&mut self, node: &Node) -> Vec<Provisioner> {
        let Value::Array(items) = &node.value else {
            let message = format!("'provisioners' must be a list, not {}", node.value.kind());
            self.error(node.span, "provisioners", message);
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered
            .filter_map(|(index, item)| self.provisioner(item, &format!("provisioners/{index}")))
            .collect()
    }

    pub(super) fn provisioner(&mut self, node: &Node, path: &str) -> Option<Provisioner> {
        let entries = self.object(node, path)?;
        let (kind, _) = self.kind(entries, node.span, path)?;
        let retries = find_entry(entries, "max_retries");
        Some(Provisioner {
            selection: Selection {
                only: self.weak_strings(find_entry(entries, "only"), path),
                except: self.weak_strings(find_entry(entries, "except"), path),
            },
            overrides: self.overrides(find_entry(entries, "override"), path, &kind),
            pause_before: self.weak_duration(find_entry(entries, "pause_before"), path),
            timeout: self.weak_duration(find_entry(entries, "timeout"), path),
            max_retries_span: retries.map_or(node.span, |entry| entry.value.span),
            max_retries: retries.and_then(|entry| self.weak_string(&entry.value, path)),
            block: self.block(entries, node.span, path.to_owned(), kind, &TAKEN),
        })
    }

    fn overrides(&mut self, entry: Option<&Entry>, path: &str, kind: &str) -> IndexMap<String, Block> {
        let mut overrides = IndexMap::new();
        let Some(entry) = entry else { return overrides };
        let path = format!("{path}/override");
        let Some(builds) = self.object(&entry.value, &path) else { return overrides };
        for build in builds {
            let path = format!("{path}/{}", build.key);
            if let Some(options) = self.object(&build.value, &path) {
                let block = self.block(options, build.value.span, path, kind.to_owned(), &[]);
                overrides.insert(build.key.clone(), block);
            }
        }
        overrides
    }
}
