//! Where in the parameters a decoder is; written out only when something is wrong there.

use std::fmt;

/// A linked list on the stack, innermost step first.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    /// A structure's member or a map's entry.
    Member(&'a Path<'a>, &'a str),
    /// A list's item, counted from 1; in the query protocols after the items' name.
    Item(&'a Path<'a>, Option<&'a str>, usize),
}

impl<'a> Path<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Self {
        Self::Member(self, name)
    }

    pub(super) fn item(&'a self, item: Option<&'a str>, number: usize) -> Self {
        Self::Item(self, item, number)
    }

    /// As AWS's validation messages have it: `tags.1.member.key`.
    pub(super) fn validation_name(&self) -> String {
        let mut out = String::new();
        self.write_validation(&mut out);
        out
    }

    fn write_validation(&self, out: &mut String) {
        let (parent, step) = match self {
            Path::Root => return,
            Path::Member(parent, name) => {
                let mut chars = name.chars();
                let first = chars.next().map(|first| first.to_ascii_lowercase());
                (parent, first.into_iter().chain(chars).collect::<String>())
            }
            Path::Item(parent, _, number) => (parent, format!("{number}.member")),
        };
        parent.write_validation(out);
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&step);
    }
}

/// As the parameter is written in a request: `Filter.1.Name`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent = match self {
            Path::Root => return Ok(()),
            Path::Member(parent, _) | Path::Item(parent, ..) => parent,
        };
        parent.fmt(f)?;
        if !matches!(parent, Path::Root) {
            f.write_str(".")?;
        }
        match self {
            Path::Root => Ok(()),
            Path::Member(_, name) => f.write_str(name),
            Path::Item(_, Some(item), number) => write!(f, "{item}.{number}"),
            Path::Item(_, None, number) => write!(f, "{number}"),
        }
    }
}
