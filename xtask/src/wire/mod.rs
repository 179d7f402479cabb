//! The generator of `aws-wire`: botocore's service models in, pruned models and Rust types out.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use model::Model;

mod emit;
mod index;
mod model;
pub mod names;
mod patches;
mod prune;

/// One `[service]` table of `operations.toml`; the table's name is botocore's folder and our module's name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Name of the generated trait, e.g. `AutoScaling`.
    #[serde(rename = "trait")]
    pub trait_name: String,
    /// The operations the cloud supports.
    pub operations: Vec<String>,
}

/// The folders of `aws-wire` that the generator reads and writes, and the services to generate.
pub struct Workspace {
    models: PathBuf,
    generated: PathBuf,
    services: BTreeMap<String, Selection>,
}

impl Workspace {
    /// Reads `models/operations.toml` of the crate at `crate_dir`.
    pub fn open(crate_dir: &Path) -> Result<Self> {
        let models = crate_dir.join("models");
        let path = models.join("operations.toml");
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let services = toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        Ok(Self { models, generated: crate_dir.join("src/generated"), services })
    }

    /// The services and their operations.
    pub fn services(&self) -> &BTreeMap<String, Selection> {
        &self.services
    }

    /// Writes the pruned model of each service.
    pub fn prune(&self, models: Option<&Path>) -> Result<()> {
        let source = match models {
            Some(path) => path.to_owned(),
            None => installed_botocore()?,
        };
        for (service, selection) in &self.services {
            let full = prune::read_newest(&source, service)?;
            let mut pruned = prune::prune(&full, &selection.operations)
                .with_context(|| format!("cannot prune the model of {service}"))?;
            patches::apply(service, &mut pruned)?;
            let mut text = serde_json::to_string_pretty(&pruned)?;
            text.push('\n');
            write_if_changed(&self.model_path(service), &text)?;
        }
        Ok(())
    }

    /// Writes the Rust files of each service, and `mod.rs`.
    pub fn generate(&self) -> Result<()> {
        std::fs::create_dir_all(&self.generated)?;
        for (path, text) in self.render()? {
            write_if_changed(&path, &text)?;
        }
        Ok(())
    }

    /// Fails, naming each file, if `generate` would change anything.
    pub fn check(&self) -> Result<()> {
        let stale: Vec<String> = self
            .render()?
            .into_iter()
            .filter(|(path, text)| std::fs::read_to_string(path).ok().as_deref() != Some(text))
            .map(|(path, _)| path.display().to_string())
            .collect();
        ensure!(
            stale.is_empty(),
            "not what the models generate (run `cargo xtask wire`): {}",
            stale.join(", ")
        );
        Ok(())
    }

    /// Every generated file with its text.
    fn render(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut files = Vec::new();
        let mut services = Vec::new();
        for (name, selection) in &self.services {
            let model = self.read_pruned(name, selection)?;
            let code = emit::service(&selection.trait_name, &model)
                .with_context(|| format!("cannot generate the code of {name}"))?;
            files.push((self.generated.join(format!("{name}.rs")), rustfmt(&code)?));
            services.push(index::Entry { module: name, trait_name: &selection.trait_name, model });
        }
        files.push((self.generated.join("mod.rs"), rustfmt(&index::modules(&services))?));
        Ok(files)
    }

    fn read_pruned(&self, service: &str, selection: &Selection) -> Result<Model> {
        let path = self.model_path(service);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}; `cargo xtask wire prune` writes it", path.display()))?;
        let model: Model =
            serde_json::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        for operation in &selection.operations {
            if !model.operations.contains_key(operation) {
                bail!("{} lacks {operation}; run `cargo xtask wire prune`", path.display());
            }
        }
        Ok(model)
    }

    fn model_path(&self, service: &str) -> PathBuf {
        self.models.join(format!("{service}.json"))
    }
}

/// The model folder of the botocore that `python3` imports.
fn installed_botocore() -> Result<PathBuf> {
    let output = Command::new("python3")
        .args(["-c", "import botocore; print(botocore.__path__[0])"])
        .output()
        .context("cannot run python3 to find botocore; give --models DIR")?;
    ensure!(output.status.success(), "python3 has no botocore; install it or give --models DIR");
    let folder = String::from_utf8(output.stdout).context("botocore's path is not UTF-8")?;
    Ok(Path::new(folder.trim()).join("data"))
}

/// Formats `code` as the workspace formats its own.
fn rustfmt(code: &str) -> Result<String> {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../rustfmt.toml");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run rustfmt")?;
    let mut stdin = child.stdin.take().context("rustfmt has no stdin")?;
    let code = code.to_owned();
    // From a thread, because rustfmt may write before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(code.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("the writer to rustfmt panicked"))??;
    ensure!(output.status.success(), "rustfmt refused the generated code");
    Ok(String::from_utf8(output.stdout)?)
}

/// Leaves an unchanged file alone, so that cargo does not rebuild for nothing.
fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).ok().as_deref() == Some(text) {
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
