//! `drydock.toml`: what `up` brings up and `down` takes down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::Failure;
use crate::parameters;

/// A directory's `drydock.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The stack to deploy.
    pub stack: StackSection,
    /// The image that it uses, built from a Packer template.
    pub build: Option<BuildSection>,
    /// Images that must be there before, by name.
    #[serde(default)]
    pub image: BTreeMap<String, ImageSection>,
    /// Ids of somebody's AWS account that the local cloud takes on.
    #[serde(default)]
    pub adopt: AdoptSection,
    /// The directory that paths are relative to.
    #[serde(skip)]
    pub dir: PathBuf,
}

/// `[stack]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackSection {
    /// The stack's name.
    pub name: String,
    /// The template's file.
    pub template: PathBuf,
    /// The region; the cloud's own when none.
    pub region: Option<String>,
    /// A file of parameters, such as `dev.cfg`.
    pub parameter_file: Option<PathBuf>,
    /// Parameters; they win over the file's.
    #[serde(default)]
    pub parameters: BTreeMap<String, toml::Value>,
    /// Capabilities acknowledged.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Tags of the stack.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The parameter that takes the built image; found by its type or name when none.
    pub image_parameter: Option<String>,
}

/// `[build]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildSection {
    /// The Packer template.
    pub template: PathBuf,
    /// Its variables; they win over the files'.
    #[serde(default)]
    variables: BTreeMap<String, toml::Value>,
    /// Files of variables.
    #[serde(default)]
    pub var_files: Vec<PathBuf>,
    /// The one build of the template to make, when it has several.
    pub only: Option<String>,
    /// Checks that the image must pass before the stack is deployed.
    pub checks: Option<PathBuf>,
}

impl BuildSection {
    /// The variables as Packer takes them.
    ///
    /// # Errors
    /// When a value is neither text, number, boolean nor a list of them.
    pub fn variables(&self) -> Result<Vec<(String, String)>, Failure> {
        let text = |(key, value): (&String, &toml::Value)| match parameter(value) {
            Some(text) => Ok((key.clone(), text)),
            None => Err(Failure::config(format!(
                "drydock.toml: variable {key} is neither text, number, boolean nor a list"
            ))),
        };
        self.variables.iter().map(text).collect()
    }
}

/// `[image.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSection {
    /// The image that it is made from.
    #[serde(default = "ecs_base")]
    pub from: String,
    /// `FILE:PATH` items added to it.
    #[serde(default)]
    pub add: Vec<String>,
}

/// `[adopt]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptSection {
    /// `vpc-…`, `subnet-…`, `ami-…=IMAGE`, `key-pair/NAME`.
    #[serde(default)]
    pub ids: Vec<String>,
}

fn ecs_base() -> String {
    "ecs-base".to_owned()
}

impl Manifest {
    /// Reads `DIR/drydock.toml`.
    ///
    /// # Errors
    /// When it is not there or not understood; the message has file, line and column.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("drydock.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
        let mut manifest: Self =
            toml::from_str(&text).map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
        manifest.dir = dir.to_owned();
        Ok(manifest)
    }

    /// The stack's parameters: those of the file, or of the one `chosen` in its place, then the manifest's own.
    ///
    /// # Errors
    /// When the file cannot be read, or a value is neither text, number, boolean nor a list of them.
    pub fn parameters(&self, chosen: Option<&Path>) -> Result<BTreeMap<String, String>, Failure> {
        let mut all = match (chosen, &self.stack.parameter_file) {
            (Some(chosen), _) => parameters::file(chosen)?,
            (None, Some(file)) => parameters::file(&self.dir.join(file))?,
            (None, None) => BTreeMap::new(),
        };
        for (key, value) in &self.stack.parameters {
            let text = parameter(value).ok_or_else(|| {
                Failure::config(format!(
                    "drydock.toml: parameter {key} is neither text, number, boolean nor a list"
                ))
            })?;
            all.insert(key.clone(), text);
        }
        Ok(all)
    }

    /// The template's path.
    pub fn template(&self) -> PathBuf {
        self.dir.join(&self.stack.template)
    }
}

/// A parameter as CloudFormation takes it: lists are joined by commas.
fn parameter(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(parameter).collect::<Option<Vec<_>>>().map(|texts| texts.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_and_its_parameters_win() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dev.cfg"), "Count=1\nVpcId=vpc-1\n").unwrap();
        std::fs::write(
            dir.path().join("drydock.toml"),
            "[stack]\nname = 's'\ntemplate = 't.yml'\nparameter_file = 'dev.cfg'\n\
             parameters = { Count = 3, Subnets = ['subnet-a', 'subnet-b'] }\n\
             [image.web]\nadd = ['first.sh:/home/ec2-user/first.sh']\n[adopt]\nids = ['vpc-1']\n",
        )
        .unwrap();
        let manifest = Manifest::read(dir.path()).unwrap();
        let parameters = manifest.parameters(None).unwrap();
        assert_eq!(parameters["Count"], "3");
        assert_eq!(parameters["Subnets"], "subnet-a,subnet-b");
        assert_eq!(parameters["VpcId"], "vpc-1");
        assert_eq!(manifest.image["web"].from, "ecs-base");
        assert_eq!(manifest.template(), dir.path().join("t.yml"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("drydock.toml"), "[stack]\nname = 's'\ntemplat = 't.yml'\n").unwrap();
        let message = Manifest::read(dir.path()).unwrap_err().message.unwrap();
        assert!(message.contains("templat") && message.contains("line 3"), "{message}");
    }
}
