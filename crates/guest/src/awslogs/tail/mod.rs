//! Following log files: finding them, knowing them again, reading them, cutting them into events.
//!
//! Files are looked at by polling. What a look costs is a `stat` a file, so a thousand files cost a millisecond a
//! second; the service is sent to every five seconds at the earliest, so being told of each change at once (inotify)
//! would gain nothing, and it does not work on every file system.

pub mod discover;
pub mod fingerprint;
pub mod lines;
pub mod trail;
pub mod window;
