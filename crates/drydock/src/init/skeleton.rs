//! The files of a new repository: those of `examples/todobackend`, with the answers in place of the example's own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::answers::{Answers, EXAMPLE, Environment};

/// Permission bits of texts and of programs.
const TEXT: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// The files of the example by their names in the repository.
macro_rules! embedded {
    ($($mode:ident $path:literal),* $(,)?) => {
        &[$(($path, $mode, include_str!(concat!("../../../../examples/todobackend/", $path)))),*]
    };
}

static FILES: &[(&str, u32, &str)] = embedded![
    TEXT ".gitignore",
    TEXT "README.md",
    TEXT "checks.toml",
    TEXT "drydock.toml",
    TEXT "files/README.md",
    TEXT "packer.json",
    PROGRAM "scripts/cleanup.sh",
    PROGRAM "scripts/cloudinit.sh",
    PROGRAM "scripts/firstrun.sh",
    PROGRAM "scripts/logging.sh",
    PROGRAM "scripts/packages.sh",
    PROGRAM "scripts/storage.sh",
    PROGRAM "scripts/time.sh",
    TEXT "template.yml",
];

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the repository.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
    /// What is in it.
    pub text: String,
}

/// The example does not have what an answer takes the place of. A test sees to it that this cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{path} of the built-in skeleton has {found} places for {mark:?}, not one")]
pub struct NoPlace {
    path: &'static str,
    mark: String,
    found: usize,
}

/// An answer in place of a text of the example's, which is in a file exactly once.
struct Place {
    path: &'static str,
    mark: String,
    text: String,
}

