//! From there to here.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::io::AsyncWrite;

use super::dialogue::{Dialogue, ScpError};
use crate::ssh::exec::Remote;

/// Copies one file into `sink`. `remote` runs [`super::send_file`].
pub(in crate::ssh) async fn download(
    remote: &mut Remote,
    sink: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<(), ScpError> {
    let mut dialogue = Dialogue::new(remote);
    dialogue.say(&b"\0"[..]).await?;
    let Some((kind, rest)) = dialogue.next().await? else {
        return Err(ScpError::Said("nothing was sent".to_owned()));
    };
    if kind != b'C' {
        return Err(ScpError::Said("it is a directory".to_owned()));
    }
    let header = Header::parse(&rest)?;
    content(&mut dialogue, header.length, sink, "the local file").await?;
    dialogue.finish().await
}

/// Copies directories (and files) into a local directory. `remote` runs [`super::send_dir`].
pub(in crate::ssh) async fn download_dir(remote: &mut Remote, destination: &Path) -> Result<(), ScpError> {
    let mut dialogue = Dialogue::new(remote);
    let mut here = vec![destination.to_owned()];
    dialogue.say(&b"\0"[..]).await?;
    while let Some((kind, rest)) = dialogue.next().await? {
        match kind {
            b'C' => receive_file(&mut dialogue, current(&here)?, &rest).await?,
            b'D' => {
                let header = Header::parse(&rest)?;
                let path = current(&here)?.join(header.name()?);
                make_dir(&path, header.mode)?;
                here.push(path);
                dialogue.say(&b"\0"[..]).await?;
            }
            b'E' if here.len() > 1 => {
                here.pop();
                dialogue.say(&b"\0"[..]).await?;
            }
            _ => return Err(ScpError::Unexpected(String::from_utf8_lossy(&rest).into_owned())),
        }
    }
    dialogue.finish().await
}

fn current(here: &[PathBuf]) -> Result<&Path, ScpError> {
    // The first directory is never left.
    here.last().map(PathBuf::as_path).ok_or_else(|| ScpError::Unexpected("E".to_owned()))
}

async fn receive_file(dialogue: &mut Dialogue<'_>, directory: &Path, rest: &[u8]) -> Result<(), ScpError> {
    let header = Header::parse(rest)?;
    let path = directory.join(header.name()?);
    let shown = path.display().to_string();
    let local = |source| ScpError::Local { path: shown.clone(), source };
    let file = fs::File::create(&path).map_err(local)?;
    file.set_permissions(Permissions::from_mode(header.mode)).map_err(local)?;
    content(dialogue, header.length, &mut tokio::fs::File::from_std(file), &shown).await
}

async fn content(
    dialogue: &mut Dialogue<'_>,
    length: u64,
    sink: &mut (dyn AsyncWrite + Send + Unpin),
    path: &str,
) -> Result<(), ScpError> {
    dialogue.say(&b"\0"[..]).await?;
    dialogue.take(length, sink, path).await?;
    dialogue.answer().await?;
    dialogue.say(&b"\0"[..]).await
}

fn make_dir(path: &Path, mode: u32) -> Result<(), ScpError> {
    let local = |source| ScpError::Local { path: path.display().to_string(), source };
    if !path.is_dir() {
        fs::create_dir_all(path).map_err(local)?;
    }
    // Its files come next, whatever its own bits say.
    fs::set_permissions(path, Permissions::from_mode(mode | 0o700)).map_err(local)
}

/// `MODE LENGTH NAME` of a file or directory.
#[derive(Debug, PartialEq, Eq)]
struct Header<'a> {
    mode: u32,
    length: u64,
    name: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, ScpError> {
        let parse = || {
            let mut fields = line.splitn(3, |byte| *byte == b' ');
            let mode = u32::from_str_radix(str::from_utf8(fields.next()?).ok()?, 8).ok()?;
            let length = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            // Never set-user-ID and the like on this side.
            Some(Self { mode: mode & 0o777, length, name: fields.next()? })
        };
        parse().ok_or_else(|| ScpError::Unexpected(String::from_utf8_lossy(line).into_owned()))
    }

    /// The name, when it stays inside the directory that it is for.
    fn name(&self) -> Result<&'a OsStr, ScpError> {
        match self.name {
            b"" | b"." | b".." => Err(self.outside()),
            name if name.contains(&b'/') => Err(self.outside()),
            name => Ok(OsStr::from_bytes(name)),
        }
    }

    fn outside(&self) -> ScpError {
        ScpError::Unexpected(format!("the file name {}", String::from_utf8_lossy(self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_bad_ones_refused() {
        let header = Header::parse(b"0644 12 a b").expect("a header");
        assert_eq!(header, Header { mode: 0o644, length: 12, name: b"a b" });
        assert_eq!(Header::parse(b"4755 0 su").expect("a header").mode, 0o755);
        for bad in [&b""[..], b"0644", b"0644 12", b"0849 1 a", b"0644 -1 a", b"0644 x a"] {
            assert!(Header::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn names_stay_inside() {
        for bad in ["..", ".", "", "a/b", "/etc/passwd"] {
            assert!(Header { mode: 0, length: 0, name: bad.as_bytes() }.name().is_err(), "{bad:?}");
        }
        assert!(Header { mode: 0, length: 0, name: b"..." }.name().is_ok());
    }
}
