//! What a folder without a `drydock.toml` holds, found by looking.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The files of a folder that `up` knows what to do with, each list in order of name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Packer templates: JSON with `builders`.
    pub packer: Vec<PathBuf>,
    /// CloudFormation templates: YAML or JSON with `Resources`.
    pub stacks: Vec<PathBuf>,
    /// Files of parameters: `NAME.cfg`.
    pub parameters: Vec<PathBuf>,
    /// Checks for images made here: `checks.toml`.
    pub checks: Option<PathBuf>,
}

/// What a file is, by its name and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Packer,
    Stack,
    Parameters,
    Checks,
}

impl Folder {
    /// Looks at the files of `dir`, not of folders below it.
    ///
    /// # Errors
    /// When the folder or one of its candidates cannot be read.
    pub fn look(dir: &Path) -> Result<Self, Failure> {
        let failed =
            |path: &Path, error: std::io::Error| Failure::config(format!("{}: {error}", path.display()));
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).map_err(|error| failed(dir, error))? {
            let path = entry.map_err(|error| failed(dir, error))?.path();
            if path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let mut found = Self::default();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !is_candidate(&name) {
                continue;
            }
            let bytes = fs::read(&path).map_err(|error| failed(&path, error))?;
            match kind(&name, &String::from_utf8_lossy(&bytes)) {
                Some(Kind::Packer) => found.packer.push(path),
                Some(Kind::Stack) => found.stacks.push(path),
                Some(Kind::Parameters) => found.parameters.push(path),
                Some(Kind::Checks) => found.checks = Some(path),
                None => {}
            }
        }
        Ok(found)
    }
}

/// The one file of a kind; `what` and `option` tell people what to give when there are several.
///
/// # Errors
/// When there are several and the user has not chosen.
pub fn the_one(
    found: &[PathBuf],
    chosen: Option<&Path>,
    what: &str,
    option: &str,
) -> Result<Option<PathBuf>, Failure> {
    if let Some(chosen) = chosen {
        return Ok(Some(chosen.to_owned()));
    }
    match found {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        many => {
            let names: Vec<String> = many.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::config(format!(
                "there are {} {what}: {}; choose one with {option}",
                many.len(),
                names.join(", ")
            )))
        }
    }
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_candidate(name: &str) -> bool {
    name == "checks.toml" || matches!(extension(name), "json" | "yml" | "yaml" | "template" | "cfg")
}

/// Looks at a text only as far as is needed to know what it is meant to be: a template with a fault is one still, and
/// its own parser tells the fault with its place.
fn kind(name: &str, text: &str) -> Option<Kind> {
    if name == "checks.toml" {
        return Some(Kind::Checks);
    }
    if extension(name) == "cfg" {
        return Some(Kind::Parameters);
    }
    if text.trim_start().starts_with('{') {
        let has = |key: &str| match serde_json::from_str::<serde_json::Value>(text) {
            Ok(document) => document.get(key).is_some(),
            Err(_) => text.contains(&format!("\"{key}\"")),
        };
        return if has("builders") {
            Some(Kind::Packer)
        } else if has("Resources") {
            Some(Kind::Stack)
        } else {
            None
        };
    }
    let is_stack = |line: &str| line.starts_with("Resources:") || line.starts_with("\"Resources\":");
    (extension(name) != "json" && text.lines().any(is_stack)).then_some(Kind::Stack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_what_they_hold() {
        for (name, text, expected) in [
            ("packer.json", r#"{"builders": []}"#, Some(Kind::Packer)),
            ("broken.json", "{\"builders\": [{]}", Some(Kind::Packer)),
            ("manifest.json", r#"{"builds": [], "last_run_uuid": ""}"#, None),
            ("stack.json", r#"{"Resources": {}}"#, Some(Kind::Stack)),
            ("stack.yml", "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  A: {}\n", Some(Kind::Stack)),
            ("nested.yml", "other:\n  Resources:\n", None),
            ("flow.template", "{\"Resources\": {}}", Some(Kind::Stack)),
            ("dev.cfg", "A=1\n", Some(Kind::Parameters)),
            ("checks.toml", "", Some(Kind::Checks)),
            ("list.json", "[]", None),
        ] {
            assert_eq!(kind(name, text), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("packer.json", "{\"builders\": []}"), ("manifest.json", "{}"), ("b.cfg", ""), ("a.cfg", "")]
        {
            fs::write(dir.path().join(name), text).unwrap();
        }
        fs::create_dir(dir.path().join("stack.yml")).unwrap();
        let found = Folder::look(dir.path()).unwrap();
        assert_eq!(found.packer, [dir.path().join("packer.json")]);
        assert_eq!(found.parameters, [dir.path().join("a.cfg"), dir.path().join("b.cfg")]);
        assert_eq!(found.stacks, Vec::<PathBuf>::new());
        assert!(Folder::look(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn several_candidates_ask_for_a_choice() {
        let two = [PathBuf::from("dev.cfg"), PathBuf::from("prod.cfg")];
        let ask = the_one(&two, None, "files of parameters", "--parameter-file").unwrap_err();
        let message = ask.message.unwrap();
        assert!(message.contains("dev.cfg, prod.cfg") && message.contains("--parameter-file"), "{message}");
        let chosen = the_one(&two, Some(Path::new("prod.cfg")), "", "").unwrap();
        assert_eq!(chosen, Some(PathBuf::from("prod.cfg")));
        assert_eq!(the_one(&two[..1], None, "", "").unwrap(), Some(PathBuf::from("dev.cfg")));
        assert_eq!(the_one(&[], None, "", "").unwrap(), None);
    }
}
