//! Remote paths as words of a shell command.

/// A path as one word for a POSIX shell.
///
/// Packer gives the remote shell its paths bare, so templates rely on `~/file` and `$HOME/file`. Those two still expand:
/// a leading `~` or `~user`, and `$NAME` or `${NAME}` anywhere. Everything else (spaces, quotes, `*`, `$(…)`, newlines)
/// means itself.
pub(crate) fn path(path: &str) -> String {
    match split_home(path) {
        (home, "") if !home.is_empty() => home.to_owned(),
        (home, rest) => format!("{home}{}", unhomed(rest)),
    }
}

/// A path, or a part of one, in which `~` means itself.
fn unhomed(rest: &str) -> String {
    let mut word = String::from('"');
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '$' => match variable(&rest[at..]) {
                Some(length) => {
                    word.push_str(&rest[at..at + length]);
                    // The name is ASCII: as many characters as bytes.
                    characters.nth(length - 2);
                }
                None => word.push_str("\\$"),
            },
            '"' | '\\' | '`' => word.extend(['\\', character]),
            _ => word.push(character),
        }
    }
    word.push('"');
    word
}

/// A path like [`path`], in which `*`, `?` and `[…]` choose files, too.
pub(crate) fn pattern(text: &str) -> String {
    let is_wild = |c: char| matches!(c, '*' | '?' | '[' | ']');
    let mut word = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let quoted = rest.find(is_wild).unwrap_or(rest.len());
        if quoted > 0 {
            // Only at the start is a `~` anything but itself.
            word.push_str(&if word.is_empty() { path(&rest[..quoted]) } else { unhomed(&rest[..quoted]) });
        }
        let wild = rest[quoted..].find(|c| !is_wild(c)).map_or(rest.len(), |length| quoted + length);
        word.push_str(&rest[quoted..wild]);
        rest = &rest[wild..];
    }
    if word.is_empty() { path(text) } else { word }
}

/// `~` or `~user` at the start of a path, with the slash after it (which must stay bare, too), and what follows.
fn split_home(path: &str) -> (&str, &str) {
    if !path.starts_with('~') {
        return ("", path);
    }
    let end = path.find('/').unwrap_or(path.len());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if path[1..end].chars().all(plain) { path.split_at(path.len().min(end + 1)) } else { ("", path) }
}

/// The length of `$NAME` or `${NAME}` at the start of `text`.
fn variable(text: &str) -> Option<usize> {
    let braced = text.starts_with("${");
    let start = if braced { 2 } else { 1 };
    let name = text[start..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let first = text[start..].bytes().next()?;
    if name == 0 || first.is_ascii_digit() {
        return None;
    }
    match (braced, text.as_bytes().get(start + name)) {
        (false, _) => Some(start + name),
        (true, Some(b'}')) => Some(start + name + 1),
        (true, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn shell(word: &str) -> String {
        let output = Command::new("sh")
            .env_clear()
            .env("HOME", "/home/me")
            .args(["-c", &format!("printf %s {word}")])
            .output()
            .expect("sh runs");
        assert!(output.status.success(), "{word}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[test]
    fn patterns_choose_files() {
        let temp = tempfile::tempdir().expect("a directory");
        let root = temp.path().to_str().expect("UTF-8");
        for name in ["a b1", "a b2", "~c", "d*"] {
            std::fs::write(temp.path().join(name), "").expect("a file");
        }
        let chosen = |pattern: &str| shell(&self::pattern(&format!("{root}/{pattern}"))).replace(root, "");
        assert_eq!(chosen("a b?"), "/a b1/a b2");
        assert_eq!(chosen("a b[2]"), "/a b2");
        assert_eq!(chosen("?*"), "/a b1/a b2/d*/~c");
        assert_eq!(chosen("~*"), "/~c");
        assert_eq!(chosen("$(id)*"), "/$(id)*");
        assert_eq!(pattern(""), "\"\"");
    }

    #[test]
    fn home_and_variables_expand_and_nothing_else_does() {
        for (path, expected) in [
            ("~", "/home/me"),
            ("~/a b", "/home/me/a b"),
            ("$HOME/a", "/home/me/a"),
            ("${HOME}a", "/home/mea"),
            ("${HOME", "${HOME"),
            ("/a/$", "/a/$"),
            ("/a/$1", "/a/$1"),
            ("/a/$(id)`id`", "/a/$(id)`id`"),
            ("/a/*\"'\\\n", "/a/*\"'\\\n"),
            ("~a;id/x", "~a;id/x"),
            ("-rf", "-rf"),
            ("", ""),
        ] {
            assert_eq!(shell(&self::path(path)), expected, "{path:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_path_without_variables_is_itself(text in "[^\0$~]{0,40}") {
            prop_assert_eq!(shell(&path(&text)), text);
        }

        #[test]
        fn no_path_runs_anything(text in "[$(){}`~;|&<>a\\\\\"' \n]{0,30}") {
            let word = path(&text);
            let printed = Command::new("sh")
                .env_clear()
                .env("a", "V").env("aa", "V").env("aaa", "V")
                .args(["-c", &format!("printf '%s\\0' {word}; exit 7")])
                .output()
                .expect("sh runs");
            prop_assert_eq!(printed.status.code(), Some(7), "{}", word);
            prop_assert_eq!(printed.stdout.iter().filter(|b| **b == 0).count(), 1, "{}", word);
        }
    }
}
