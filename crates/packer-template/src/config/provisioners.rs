//! Provisioners: `shell`, `file`, `shell-local`, `breakpoint`.

use std::time::Duration;

use super::{
    options,
    reader::{Reader, Session},
};
use crate::{
    block::Block,
    context::Context,
    deferred::{Deferred, Dot},
    error::Errors,
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
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::SHELL);
        let use_env_var_file = reader.flag("use_env_var_file");
        let (format, command) = match use_env_var_file {
            true => ("export %s='%s'\n", "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"),
            false => ("%s='%s' ", "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"),
        };
        let shell = Self {
            source: shell_source(&reader, &session),
            inline_shebang: reader.string("inline_shebang").unwrap_or_else(|| SHEBANG.to_owned()),
            environment_vars: environment(&reader),
            env_var_format: reader.string("env_var_format").unwrap_or_else(|| format.to_owned()),
            use_env_var_file,
            execute_command: reader.deferred("execute_command", command, Dot::Values),
            remote_folder: reader.string("remote_folder").unwrap_or_else(|| "/tmp".to_owned()),
            remote_file: reader.string("remote_file"),
            remote_path: reader.string("remote_path"),
            binary: reader.flag("binary"),
            skip_clean: reader.flag("skip_clean"),
            expect_disconnect: reader.flag("expect_disconnect"),
            valid_exit_codes: exit_codes(&reader),
            start_retry_timeout: reader.duration("start_retry_timeout", Duration::from_secs(5 * 60)),
            pause_after: reader.duration("pause_after", Duration::ZERO),
            warnings: session.warnings(),
        };
        session.finish(Some(shell))
    }
}

/// What runs inline scripts.
const SHEBANG: &str = "/bin/sh -e";

fn shell_source(reader: &Reader<'_>, session: &Session<'_>) -> ShellSource {
    let inline = reader.strings("inline");
    let scripts = scripts(reader, session);
    match (inline.is_empty(), scripts.is_empty()) {
        (true, true) => reader.fail("inline", "nothing to run: 'inline', 'script' or 'scripts' is missing"),
        (false, false) => reader.fail("inline", "'inline' cannot stand together with 'script' or 'scripts'"),
        _ => {}
    }
    if inline.is_empty() { ShellSource::Scripts(scripts) } else { ShellSource::Inline(inline) }
}

/// `script` or `scripts`, which must be there.
fn scripts(reader: &Reader<'_>, session: &Session<'_>) -> Vec<String> {
    let mut scripts = reader.strings("scripts");
    for (index, script) in scripts.iter().enumerate() {
        if !session.exists_literally(script) {
            reader.fail_at("scripts", index, format!("there is no file '{script}'"));
        }
    }
    if let Some(script) = reader.string("script") {
        if !scripts.is_empty() {
            reader.fail("script", "'script' and 'scripts' cannot stand together");
        }
        if !session.exists_literally(&script) {
            reader.fail("script", format!("there is no file '{script}'"));
        }
        scripts = vec![script];
    }
    scripts
}

/// `environment_vars`, each with a name and an equals sign.
fn environment(reader: &Reader<'_>) -> Vec<String> {
    let variables = reader.strings("environment_vars");
    for (index, variable) in variables.iter().enumerate() {
        if variable.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            reader.fail_at("environment_vars", index, format!("'{variable}' is not of the form NAME=VALUE"));
        }
    }
    variables
}

/// `valid_exit_codes`, 0 when there are none.
fn exit_codes(reader: &Reader<'_>) -> Vec<i32> {
    let codes = reader.numbers("valid_exit_codes");
    if codes.is_empty() {
        return vec![0];
    }
    let fitting = codes.into_iter().enumerate().filter_map(|(index, code)| {
        let fits = i32::try_from(code).ok();
        if fits.is_none() {
            reader.fail_at("valid_exit_codes", index, format!("{code} is no exit code"));
        }
        fits
    });
    fitting.collect()
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
    /// `sources` and `source` together, in this order. A trailing slash means a directory's content.
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
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::FILE);
        let direction = match reader.string("direction").as_deref() {
            None | Some("upload") => Direction::Upload,
            Some("download") => Direction::Download,
            Some(other) => {
                reader.fail("direction", format!("'direction' is upload or download, not '{other}'"));
                Direction::Upload
            }
        };
        let generated = reader.flag("generated");
        let must_be_there = direction == Direction::Upload && !generated;
        let mut sources = reader.strings("sources");
        for (index, source) in sources.iter().enumerate() {
            if must_be_there && !session.exists_literally(source) {
                reader.fail_at("sources", index, format!("there is no file '{source}'"));
            }
        }
        if let Some(source) = reader.string("source") {
            if must_be_there && !session.exists_literally(&source) {
                reader.fail("source", format!("there is no file '{source}'"));
            }
            sources.push(source);
        }
        if sources.is_empty() {
            reader.fail("source", "'source' is missing");
        }
        let destination = reader.string("destination").unwrap_or_else(|| {
            reader.fail("destination", "'destination' is missing");
            String::new()
        });
        session.finish(Some(Self { sources, destination, direction, generated }))
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
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::SHELL_LOCAL);
        let command = local_command(&reader, &session);
        // Packer's on anything but Windows.
        let run: &[&str] = &["/bin/sh", "-c", "{{.Vars}} {{.Script}}"];
        let local = Self {
            command,
            inline_shebang: reader.string("inline_shebang").unwrap_or_else(|| SHEBANG.to_owned()),
            environment_vars: environment(&reader),
            env_var_format: reader.string("env_var_format").unwrap_or_else(|| "%s='%s' ".to_owned()),
            execute_command: reader.deferred_list("execute_command", run, Dot::Values),
            only_on: only_on(&reader),
            tempfile_extension: reader.string("tempfile_extension"),
            valid_exit_codes: exit_codes(&reader),
            warnings: session.warnings(),
        };
        session.finish(Some(local))
    }
}

fn local_command(reader: &Reader<'_>, session: &Session<'_>) -> LocalCommand {
    let inline = reader.strings("inline");
    let command = reader.string("command");
    let scripts = scripts(reader, session);
    let given = [!inline.is_empty(), command.is_some(), !scripts.is_empty()];
    match given.iter().filter(|given| **given).count() {
        0 => reader.fail("inline", "nothing to run: 'inline', 'command', 'script' or 'scripts' is missing"),
        1 => {}
        _ => reader.fail("inline", "only one of 'inline', 'command', 'script' and 'scripts' may be there"),
    }
    match command {
        Some(command) => LocalCommand::Inline(vec![command]),
        None if inline.is_empty() => LocalCommand::Scripts(scripts),
        None => LocalCommand::Inline(inline),
    }
}

/// `only_on`: operating systems by Go's names.
fn only_on(reader: &Reader<'_>) -> Vec<String> {
    const KNOWN: [&str; 6] = ["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];
    let systems = reader.strings("only_on");
    for (index, system) in systems.iter().enumerate() {
        if !KNOWN.contains(&system.as_str()) {
            let message = format!("'{system}' is no operating system by Go's names: {}", KNOWN.join(", "));
            reader.fail_at("only_on", index, message);
        }
    }
    systems
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
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        let session = Session::new(block, context);
        let reader = session.reader(block, options::BREAKPOINT);
        let breakpoint = Self { note: reader.string("note"), disable: reader.flag("disable") };
        session.finish(Some(breakpoint))
    }
}
