//! The `files` section: files with their content, mode and owner, and symbolic links.

use super::build::Build;
use super::error::{BuildError, IoContext};
use super::values::{Members, is_falsy, object, optional_text};
use super::{download, mustache};
use crate::accounts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// `S_IFMT` and `S_IFLNK`: a mode of 120xxx asks for a symbolic link.
const TYPE_BITS: u32 = 0o170_000;
const LINK_TYPE: u32 = 0o120_000;

/// Writes the files; returns the paths that changed.
pub fn apply(build: &Build<'_>, section: &Members) -> Result<Vec<String>, BuildError> {
    if section.is_empty() {
        build.log.debug("No files specified");
    }
    let ordered: BTreeMap<&String, &Value> = section.iter().collect();
    let mut changed = Vec::new();
    for (name, attributes) in ordered {
        build.console.say(format_args!("writing file {name}"));
        let request = FileRequest::parse(build, name, object(attributes, &format!("file {name}"))?)?;
        if request.write(build)? {
            changed.push(name.clone());
        }
    }
    Ok(changed)
}

/// One file as asked for.
struct FileRequest<'v> {
    name: &'v str,
    target: PathBuf,
    attributes: &'v Members,
    /// The mode with its type bits.
    mode: Option<u32>,
    owner: Option<u32>,
    group: Option<u32>,
}

impl<'v> FileRequest<'v> {
    fn parse(build: &Build<'_>, name: &'v str, attributes: &'v Members) -> Result<Self, BuildError> {
        if !name.starts_with('/') {
            return Err(BuildError::Tool(format!("File specified with non-absolute path: {name}")));
        }
        let what = format!("file {name}");
        let mode = optional_text(attributes, "mode", &what)?.map(|text| {
            u32::from_str_radix(text.trim(), 8)
                .map_err(|_| BuildError::Metadata(format!("mode of {what} is not octal: {text:?}")))
        });
        let owner = optional_text(attributes, "owner", &what)?.filter(|owner| !owner.is_empty());
        let group = optional_text(attributes, "group", &what)?.filter(|group| !group.is_empty());
        Ok(Self {
            name,
            target: build.path(name),
            attributes,
            mode: mode.transpose()?,
            owner: owner.map(|owner| uid_of(build.root, &owner)).transpose()?,
            group: group.map(|group| gid_of(build.root, &group)).transpose()?,
        })
    }

    fn is_link(&self) -> bool {
        self.mode.is_some_and(|mode| mode & TYPE_BITS == LINK_TYPE)
    }

    /// Puts the file in place; returns whether anything changed.
    fn write(&self, build: &Build<'_>) -> Result<bool, BuildError> {
        let link_to = self.is_link().then(|| self.link_destination()).transpose()?;
        if let Some(destination) = &link_to
            && fs::read_link(&self.target).is_ok_and(|found| found == Path::new(destination))
        {
            build.log.info(format_args!("Symbolic link {} already exists", self.name));
            return Ok(false);
        }
        self.make_parent(build)?;
        let previous = fs::symlink_metadata(&self.target).ok();
        let new = self.prepare(build, link_to.as_deref())?;
        let kept_mode =
            previous.as_ref().filter(|meta| meta.is_file()).map(|meta| meta.permissions().mode() & 0o7777);
        if link_to.is_none() {
            self.set_mode(build, &new, kept_mode)?;
        }
        if self.owner.is_some() || self.group.is_some() {
            lchown(&new, self.owner, self.group).during(|| self.failed("set the owner of"))?;
        }
        let changed = previous.is_none() || link_to.is_some() || !same_content(&self.target, &new);
        if previous.is_some() && changed {
            let mut backup = self.target.clone().into_os_string();
            backup.push(".bak");
            fs::rename(&self.target, backup).during(|| self.failed("back up"))?;
        }
        fs::rename(&new, &self.target).during(|| self.failed("write"))?;
        Ok(changed)
    }

    fn failed(&self, verb: &str) -> String {
        format!("Could not {verb} {}", self.name)
    }

    fn make_parent(&self, build: &Build<'_>) -> Result<(), BuildError> {
        let parent = self.target.parent().unwrap_or(build.root);
        if parent.is_dir() {
            return Ok(());
        }
        let shown = Path::new(self.name).parent().unwrap_or(Path::new("/")).display();
        if parent.exists() {
            return Err(BuildError::Tool(format!("Parent directory {shown} exists and is a file")));
        }
        build.log.debug(format_args!("Parent directory {shown} does not exist, creating"));
        fs::create_dir_all(parent).during(|| format!("Could not create {shown}"))
    }

    /// Makes the new file beside the old one, so that it appears whole.
    fn prepare(&self, build: &Build<'_>, link_to: Option<&str>) -> Result<PathBuf, BuildError> {
        let mut name = self.target.clone().into_os_string();
        name.push(format!(".cfn-init-{}", std::process::id()));
        let new = PathBuf::from(name);
        let outcome = match link_to {
            Some(destination) => {
                build
                    .log
                    .debug(format_args!("{} is specified as a symbolic link to {destination}", self.name));
                symlink(destination, &new).during(|| self.failed("link"))
            }
            None => self.write_content(build, &new),
        };
        outcome.inspect_err(|_| {
            // It may not have come into being.
            let _ = fs::remove_file(&new);
        })?;
        Ok(new)
    }

