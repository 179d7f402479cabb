//! From here to there.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::dialogue::{Dialogue, ScpError};
use crate::ssh::{
    exec::Remote,
    walk::{Item, Step, Walk, WalkError},
};

/// Bytes per message: the largest packet that every server takes.
const CHUNK: usize = 32 << 10;

/// Copies one file. `remote` runs [`super::receive_file`].
pub(in crate::ssh) async fn upload(
    remote: &mut Remote,
    path: &str,
    content: &mut (dyn AsyncRead + Send + Unpin),
    length: u64,
    mode: u32,
) -> Result<(), ScpError> {
    let mut dialogue = Dialogue::new(remote);
    dialogue.answer().await?;
    // The name counts only when the path is a directory's. Then a name that cannot be said is an error there.
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = if name.is_empty() || name.contains('\n') { "file" } else { name };
    file(&mut dialogue, name.as_bytes(), content, length, mode, path).await?;
    dialogue.finish().await
}

/// Copies a directory. `remote` runs [`super::receive_dir`].
pub(in crate::ssh) async fn upload_dir(remote: &mut Remote, source: &str) -> Result<(), ScpError> {
    let mut dialogue = Dialogue::new(remote);
    dialogue.answer().await?;
    let mut walk = Walk::new(Path::new(source), !source.ends_with('/'))?;
    while let Some(step) = walk.step()? {
        match step {
            Step::Enter(item) => {
                say(&mut dialogue, &format!("D{:04o} 0 ", item.mode), name(&item.name)?).await?;
                dialogue.answer().await?;
            }
            Step::File(item) => local_file(&mut dialogue, &item).await?,
            Step::Leave => {
                dialogue.say("E\n").await?;
                dialogue.answer().await?;
            }
        }
    }
    dialogue.finish().await
}

async fn local_file(dialogue: &mut Dialogue<'_>, item: &Item) -> Result<(), ScpError> {
    let unreadable = |source| ScpError::Local { path: item.path.display().to_string(), source };
    let open = fs::File::open(&item.path).map_err(unreadable)?;
    let length = open.metadata().map_err(unreadable)?.len();
    let mut content = tokio::fs::File::from_std(open);
    let path = item.path.display().to_string();
    file(dialogue, name(&item.name)?, &mut content, length, item.mode, &path).await
}

async fn file(
    dialogue: &mut Dialogue<'_>,
    name: &[u8],
    content: &mut (dyn AsyncRead + Send + Unpin),
    length: u64,
    mode: u32,
    path: &str,
) -> Result<(), ScpError> {
    say(dialogue, &format!("C{mode:04o} {length} "), name).await?;
    dialogue.answer().await?;
    let mut content = content.take(length);
    let mut missing = length;
    while missing > 0 {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = content
            .read_buf(&mut chunk)
            .await
            .map_err(|source| ScpError::Local { path: path.to_owned(), source })?;
        if read == 0 {
            return Err(ScpError::Short { length, missing });
        }
        missing -= read as u64;
        dialogue.say(chunk.freeze()).await?;
    }
    dialogue.say(&b"\0"[..]).await?;
    dialogue.answer().await
}

async fn say(dialogue: &mut Dialogue<'_>, head: &str, name: &[u8]) -> Result<(), ScpError> {
    let mut line = BytesMut::new();
    line.put_slice(head.as_bytes());
    line.put_slice(name);
    line.put_u8(b'\n');
    dialogue.say(line.freeze()).await
}

/// A name as the protocol has it. Its lines end at a newline.
fn name(name: &OsStr) -> Result<&[u8], ScpError> {
    match name.as_bytes() {
        bytes if bytes.contains(&b'\n') => Err(ScpError::Name(name.to_string_lossy().into_owned())),
        bytes => Ok(bytes),
    }
}

impl From<WalkError> for ScpError {
    fn from(error: WalkError) -> Self {
        Self::Local { path: error.path(), source: error.into() }
    }
}