/// The files for some answers, in the order of their paths.
///
/// # Errors
/// When the skeleton has no place for an answer.
pub fn files(answers: &Answers) -> Result<Vec<File>, NoPlace> {
    let places = places(answers);
    let mut files = Vec::new();
    for (path, mode, text) in FILES {
        let mut text = (*text).to_owned();
        for place in places.iter().filter(|place| place.path == *path) {
            text = place.fill(&text)?;
        }
        if *path == "README.md" {
            text = text.replace(EXAMPLE, &answers.name);
        }
        files.push(File { path: (*path).to_owned(), mode: *mode, text });
    }
    files.extend(answers.environments.iter().map(parameters));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

impl Place {
    fn fill(&self, text: &str) -> Result<String, NoPlace> {
        match text.matches(&self.mark).count() {
            1 => Ok(text.replacen(&self.mark, &self.text, 1)),
            found => Err(NoPlace { path: self.path, mark: self.mark.clone(), found }),
        }
    }
}

/// Where the answers go. Each is written as the example has it, with another value: none of them needs escaping, as only
/// names, ids and numbers have been let through.
fn places(answers: &Answers) -> Vec<Place> {
    let example = Answers::default_for(EXAMPLE);
    let place = |path, write: &dyn Fn(&Answers) -> String| Place {
        path,
        mark: write(&example),
        text: write(answers),
    };
    vec![
        place("packer.json", &|of| format!("\"name\": \"{}\"", of.name)),
        place("packer.json", &|of| format!("\"region\": \"{}\"", of.region)),
        place("packer.json", &|of| format!("\"time_zone\": \"{}\"", of.time_zone)),
        place("checks.toml", &|of| format!("zone = \"{}\"", of.time_zone)),
        place("drydock.toml", &|of| format!("in the environment {}.", of.environments[0].name)),
        place("drydock.toml", &|of| format!("name = \"{}\"", of.name)),
        place("drydock.toml", &|of| format!("region = \"{}\"", of.region)),
        place("drydock.toml", &|of| format!("parameter_file = \"{}.cfg\"", of.environments[0].name)),
        place("drydock.toml", &adopted),
    ]
}

/// The ids that the environments name, each once.
fn adopted(answers: &Answers) -> String {
    let of = |environment: &Environment| {
        let mut ids = vec![environment.vpc_id.clone()];
        ids.extend(environment.subnet_ids.iter().cloned());
        ids
    };
    let mut seen = BTreeSet::new();
    let ids: Vec<String> =
        answers.environments.iter().flat_map(of).filter(|id| seen.insert(id.clone())).collect();
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!("ids = [{}]", quoted.join(", "))
}

/// `ENVIRONMENT.cfg`.
fn parameters(environment: &Environment) -> File {
    let (url, port) = match &environment.proxy {
        Some(proxy) => (proxy.url.as_str(), proxy.port),
        None => ("", 3128),
    };
    let mut text = format!(
        "# The stack's parameters in the environment {}. Put the VPC and the subnets of your AWS account here; the local\n\
         # cloud makes twins of whatever ids drydock.toml names under [adopt].\n",
        environment.name
    );
    for (key, value) in [
        ("VpcId", environment.vpc_id.clone()),
        ("Subnets", environment.subnet_ids.join(",")),
        ("InstanceType", environment.instance_type.clone()),
        ("DesiredCount", environment.desired_count.to_string()),
        ("LogRetentionDays", environment.log_retention_days.to_string()),
        ("ProxyUrl", url.to_owned()),
        ("ProxyPort", port.to_string()),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key}={value}");
    }
    File { path: format!("{}.cfg", environment.name), mode: TEXT, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::valid::{self, Proxy};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    fn example() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/todobackend")
    }

    /// Every file below `dir`, but for what a build leaves there (see the example's `.gitignore`).
    fn tree(dir: &Path, below: &str, found: &mut Vec<File>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                tree(&entry.path(), &path, found);
            } else if !["manifest.json", "files/drydock-guest"].contains(&path.as_str()) {
                let mode = fs::metadata(entry.path()).unwrap().permissions().mode() & 0o777;
                found.push(File { path, mode, text: fs::read_to_string(entry.path()).unwrap() });
            }
        }
    }

    #[test]
    fn the_example_is_what_init_writes_with_the_defaults() {
        let mut there = Vec::new();
        tree(&example(), "", &mut there);
        there.sort_by(|a, b| a.path.cmp(&b.path));
        let written = files(&Answers::default_for(EXAMPLE)).unwrap();
        let paths = |files: &[File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&written), paths(&there));
        for (ours, theirs) in written.iter().zip(&there) {
            assert_eq!(ours, theirs);
        }
    }

    fn answers() -> Answers {
        let mut answers = Answers::default_for("shop");
        answers.region = "eu-west-1".to_owned();
        answers.time_zone = "Europe/Berlin".to_owned();
        answers.environments = vec![Environment::default_for("test"), Environment::default_for("production")];
        answers.environments[1].vpc_id = "vpc-f8233a80".to_owned();
        answers.environments[1].proxy = Some(Proxy { url: "http://proxy:80".to_owned(), port: 80 });
        answers
    }

    fn text<'a>(files: &'a [File], path: &str) -> &'a str {
        &files.iter().find(|file| file.path == path).unwrap().text
    }

    #[test]
    fn answers_are_in_the_files_and_the_examples_are_not() {
        let files = files(&answers()).unwrap();
        for file in &files {
            assert!(!file.text.contains(EXAMPLE), "{}", file.path);
            assert!(!file.text.contains("us-east-1"), "{}", file.path);
        }
        for (path, words) in [
            ("packer.json", "\"time_zone\": \"Europe/Berlin\""),
            ("packer.json", "\"region\": \"eu-west-1\""),
            ("checks.toml", "zone = \"Europe/Berlin\""),
            ("drydock.toml", "parameter_file = \"test.cfg\""),
            (
                "drydock.toml",
                "\"vpc-0c0ffee0c0ffee001\", \"subnet-0c0ffee0c0ffee00a\", \"subnet-0c0ffee0c0ffee00b\", \"vpc-f8233a80\"]",
            ),
            ("test.cfg", "DesiredCount=1\nLogRetentionDays=7\nProxyUrl=\nProxyPort=3128\n"),
            (
                "production.cfg",
                "DesiredCount=2\nLogRetentionDays=90\nProxyUrl=http://proxy:80\nProxyPort=80\n",
            ),
            ("README.md", "--stack-name shop-ENVIRONMENT"),
        ] {
            assert!(text(&files, path).contains(words), "{path}: {}", text(&files, path));
        }
    }

    #[test]
    fn a_file_without_its_place_is_told() {
        let place = Place { path: "f", mark: "a".to_owned(), text: "b".to_owned() };
        assert_eq!(place.fill("xay").unwrap(), "xby");
        for text in ["", "aa"] {
            assert!(place.fill(text).unwrap_err().to_string().contains("not one"));
        }
    }

    /// What the template takes, `init` lets through, and the other way round.
    #[test]
    fn the_template_agrees_with_the_rules() {
        let template = text(&files(&answers()).unwrap(), "template.yml").to_owned();
        let days: Vec<String> = valid::RETENTIONS.iter().map(u32::to_string).collect();
        assert!(template.contains(&format!("AllowedValues: [{}]", days.join(", "))));
        assert!(template.contains(&format!("MaxValue: {}", valid::MOST_INSTANCES)));
        assert!(template.contains(&format!("MaxSize: \"{}\"", valid::MOST_INSTANCES)));
        assert!(text(&files(&answers()).unwrap(), "packer.json").contains("\"architecture\": \"x86_64\""));
    }
}