    fn write_content(&self, build: &Build<'_>, new: &Path) -> Result<(), BuildError> {
        build.log.debug(format_args!("Writing content to {}", self.name));
        let mut file = File::create(new).during(|| self.failed("write"))?;
        match self.attributes.get("content").filter(|content| !is_falsy(content)) {
            Some(content) => {
                let bytes = self.inline(content)?;
                file.write_all(&bytes).during(|| self.failed("write"))
            }
            None => self.copy_source(build, &mut file),
        }
    }

    fn inline(&self, content: &Value) -> Result<Vec<u8>, BuildError> {
        let Value::String(text) = content else { return Ok(content.to_string().into_bytes()) };
        let what = format!("file {}", self.name);
        match optional_text(self.attributes, "encoding", &what)?.as_deref() {
            Some("base64") => {
                let compact: String = text.split_whitespace().collect();
                STANDARD.decode(compact).map_err(|err| {
                    BuildError::Tool(format!("Malformed base64 in the content of {}: {err}", self.name))
                })
            }
            None | Some("plain") => Ok(self.rendered(text)?.into_bytes()),
            Some(other) => Err(BuildError::Unsupported(format!("The encoding {other:?} of {what}"))),
        }
    }

    fn rendered(&self, text: &str) -> Result<String, BuildError> {
        match self.attributes.get("context") {
            None | Some(Value::Null) => Ok(text.to_owned()),
            Some(context) => mustache::render(text, context).map_err(|err| {
                BuildError::Tool(format!(
                    "Failed to render content of {} as a Mustache template: {err}",
                    self.name
                ))
            }),
        }
    }

    fn copy_source(&self, build: &Build<'_>, file: &mut File) -> Result<(), BuildError> {
        let what = format!("file {}", self.name);
        let source = optional_text(self.attributes, "source", &what)?.filter(|source| !source.is_empty());
        // An empty string as content makes an empty file; cfn-bootstrap refuses it, which helps nobody.
        let Some(source) = source else {
            return match self.attributes.get("content") {
                Some(Value::String(_)) => Ok(()),
                _ => {
                    Err(BuildError::Tool(format!("File specified without source or content: {}", self.name)))
                }
            };
        };
        if !download::is_remote(&source) {
            return Err(BuildError::Unsupported(format!(
                "The source {source:?} of {what} (only http and https)"
            )));
        }
        build.log.debug(format_args!("Retrieving contents from {source}"));
        let identity = optional_text(self.attributes, "authentication", &what)?;
        let mut fetched = download::fetch(build, &source, identity.as_deref())?;
        if self.attributes.get("context").is_some_and(|context| !context.is_null()) {
            let mut text = String::new();
            fetched.read_to_string(&mut text).during(|| format!("{source} is not text"))?;
            return file.write_all(self.rendered(&text)?.as_bytes()).during(|| self.failed("write"));
        }
        io::copy(&mut fetched, file).map(drop).during(|| self.failed("write"))
    }

    fn link_destination(&self) -> Result<String, BuildError> {
        match self.attributes.get("content") {
            Some(Value::String(destination)) if !destination.is_empty() => Ok(destination.clone()),
            _ => Err(BuildError::Tool("Symbolic link specified without a destination".to_owned())),
        }
    }

    /// The mode asked for, else the old file's, else what the umask gives without "others may write".
    fn set_mode(&self, build: &Build<'_>, new: &Path, kept: Option<u32>) -> Result<(), BuildError> {
        let mode = match (self.mode, kept) {
            (Some(mode), _) => mode & 0o7777,
            (None, Some(kept)) => kept,
            (None, None) => {
                let created = fs::metadata(new).during(|| self.failed("read the mode of"))?;
                created.permissions().mode() & 0o775
            }
        };
        build.log.debug(format_args!("Setting mode for {} to {mode:06o}", self.name));
        fs::set_permissions(new, Permissions::from_mode(mode)).during(|| self.failed("set the mode of"))
    }
}

fn uid_of(root: &Path, name: &str) -> Result<u32, BuildError> {
    let found = accounts::user(root, name).during(|| "cannot read /etc/passwd".to_owned())?;
    found.map(|user| user.uid).ok_or_else(|| BuildError::Tool(format!("{name} is not a valid user name")))
}

fn gid_of(root: &Path, name: &str) -> Result<u32, BuildError> {
    let found = accounts::group(root, name).during(|| "cannot read /etc/group".to_owned())?;
    found.map(|group| group.gid).ok_or_else(|| BuildError::Tool(format!("{name} is not a valid group name")))
}

fn same_content(one: &Path, other: &Path) -> bool {
    let both_files =
        [one, other].iter().all(|path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()));
    both_files && matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
