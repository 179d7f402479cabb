//! `drydock image`: the machine images of a local cloud.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use machine::images::{Addition, Image, ImageState, ImageStore, NewImage, Recipe, cache_dir};

use super::image_history;
use crate::exit::Failure;
use crate::manifest::ImageSection;
use crate::output::OutputArgs;
use crate::recipe;
use crate::state::StateArgs;

/// The name of the image that every other one begins with.
const BASE: &str = "ecs-base";

/// Makes, lists and removes machine images, and tells how they were built
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock image create ecs-base
  drydock image create web --from ecs-base --add files/firstrun.sh:/home/ec2-user/firstrun.sh
  drydock image import rootfs.tar --name mine
  drydock image history ami-0123456789abcdef0
  drydock image guest files/drydock-guest
  drydock image ls")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes an image: `ecs-base` from its recipe, any other from an existing one
    Create(Create),
    /// Lists the images
    Ls(Ls),
    /// Removes an image
    Rm(Rm),
    /// Makes an image of a root file system in a tar file
    Import(Import),
    History(Box<image_history::Args>),
    /// Writes the static program that is firstrun, the log agent and the CloudFormation helpers inside instances, to be
    /// put into an image on AWS
    Guest(Guest),
}

#[derive(Debug, clap::Args)]
struct Guest {
    /// Where to
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The image's name
    name: String,
    /// The image that it is made from
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// A file of the host's and where it goes in the image; it keeps its permission bits
    #[arg(long, value_name = "FILE:PATH")]
    add: Vec<String>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct Ls {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct Rm {
    /// The image's name or id
    image: String,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The tar file, plain or compressed
    file: PathBuf,
    /// The image's name; the file's own when none
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Create(args) => create(args).await,
        Verb::Ls(args) => {
            let images = ImageStore::open(&args.state.dir()?)?.list()?;
            args.output.print(&images, || table(&images))
        }
        Verb::Rm(args) => remove(&args).await,
        Verb::Import(args) => import(args),
        Verb::History(args) => image_history::run(*args).await,
        Verb::Guest(args) => guest(&args.file),
    }
}

async fn create(args: Create) -> Result<(), Failure> {
    let state = args.state.dir()?;
    let mut say = |line: &str| eprintln!("{line}");
    let image = match &args.from {
        None if args.name == BASE => {
            if !args.add.is_empty() {
                return Err(Failure::config(
                    "ecs-base is made from its recipe alone; give the image a name and --from ecs-base",
                ));
            }
            make_base(&state, &mut say).await?
        }
        None => {
            return Err(Failure::config(format!(
                "--from is missing: `drydock image create {} --from ecs-base` (only ecs-base has a recipe of its own)",
                args.name
            )));
        }
        Some(from) => {
            if from == BASE {
                ensure(&state, BASE, &mut say).await?;
            }
            let adds = additions(&args.add, Path::new("."))?;
            ImageStore::open(&state)?.create(&new_image(&args.name), from, &adds).await?
        }
    };
    args.output.print(&image, || format!("{}  {}", image.id, image.name))
}

fn import(args: Import) -> Result<(), Failure> {
    let name = match args.name {
        Some(name) => name,
        None => args
            .file
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.split('.').next())
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Failure::config(format!("{}: give the image a --name", args.file.display())))?
            .to_owned(),
    };
    let image = ImageStore::open(&args.state.dir()?)?.import(&args.file, &new_image(&name))?;
    args.output.print(&image, || format!("{}  {}", image.id, image.name))
}

/// Removes an image that no instance uses: which ones do is the daemon's to tell.
async fn remove(args: &Rm) -> Result<(), Failure> {
    let state = args.state.dir()?;
    let store = ImageStore::open(&state)?;
    let image = find(&store, &args.image)?;
    let in_use = match cloud::admin::client::AdminClient::new(&state).status().await {
        Ok(status) => status.images_in_use,
        Err(cloud::admin::client::AdminError::NotRunning { .. }) => {
            cloud::images_in_use(&state).map_err(|error| Failure::failed(error.to_string()))?
        }
        Err(error) => return Err(error.into()),
    };
    store.remove_with_snapshots(&image.id, &in_use)?;
    Ok(())
}

