//! The post-processor `compress`: one archive or compressed file of what was built.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;
use noodles_bgzf as bgzf;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use packer_template::config::{Archive, Compress, Compression};

use super::Run;
use crate::artifact::Artifact;
use crate::ui::Ui;

/// Packer's builder id of the artifact.
const BUILDER_ID: &str = "packer.post-processor.compress";

/// Why nothing was compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// The template's `output` does not render.
    #[error(transparent)]
    Output(#[from] packer_template::Error),
    /// Only archives hold several files, and an artifact such as an AMI has none.
    #[error("Can only have 1 input file when not using tar/zip. Found {} files: [{}]", .0.len(), .0.join(" "))]
    InputCount(Vec<String>),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the archive; the new artifact is that one file.
///
/// # Errors
/// When a file cannot be read or written, or the form is not supported.
pub(super) fn run(
    config: &Compress,
    artifact: &Artifact,
    run: &Run,
    ui: &dyn Ui,
) -> Result<Artifact, CompressError> {
    let output = config.output.render_with(&run.data, &run.names())?;
    if config.archive.is_none() && artifact.files.len() != 1 {
        return Err(CompressError::InputCount(artifact.files.clone()));
    }
    announce(config, &output, &artifact.files, ui);
    let path = run.resolve(&output);
    let files: Vec<(String, PathBuf)> =
        artifact.files.iter().map(|name| (name.clone(), run.resolve(name))).collect();
    write(&path, &files, config.archive, config.compression, config.compression_level)
        .map_err(|error| error.at(&path))?;
    ui.say(&format!("Archive {output} completed"));
    Ok(Artifact {
        builder_id: BUILDER_ID.to_owned(),
        description: format!("compressed artifacts in: {output}"),
        ..Artifact::of_files(vec![output])
    })
}

fn announce(config: &Compress, output: &str, files: &[String], ui: &dyn Ui) {
    let compression = config.compression.map(name);
    if let Some(compression) = compression {
        ui.say(&format!("Using {compression} compression for {output}"));
    }
    let compression = compression.unwrap_or("no compression");
    match config.archive {
        Some(Archive::Tar) => ui.say(&format!("Tarring {output} with {compression}")),
        Some(Archive::Zip) => ui.say(&format!("Zipping {output}")),
        None => ui.say(&format!("Archiving {} with {compression}", files.join(", "))),
    }
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Bgzf => "bgzf",
        Compression::Lz4 => "lz4",
    }
}

/// The level from 1 to 9; none for the format's own.
fn level(asked: i32) -> Option<u8> {
    u8::try_from(asked).ok().filter(|level| (1..=9).contains(level))
}

/// A failure whose other end is known: what was read, or the archive.
enum Failed {
    Reading(PathBuf, io::Error),
    Writing(io::Error),
}

