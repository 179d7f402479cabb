//! Provisioners: `shell`, `file`, `shell-local`, `breakpoint`.

use std::time::Duration;

use crate::{
    block::Block,
    context::Context,
    deferred::Deferred,
    error::{Error, Errors},
};

/// What a shell provisioner runs: exactly one of `inline`, `script`, `scripts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellSource {
    /// `inline`: lines of one script.
    Inline(Vec<String>),
    /// `script` or `scripts`: files here.
    Scripts(Vec<String>),
}

/// The provisioner `shell`.
#[derive(Clone, Debug)]
pub struct Shell {
    /// What is run.
    pub source: ShellSource,
    /// `inline_shebang`, `/bin/sh -e`.
    pub inline_shebang: String,
    /// `environment_vars`: `NAME=value` each.
    pub environment_vars: Vec<String>,
    /// `env_var_format`, `%s='%s' `, or ``export %s='%s'\n`` with `use_env_var_file`.
    pub env_var_format: String,
    /// `use_env_var_file`: the variables are uploaded as a file and sourced.
    pub use_env_var_file: bool,
    /// `execute_command`; it sees `Vars`, `EnvVarFile` and `Path`.
    pub execute_command: Deferred,
    /// `remote_folder`, `/tmp`.
    pub remote_folder: String,
    /// `remote_file`; none for `script_NNNN.sh`.
    pub remote_file: Option<String>,
    /// `remote_path`; none for `remote_folder` and `remote_file` together.
    pub remote_path: Option<String>,
    /// `binary`: line ends are left as they are.
    pub binary: bool,
    /// `skip_clean`: the script is left behind.
    pub skip_clean: bool,
    /// `expect_disconnect`: a lost connection is no failure.
    pub expect_disconnect: bool,
    /// `valid_exit_codes`, 0.
    pub valid_exit_codes: Vec<i32>,
    /// `start_retry_timeout`, 5 minutes: how long starting the script is tried again.
    pub start_retry_timeout: Duration,
    /// `pause_after`: how long to wait afterwards.
    pub pause_after: Duration,
    /// What is worth telling, though it is not wrong.
    pub warnings: Vec<String>,
}

impl Shell {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
    }
}

/// Which way the provisioner `file` copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From here to the machine.
    #[default]
    Upload,
    /// From the machine to here.
    Download,
}

/// The provisioner `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// `source` and `sources` together, in this order. A trailing slash means a directory's content.
    pub sources: Vec<String>,
    /// `destination`.
    pub destination: String,
    /// `direction`, `upload`.
    pub direction: Direction,
    /// `generated`: the source is made by an earlier step and may not be there yet.
    pub generated: bool,
}

impl File {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
    }
}

/// What `shell-local` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalCommand {
    /// `inline` (and the older `command`): lines of one script.
    Inline(Vec<String>),
    /// `script` or `scripts`: files here.
    Scripts(Vec<String>),
}

/// The provisioner `shell-local`.
#[derive(Clone, Debug)]
pub struct ShellLocal {
    /// What is run.
    pub command: LocalCommand,
    /// `inline_shebang`, `/bin/sh -e`.
    pub inline_shebang: String,
    /// `environment_vars`: `NAME=value` each.
    pub environment_vars: Vec<String>,
    /// `env_var_format`, `%s='%s' `.
    pub env_var_format: String,
    /// `execute_command`: a program and its arguments; they see `Vars`, `Script` and `Command`.
    pub execute_command: Vec<Deferred>,
    /// `only_on`: operating systems by Go's names; empty for all.
    pub only_on: Vec<String>,
    /// `tempfile_extension` of the inline script.
    pub tempfile_extension: Option<String>,
    /// `valid_exit_codes`, 0.
    pub valid_exit_codes: Vec<i32>,
    /// What is worth telling, though it is not wrong.
    pub warnings: Vec<String>,
}

impl ShellLocal {
    /// Reads the options.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn decode(block: &Block, _context: &Context) -> Result<Self, Errors> {
        Err(unread(block))
    }
}

/// The post-processor `shell-local`: the same options.
pub type ShellLocalPost = ShellLocal;

/// The provisioner `breakpoint`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakpoint {
    /// `note`.
    pub note: Option<String>,
    /// `disable`: goes on without a stop.
    pub disable: bool,
}

impl Breakpoint {
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
