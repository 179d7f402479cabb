//! `-only` and `-except`: which builds are run, and which post-processors are not.

use packer_template::{PostProcessor, Selection};

/// Names that the command line gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The only builds to run; empty for all.
    pub only: Vec<String>,
    /// The builds not to run, and the post-processors to leave out.
    pub except: Vec<String>,
}

/// A name after `-only` that no build has: nothing would be built, and nobody would notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("-only names no build: {}; the template's are {}", .unknown.join(", "), .builds.join(", "))]
pub struct UnknownBuild {
    /// The names that fit nothing.
    pub unknown: Vec<String>,
    /// The builds there are.
    pub builds: Vec<String>,
}

impl Names {
    /// Whether the build of this name is run.
    pub fn selects(&self, build: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == build);
        (self.only.is_empty() || named(&self.only)) && !named(&self.except)
    }

    /// Looks for names after `-only` that fit no build. (`-except` may name what is not there: it is meant to be
    /// left out.)
    ///
    /// # Errors
    /// When there are some.
    pub fn check(&self, builds: &[&str]) -> Result<(), UnknownBuild> {
        let unknown = self.only.iter().filter(|name| !builds.contains(&name.as_str()));
        let unknown: Vec<String> = unknown.cloned().collect();
        let owned = || builds.iter().map(|name| (*name).to_owned()).collect();
        if unknown.is_empty() { Ok(()) } else { Err(UnknownBuild { unknown, builds: owned() }) }
    }

    /// The chains of post-processors for the builder named `builder` in the template. `-except` ends a chain at the
    /// post-processor that it names, as Packer does; `only` and `except` in the template leave single ones out.
    pub fn chains(&self, chains: &[Vec<PostProcessor>], builder: &str) -> Vec<Vec<PostProcessor>> {
        let chains = chains.iter().map(|chain| {
            let runs = chain.iter().filter(|post| !post.selection.skips(builder));
            runs.take_while(|post| !self.except.contains(&post.name)).cloned().collect()
        });
        chains.filter(|chain: &Vec<PostProcessor>| !chain.is_empty()).collect()
    }
}

/// Whether something with this selection takes part in the build of the builder named `builder` in the template.
pub fn takes_part(selection: &Selection, builder: &str) -> bool {
    !selection.skips(builder)
}

#[cfg(test)]
mod tests {
    use packer_template::{Block, Source, Span};

    use super::*;

    fn names(only: &[&str], except: &[&str]) -> Names {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names { only: owned(only), except: owned(except) }
    }

    fn post(name: &str, only: &[&str]) -> PostProcessor {
        let block = Block {
            source: Source::new("packer.json", "{}"),
            span: Span::default(),
            path: String::new(),
            kind: "manifest".to_owned(),
            options: Vec::new(),
        };
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { only, except: Vec::new() };
        PostProcessor { name: name.to_owned(), block, selection, keep_input_artifact: None }
    }

    #[test]
    fn builds_are_selected_by_name() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &[], &["a", "b"]),
            (&["a"], &[], &["a"]),
            (&[], &["a", "nothing"], &["b"]),
            (&["a", "b"], &["b"], &["a"]),
            (&["nothing"], &[], &[]),
        ];
        for (only, except, expected) in cases {
            let names = names(only, except);
            let selected: Vec<&str> = ["a", "b"].into_iter().filter(|name| names.selects(name)).collect();
            assert_eq!(selected, expected, "{names:?}");
        }
    }

    #[test]
    fn a_build_that_is_not_there_is_told() {
        assert_eq!(names(&["a"], &["nothing"]).check(&["a", "b"]), Ok(()));
        let error = names(&["a", "c"], &[]).check(&["a", "b"]).unwrap_err();
        assert_eq!(error.to_string(), "-only names no build: c; the template's are a, b");
    }

    #[test]
    fn except_ends_a_chain_and_only_leaves_members_out() {
        let chains = [
            vec![post("first", &[]), post("second", &[]), post("third", &[])],
            vec![post("for-b", &["b"]), post("for-all", &[])],
            vec![post("second", &[])],
        ];
        let left = names(&[], &["second"]).chains(&chains, "a");
        let left: Vec<Vec<&str>> =
            left.iter().map(|chain| chain.iter().map(|post| post.name.as_str()).collect()).collect();
        assert_eq!(left, [vec!["first"], vec!["for-all"]]);
    }
}
