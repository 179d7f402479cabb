//! Users and groups, read from `/etc/passwd` and `/etc/group`.
//!
//! The files are read directly because `getpwnam` in a static glibc binary loads NSS modules of the instance's own
//! glibc, which need not be the one this binary was built with.

use std::fs;
use std::io;
use std::path::Path;

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Numeric user id.
    pub uid: u32,
    /// Home directory.
    pub home: String,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Group name.
    pub name: String,
    /// Numeric group id.
    pub gid: u32,
    /// Users for whom this is a supplementary group.
    pub members: Vec<String>,
}

/// The user called `name` in the system rooted at `root`.
pub fn user(root: &Path, name: &str) -> io::Result<Option<User>> {
    Ok(lines(&root.join("etc/passwd"))?
        .iter()
        .filter_map(|line| parse_user(line))
        .find(|user| user.name == name))
}

/// The user whose id is `uid`.
pub fn user_by_id(root: &Path, uid: u32) -> io::Result<Option<User>> {
    Ok(lines(&root.join("etc/passwd"))?
        .iter()
        .filter_map(|line| parse_user(line))
        .find(|user| user.uid == uid))
}

/// Every group, in the file's order.
pub fn groups(root: &Path) -> io::Result<Vec<Group>> {
    Ok(lines(&root.join("etc/group"))?.iter().filter_map(|line| parse_group(line)).collect())
}

/// The group called `name`.
pub fn group(root: &Path, name: &str) -> io::Result<Option<Group>> {
    Ok(groups(root)?.into_iter().find(|group| group.name == name))
}

fn lines(path: &Path) -> io::Result<Vec<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(err) => Err(err),
    }
}

fn parse_user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, _, _, home, ..] = fields[..] else { return None };
    Some(User { name: name.to_owned(), uid: uid.parse().ok()?, home: home.to_owned() })
}

fn parse_group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members, ..] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some(Group { name: name.to_owned(), gid: gid.parse().ok()?, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_name_and_broken_ones_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd =
            "broken\nroot:x:0:0:root:/root:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\n";
        fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        fs::write(dir.path().join("etc/group"), "docker:x:998:ec2-user,ops\nempty:x:5:\n").unwrap();

        let ec2_user = user(dir.path(), "ec2-user").unwrap().unwrap();
        assert_eq!((ec2_user.uid, ec2_user.home.as_str()), (1000, "/home/ec2-user"));
        assert_eq!(user_by_id(dir.path(), 0).unwrap().unwrap().name, "root");
        assert_eq!(group(dir.path(), "docker").unwrap().unwrap().members, ["ec2-user", "ops"]);
        assert_eq!(group(dir.path(), "nobody").unwrap(), None);
    }
}
