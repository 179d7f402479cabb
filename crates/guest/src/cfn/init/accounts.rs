//! The `groups` and `users` sections.

use super::build::Build;
use super::error::{BuildError, IoContext};
use super::values::{Members, object, optional_text, texts};
use crate::accounts::{self, User};
use crate::runner::Spec;
use std::collections::{BTreeMap, BTreeSet};

/// Creates groups; returns the names of those created.
pub fn apply_groups(build: &Build<'_>, section: &Members) -> Result<Vec<String>, BuildError> {
    let ordered: BTreeMap<_, _> = section.iter().collect();
    let mut created = Vec::new();
    for (name, attributes) in ordered {
        let gid = match attributes.as_object() {
            Some(members) => optional_text(members, "gid", &format!("group {name}"))?,
            // A group without attributes may be written as null or as an empty list.
            None => None,
        };
        if create_group(build, name, gid.as_deref())? {
            created.push(name.clone());
        }
    }
    Ok(created)
}

fn create_group(build: &Build<'_>, name: &str, gid: Option<&str>) -> Result<bool, BuildError> {
    let existing = accounts::group(build.root, name).during(|| "cannot read /etc/group".to_owned())?;
    if let Some(group) = existing {
        return match gid {
            Some(gid) if gid != group.gid.to_string() => Err(BuildError::Tool(format!(
                "Group {name} exists with gid {}, but gid {gid} was requested",
                group.gid
            ))),
            _ => {
                build.log.debug(format_args!("Group {name} already exists"));
                Ok(false)
            }
        };
    }
    let mut argv = vec!["/usr/sbin/groupadd", "-r"];
    argv.extend(gid.iter().flat_map(|gid| ["-g", gid]));
    argv.push(name);
    run(build, &argv, &format!("Failed to create group {name}"))?;
    build.log.info(format_args!("Created group {name} successfully"));
    Ok(true)
}

/// Creates or changes users; returns the names of those touched.
pub fn apply_users(build: &Build<'_>, section: &Members) -> Result<Vec<String>, BuildError> {
    let ordered: BTreeMap<_, _> = section.iter().collect();
    let mut touched = Vec::new();
    for (name, attributes) in ordered {
        let what = format!("user {name}");
        let attributes = object(attributes, &what)?;
        let wanted = Wanted {
            name,
            uid: optional_text(attributes, "uid", &what)?,
            home: optional_text(attributes, "homeDir", &what)?.filter(|home| !home.is_empty()),
            groups: match attributes.get("groups") {
                None => Vec::new(),
                Some(groups) => texts(groups).ok_or_else(|| {
                    BuildError::Metadata(format!("groups of {what} must be a list of names"))
                })?,
            },
        };
        let existing = accounts::user(build.root, name).during(|| "cannot read /etc/passwd".to_owned())?;
        let changed = match existing {
            Some(user) => wanted.modify(build, &user)?,
            None => wanted.create(build)?,
        };
        if changed {
            touched.push(name.clone());
        }
    }
    Ok(touched)
}

/// A user as asked for.
struct Wanted<'v> {
    name: &'v str,
    uid: Option<String>,
    home: Option<String>,
    groups: Vec<String>,
}

impl Wanted<'_> {
    fn group_ids(&self, build: &Build<'_>) -> Result<Vec<String>, BuildError> {
        let find = |name: &String| {
            let found = accounts::group(build.root, name).during(|| "cannot read /etc/group".to_owned())?;
            let group = found.ok_or_else(|| BuildError::Tool(format!("{name} is not a valid group name")))?;
            Ok(group.gid.to_string())
        };
        self.groups.iter().map(find).collect()
    }

    fn create(&self, build: &Build<'_>) -> Result<bool, BuildError> {
        let groups = self.group_ids(build)?.join(",");
        let mut argv = vec!["/usr/sbin/useradd", "-M", "-r", "--shell", "/sbin/nologin"];
        argv.extend(self.home.iter().flat_map(|home| ["-d", home]));
        argv.extend(self.uid.iter().flat_map(|uid| ["-u", uid]));
        if !groups.is_empty() {
            argv.extend(["-G", &groups]);
        }
        argv.push(self.name);
        run(build, &argv, &format!("Failed to add user {}", self.name))?;
        build.log.info(format_args!("Added user {} successfully", self.name));
        Ok(true)
    }

    fn modify(&self, build: &Build<'_>, user: &User) -> Result<bool, BuildError> {
        let name = self.name;
        if let Some(uid) = self.uid.as_ref().filter(|uid| **uid != user.uid.to_string()) {
            return Err(BuildError::Tool(format!(
                "User {name} exists with uid {}, but uid {uid} was requested",
                user.uid
            )));
        }
        let groups = self.group_ids(build)?;
        let joined = groups.join(",");
        let mut argv = vec!["/usr/sbin/usermod"];
        if !groups.is_empty() && !self.is_member_of(build, &groups)? {
            argv.extend(["-G", &joined]);
        }
        argv.extend(self.home.iter().filter(|home| **home != user.home).flat_map(|home| ["-d", home]));
        if argv.len() == 1 {
            build.log.debug(format_args!("User {name} does not need modification"));
            return Ok(false);
        }
        argv.push(name);
        run(build, &argv, &format!("Failed to modify user {name}"))?;
        build.log.info(format_args!("Modified user {name} successfully"));
        Ok(true)
    }

    fn is_member_of(&self, build: &Build<'_>, groups: &[String]) -> Result<bool, BuildError> {
        let all = accounts::groups(build.root).during(|| "cannot read /etc/group".to_owned())?;
        let current: BTreeSet<String> = all
            .iter()
            .filter(|group| group.members.iter().any(|member| member == self.name))
            .map(|group| group.gid.to_string())
            .collect();
        Ok(current == groups.iter().cloned().collect())
    }
}

fn run(build: &Build<'_>, argv: &[&str], failure: &str) -> Result<(), BuildError> {
    let (code, output) = build.runner.output(&Spec::new(argv)).during(|| failure.to_owned())?;
    if code == 0 {
        return Ok(());
    }
    build.log.error(format_args!("{failure}. Output: {output}"));
    Err(BuildError::ToolFailed { message: failure.to_owned(), code })
}
