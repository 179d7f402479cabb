//! The generated parts of `docs/services.md`: what each service does and what it refuses, read from its source.
//!
//! Generated parts stand between `<!-- generated: SERVICE -->` and `<!-- end -->`; the rest is written by hand. What is
//! read are the habits of `crates/cloud`: the operations that the `impl` of a service's trait overrides, the lists
//! given to `only_supported` and `first_unsupported`, and the texts given to `unsupported` and `refuse`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::wire::Selection;
use crate::wire::names::snake;

/// A document with generated parts, and what they are generated from.
pub struct Docs {
    path: PathBuf,
    services: BTreeMap<String, Source>,
}

/// A service's operations and the text of its folder's files, tests left out.
struct Source {
    operations: Vec<String>,
    files: Vec<String>,
}

impl Docs {
    /// Reads the sources of all services below the workspace's `root`.
    pub fn open(root: &Path, services: &BTreeMap<String, Selection>) -> Result<Self> {
        let read = |(name, selection): (&String, &Selection)| {
            let files = read_sources(&root.join("crates/cloud/src").join(name))?;
            Ok((name.clone(), Source { operations: selection.operations.clone(), files }))
        };
        let services = services.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { path: root.join("docs/services.md"), services })
    }

    /// Writes the generated parts.
    pub fn write(&self) -> Result<()> {
        let text = self.rendered()?.1;
        fs::write(&self.path, text).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Fails if [`Docs::write`] would change anything.
    pub fn check(&self) -> Result<()> {
        let (old, new) = self.rendered()?;
        ensure!(old == new, "{} is out of date; run `cargo xtask docs`", self.path.display());
        Ok(())
    }

    /// The document as it is and as it should be.
    fn rendered(&self) -> Result<(String, String)> {
        let old =
            fs::read_to_string(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        let mut new = old.clone();
        for (name, source) in &self.services {
            new = replace_part(&new, name, &source.render()?)
                .with_context(|| format!("{} has no generated part for {name}", self.path.display()))?;
        }
        Ok((old, new))
    }
}

/// The text with its part `name` replaced; none when it has no such part.
fn replace_part(text: &str, name: &str, part: &str) -> Option<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{begin}{part}<!-- end -->{after}"))
}

/// The Rust files below a folder in the order of their names, without those of tests.
fn read_sources(dir: &Path) -> Result<Vec<String>> {
    let mut entries = fs::read_dir(dir)
        .with_context(|| format!("cannot list {}", dir.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem.starts_with("test") || stem.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            files.extend(read_sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            files.push(code.to_owned());
        }
    }
    Ok(files)
}

impl Source {
    fn render(&self) -> Result<String> {
        let (done, missing): (Vec<&String>, Vec<&String>) =
            self.operations.iter().partition(|operation| self.overrides(operation));
        let mut out = format!("{} operations: {}.\n", done.len(), names(done));
        if !missing.is_empty() {
            writeln!(out, "\nRecognised, but answered with `NotImplemented`: {}.", names(missing))?;
        }
        let members = self.supported_members();
        if !members.is_empty() {
            out.push_str("\n| request or structure | takes, and refuses others by name |\n|---|---|\n");
            for (owner, members) in members {
                writeln!(out, "| `{owner}` | {} |", names(&members))?;
            }
        }
        let refusals = self.refusals();
        if !refusals.is_empty() {
            writeln!(out, "\nRefused by name besides: {}.", names(&refusals))?;
        }
        Ok(out)
    }

    /// Whether the operation is more than the trait's default: written as a method, or as a line of the macro that
    /// writes the methods.
    fn overrides(&self, operation: &str) -> bool {
        let method = format!("{}(", snake(operation));
        self.files.iter().flat_map(|file| file.lines()).map(str::trim_start).any(|line| {
            line.strip_prefix("fn ").is_some_and(|line| line.starts_with(&method) && is_method(line, &method))
                || line
                    .strip_prefix(&method)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        })
    }

    /// Each request or structure of which only some members are supported, with those.
    fn supported_members(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for file in &self.files {
            for call in calls(file, "only_supported(").chain(calls(file, "first_unsupported(")) {
                let Some(list) = member_list(file, call) else { continue };
                let Some(owner) = literals(&file[call..]).find(|text| !list.contains(text)) else { continue };
                found.insert(owner.trim_end_matches(" with {member}").to_owned(), list);
            }
        }
        found
    }

    /// The texts of single refusals.
    fn refusals(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for file in &self.files {
            for call in calls(file, "unsupported(") {
                let rest = file[call..].trim_start();
                found.extend(rest.starts_with('"').then(|| literals(rest).next()).flatten());
            }
            found.extend(calls(file, "refuse(").filter_map(|call| refused_parameter(&file[call..])));
        }
        found
    }
}

/// Whether a line that begins with `fn name(` declares a method, whose first parameter may be on the next line.
fn is_method(line: &str, method: &str) -> bool {
    let rest = &line[method.len()..];
    rest.is_empty() || rest.starts_with("&self")
}

/// Where the arguments of each call of a function begin; `function` ends with its parenthesis.
fn calls<'a>(text: &'a str, function: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(function).filter_map(move |(at, _)| {
        let before = &text[..at];
        let is_part = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        (!is_part && !before.ends_with("fn ")).then_some(at + function.len())
    })
}

