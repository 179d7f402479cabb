//! Typed options of what Drydock carries out, with Packer's names, defaults and checks.
//!
//! Each type has `decode(&Block, &Context)`. It renders the template expressions in the options, but for those which
//! are [`Deferred`](crate::Deferred), converts the values as laxly as Packer does, and then checks them against each
//! other.

mod amazon;
mod amazon_decode;
mod communicator;
mod kms;
pub mod options;
mod policy;
mod post_processors;
mod provisioners;
mod reader;

pub use amazon::{
    AccessConfig, AmazonEbs, AmiConfig, AssumeRole, BlockDevice, ImdsSupport, MetadataOptions, Polling,
    RunConfig, SecurityGroupFilter, ShutdownBehavior, SourceAmiFilter, SubnetFilter, Tenancy, VpcFilter,
};
pub use communicator::{
    Bastion, Communicator, Proxy, SshConfig, SshInterface, TemporaryKey, TemporaryKeyType, TransferMethod,
};
pub use post_processors::{Archive, Checksum, ChecksumType, Compress, Compression, Manifest};
pub use provisioners::{
    Breakpoint, Direction, File, LocalCommand, Shell, ShellLocal, ShellLocalPost, ShellSource,
};
