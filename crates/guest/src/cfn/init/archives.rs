//! Unpacking tar archives, plain or gzipped, and zip archives. No member may leave the folder.

use super::error::{BuildError, IoContext};
use flate2::read::GzDecoder;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tar,
    TarGz,
    Zip,
}

/// Unpacks `archive` into `folder`; `source` is what messages call it. With `strip`, a single folder around
/// everything is left out.
pub fn unpack(mut archive: File, source: &str, folder: &Path, strip: bool) -> Result<(), BuildError> {
    let reading = || format!("Could not read {source}");
    let mut magic = [0; 512];
    let length = read_up_to(&mut archive, &mut magic).during(reading)?;
    archive.rewind().during(reading)?;
    let format = recognise(&magic[..length], source)?;
    fs::create_dir_all(folder).during(|| format!("Could not create {}", folder.display()))?;
    let unpacking = || format!("Could not unpack {source} into {}", folder.display());
    match format {
        Format::Tar => unpack_tar(tar::Archive::new(BufReader::new(archive)), folder, strip),
        Format::TarGz => {
            unpack_tar(tar::Archive::new(GzDecoder::new(BufReader::new(archive))), folder, strip)
        }
        Format::Zip => unpack_zip(archive, folder, strip),
    }
    .during(unpacking)
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn recognise(magic: &[u8], source: &str) -> Result<Format, BuildError> {
    if magic.starts_with(&[0x1f, 0x8b]) {
        Ok(Format::TarGz)
    } else if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
        Ok(Format::Zip)
    } else if magic.get(257..262) == Some(b"ustar") {
        Ok(Format::Tar)
    } else if magic.starts_with(b"BZh") || magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z']) {
        Err(BuildError::Unsupported(format!("The compression (bzip2 or xz) of {source}")))
    } else {
        Err(BuildError::Tool(format!("Unsupported source file (not zip or tarball): {source}")))
    }
}

fn unpack_tar(mut archive: tar::Archive<impl Read>, folder: &Path, strip: bool) -> io::Result<()> {
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(path) = inside(&entry.path()?, strip)? else { continue };
        if let Some(parent) = folder.join(&path).parent() {
            fs::create_dir_all(parent)?;
        }
        if strip {
            entry.unpack(folder.join(path))?;
        } else {
            // This form also refuses to write through symbolic links that lead out of the folder.
            entry.unpack_in(folder)?;
        }
    }
    Ok(())
}

fn unpack_zip(archive: File, folder: &Path, strip: bool) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(BufReader::new(archive)).map_err(io::Error::other)?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(io::Error::other)?;
        let name = member.name().map_err(io::Error::other)?.into_owned();
        let Some(path) = inside(Path::new(&name), strip)? else { continue };
        let target = folder.join(path);
        if member.is_dir() {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        io::copy(&mut member, &mut File::create(&target)?)?;
        if let Some(mode) = member.unix_mode() {
            fs::set_permissions(&target, Permissions::from_mode(mode & 0o777))?;
        }
    }
    Ok(())
}

/// A member's path within the folder; None for the folder itself; an error for a path that leads out of it.
fn inside(member: &Path, strip: bool) -> io::Result<Option<PathBuf>> {
    let mut path = PathBuf::new();
    let mut skip = usize::from(strip);
    for component in member.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) if skip > 0 => skip -= 1,
            Component::Normal(name) => path.push(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let message = format!("{} is not a sub-path of the folder", member.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
    }
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::{SeekFrom, Write};

    fn tarball(members: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            // `set_path` refuses what an attacker would write.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_format_is_unpacked() {
        let tar = tarball(&[("top/a/b.txt", "hello")]);
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("top/a/b.txt", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"hello").unwrap();
        let zip = zip.finish().unwrap().into_inner();
        for bytes in [tar.clone(), gzip(&tar), zip] {
            for (strip, path) in [(false, "top/a/b.txt"), (true, "a/b.txt")] {
                let dir = tempfile::tempdir().unwrap();
                unpack(file(&bytes), "x", &dir.path().join("new"), strip).unwrap();
                assert_eq!(fs::read_to_string(dir.path().join("new").join(path)).unwrap(), "hello");
            }
        }
    }

    #[test]
    fn a_member_outside_is_refused() {
        for path in ["../escaped", "/etc/escaped", "a/../../escaped"] {
            let dir = tempfile::tempdir().unwrap();
            let err = unpack(file(&tarball(&[(path, "x")])), "x", &dir.path().join("in"), false).unwrap_err();
            let BuildError::Io { source, .. } = &err else { panic!("{err}") };
            assert!(source.to_string().contains("is not a sub-path"), "{err}");
            assert!(!dir.path().join("escaped").exists());
        }
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let err = |bytes: &[u8]| unpack(file(bytes), "s.x", dir.path(), false).unwrap_err().to_string();
        assert_eq!(err(b"hello"), "Unsupported source file (not zip or tarball): s.x");
        assert!(err(b"BZh91AY").contains("bzip2 or xz"));
    }
}
