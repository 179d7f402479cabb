//! Post-processors: `manifest`, `checksum`, `compress`. (`shell-local` has the options of the provisioner.)

use std::collections::BTreeMap;

use crate::{
    block::Block,
    context::Context,
    deferred::Deferred,
    error::{Error, Errors},
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
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
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
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
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
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
    }
}

fn unread(block: &Block) -> Errors {
    Error::new(format!("{}: options cannot be read yet", block.kind)).into()
}
