//! Patterns of log files' paths.

use super::pattern::{LinePattern, PatternError};
use std::ffi::OsStr;
use std::fs::DirEntry;
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// Amazon's agents pass over what was packed on rotation.
const ARCHIVES: [&str; 6] = ["tar", "gz", "zip", "bz2", "rar", "zst"];

/// A pattern of paths: one file, or those that its wildcards match.
#[derive(Debug, Clone)]
pub struct FilePattern {
    text: String,
    wild: bool,
    /// The folder, or the one file, that every match is or is in.
    top: PathBuf,
    /// What the whole path of a match looks like; none of a path that is one file's.
    whole: Option<LinePattern>,
    /// How many slashes a match has; none where there may be any number.
    slashes: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Python,
    CloudWatch,
}

impl FilePattern {
    /// A pattern as Amazon's CloudWatch Logs agent understands it, which is Python's `glob`: `*`, `?`, `[…]` and `[!…]`,
    /// none of which matches a slash or the dot that begins a hidden file's name.
    ///
    /// # Errors
    /// When it cannot be a pattern.
    pub fn python(text: &str) -> Result<Self, PatternError> {
        Self::new(text, Dialect::Python)
    }

    /// A pattern as the CloudWatch agent understands it: also `**` over folders and `{a,b}`.
    ///
    /// # Errors
    /// When it cannot be a pattern.
    pub fn cloudwatch(text: &str) -> Result<Self, PatternError> {
        Self::new(text, Dialect::CloudWatch)
    }

    fn new(text: &str, dialect: Dialect) -> Result<Self, PatternError> {
        let wild = text.find(dialect.wildcards()).unwrap_or(text.len());
        let top = match text[..wild].rfind('/') {
            Some(slash) if wild < text.len() => &text[..=slash],
            _ => text,
        };
        let deep = dialect == Dialect::CloudWatch && text.contains("**");
        Ok(Self {
            text: text.to_owned(),
            wild: wild < text.len(),
            top: PathBuf::from(top),
            // A thousand sections that name one file each must not pay for a thousand expressions.
            whole: (wild < text.len()).then(|| LinePattern::new(&expression(text, dialect)?)).transpose()?,
            slashes: (!deep).then(|| text.matches('/').count()),
        })
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it may match more than one file.
    pub fn is_wild(&self) -> bool {
        self.wild
    }

    /// The files that match now, archives left out, sorted by name. Folders that cannot be read have none.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = if self.top.is_dir() { self.below() } else { vec![self.top.clone()] };
        found.retain(|path| !is_archive(path) && path.is_file());
        found.sort();
        found
    }

    /// The paths below the top folder that match.
    fn below(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.top.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if self.leads_on(&entry, &path) {
                    folders.push(path);
                } else if self.whole.as_ref().is_some_and(|whole| whole.is_in(path.as_os_str().as_bytes())) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Whether matches may lie in the folder `path`. A link to a folder is followed only where it cannot lead round and
    /// round.
    fn leads_on(&self, entry: &DirEntry, path: &Path) -> bool {
        match self.slashes {
            Some(slashes) => {
                path.as_os_str().as_bytes().iter().filter(|byte| **byte == b'/').count() < slashes
                    && path.is_dir()
            }
            None => entry.file_type().is_ok_and(|kind| kind.is_dir()),
        }
    }
}

impl Dialect {
    fn wildcards(self) -> &'static [char] {
        match self {
            Self::Python => &['*', '?', '['],
            Self::CloudWatch => &['*', '?', '[', '{'],
        }
    }
}

fn is_archive(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|extension| ARCHIVES.contains(&extension))
}

