//! The `sources` section: archives unpacked into folders.

use super::archives;
use super::build::Build;
use super::download;
use super::error::{BuildError, IoContext};
use super::values::{Members, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;

/// Unpacks the archives; returns the folders.
pub fn apply(build: &Build<'_>, section: &Members) -> Result<Vec<String>, BuildError> {
    if section.is_empty() {
        build.log.debug("No sources specified");
    }
    let ordered: BTreeMap<&String, &Value> = section.iter().collect();
    let mut changed = Vec::new();
    for (folder, source) in ordered {
        let source = text(source)
            .ok_or_else(|| BuildError::Metadata(format!("The source for {folder} must be a path or URL")))?;
        build.console.say(format_args!("unpacking {source} into {folder}"));
        let archive = open(build, &source)?;
        build.log.debug(format_args!("Expanding {source} into {folder}"));
        archives::unpack(archive, &source, &build.path(folder), is_github(&source))?;
        changed.push(folder.clone());
    }
    Ok(changed)
}

fn open(build: &Build<'_>, source: &str) -> Result<File, BuildError> {
    if download::is_remote(source) {
        return download::fetch(build, source, None);
    }
    if source.to_ascii_lowercase().starts_with("ftp://") {
        return Err(BuildError::Unsupported(format!("The source {source} (FTP)")));
    }
    let path = build.path(source);
    if !path.is_file() {
        return Err(BuildError::Tool(format!("{source} does not exist")));
    }
    File::open(path).during(|| format!("Could not open {source}"))
}

/// GitHub's generated archives have one folder of unpredictable name around everything, which is left out.
fn is_github(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    let rest =
        source.strip_prefix("https://github.com/").or_else(|| source.strip_prefix("http://github.com/"));
    rest.is_some_and(|rest| rest.contains("/zipball/") || rest.contains("/tarball/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_archives_are_recognised() {
        assert!(is_github("https://github.com/user1/cfn-demo/tarball/master"));
        assert!(!is_github("https://github.com/user1/cfn-demo/releases/download/v1/a.tar.gz"));
        assert!(!is_github("https://example.com/tarball/x"));
    }
}
