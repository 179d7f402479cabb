//! One text for one meaning: what is hashed, in a form in which nothing can be taken for something else. Pure.

use packer_template::{Block, Node, Value, Variables};
use sha2::{Digest as _, Sha256};

use super::{Digest, FileFact, counted};

/// Takes what counts. Every item goes in with its kind and its length.
pub(super) struct Canon(Sha256);

impl Canon {
    /// `purpose` keeps digests of different things apart.
    pub fn new(purpose: &str) -> Self {
        let mut canon = Self(Sha256::new());
        canon.text(purpose);
        canon
    }

    pub fn text(&mut self, text: &str) {
        self.item(b't', text.as_bytes());
    }

    pub fn digest(&mut self, digest: Digest) {
        self.item(b'd', &digest.0);
    }

    pub fn fact(&mut self, fact: &FileFact) {
        self.text(&fact.name);
        self.item(b'm', &fact.mode.to_be_bytes());
        self.digest(fact.content);
    }

    /// Options count in order of their names: moving one about changes nothing.
    pub fn block(&mut self, block: &Block) {
        self.text(&block.kind);
        let mut options: Vec<_> = block.options.iter().collect();
        options.sort_by(|a, b| a.key.cmp(&b.key));
        for option in options {
            self.text(&option.key);
            self.node(&option.value);
        }
    }

    /// The values of the variables that a block names.
    pub fn variables(&mut self, block: &Block, variables: &Variables) {
        let mut values: Vec<_> =
            variables.iter().filter(|(name, _)| counted::names_variable(block, name)).collect();
        values.sort_unstable();
        for (name, value) in values {
            self.text(name);
            self.text(value);
        }
    }

    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }

    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Null => self.item(b'0', b""),
            Value::Bool(truth) => self.item(b'b', &[u8::from(*truth)]),
            Value::Number(number) => self.item(b'n', number.as_bytes()),
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.item(b'a', &items.len().to_be_bytes());
                items.iter().for_each(|item| self.node(item));
            }
            Value::Object(entries) => {
                self.item(b'o', &entries.len().to_be_bytes());
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|a, b| a.key.cmp(&b.key));
                for entry in entries {
                    self.text(&entry.key);
                    self.node(&entry.value);
                }
            }
        }
    }

    fn item(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}
