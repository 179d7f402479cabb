//! A Packer template as the command line names it: its file, its variables, the host that it is read on.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packer_template::{Context, Files, Host, Source, Template, VarInput, VarInputs, Variables};

use crate::exit::{self, Failure};

/// The template and its variables.
#[derive(Debug, Clone, clap::Args)]
pub struct TemplateArgs {
    /// The template; `-` for standard input
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,
    /// A variable of the template
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// A JSON file of variables
    #[arg(long = "var-file", value_name = "FILE")]
    pub var_files: Vec<PathBuf>,
}

/// A template with what its expressions may refer to.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The template.
    pub template: Template,
    /// Variables and host.
    pub context: Context,
    /// The variables as they would be at any other time: without `{{timestamp}}` and its like.
    pub frozen: Variables,
}

impl TemplateArgs {
    /// Reads the template and gives its variables their values.
    ///
    /// # Errors
    /// When a file cannot be read, and everything that is wrong with the template or the variables.
    pub fn load(&self) -> Result<Loaded, Failure> {
        let source = read(&self.template)?;
        let template = Template::parse(&source).map_err(invalid)?;
        let host = Arc::new(host(&self.template)?);
        let inputs = self.inputs()?;
        let variables = Variables::resolve(&template, &inputs, &host).map_err(invalid)?;
        let frozen =
            Variables::resolve(&template, &inputs, &builder::inputs::frozen(&host)).map_err(invalid)?;
        Ok(Loaded { template, context: Context::new(host, Arc::new(variables)), frozen })
    }

    /// What the command line sets. Files first: with Packer `-var` wins over `-var-file` wherever it stands.
    ///
    /// # Errors
    /// When a file cannot be read, or a variable has no equals sign.
    pub fn inputs(&self) -> Result<VarInputs, Failure> {
        let mut inputs = Vec::new();
        for file in &self.var_files {
            inputs.push(VarInput::File(read(file)?));
        }
        for var in &self.vars {
            let Some((name, value)) = var.split_once('=') else {
                return Err(failure(format!("-var {var}: expected NAME=VALUE")));
            };
            inputs.push(VarInput::Var { name: name.to_owned(), value: value.to_owned() });
        }
        Ok(VarInputs { inputs })
    }
}

/// A failure that is told as the template's errors are.
pub fn invalid(errors: impl std::fmt::Display) -> Failure {
    failure(format!("the template cannot be used\n{errors}"))
}

fn failure(message: String) -> Failure {
    Failure { code: exit::PACKER, message: Some(message) }
}

/// A file's text, or that of standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Source, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map_err(|error| failure(format!("standard input: {error}")))?;
        return Ok(Source::new("standard input", text));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| failure(format!("{}: {error}", path.display())))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// What the host contributes to a template's expressions.
///
/// # Errors
/// When there is no working directory.
pub fn host(template: &Path) -> Result<Host, Failure> {
    let cwd = std::env::current_dir()?;
    let file = (template != Path::new("-")).then(|| cwd.join(template));
    Ok(Host {
        env: environment(),
        start: jiff::Timestamp::now(),
        files: Arc::new(Disk { folder: cwd.clone() }),
        template: file,
        cwd,
        uuid: || uuid::Uuid::new_v4().to_string(),
    })
}

/// The environment; what is no text cannot be said in a template either.
pub fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The files of this machine.
struct Disk {
    folder: PathBuf,
}

impl Files for Disk {
    fn exists(&self, path: &Path) -> bool {
        self.folder.join(path).exists()
    }

    fn read(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(self.folder.join(path)).ok()
    }
}
