//! What `up` brings up: a folder's `drydock.toml`, or what is found by looking into one or two folders.

mod folder;
mod foreign;
mod image_parameter;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use foreign::Foreign;

use crate::exit::Failure;
use crate::manifest::{BuildSection, ImageSection, Manifest, StackSection};
use crate::parameters;
use crate::verbs::deploy::TemplateFile;
use folder::{Folder, the_one};
use image_parameter::image_parameter;

/// What the user says about the halves; each wins over what is found.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Choices {
    /// The Packer template of the image
    #[arg(long, value_name = "FILE")]
    pub packer_template: Option<PathBuf>,
    /// The build of the Packer template to make, when it has several
    #[arg(long, value_name = "BUILD")]
    pub only: Option<String>,
    /// A variable of the Packer template; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub var: Vec<String>,
    /// A JSON file of variables of the Packer template; may be given again
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,
    /// The CloudFormation template of the stack
    #[arg(long, value_name = "FILE")]
    pub template_file: Option<PathBuf>,
    /// The stack's name; its folder's when none
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// The file of the stack's parameters
    #[arg(long, value_name = "FILE")]
    pub parameter_file: Option<PathBuf>,
    /// A parameter of the stack; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub parameter: Vec<String>,
    /// The parameter of the stack that takes the image
    #[arg(long, value_name = "NAME")]
    pub image_parameter: Option<String>,
    /// A capability acknowledged, such as CAPABILITY_NAMED_IAM; may be given again
    #[arg(long, value_name = "CAPABILITY")]
    pub capabilities: Vec<String>,
    /// An id of your AWS account that the local cloud takes on, as `drydock cloud adopt` does; may be given again
    #[arg(long, value_name = "ID")]
    pub adopt: Vec<String>,
}

/// The image, to be built from a Packer template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHalf {
    /// The folder to build in, absolute: relative paths of the template mean files here, as `packer build` run in it
    /// has it.
    pub dir: PathBuf,
    /// The Packer template; as it is called in `dir`.
    pub template: PathBuf,
    /// `-var`
    pub variables: Vec<(String, String)>,
    /// `-var-file`
    pub var_files: Vec<PathBuf>,
    /// The one build of the template to make.
    pub only: Option<String>,
    /// Checks that the image must pass.
    pub checks: Option<PathBuf>,
}

/// The stack that uses it.
pub struct StackHalf {
    /// The stack's name.
    pub name: String,
    /// The template.
    pub template: TemplateFile,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Capabilities acknowledged.
    pub capabilities: Vec<String>,
    /// Tags of the stack.
    pub tags: BTreeMap<String, String>,
    /// The region; the image's or the cloud's own when none.
    pub region: Option<String>,
    /// The parameter that takes the image, when there is one to build.
    pub image_parameter: Option<String>,
}

/// All that is to be brought up.
pub struct Project {
    /// The image to build.
    pub image: Option<ImageHalf>,
    /// The stack to deploy.
    pub stack: Option<StackHalf>,
    /// Images that are made of files alone, and the folder that their files are in.
    pub images: BTreeMap<String, ImageSection>,
    /// The folder of the `drydock.toml`.
    pub dir: PathBuf,
    /// Ids to adopt.
    pub adopt: Vec<String>,
    /// Whether a `drydock.toml` says what is meant, so that nothing is guessed.
    pub described: bool,
}

impl Project {
    /// Reads the project in one or two folders.
    ///
    /// # Errors
    /// When nothing or too much is found, or a file cannot be used.
    pub fn read(dirs: &[PathBuf], choices: &Choices) -> Result<Self, Failure> {
        let mut project = Self {
            image: None,
            stack: None,
            images: BTreeMap::new(),
            dir: PathBuf::new(),
            adopt: choices.adopt.clone(),
            described: false,
        };
        for dir in dirs {
            if !dir.is_dir() {
                return Err(Failure::config(format!("{}: there is no such folder", dir.display())));
            }
            if dir.join("drydock.toml").is_file() {
                project.take_manifest(Manifest::read(dir)?, choices)?;
            } else {
                project.take_folder(dir, choices)?;
            }
        }
        if project.image.is_none() && project.stack.is_none() {
            return Err(nothing_found(dirs));
        }
        project.connect(choices)?;
        Ok(project)
    }

