//! `file`: copies files and directories, to the machine or from it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use packer_template::config::{Direction, File};
use tokio_util::sync::CancellationToken;

use super::{ProvisionError, lines::Discard};
use crate::{
    communicator::{Communicator, Exit},
    quote,
    ui::Ui,
};

/// Copies every source. Relative paths of this side count from `folder`.
///
/// # Errors
/// A file that cannot be read or written, on either side; a lost connection; cancellation.
pub async fn run(
    config: &File,
    folder: &Path,
    communicator: &dyn Communicator,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    for source in &config.sources {
        if cancel.is_cancelled() {
            return Err(ProvisionError::Cancelled);
        }
        let (doing, copied) = match config.direction {
            Direction::Upload => {
                ui.say(&format!("Uploading {source} => {}", config.destination));
                ("Upload", upload(source, &config.destination, folder, communicator, cancel).await)
            }
            Direction::Download => {
                ui.say(&format!("Downloading {source} => {}", config.destination));
                ("Download", download(source, &config.destination, folder, communicator, cancel).await)
            }
        };
        if let Err(error) = &copied
            && !matches!(error, ProvisionError::Cancelled)
        {
            ui.error(&format!("{doing} failed: {error}"));
        }
        copied?;
    }
    Ok(())
}

async fn upload(
    source: &str,
    destination: &str,
    folder: &Path,
    communicator: &dyn Communicator,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    // Joining keeps a slash at the end, which the directory's copy depends on.
    let path = folder.join(source);
    let unreadable = |source| ProvisionError::Local { path: path.clone(), source };
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    if metadata.is_dir() {
        let text = path.to_str().ok_or_else(|| not_text(&path))?;
        return Ok(until_cancelled(cancel, communicator.upload_dir(destination, text)).await?);
    }
    let name = path.file_name().unwrap_or_default().to_str().ok_or_else(|| not_text(&path))?;
    let target = target(destination, name, communicator, cancel).await?;
    let open = fs::File::open(&path).map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o777;
    let mut content = tokio::fs::File::from_std(open);
    Ok(until_cancelled(cancel, communicator.upload(&target, &mut content, metadata.len(), mode)).await?)
}

/// The path under which a file is put. A directory takes it under its own name: one that the template marks by a slash
/// at the end, or one that is found on the machine.
async fn target(
    destination: &str,
    name: &str,
    communicator: &dyn Communicator,
    cancel: &CancellationToken,
) -> Result<String, ProvisionError> {
    if destination.ends_with('/') {
        return Ok(format!("{destination}{name}"));
    }
    let command = format!("test -d {}", quote::path(destination));
    let exit = until_cancelled(cancel, communicator.run(&command, &Discard)).await?;
    Ok(match exit {
        Exit::Code(0) => format!("{destination}/{name}"),
        _ => destination.to_owned(),
    })
}

async fn download(
    source: &str,
    destination: &str,
    folder: &Path,
    communicator: &dyn Communicator,
    cancel: &CancellationToken,
) -> Result<(), ProvisionError> {
    let mut path = folder.join(destination);
    let into_dir = destination.ends_with('/');
    let directory = if into_dir { path.clone() } else { path.parent().unwrap_or(&path).to_owned() };
    fs::create_dir_all(&directory).map_err(|source| ProvisionError::Local { path: directory, source })?;
    if source.ends_with('/') || source.contains(['*', '?', '[']) {
        return Ok(until_cancelled(cancel, communicator.download_dir(source, &path)).await?);
    }
    if into_dir {
        path.push(source.rsplit('/').next().unwrap_or_default());
    }
    let file =
        fs::File::create(&path).map_err(|source| ProvisionError::Local { path: path.clone(), source })?;
    let mut sink = tokio::fs::File::from_std(file);
    Ok(until_cancelled(cancel, communicator.download(source, &mut sink)).await?)
}

/// A communicator stops when its build is cancelled; a step may have to stop earlier, at its timeout.
async fn until_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, crate::communicator::CommunicatorError>>,
) -> Result<T, crate::communicator::CommunicatorError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(crate::communicator::CommunicatorError::Cancelled),
        result = work => result,
    }
}

fn not_text(path: &Path) -> ProvisionError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the name is not UTF-8");
    ProvisionError::Local { path: PathBuf::from(path), source }
}
