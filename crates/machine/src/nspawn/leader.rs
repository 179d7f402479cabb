//! An instance's init, as the host sees it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::cgroup::Cgroup;
use crate::sys;

/// What systemd as init does when it is told to (systemd(1), "Signals").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    PowerOff,
    Reboot,
}

impl Request {
    fn signal(self) -> i32 {
        match self {
            Self::PowerOff => sys::realtime_signal(4),
            Self::Reboot => sys::realtime_signal(5),
        }
    }
}

/// The process id of the instance's init, once that runs.
pub(super) fn find(group: &Cgroup) -> Option<i32> {
    group.machine_processes().into_iter().find(|pid| is_init(*pid))
}

/// Asks the instance's init for something. Says `false` when there is no init to ask.
pub(super) fn ask(group: &Cgroup, request: Request) -> io::Result<bool> {
    let Some(pid) = find(group) else { return Ok(false) };
    let Some(process) = pin(group, pid)? else { return Ok(false) };
    match sys::signal(&process, request.signal()) {
        Err(e) if is_gone(&e) => Ok(false),
        sent => sent.map(|()| true),
    }
}

/// Tells the keeper to read its list of devices again.
pub(super) fn nudge_keeper(group: &Cgroup, keeper: i32) -> io::Result<()> {
    let process = sys::pidfd(keeper)?;
    // The number could have been used again before it was pinned.
    if group.keeper() != Some(keeper) {
        return Ok(());
    }
    sys::signal(&process, nix::libc::SIGUSR1)
}

/// Makes sure that the number still means the instance's init, and goes on meaning it.
fn pin(group: &Cgroup, pid: i32) -> io::Result<Option<OwnedFd>> {
    match sys::pidfd(pid) {
        Ok(process) => Ok((find(group) == Some(pid)).then_some(process)),
        Err(e) if is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::libc::ESRCH)
}

/// Whether a process is the first of a pid namespace directly below ours, and is no longer nspawn on its way there.
fn is_init(pid: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let Ok(program) = fs::read_link(format!("/proc/{pid}/exe")) else { return false };
    is_first_of_child_namespace(&status) && program.file_name() != Path::new("/systemd-nspawn").file_name()
}

fn is_first_of_child_namespace(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    matches!(numbers[..], [_, "1"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_init_from_others() {
        for (status, expected) in [
            ("Name:\tsystemd\nNSpid:\t812\t1\n", true),
            ("Name:\tsleep\nNSpid:\t813\t7\n", false),
            ("Name:\tin a container inside\nNSpid:\t814\t90\t1\n", false),
            ("Name:\ton the host\nNSpid:\t815\n", false),
            ("", false),
        ] {
            assert_eq!(is_first_of_child_namespace(status), expected, "{status:?}");
        }
    }
}