    fn take_manifest(&mut self, manifest: Manifest, choices: &Choices) -> Result<(), Failure> {
        let given = manifest.parameters(choices.parameter_file.as_deref())?;
        let template = match &choices.template_file {
            Some(chosen) => TemplateFile::read(chosen)?,
            None => TemplateFile::read(&manifest.template())?,
        };
        let Manifest { stack, build, image, adopt, dir } = manifest;
        if let Some(section) = build {
            let half = described_image(&dir, section, choices)?;
            self.put_image(half)?;
        }
        self.put_stack(described_stack(stack, template, given, choices)?)?;
        self.images = image;
        self.adopt.extend(adopt.ids);
        self.dir = dir;
        self.described = true;
        Ok(())
    }

    fn take_folder(&mut self, dir: &Path, choices: &Choices) -> Result<(), Failure> {
        let found = Folder::look(dir)?;
        // A choice is about the folder that has such files; of two folders the other one is asked nothing.
        if !found.packer.is_empty() {
            let chosen = choices.packer_template.as_deref();
            if let Some(template) = the_one(&found.packer, chosen, "Packer templates", "--packer-template")? {
                self.put_image(found_image(dir, &template, found.checks.clone(), choices)?)?;
            }
        }
        if !found.stacks.is_empty() {
            let chosen = choices.template_file.as_deref();
            if let Some(path) = the_one(&found.stacks, chosen, "CloudFormation templates", "--template-file")?
            {
                self.put_stack(found_stack(dir, &path, &found, choices)?)?;
            }
        }
        Ok(())
    }

    fn put_image(&mut self, half: ImageHalf) -> Result<(), Failure> {
        if let Some(other) = &self.image {
            return Err(Failure::config(format!(
                "there are two Packer templates, {} and {}: one image at a time",
                other.dir.join(&other.template).display(),
                half.dir.join(&half.template).display()
            )));
        }
        self.image = Some(half);
        Ok(())
    }

    fn put_stack(&mut self, half: StackHalf) -> Result<(), Failure> {
        if let Some(other) = &self.stack {
            return Err(Failure::config(format!(
                "there are two stacks, {} and {}: one at a time",
                other.name, half.name
            )));
        }
        self.stack = Some(half);
        Ok(())
    }

    /// Finds the parameter of the stack that takes the image.
    fn connect(&mut self, choices: &Choices) -> Result<(), Failure> {
        let (Some(_), Some(stack)) = (&self.image, &mut self.stack) else { return Ok(()) };
        let chosen = choices.image_parameter.as_deref().or(stack.image_parameter.as_deref());
        stack.image_parameter = Some(image_parameter(stack.template.template(), chosen)?);
        Ok(())
    }
}

/// The stack that `down` and `verify` mean by folders: its name and its region.
///
/// # Errors
/// When no folder has one, or its name cannot be told.
pub fn stack_of(dirs: &[PathBuf], stack_name: Option<&str>) -> Result<(String, Option<String>), Failure> {
    for dir in dirs {
        if dir.join("drydock.toml").is_file() {
            let manifest = Manifest::read(dir)?;
            let name = stack_name.map_or(manifest.stack.name, str::to_owned);
            return Ok((name, manifest.stack.region));
        }
    }
    if let Some(name) = stack_name {
        return Ok((name.to_owned(), None));
    }
    for dir in dirs {
        if !Folder::look(dir)?.stacks.is_empty() {
            return Ok((folder_name(dir)?, None));
        }
    }
    Err(nothing_found(dirs))
}

fn nothing_found(dirs: &[PathBuf]) -> Failure {
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    Failure::config(format!(
        "{}: neither a drydock.toml, nor a Packer template (JSON with \"builders\"), nor a CloudFormation template \
         (with Resources)",
        names.join(", ")
    ))
}

fn described_image(dir: &Path, section: BuildSection, choices: &Choices) -> Result<ImageHalf, Failure> {
    let mut variables = section.variables()?;
    variables.extend(pairs(&choices.var)?);
    let mut var_files = section.var_files;
    var_files.extend(absolute_all(&choices.var_file)?);
    let template = match &choices.packer_template {
        Some(template) => absolute(template)?,
        None => section.template,
    };
    Ok(ImageHalf {
        dir: absolute(dir)?,
        template,
        variables,
        var_files,
        only: choices.only.clone().or(section.only),
        checks: section.checks.map(|checks| absolute(&dir.join(checks))).transpose()?,
    })
}

