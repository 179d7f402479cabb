//! Names of layers: digests of what they are made of.

use sha2::{Digest, Sha256};

/// A name in the making.
#[derive(Default)]
pub(super) struct Key(Sha256);

impl Key {
    /// Adds a part with its length, so that no two lists of parts read the same.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The name: 16 hexadecimal digits.
    pub(super) fn finish(self) -> String {
        hex::encode(&self.0.finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let key = |parts: &[&str]| {
            let mut key = Key::default();
            parts.iter().for_each(|part| key.add(part.as_bytes()));
            key.finish()
        };
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab"]), key(&["ab", ""]));
        assert_eq!(key(&[]).len(), 16);
    }
}
