//! What a killed daemon left behind.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::NspawnDriver;
use crate::driver::{Driver, Leftover};
use crate::error::{DriverError, OsError};
use crate::volumes::loopdev;

impl NspawnDriver {
    pub(super) fn find_leftovers(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        let own = |source| DriverError::Os { id: "*".to_owned(), source };
        let mut found = Vec::new();
        for instance in self.unkept(keep).map_err(own)? {
            let (group, dir) = (self.group(&instance), self.dir(&instance));
            let processes = group.processes().into_iter();
            found.extend(processes.map(|pid| Leftover::Process { instance: instance.clone(), pid }));
            found.extend(group.directories().into_iter().map(|path| Leftover::Cgroup { path }));
            if dir.exists() {
                found.push(Leftover::Directory { path: dir.path().to_owned(), instance });
            }
        }
        found.extend(
            self.unkept_loops(keep)?
                .into_iter()
                .map(|bound| Leftover::Loop { device: loopdev::node(bound.index), file: bound.file }),
        );
        let mounts = self.unkept_mounts(keep).map_err(own)?;
        found.extend(mounts.into_iter().map(|target| Leftover::Mount { target }));
        found.sort();
        Ok(found)
    }

    pub(super) async fn remove_leftovers(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        let own = |source| DriverError::Os { id: "*".to_owned(), source };
        let found = self.find_leftovers(keep)?;
        let mut failure = None;
        for instance in self.unkept(keep).map_err(own)? {
            // One that cannot be removed must not keep the others.
            if let Err(error) = self.destroy(&instance).await {
                tracing::warn!(instance, %error, "cannot remove a leftover");
                failure.get_or_insert(error);
            }
        }
        for target in self.unkept_mounts(keep).map_err(own)? {
            umount2(&target, MntFlags::MNT_DETACH).map_err(OsError::of("unmount", target)).map_err(own)?;
        }
        for bound in self.unkept_loops(keep)? {
            loopdev::clear(bound.index).map_err(own)?;
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(found),
        }
    }

    /// Instances that have anything and are not to be kept.
    fn unkept(&self, keep: &[String]) -> Result<Vec<String>, OsError> {
        let mut all = directories(&self.0.instances)?;
        all.extend(self.0.forest.instances()?);
        all.sort();
        all.dedup();
        all.retain(|id| !keep.contains(id));
        Ok(all)
    }

    fn unkept_loops(&self, keep: &[String]) -> Result<Vec<loopdev::Bound>, DriverError> {
        let mut kept = Vec::new();
        for id in keep {
            kept.extend(
                self.dir(id).read_record(id)?.map(|record| record.volume_files()).unwrap_or_default(),
            );
        }
        let all = loopdev::list().map_err(|source| DriverError::Os { id: "*".to_owned(), source })?;
        Ok(all.into_iter().filter(|b| b.file.starts_with(&self.0.state) && !kept.contains(&b.file)).collect())
    }

    /// Mounts that the host sees below instances' directories: this driver makes none, another program may have.
    fn unkept_mounts(&self, keep: &[String]) -> Result<Vec<PathBuf>, OsError> {
        let list = Path::new("/proc/self/mountinfo");
        let mounts = fs::read_to_string(list).map_err(OsError::of("read", list))?;
        let targets = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
        let below = targets.filter(|t| t.starts_with(&self.0.instances));
        Ok(below.filter(|t| !keep.iter().any(|id| t.starts_with(self.0.instances.join(id)))).collect())
    }
}

/// The names of the directories in `dir`.
pub(super) fn directories(dir: &Path) -> Result<Vec<String>, OsError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(OsError::of("list", dir))? {
        let entry = entry.map_err(OsError::of("list", dir))?;
        if let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string())
            && kind.is_dir()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