/// The parameter that `refuse(GIVEN, PARAMETER, WHY)` names.
fn refused_parameter(arguments: &str) -> Option<String> {
    let call = arguments.split(';').next()?;
    let named =
        call.split(',').skip(1).find_map(|argument| argument.trim().strip_prefix('"')?.strip_suffix('"'))?;
    let is_name = named.starts_with(|c: char| c.is_ascii_uppercase())
        && named.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '_');
    is_name.then(|| named.to_owned())
}

/// The list given to a call: written there, or the constant of that name that is declared nearest before.
fn member_list(file: &str, call: usize) -> Option<Vec<String>> {
    let arguments = &file[call..];
    let arguments = &arguments[..arguments.find([';', '{']).unwrap_or(arguments.len())];
    if let Some((_, list)) = arguments.split_once("&[") {
        return Some(literals(list.split(']').next()?).collect());
    }
    let name = arguments
        .split([',', ')'])
        .map(str::trim)
        .find(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'))?;
    let declaration = format!("const {name}: &[&str] =");
    let at = file[..call].rfind(&declaration).or_else(|| file.find(&declaration))?;
    let list = file[at + declaration.len()..].split(']').next()?;
    Some(literals(list).collect())
}

/// The string literals in a piece of code that has none with escapes.
fn literals(code: &str) -> impl Iterator<Item = String> + '_ {
    code.split('"').skip(1).step_by(2).map(str::to_owned)
}

fn names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{root, wire};

    #[test]
    fn what_is_documented_is_what_the_services_do() {
        let workspace = wire::Workspace::open(&root().join("crates/aws-wire")).unwrap();
        Docs::open(&root(), workspace.services()).unwrap().check().unwrap();
    }

    #[test]
    fn overrides_and_refusals_are_read_from_code() {
        let code = r#"
            const SUPPORTED: &[&str] = &["VpcId", "DryRun"];
            impl Ec2<Ctx> for Service {
                fn create_vpc(&self, input: Input) {
                    only_supported(&input, "CreateVpc", SUPPORTED)?;
                    Err(errors::unsupported("A vault"))
                }
            }
            service! { describe_vpcs(DescribeVpcsRequest) -> DescribeVpcsResult; }
            service! {
                delete_vpc(DeleteVpcRequest) -> ();
            }
            fn elsewhere() { attach_volume(ctx, input); only_supported(&x, "Ebs", &["Size"])?; refuse(given, "URL", NO_S3)?; }
        "#;
        let operations = ["CreateVpc", "DeleteVpc", "AttachVolume"].map(str::to_owned).to_vec();
        let source = Source { operations, files: vec![code.to_owned()] };
        let text = source.render().unwrap();
        assert!(text.starts_with("2 operations: `CreateVpc`, `DeleteVpc`.\n"), "{text}");
        assert!(text.contains("`NotImplemented`: `AttachVolume`."), "{text}");
        assert!(text.contains("| `CreateVpc` | `VpcId`, `DryRun` |\n| `Ebs` | `Size` |\n"), "{text}");
        assert!(text.ends_with("besides: `A vault`, `URL`.\n"), "{text}");
    }

    #[test]
    fn parts_are_replaced_and_missing_ones_told() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb";
        let expected = "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb";
        assert_eq!(replace_part(text, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(replace_part(text, "y", "new\n"), None);
    }
}