fn found_image(
    dir: &Path,
    template: &Path,
    checks: Option<PathBuf>,
    choices: &Choices,
) -> Result<ImageHalf, Failure> {
    let template = match &choices.packer_template {
        Some(chosen) => absolute(chosen)?,
        None => template.strip_prefix(dir).unwrap_or(template).to_owned(),
    };
    Ok(ImageHalf {
        dir: absolute(dir)?,
        template,
        variables: pairs(&choices.var)?,
        var_files: absolute_all(&choices.var_file)?,
        only: choices.only.clone(),
        checks: checks.map(|checks| absolute(&checks)).transpose()?,
    })
}

fn described_stack(
    section: StackSection,
    template: TemplateFile,
    given: BTreeMap<String, String>,
    choices: &Choices,
) -> Result<StackHalf, Failure> {
    let mut capabilities = section.capabilities;
    capabilities.extend(choices.capabilities.iter().cloned());
    Ok(StackHalf {
        name: choices.stack_name.clone().unwrap_or(section.name),
        template,
        parameters: chosen_parameters(given, choices)?,
        capabilities,
        tags: section.tags,
        region: section.region,
        image_parameter: section.image_parameter,
    })
}

fn found_stack(dir: &Path, path: &Path, found: &Folder, choices: &Choices) -> Result<StackHalf, Failure> {
    let chosen = choices.parameter_file.as_deref();
    let given = match the_one(&found.parameters, chosen, "files of parameters", "--parameter-file")? {
        Some(file) => parameters::file(&file)?,
        None => BTreeMap::new(),
    };
    Ok(StackHalf {
        name: match &choices.stack_name {
            Some(name) => name.clone(),
            None => folder_name(dir)?,
        },
        template: TemplateFile::read(path)?,
        parameters: chosen_parameters(given, choices)?,
        capabilities: choices.capabilities.clone(),
        tags: BTreeMap::new(),
        region: None,
        image_parameter: None,
    })
}

fn chosen_parameters(
    mut given: BTreeMap<String, String>,
    choices: &Choices,
) -> Result<BTreeMap<String, String>, Failure> {
    given.extend(parameters::overrides(&choices.parameter)?);
    Ok(given)
}

/// `KEY=VALUE` items.
fn pairs(items: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let pair = |item: &String| match item.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::config(format!("--var {item}: expected KEY=VALUE"))),
    };
    items.iter().map(pair).collect()
}

/// A folder's own name, when a stack may be called so.
fn folder_name(dir: &Path) -> Result<String, Failure> {
    let path = absolute(dir)?;
    // `..` and links are what they lead to.
    let path = path.canonicalize().unwrap_or(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if is_stack_name(&name) {
        return Ok(name);
    }
    Err(Failure::config(format!(
        "a stack cannot be called {name:?} like its folder; name it with --stack-name"
    )))
}

/// CloudFormation's rule for names of stacks: a letter, then letters, digits and hyphens, 128 at most.
pub fn is_stack_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::config(format!("{}: {error}", path.display())))
}

