//! Copying by the remote `scp` program, as Packer does by default.
//!
//! The program is started with `-t` (to receive) or `-f` (to send) and is talked to over its standard streams: a line
//! says what comes (`C0644 LENGTH NAME` for a file, `D0755 0 NAME` for a directory, `E` for its end), the bytes follow,
//! and each side answers with a zero byte, or with 1 or 2 and a line that says what is wrong.

mod dialogue;
mod download;
mod upload;

pub(super) use download::{download, download_dir};
pub(super) use upload::{upload, upload_dir};

use crate::quote;

/// The longest line that the other end may send: a path of the greatest length, with mode and length before it.
const MAX_LINE: usize = 8 << 10;

/// The command that receives one file under a path. Into a directory, when there is one of that path, as in Packer.
pub(super) fn receive_file(path: &str) -> String {
    format!("scp -t -- {}", quote::path(path))
}

/// The command that receives a directory.
pub(super) fn receive_dir(destination: &str, source: &str) -> String {
    // Without a slash at the end of the source, a destination that is not there becomes the copy, as in Packer. With
    // one, the content would be copied over a single file of that name; so the directory is insisted on (`-d`).
    let directory = if source.ends_with('/') { "-d " } else { "" };
    format!("scp -r {directory}-t -- {}", quote::path(destination))
}

/// The command that sends one file.
pub(super) fn send_file(path: &str) -> String {
    format!("scp -f -- {}", quote::path(path))
}

/// The command that sends directories; `*`, `?` and `[…]` in the name choose them.
pub(super) fn send_dir(path: &str) -> String {
    format!("scp -r -f -- {}", quote::pattern(path))
}
