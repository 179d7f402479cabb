//! From where a build is taken up again. Pure.

use std::collections::BTreeMap;

use crate::inputs::{Digest, Inputs};

/// Images of the machine as it was after some of the steps, by what it was made from so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoints(BTreeMap<Digest, String>);

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// How many steps need not be run again.
    pub done: usize,
    /// The image to begin with; none for the template's own.
    pub image: Option<String>,
}

impl Checkpoints {
    /// Remembers the image of the machine after the steps that `state` stands for.
    pub fn put(&mut self, state: Digest, image: String) {
        self.0.insert(state, image);
    }

    /// The newest checkpoint that serves a build with these inputs.
    pub fn start(&self, inputs: &Inputs) -> Start {
        let chain = inputs.chain();
        let found = chain
            .iter()
            .enumerate()
            .skip(1)
            .rev()
            .find_map(|(done, state)| Some(Start { done, image: Some(self.0.get(state)?.clone()) }));
        found.unwrap_or(Start { done: 0, image: None })
    }

    /// Forgets the images that no build with these inputs begins with, and tells which they were.
    pub fn outdated(&mut self, inputs: &Inputs) -> Vec<String> {
        let chain = inputs.chain();
        let (kept, outdated) =
            std::mem::take(&mut self.0).into_iter().partition(|(state, _)| chain.contains(state));
        self.0 = kept;
        outdated.into_values().collect()
    }

    /// Forgets all images and tells which they were.
    pub fn take_all(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

/// What is different between two builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing that counts for the machine.
    Nothing,
    /// The builder, so that everything is made anew.
    Builder,
    /// The steps from this one on, counted from 0: it is different, new or gone.
    From(usize),
}

impl Change {
    /// Compares the inputs before and after.
    pub fn between(old: &Inputs, new: &Inputs) -> Self {
        let (old, new) = (old.chain(), new.chain());
        match old.iter().zip(&new).position(|(old, new)| old != new) {
            Some(0) => Self::Builder,
            Some(place) => Self::From(place - 1),
            None if old.len() == new.len() => Self::Nothing,
            None => Self::From(old.len().min(new.len()) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::testing::inputs;

    #[test]
    fn changes() {
        let old = inputs("base", &["a", "b", "c"]);
        for (new, expected) in [
            (inputs("base", &["a", "b", "c"]), Change::Nothing),
            (inputs("other", &["a", "b", "c"]), Change::Builder),
            (inputs("base", &["x", "b", "c"]), Change::From(0)),
            (inputs("base", &["a", "x", "c"]), Change::From(1)),
            (inputs("base", &["a", "b"]), Change::From(2)),
            (inputs("base", &["a", "b", "c", "d"]), Change::From(3)),
            (inputs("base", &["a", "c", "b"]), Change::From(1)),
        ] {
            assert_eq!(Change::between(&old, &new), expected, "{:?}", new.steps);
        }
    }

    #[test]
    fn the_newest_checkpoint_that_serves() {
        let old = inputs("base", &["a", "b", "c"]);
        let mut checkpoints = Checkpoints::default();
        assert_eq!(checkpoints.start(&old), Start { done: 0, image: None });
        for (done, state) in old.chain().into_iter().enumerate().skip(1) {
            checkpoints.put(state, format!("ami-{done}"));
        }
        let from = |done: usize| Start { done, image: (done > 0).then(|| format!("ami-{done}")) };
        for (new, done) in [
            (inputs("base", &["a", "b", "c"]), 3),
            (inputs("base", &["a", "b", "x"]), 2),
            (inputs("base", &["a", "x", "c"]), 1),
            (inputs("base", &["x", "b", "c"]), 0),
            (inputs("other", &["a", "b", "c"]), 0),
            (inputs("base", &["a", "b", "c", "d"]), 3),
            (inputs("base", &["a"]), 1),
        ] {
            assert_eq!(checkpoints.start(&new), from(done), "{:?}", new.steps);
        }
    }

    #[test]
    fn a_change_invalidates_what_comes_after() {
        let old = inputs("base", &["a", "b", "c"]);
        let mut checkpoints = Checkpoints::default();
        for (done, state) in old.chain().into_iter().enumerate().skip(1) {
            checkpoints.put(state, format!("ami-{done}"));
        }
        let new = inputs("base", &["a", "x", "c"]);
        let mut outdated = checkpoints.outdated(&new);
        outdated.sort();
        assert_eq!(outdated, ["ami-2", "ami-3"]);
        assert_eq!(checkpoints.start(&new).done, 1);
        assert_eq!(checkpoints.take_all(), ["ami-1"]);
        assert_eq!(checkpoints.start(&new).done, 0);
    }
}