fn absolute_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    paths.iter().map(|path| absolute(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const STACK: &str = "Parameters:\n  AppImageId:\n    Type: String\nResources:\n  A:\n    Type: AWS::ECS::Cluster\n    Metadata:\n      Image: !Ref AppImageId\n";

    /// A temporary directory with these files, folders made as needed.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn failure(result: Result<Project, Failure>) -> String {
        result.map(|_| ()).unwrap_err().message.unwrap()
    }

    #[test]
    fn two_folders_in_any_order() {
        let root = tree(&[
            ("image/packer.json", r#"{"builders": []}"#),
            ("image/manifest.json", "{}"),
            ("web-stack/stack.yml", STACK),
            ("web-stack/dev.cfg", "AppImageId=ami-ec957491\n"),
        ]);
        let (image, stack) = (root.path().join("image"), root.path().join("web-stack"));
        for dirs in [[image.clone(), stack.clone()], [stack, image.clone()]] {
            let project = Project::read(&dirs, &Choices::default()).unwrap();
            let half = project.image.unwrap();
            assert_eq!((half.dir, half.template), (image.clone(), PathBuf::from("packer.json")));
            let half = project.stack.unwrap();
            assert_eq!(half.name, "web-stack");
            assert_eq!(half.parameters["AppImageId"], "ami-ec957491");
            assert_eq!(half.image_parameter.as_deref(), Some("AppImageId"));
        }
    }

    #[test]
    fn a_manifest_with_a_build() {
        let root = tree(&[
            ("packer.json", r#"{"builders": []}"#),
            ("stack.yml", STACK),
            (
                "drydock.toml",
                "[build]\ntemplate = 'packer.json'\nvariables = { zone = 'UTC', count = 2 }\nchecks = 'checks.toml'\n\
                 [stack]\nname = 's'\ntemplate = 'stack.yml'\nimage_parameter = 'AppImageId'\n",
            ),
        ]);
        let choices = Choices { var: vec!["zone=US/Eastern".into()], ..Choices::default() };
        let project = Project::read(&[root.path().to_owned()], &choices).unwrap();
        let half = project.image.unwrap();
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            half.variables,
            [value("count", "2"), value("zone", "UTC"), value("zone", "US/Eastern")],
            "the last one wins"
        );
        assert_eq!(half.checks, Some(root.path().join("checks.toml")));
        assert!(project.described);
    }

    #[test]
    fn chosen_files_take_the_place_of_the_manifests() {
        let root = tree(&[
            ("stack.yml", STACK),
            ("other.yml", &STACK.replace("AppImageId", "Other")),
            ("dev.cfg", "A=dev\nB=dev\n"),
            ("prod.cfg", "A=prod\n"),
            (
                "drydock.toml",
                "[stack]\nname = 's'\ntemplate = 'stack.yml'\nparameter_file = 'dev.cfg'\nparameters = { C = 1 }\n",
            ),
        ]);
        let choices = Choices {
            parameter_file: Some(root.path().join("prod.cfg")),
            template_file: Some(root.path().join("other.yml")),
            parameter: vec!["D=2".into()],
            ..Choices::default()
        };
        let stack = Project::read(&[root.path().to_owned()], &choices).unwrap().stack.unwrap();
        let given: Vec<(&str, &str)> =
            stack.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(given, [("A", "prod"), ("C", "1"), ("D", "2")]);
        assert!(stack.template.text.contains("Other"));
    }

    #[test]
    fn what_is_missing_or_doubled_is_told() {
        let root = tree(&[
            ("empty/readme.txt", ""),
            ("many/a.json", r#"{"builders": []}"#),
            ("many/b.json", r#"{"builders": []}"#),
            ("1st/stack.yml", STACK),
            ("one/stack.yml", STACK),
            ("two/stack.yml", STACK),
        ]);
        let dir = |name: &str| root.path().join(name);
        let none = Choices::default();
        for (dirs, words) in [
            (vec![dir("empty")], "neither a drydock.toml"),
            (vec![dir("nowhere")], "no such folder"),
            (vec![dir("many")], "--packer-template"),
            (vec![dir("1st")], "--stack-name"),
            (vec![dir("one"), dir("two")], "two stacks, one and two"),
        ] {
            let message = failure(Project::read(&dirs, &none));
            assert!(message.contains(words), "{message}");
        }
        let chosen = Choices { stack_name: Some("first".into()), ..Choices::default() };
        assert_eq!(Project::read(&[dir("1st")], &chosen).unwrap().stack.unwrap().name, "first");
    }

    #[test]
    fn the_stack_of_folders() {
        let root = tree(&[
            ("image/packer.json", r#"{"builders": []}"#),
            ("web/stack.yml", STACK),
            ("toml/drydock.toml", "[stack]\nname = 's'\ntemplate = 't'\nregion = 'eu-west-1'\n"),
        ]);
        let dir = |name: &str| root.path().join(name);
        assert_eq!(stack_of(&[dir("image"), dir("web")], None).unwrap(), ("web".into(), None));
        assert_eq!(stack_of(&[dir("web")], Some("other")).unwrap(), ("other".into(), None));
        assert_eq!(stack_of(&[dir("toml")], None).unwrap(), ("s".into(), Some("eu-west-1".into())));
        assert!(stack_of(&[dir("image")], None).is_err());
    }
}
