//! The few system calls that no crate in use wraps safely. All `unsafe` of this crate is here.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const LOOP_SET_STATUS_NAME: usize = 64;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

nix::ioctl_none_bad!(loop_clr_fd, 0x4C01);
nix::ioctl_none_bad!(loop_set_capacity, 0x4C07);
nix::ioctl_none_bad!(loop_ctl_get_free, 0x4C82);
nix::ioctl_write_ptr_bad!(loop_configure, 0x4C0A, LoopConfig);
nix::ioctl_readwrite!(fifreeze, b'X', 119, libc::c_int);
nix::ioctl_readwrite!(fithaw, b'X', 120, libc::c_int);
nix::ioctl_readwrite!(fitrim, b'X', 121, TrimRange);

/// `struct fstrim_range` of `linux/fs.h`, in bytes.
#[repr(C)]
pub struct TrimRange {
    start: u64,
    length: u64,
    at_least: u64,
}

/// `struct loop_info64` of `linux/loop.h`.
#[repr(C)]
pub struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; LOOP_SET_STATUS_NAME],
    crypt_name: [u8; LOOP_SET_STATUS_NAME],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of `linux/loop.h`.
#[repr(C)]
pub struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

/// The index of a loop device that was free when the kernel looked; it is made if there is none.
pub(crate) fn free_loop(control: &File) -> Result<u32, Errno> {
    // SAFETY: the request takes no argument and `control` is an open descriptor.
    let index = unsafe { loop_ctl_get_free(control.as_raw_fd()) }?;
    u32::try_from(index).map_err(|_| Errno::EINVAL)
}

/// Puts `file` behind `device`, to be taken away again when the device's last user closes it.
pub(crate) fn bind_loop(device: &File, file: &File) -> Result<(), Errno> {
    // SAFETY: the structure is plain integers, for which all zeroes is a valid value.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = u32::try_from(file.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    config.info.flags = LO_FLAGS_AUTOCLEAR;
    // SAFETY: `config` has the layout the kernel expects and outlives the call, which only reads it.
    unsafe { loop_configure(device.as_raw_fd(), &raw const config) }.map(drop)
}

/// Takes the file away from `device`, now or when its last user closes it.
pub(crate) fn clear_loop(device: &File) -> Result<(), Errno> {
    // SAFETY: the request takes no argument and `device` is an open descriptor.
    unsafe { loop_clr_fd(device.as_raw_fd()) }.map(drop)
}

/// Makes `device` as large as its file is now.
pub(crate) fn refresh_loop(device: &File) -> Result<(), Errno> {
    // SAFETY: the request takes no argument and `device` is an open descriptor.
    unsafe { loop_set_capacity(device.as_raw_fd()) }.map(drop)
}

/// Writes the file system that `directory` is in out and makes whoever wants to write to it wait.
pub(crate) fn freeze(directory: &File) -> Result<(), Errno> {
    let mut ignored = 0;
    // SAFETY: the kernel ignores the argument, which outlives the call.
    unsafe { fifreeze(directory.as_raw_fd(), &raw mut ignored) }.map(drop)
}

/// Undoes [`freeze`].
pub(crate) fn thaw(directory: &File) -> Result<(), Errno> {
    let mut ignored = 0;
    // SAFETY: the kernel ignores the argument, which outlives the call.
    unsafe { fithaw(directory.as_raw_fd(), &raw mut ignored) }.map(drop)
}

/// Tells the device of the file system that `directory` is in which blocks hold nothing.
pub(crate) fn trim(directory: &File) -> Result<(), Errno> {
    let mut range = TrimRange { start: 0, length: u64::MAX, at_least: 0 };
    // SAFETY: `range` has the layout the kernel expects and outlives the call.
    unsafe { fitrim(directory.as_raw_fd(), &raw mut range) }.map(drop)
}

/// A descriptor that stands for one process, whatever becomes of its number.
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integer arguments.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just given this descriptor to us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a signal to the process that `pidfd` stands for. Real-time signals are allowed.
pub(crate) fn signal(pidfd: &OwnedFd, number: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means what kill(2) would send.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, no_info, 0) };
    Errno::result(sent)?;
    Ok(())
}

/// The number of the n-th real-time signal, as C libraries (and so systemd) count.
pub(crate) fn realtime_signal(n: i32) -> i32 {
    libc::SIGRTMIN() + n
}

/// Watches a file for the kernel's out-of-band notices (`POLLPRI`), as cgroup files give them.
pub(crate) fn watch_priority(file: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` owns one open descriptor, the same one until it is dropped with the `AsyncFd`.
    unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) }.map_err(io::Error::from)
}
