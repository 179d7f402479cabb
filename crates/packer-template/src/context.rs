//! What template expressions can see: variables, the host, and the build under way.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{field::Field, variables::Variables};

/// The version of Packer whose language this is; `{{packer_version}}` says it.
pub const PACKER_VERSION: &str = "1.6.6";

/// Which files there are: the only thing that validation asks of the file system.
pub trait Files: Send + Sync {
    /// Whether a file or directory is there. A relative path counts from the working directory.
    fn exists(&self, path: &Path) -> bool;
    /// A file's text; none when it is not there or is no text.
    fn read(&self, path: &Path) -> Option<String>;
}

/// What the host contributes, read once at the program's edge.
#[derive(Clone)]
pub struct Host {
    /// Environment variables.
    pub env: HashMap<String, String>,
    /// When the program started: what `timestamp` and `isotime` say, the same all through a run.
    pub start: Timestamp,
    /// The working directory.
    pub cwd: PathBuf,
    /// The template's file, absolute; none when it came by standard input.
    pub template: Option<PathBuf>,
    /// The files.
    pub files: Arc<dyn Files>,
    /// Makes an identifier for `{{uuid}}`.
    pub uuid: fn() -> String,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("cwd", &self.cwd)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// What is known of one build. At validation the values are placeholders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildData {
    /// The build's name, `{{build_name}}`.
    pub name: String,
    /// The builder's type, `{{build_type}}`.
    pub builder_type: String,
    /// What ``{{build `KEY`}}`` says: `ID`, `Host`, `User`, `SSHPrivateKey`, `SourceAMI`, ….
    pub values: BTreeMap<String, String>,
    /// The builder's own fields, `{{ .SourceAMI }}`, `{{ .SourceAMITags.Name }}`.
    pub fields: BTreeMap<String, Field>,
}

impl BuildData {
    /// The keys that every builder has for `build`.
    pub const KEYS: [&str; 13] = [
        "ID",
        "Host",
        "Port",
        "User",
        "Password",
        "ConnType",
        "PackerRunUUID",
        "PackerHTTPPort",
        "PackerHTTPIP",
        "PackerHTTPAddr",
        "SSHPublicKey",
        "SSHPrivateKey",
        "WinRMPassword",
    ];

    /// The keys that amazon-ebs adds for `build`.
    pub const AMAZON_KEYS: [&str; 6] = [
        "SourceAMIName",
        "BuildRegion",
        "SourceAMI",
        "SourceAMICreationDate",
        "SourceAMIOwner",
        "SourceAMIOwnerName",
    ];

    /// A build of which nothing is known yet but its name and type: every key of `build` stands for itself.
    pub fn placeholder(name: &str, builder_type: &str) -> Self {
        let own: &[&str] = if builder_type == "amazon-ebs" { &Self::AMAZON_KEYS } else { &[] };
        let values = Self::KEYS
            .iter()
            .chain(own)
            .map(|key| ((*key).to_owned(), format!("Build_{key}. known when the build runs")));
        Self {
            name: name.to_owned(),
            builder_type: builder_type.to_owned(),
            values: values.collect(),
            fields: BTreeMap::new(),
        }
    }
}

/// Everything that an option's value may refer to.
#[derive(Clone, Debug)]
pub struct Context {
    /// The host.
    pub host: Arc<Host>,
    /// The user variables.
    pub variables: Arc<Variables>,
    /// The build; none outside one.
    pub build: Option<Arc<BuildData>>,
}

impl Context {
    /// A context outside any build.
    pub fn new(host: Arc<Host>, variables: Arc<Variables>) -> Self {
        Self { host, variables, build: None }
    }

    /// The same context inside a build.
    pub fn with_build(&self, build: BuildData) -> Self {
        Self { build: Some(Arc::new(build)), ..self.clone() }
    }
}