fn find(store: &ImageStore, name_or_id: &str) -> Result<Image, Failure> {
    let found = match store.get(name_or_id)? {
        Some(image) => Some(image),
        None => store.by_name(name_or_id)?,
    };
    found.ok_or_else(|| {
        Failure::failed(format!("there is no image {name_or_id}; `drydock image ls` lists those there are"))
    })
}

/// Makes the named image unless it is there.
pub async fn ensure(state: &Path, name: &str, say: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    if name == BASE {
        // The store finds the layers by what they are made from, so this costs nothing when all is there.
        make_base(state, say).await?;
    }
    Ok(())
}

/// Makes an image of a manifest's, unless it is there and made of the same.
pub async fn ensure_made(
    state: &Path,
    name: &str,
    section: &ImageSection,
    dir: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    ensure(state, &section.from, say).await?;
    let store = ImageStore::open(state)?;
    let known = store.by_name(name)?;
    let adds = additions(&section.add, dir)?;
    let image = store.ensure(&new_image(name), &section.from, &adds).await?;
    if known.is_none_or(|known| known.layers != image.layers) {
        say(&format!("image {name} is {}", image.id));
    }
    Ok(())
}

fn built_in() -> Result<Recipe, Failure> {
    recipe::recipe().ok_or_else(|| {
        Failure::failed(
            "this drydock was built without the guest binary that images need; build it with `make build`",
        )
    })
}

/// Writes the guest binary, beside first: what is at `file` is either old or whole.
fn guest(file: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", file.display()));
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let executable = std::fs::Permissions::from_mode(0o755);
    let mut beside = tempfile::Builder::new().permissions(executable).tempfile_in(folder).map_err(failed)?;
    beside.write_all(&built_in()?.guest).map_err(failed)?;
    beside.persist(file).map(drop).map_err(|error| failed(error.error))
}

/// Makes the base image, or finds it; a minute of work the first time on a machine.
async fn make_base(state: &Path, say: &mut dyn FnMut(&str)) -> Result<Image, Failure> {
    let recipe = built_in()?;
    let store = ImageStore::open(state)?;
    Ok(tokio::task::block_in_place(|| store.create_base(&recipe, &cache_dir(), say))?)
}

fn additions(items: &[String], dir: &Path) -> Result<Vec<Addition>, Failure> {
    items.iter().map(|item| addition(item, dir)).collect()
}

fn new_image(name: &str) -> NewImage {
    NewImage {
        name: name.to_owned(),
        description: String::new(),
        owner: cloud::DEFAULT_ACCOUNT.to_owned(),
        region: None,
    }
}

/// `FILE:PATH`, the file relative to `dir`.
fn addition(item: &str, dir: &Path) -> Result<Addition, Failure> {
    let (file, path) =
        item.rsplit_once(':').filter(|(file, path)| !file.is_empty() && path.starts_with('/')).ok_or_else(
            || Failure::config(format!("{item}: expected FILE:PATH with an absolute path in the image")),
        )?;
    let file = dir.join(file);
    if !file.is_file() {
        return Err(Failure::config(format!("{}: there is no such file", file.display())));
    }
    Ok(Addition { source: file, path: PathBuf::from(path), mode: None })
}

fn table(images: &[Image]) -> String {
    if images.is_empty() {
        return "no images; `drydock image create ecs-base` makes the first".to_owned();
    }
    let names: Vec<String> = images.iter().map(shown_name).collect();
    let width = names.iter().map(|name| name.chars().count()).chain([20]).max().unwrap_or_default();
    let mut text = format!("{:<22} {:<width$} {:<13} {}\n", "IMAGE", "NAME", "OWNER", "MADE");
    for (image, name) in images.iter().zip(&names) {
        let made = image.created.strftime("%Y-%m-%d %H:%M:%SZ");
        text += &format!("{:<22} {name:<width$} {:<13} {made}\n", image.id, image.owner);
    }
    text
}

/// An image's name, for an adopted id the image that it stands for, and its state where it cannot be launched.
fn shown_name(image: &Image) -> String {
    match (&image.alias_of, image.state) {
        (_, ImageState::Pending | ImageState::Failed) => format!("{} ({})", image.name, image.state.name()),
        (Some(target), ImageState::Available) => format!("{} ({target})", image.name),
        (None, ImageState::Available) => image.name.clone(),
    }
}
