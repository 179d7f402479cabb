//! Puts the base image's recipe and the guest binary into the program, so that one file is all of Drydock.
//!
//! `DRYDOCK_GUEST` names the guest binary (`make build` builds it first: it is linked statically, which needs
//! flags of its own). Without it the program is built without a guest and says so when it needs one.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    println!("cargo::rerun-if-env-changed=DRYDOCK_GUEST");
    let guest = env::var("DRYDOCK_GUEST").ok().filter(|path| !path.is_empty());
    let bytes = match &guest {
        Some(path) => {
            println!("cargo::rerun-if-changed={path}");
            fs::read(path).map_err(|error| io::Error::other(format!("DRYDOCK_GUEST={path}: {error}")))?
        }
        None => Vec::new(),
    };
    fs::write(out.join("guest"), bytes)?;

    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let recipe = here.join("../../images/ecs-base").canonicalize()?;
    println!("cargo::rerun-if-changed={}", recipe.display());
    let mut files = Vec::new();
    list(&recipe, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&recipe).map_err(io::Error::other)?;
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_hidden
            || name.starts_with("tests")
            || name.extension().is_some_and(|extension| extension == "md")
        {
            continue;
        }
        if file.is_symlink() {
            return Err(io::Error::other(format!(
                "{}: the recipe has no links, its scripts make them",
                file.display()
            )));
        }
        let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
        writeln!(table, "    ({name:?}, 0o{mode:o}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    table.push(']');
    fs::write(out.join("recipe.rs"), table)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