/// The regular expression of a pattern.
fn expression(pattern: &str, dialect: Dialect) -> Result<String, PatternError> {
    let cloudwatch = dialect == Dialect::CloudWatch;
    let mut out = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    let mut choices = 0;
    let mut begins_name = true;
    while let Some(c) = rest.next() {
        // A wildcard that begins a name does not match a hidden one's dot.
        if begins_name && !cloudwatch && dialect.wildcards().contains(&c) {
            out.push_str("(?!\\.)");
        }
        begins_name = c == '/';
        match c {
            '*' => {
                let mut stars = 1;
                while rest.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                // Without `recursive=True`, which the agent does not say, `**` is `*` to Python.
                out.push_str(if stars > 1 && cloudwatch { ".*" } else { "[^/]*" });
            }
            '?' => out.push_str("[^/]"),
            '[' => class(&mut rest, &mut out),
            '{' if cloudwatch => {
                choices += 1;
                out.push_str("(?:");
            }
            '}' if choices > 0 => {
                choices -= 1;
                out.push(')');
            }
            ',' if choices > 0 => out.push('|'),
            '\\' if cloudwatch => escape(rest.next().unwrap_or('\\'), &mut out),
            other => escape(other, &mut out),
        }
    }
    if choices > 0 {
        return Err(PatternError::new("a { is not closed"));
    }
    Ok(out + "$")
}

/// `[abc]`, `[a-z]`, `[!abc]`, where a `]` that comes first is one of the characters. The opening bracket has been read;
/// one that is never closed stands for itself.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut ahead = rest.clone();
    let mut inner = String::new();
    loop {
        match ahead.next() {
            Some(']') if !matches!(inner.as_str(), "" | "!") => break,
            Some(c) => inner.push(c),
            None => return escape('[', out),
        }
    }
    *rest = ahead;
    let (negated, inner) = inner.strip_prefix('!').map_or((false, inner.as_str()), |inner| (true, inner));
    out.push_str(if negated { "[^/" } else { "[" });
    for c in inner.chars() {
        if c == '-' { out.push('-') } else { escape(c, out) }
    }
    out.push(']');
}

fn escape(c: char, out: &mut String) {
    out.push_str(&fancy_regex::escape(c.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["a.log", "a.log.1", "a.log.2.gz", "b.log", ".hidden.log", "x/c.log", "x/y/d.log", "x/y/e.txt"]
        {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::create_dir(dir.path().join("folder.log")).unwrap();
        dir
    }

    fn found(dir: &Path, make: fn(&str) -> Result<FilePattern, PatternError>, pattern: &str) -> Vec<String> {
        let pattern = make(&format!("{}/{pattern}", dir.display())).unwrap();
        let relative = |path: PathBuf| path.strip_prefix(dir).unwrap().display().to_string();
        pattern.files().into_iter().map(relative).collect()
    }

    #[test]
    fn pythons_patterns_stay_within_names() {
        let dir = folder();
        let cases: [(&str, &[&str]); 8] = [
            ("a.log", &["a.log"]),
            ("a.log*", &["a.log", "a.log.1"]),
            ("?.log", &["a.log", "b.log"]),
            ("[!a].log", &["b.log"]),
            ("*/*.log", &["x/c.log"]),
            ("**.log", &["a.log", "b.log"]),
            (".hidden*", &[".hidden.log"]),
            ("missing", &[]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(found(dir.path(), FilePattern::python, pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_cloudwatch_agents_patterns_cross_folders() {
        let dir = folder();
        let cases: [(&str, &[&str]); 7] = [
            ("a.log", &["a.log"]),
            ("**.log", &[".hidden.log", "a.log", "b.log", "x/c.log", "x/y/d.log"]),
            ("**/y/*", &["x/y/d.log", "x/y/e.txt"]),
            ("*.log", &[".hidden.log", "a.log", "b.log"]),
            ("x/**", &["x/c.log", "x/y/d.log", "x/y/e.txt"]),
            ("{a,b}.log", &["a.log", "b.log"]),
            ("[!a-a].log", &["b.log"]),
        ];
        for (pattern, expected) in cases {
            assert_eq!(found(dir.path(), FilePattern::cloudwatch, pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        assert!(FilePattern::cloudwatch("/a/{b").unwrap_err().to_string().contains("not closed"));
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_itself() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a[b"), "").unwrap();
        for make in [FilePattern::python, FilePattern::cloudwatch] {
            assert_eq!(found(dir.path(), make, "*[b"), ["a[b"]);
        }
    }
}
