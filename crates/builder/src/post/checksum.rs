//! The post-processor `checksum`: a file of sums beside what was built.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use md5::digest::DynDigest;
use packer_template::config::{Checksum, ChecksumType};

use super::Run;
use crate::artifact::Artifact;

/// Packer's builder id of the artifact.
const BUILDER_ID: &str = "packer.post-processor.checksum";

/// Why sums could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumError {
    /// The template's `output` does not render.
    #[error(transparent)]
    Output(#[from] packer_template::Error),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Appends the sum of every file of the artifact to the template's file for each kind of sum. The new artifact has
/// the same files and the sums.
///
/// # Errors
/// When a file cannot be read or written, or `output` does not render.
pub(super) fn run(config: &Checksum, artifact: &Artifact, run: &Run) -> Result<Artifact, ChecksumError> {
    let mut files = artifact.files.clone();
    for kind in &config.checksum_types {
        for name in &artifact.files {
            let output = render(config, *kind, run)?;
            append(&run.resolve(&output), *kind, &run.resolve(name))?;
            if !files.contains(&output) {
                files.push(output);
            }
        }
    }
    Ok(Artifact { builder_id: BUILDER_ID.to_owned(), ..Artifact::of_files(files) })
}

fn render(config: &Checksum, kind: ChecksumType, run: &Run) -> Result<String, packer_template::Error> {
    let mut names = run.names();
    names.push(("ChecksumType", kind.name()));
    config.output.render_with(&run.data, &names)
}

fn append(output: &Path, kind: ChecksumType, file: &Path) -> Result<(), ChecksumError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ChecksumError::File { action, path, source }
    };
    let sum = sum(kind, file).map_err(failed("read", file))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let write = || {
        fs::create_dir_all(output.parent().unwrap_or(Path::new(".")))?;
        let mut sums = OpenOptions::new().append(true).create(true).open(output)?;
        writeln!(sums, "{sum}\t{name}")
    };
    write().map_err(failed("write", output))
}

fn sum(kind: ChecksumType, file: &Path) -> io::Result<String> {
    let mut hasher = Hasher(digest(kind));
    io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok(hex::encode(hasher.0.finalize()))
}

fn digest(kind: ChecksumType) -> Box<dyn DynDigest> {
    match kind {
        ChecksumType::Md5 => Box::new(md5::Md5::default()),
        ChecksumType::Sha1 => Box::new(sha1::Sha1::default()),
        ChecksumType::Sha224 => Box::new(sha2::Sha224::default()),
        ChecksumType::Sha256 => Box::new(sha2::Sha256::default()),
        ChecksumType::Sha384 => Box::new(sha2::Sha384::default()),
        ChecksumType::Sha512 => Box::new(sha2::Sha512::default()),
    }
}

struct Hasher(Box<dyn DynDigest>);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published vectors: the sums of `abc` in RFC 1321 and FIPS 180.
    #[test]
    fn sums_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        fs::write(&file, "abc").unwrap();
        let cases = [
            (ChecksumType::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (ChecksumType::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (ChecksumType::Sha224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (ChecksumType::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                ChecksumType::Sha384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                ChecksumType::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (kind, expected) in cases {
            assert_eq!(sum(kind, &file).unwrap(), expected);
        }
    }

    #[test]
    fn sums_are_added_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (file, sums) = (folder.path().join("abc"), folder.path().join("out/sums"));
        fs::write(&file, "abc").unwrap();
        for _ in 0..2 {
            append(&sums, ChecksumType::Md5, &file).unwrap();
        }
        let line = "900150983cd24fb0d6963f7d28e17f72\tabc\n";
        assert_eq!(fs::read_to_string(sums).unwrap(), line.repeat(2));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing");
        let error = append(&folder.path().join("sums"), ChecksumType::Md5, &missing).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot read {}", missing.display())), "{error}");
    }
}
