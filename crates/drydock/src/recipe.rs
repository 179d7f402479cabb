//! The base image's recipe and the guest binary, as built into this program.

use std::borrow::Cow;
use std::path::PathBuf;

use machine::images::{Recipe, RecipeFile};

/// The recipe's files: name, permission bits and content.
static FILES: &[(&str, u32, &[u8])] = include!(concat!(env!("OUT_DIR"), "/recipe.rs"));
static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest"));

/// The recipe, or none when this program was built without the guest binary.
pub fn recipe() -> Option<Recipe> {
    let files = FILES.iter().map(|(path, mode, content)| RecipeFile {
        path: PathBuf::from(path),
        mode: *mode,
        bytes: Cow::Borrowed(*content),
    });
    (!GUEST.is_empty()).then(|| Recipe { files: files.collect(), guest: Cow::Borrowed(GUEST) })
}
