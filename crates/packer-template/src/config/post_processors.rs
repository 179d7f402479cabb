//! Post-processors: `manifest`, `checksum`, `compress`. (`shell-local` has the options of the provisioner.)

use std::collections::BTreeMap;

use super::{options, reader::Session};
use crate::{
    block::Block,
    context::Context,
    deferred::{Deferred, Dot},
    error::Errors,
};

/// The post-processor `manifest`.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `output`, `packer-manifest.json`.
    pub output: String,
    /// `strip_path`: file names without their directories.
    pub strip_path: bool,
    /// `strip_time`: no build time.
    pub strip_time: bool,
    /// `custom_data`, ordered by name.
    pub custom_data: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::MANIFEST);
        let manifest = Self {
            output: reader.string("output").unwrap_or_else(|| "packer-manifest.json".to_owned()),
            strip_path: reader.flag("strip_path"),
            strip_time: reader.flag("strip_time"),
            custom_data: reader.map("custom_data"),
        };
        session.finish(Some(manifest))
    }
}

/// A digest of `checksum_types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// `md5`
    Md5,
    /// `sha1`
    Sha1,
    /// `sha224`
    Sha224,
    /// `sha256`
    Sha256,
    /// `sha384`
    Sha384,
    /// `sha512`
    Sha512,
}

impl ChecksumType {
    /// All of them, by Packer's names.
    pub const ALL: [(&str, Self); 6] = [
        ("md5", Self::Md5),
        ("sha1", Self::Sha1),
        ("sha224", Self::Sha224),
        ("sha256", Self::Sha256),
        ("sha384", Self::Sha384),
        ("sha512", Self::Sha512),
    ];

    /// Packer's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// The post-processor `checksum`.
#[derive(Clone, Debug)]
pub struct Checksum {
    /// `checksum_types`, `md5`.
    pub checksum_types: Vec<ChecksumType>,
    /// `output`, `packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum`; it sees these three.
    pub output: Deferred,
}

impl Checksum {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::CHECKSUM);
        let mut checksum_types = Vec::new();
        for (index, name) in reader.strings("checksum_types").iter().enumerate() {
            match ChecksumType::ALL.iter().find(|(known, _)| known == name) {
                Some((_, kind)) => checksum_types.push(*kind),
                None => {
                    let known = ChecksumType::ALL.map(|(name, _)| name).join(", ");
                    reader.fail_at(
                        "checksum_types",
                        index,
                        format!("there is no checksum '{name}'; there are {known}"),
                    );
                }
            }
        }
        if checksum_types.is_empty() {
            checksum_types.push(ChecksumType::Md5);
        }
        let output = reader.deferred(
            "output",
            "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum",
            Dot::Values,
        );
        session.finish(Some(Self { checksum_types, output }))
    }
}

/// How files are put together, from the end of the name of `output` or from `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// A tape archive.
    Tar,
    /// A ZIP archive, which compresses by itself.
    Zip,
}

/// How `compress` compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `gz`
    Gzip,
    /// `bgzf`: gzip in blocks.
    Bgzf,
    /// `lz4`
    Lz4,
}

/// The post-processor `compress`.
#[derive(Clone, Debug)]
pub struct Compress {
    /// `output`, `packer_{{.BuildName}}_{{.BuilderType}}`; it sees these two.
    pub output: Deferred,
    /// The archive; none when one file is compressed as it is.
    pub archive: Option<Archive>,
    /// The compression; none for a plain tape archive and for ZIP.
    pub compression: Option<Compression>,
    /// `compression_level`: -1 for the format's own, or 1 to 9.
    pub compression_level: i32,
}

impl Compress {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::COMPRESS);
        let output = reader.deferred("output", "packer_{{.BuildName}}_{{.BuilderType}}", Dot::Values);
        let given = reader.string("format").filter(|given| !given.is_empty());
        let option = if given.is_some() { "format" } else { "output" };
        let (archive, compression) = format(output.as_written(), given.as_deref()).unwrap_or_else(|| {
            reader.fail(option, "compression 'xz' is not supported; use gz, lz4, bgzf, tar or zip");
            (None, None)
        });
        // Packer takes 0 for not set, and more than 9 for 9.
        let compression_level = match reader.number::<i32>("compression_level", -1..=i64::from(i32::MAX)) {
            None | Some(-1) => -1,
            Some(level) => level.min(9),
        };
        session.finish(Some(Self { output, archive, compression, compression_level }))
    }
}

/// What the last one or two endings of a file's name say, `format` counting as one more. A name without a known ending
/// makes a compressed tape archive. None for `xz`, which Packer has and Drydock has not.
fn format(output: &str, format: Option<&str>) -> Option<(Option<Archive>, Option<Compression>)> {
    let name = match format {
        Some(format) => format!("{output}.{format}"),
        None => output.to_owned(),
    };
    // Packer looks for endings of small letters and digits anywhere in the name.
    let endings: Vec<&str> = name
        .split('.')
        .skip(1)
        .map(|part| {
            &part
                [..part.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit())).unwrap_or(part.len())]
        })
        .filter(|ending| !ending.is_empty())
        .collect();
    let (last, before) = match endings.as_slice() {
        [] => ("", ""),
        [last] => (*last, ""),
        [.., before, last] => (*last, *before),
    };
    let archive = (before == "tar").then_some(Archive::Tar);
    Some(match last {
        "xz" => return None,
        "zip" => (Some(Archive::Zip), None),
        "tar" => (Some(Archive::Tar), None),
        "gz" => (archive, Some(Compression::Gzip)),
        "lz4" => (archive, Some(Compression::Lz4)),
        "bgzf" => (archive, Some(Compression::Bgzf)),
        _ => (Some(Archive::Tar), Some(Compression::Gzip)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let cases = [
            ("a.tar.gz", None, (Some(Archive::Tar), Some(Compression::Gzip))),
            ("a.gz", None, (None, Some(Compression::Gzip))),
            ("a.zip", None, (Some(Archive::Zip), None)),
            ("a.tar", None, (Some(Archive::Tar), None)),
            ("a.tar.lz4", None, (Some(Archive::Tar), Some(Compression::Lz4))),
            ("a.bgzf", None, (None, Some(Compression::Bgzf))),
            ("a", None, (Some(Archive::Tar), Some(Compression::Gzip))),
            ("a.unknown", None, (Some(Archive::Tar), Some(Compression::Gzip))),
            ("packer_{{.BuildName}}", Some("zip"), (Some(Archive::Zip), None)),
            ("packer", Some("tar.gz"), (Some(Archive::Tar), Some(Compression::Gzip))),
        ];
        for (output, given, expected) in cases {
            assert_eq!(format(output, given), Some(expected), "{output} {given:?}");
        }
        for (output, given) in [("a.tar.xz", None), ("a.xz", None), ("a", Some("xz"))] {
            assert_eq!(format(output, given), None, "{output} {given:?}");
        }
    }
}
