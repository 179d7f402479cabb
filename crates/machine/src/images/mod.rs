//! Machine images: records, and layers on disk.
//!
//! A record is `STATE/images/<ami-id>.json`. A layer is a directory tree; an instance's root is an overlay of its
//! image's layers. Layers of the base image are shared by all clouds of this machine and live in the cache
//! directory; layers of the user's images live in `STATE/images/layers`.
//!
//! An image that was made of an instance has snapshots besides: of its root volume, whose file system lies over the
//! layers, and of each other volume. See [`Snapshot`].

mod base;
mod command;
mod derive;
mod error;
mod key;
mod record;
mod snapshot;
mod store;

pub use base::{BASE_NAME, Recipe, RecipeFile, cache_dir};
pub use derive::{Addition, NewImage};
pub use error::ImageError;
pub use record::{AMAZON, BlockDevice, DOCKER_GIB, Drivers, Image, ImageState, ROOT_GIB, SourceImage};
pub use snapshot::{Origin, Shared, Snapshot, SnapshotState, is_snapshot_id};
pub use store::{ImageStore, InUse, is_image_id, is_image_name};