impl Failed {
    fn at(self, output: &Path) -> CompressError {
        match self {
            Self::Reading(path, source) => CompressError::Read { path, source },
            Self::Writing(source) => CompressError::Write { path: output.to_owned(), source },
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Writing(error)
    }
}

fn write(
    output: &Path,
    files: &[(String, PathBuf)],
    archive: Option<Archive>,
    compression: Option<Compression>,
    level_asked: i32,
) -> Result<(), Failed> {
    fs::create_dir_all(output.parent().unwrap_or(Path::new(".")))?;
    let mut sink = BufWriter::new(File::create(output)?);
    let level = level(level_asked);
    match compression {
        None if archive == Some(Archive::Zip) => zip(files, &mut sink, level)?,
        None => fill(files, archive, &mut sink)?,
        Some(Compression::Gzip) => {
            let level = level.map_or_else(Level::default, |level| Level::new(level.into()));
            let mut encoder = GzEncoder::new(&mut sink, level);
            fill(files, archive, &mut encoder)?;
            encoder.finish()?;
        }
        Some(Compression::Bgzf) => {
            let level = level.and_then(bgzf::io::writer::CompressionLevel::new).unwrap_or_default();
            let builder = bgzf::io::writer::Builder::default().set_compression_level(level);
            let mut encoder = builder.build_from_writer(&mut sink);
            fill(files, archive, &mut encoder)?;
            encoder.finish()?;
        }
        Some(Compression::Lz4) => {
            // Its frames have one level; Packer's is a hint to its library.
            let mut encoder = FrameEncoder::new(&mut sink);
            fill(files, archive, &mut encoder)?;
            encoder.finish().map_err(io::Error::other)?;
        }
    }
    Ok(sink.flush()?)
}

/// The files, as a tape archive or as they are, into `sink`.
fn fill(files: &[(String, PathBuf)], archive: Option<Archive>, mut sink: impl Write) -> Result<(), Failed> {
    if archive != Some(Archive::Tar) {
        for (_, path) in files {
            io::copy(&mut open(path)?, &mut sink)?;
        }
        return Ok(());
    }
    let mut archive = tar::Builder::new(sink);
    for (name, path) in files {
        let mut file = open(path)?.into_inner();
        // As Packer does: the file by its own name, without its folders.
        let name = Path::new(name).file_name().unwrap_or_default();
        archive.append_file(name, &mut file)?;
    }
    Ok(archive.finish()?)
}

fn zip(files: &[(String, PathBuf)], sink: impl Write + io::Seek, level: Option<u8>) -> Result<(), Failed> {
    let options = SimpleFileOptions::default().compression_level(level.map(i64::from));
    let mut archive = ZipWriter::new(sink);
    for (name, path) in files {
        archive.start_file(name.as_str(), options.large_file(is_large(path)?)).map_err(io::Error::other)?;
        io::copy(&mut open(path)?, &mut archive)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

/// Whether a file needs zip's 64-bit sizes.
fn is_large(path: &Path) -> Result<bool, Failed> {
    let size = fs::metadata(path).map_err(|error| Failed::Reading(path.to_owned(), error))?.len();
    Ok(size >= u64::from(u32::MAX))
}

fn open(path: &Path) -> Result<BufReader<File>, Failed> {
    File::open(path).map(BufReader::new).map_err(|error| Failed::Reading(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Two files in a folder, and the archive of them that the compression and the archive make.
    fn archived(archive: Option<Archive>, compression: Option<Compression>, names: &[&str]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<(String, PathBuf)> = names
            .iter()
            .map(|name| {
                let path = folder.path().join(name);
                fs::write(&path, name.repeat(1000)).unwrap();
                (format!("out/{name}"), path)
            })
            .collect();
        let output = folder.path().join("made/archive");
        write(&output, &files, archive, compression, 9).map_err(|error| error.at(&output)).unwrap();
        fs::read(output).unwrap()
    }

    fn decompressed(compression: Option<Compression>, bytes: Vec<u8>) -> Vec<u8> {
        let mut plain = Vec::new();
        match compression {
            None => return bytes,
            Some(Compression::Gzip) => {
                flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            }
            Some(Compression::Bgzf) => {
                bgzf::io::Reader::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            }
            Some(Compression::Lz4) => {
                lz4_flex::frame::FrameDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            }
        }
        plain
    }

    const ALL: [Option<Compression>; 4] =
        [None, Some(Compression::Gzip), Some(Compression::Bgzf), Some(Compression::Lz4)];

    #[test]
    fn one_file_is_compressed_as_it_is() {
        for compression in ALL {
            let bytes = decompressed(compression, archived(None, compression, &["a.img"]));
            assert_eq!(String::from_utf8(bytes).unwrap(), "a.img".repeat(1000), "{compression:?}");
        }
    }

    #[test]
    fn tape_archives_have_the_files_by_their_own_names() {
        for compression in ALL {
            let bytes = decompressed(compression, archived(Some(Archive::Tar), compression, &["a", "b"]));
            let mut archive = tar::Archive::new(&bytes[..]);
            let entries = archive.entries().unwrap().map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                (entry.path().unwrap().display().to_string(), text.len())
            });
            let found: Vec<(String, usize)> = entries.collect();
            assert_eq!(found, [("a".to_owned(), 1000), ("b".to_owned(), 1000)], "{compression:?}");
        }
    }

    #[test]
    fn zip_archives_have_the_files_with_their_folders() {
        let bytes = archived(Some(Archive::Zip), None, &["a", "b"]);
        let archive = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
        let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        names.sort_unstable();
        assert_eq!(names, ["out/a", "out/b"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let output = folder.path().join("archive");
        let error = write(&output, &[("missing".to_owned(), missing.clone())], Some(Archive::Tar), None, -1);
        let error = error.map_err(|error| error.at(&output)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot read {}", missing.display())), "{error}");
    }
}
