//! An instance's init, as the host sees it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

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

/// How often it is looked whether an init can hear: nobody tells.
const HEARING_PAUSE: Duration = Duration::from_millis(5);

/// The process id of the instance's init, once that runs.
pub(super) fn find(group: &Cgroup) -> Option<i32> {
    group.machine_processes().into_iter().find(|pid| is_init(*pid))
}

/// Asks the instance's init for something, as soon as it can hear. Says `false` when there is none to ask (any more).
///
/// An init drops signals until it has said that it wants them, which systemd does some milliseconds after its start.
pub(super) async fn ask(group: &Cgroup, request: Request) -> io::Result<bool> {
    while let Some(pid) = find(group) {
        let Some(process) = pin(group, pid)? else { return Ok(false) };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        if hears(&status, request.signal()) {
            return match sys::signal(&process, request.signal()) {
                Err(e) if is_gone(&e) => Ok(false),
                sent => sent.map(|()| true),
            };
        }
        tokio::time::sleep(HEARING_PAUSE).await;
    }
    Ok(false)
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

/// Whether a process catches a signal, or blocks it to read it from a signalfd (proc_pid_status(5): bit n-1 is signal n).
fn hears(status: &str, signal: i32) -> bool {
    ["SigBlk:", "SigCgt:"].iter().any(|field| {
        let set = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        u64::from_str_radix(set.trim(), 16).is_ok_and(|set| set & (1 << (signal - 1)) != 0)
    })
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

    #[test]
    fn tells_who_hears_a_signal() {
        let (none, blocked, caught) = (
            "SigBlk:\t0000000000000000\nSigCgt:\t0000000000000000",
            "SigBlk:\t0000003000000000\n",
            "SigCgt:\t4000000000",
        );
        for (status, signal, expected) in [
            (none, 38, false),
            (blocked, 37, true),
            (blocked, 38, true),
            (blocked, 39, false),
            (caught, 39, true),
            ("", 38, false),
        ] {
            assert_eq!(hears(status, signal), expected, "{status:?} {signal}");
        }
    }
}
