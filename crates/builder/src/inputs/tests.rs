use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use packer_template::{Files, Source, Template, VarInput, VarInputs};

use super::*;
use crate::build::Plan;
use crate::selection::Names;

struct Disk;

impl Files for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn read(&self, path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }
}

/// A folder with a template and its scripts, and how it is built.
struct Folder {
    dir: tempfile::TempDir,
    env: HashMap<String, String>,
    vars: Vec<(&'static str, &'static str)>,
    source: SourceImage,
    start: jiff::Timestamp,
}

const TEMPLATE: &str = r#"{
  "variables": {"key": "{{env `KEY`}}", "zone": "UTC", "unused": "1", "stamp": "{{timestamp}}"},
  "builders": [{
    "type": "amazon-ebs", "access_key": "{{user `key`}}", "secret_key": "{{user `key`}}", "region": "us-east-1",
    "source_ami": "ami-5e414e24", "instance_type": "t2.micro", "ssh_username": "ec2-user",
    "ami_name": "x {{timestamp}} {{user `stamp`}}"
  }],
  "provisioners": [
    {"type": "shell", "script": "DIR/a.sh"},
    {"type": "shell", "script": "DIR/b.sh", "environment_vars": ["ZONE={{user `zone`}}"]},
    {"type": "file", "source": "DIR/files/", "destination": "/opt"}
  ],
  "post-processors": [{"type": "manifest", "output": "manifest.json"}]
}"#;

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.sh", "b.sh", "c.sh", "files/one"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("echo {name}\n")).unwrap();
        }
        let source = SourceImage { id: "ami-5e414e24".into(), created: "2026-01-01T00:00:00Z".into() };
        let env = HashMap::from([("KEY".to_owned(), "AKIA".to_owned())]);
        Self { dir, env, vars: Vec::new(), source, start: "2026-11-21T06:00:00Z".parse().unwrap() }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// The inputs, after `edit` was made to the template.
    fn inputs(&self, edit: (&str, &str)) -> Inputs {
        let text = TEMPLATE.replace(edit.0, edit.1).replace("DIR", &self.dir.path().display().to_string());
        let host = Host {
            env: self.env.clone(),
            start: self.start,
            cwd: self.dir.path().to_owned(),
            template: Some(self.dir.path().join("packer.json")),
            files: Arc::new(Disk),
            uuid: || "u".to_owned(),
        };
        let template = Template::parse(&Source::new("packer.json", text)).unwrap();
        let vars = self
            .vars
            .iter()
            .map(|(name, value)| VarInput::Var { name: (*name).into(), value: (*value).into() });
        let inputs = VarInputs { inputs: vars.collect() };
        let variables = Variables::resolve(&template, &inputs, &frozen(&host)).unwrap();
        let real = Variables::resolve(&template, &inputs, &host).unwrap();
        let context = Context::new(Arc::new(host), Arc::new(real));
        let plan = Plan::new(&template, &context, &Names::default()).unwrap();
        read(&plan.builds[0], &plan.context, &variables, &self.source, "us-east-1").unwrap()
    }
}

const AS_IT_IS: (&str, &str) = ("", "");

/// How many steps two builds have in common.
fn common(one: &Inputs, other: &Inputs) -> usize {
    one.chain().iter().zip(other.chain()).take_while(|(a, b)| **a == *b).count()
}

#[test]
fn what_does_not_count() {
    let mut folder = Folder::new();
    let before = folder.inputs(AS_IT_IS).digest();
    folder.start = "2027-01-01T00:00:00Z".parse().unwrap();
    folder.env.insert("KEY".into(), "OTHER".into());
    folder.vars = vec![("unused", "2")];
    assert_eq!(folder.inputs(AS_IT_IS).digest(), before, "time, credentials, a variable that nothing names");
    let moved = ("\"region\": \"us-east-1\",", "\"max_retries\": 7, \"region\": \"us-east-1\",");
    assert_eq!(folder.inputs(moved).digest(), before, "options of access");
    let order =
        ("\"type\": \"shell\", \"script\": \"DIR/a.sh\"", "\"script\": \"DIR/a.sh\", \"type\": \"shell\"");
    assert_eq!(folder.inputs(order).digest(), before, "the order of options");
}

#[test]
fn what_counts_and_from_which_step_on() {
    let folder = Folder::new();
    let before = folder.inputs(AS_IT_IS);
    assert_eq!(before.chain().len(), 4);
    for (edit, same) in [
        (("t2.micro", "t3.micro"), 0),
        (("x {{timestamp}}", "y {{timestamp}}"), 0),
        (("\"script\": \"DIR/a.sh\"", "\"script\": \"DIR/c.sh\""), 1),
        (("ZONE=", "TIMEZONE="), 2),
        (("\"zone\": \"UTC\"", "\"zone\": \"US/Eastern\""), 2),
        (("/opt", "/srv"), 3),
        (("manifest.json", "other.json"), 4),
    ] {
        let after = folder.inputs(edit);
        assert_eq!(common(&before, &after), same, "{edit:?}");
        assert_ne!(after.digest(), before.digest(), "{edit:?}");
    }
}

#[test]
fn files_count_by_what_they_hold() {
    let folder = Folder::new();
    let before = folder.inputs(AS_IT_IS);
    folder.write("b.sh", "echo other\n");
    let after = folder.inputs(AS_IT_IS);
    assert_eq!(common(&before, &after), 2);
    folder.write("b.sh", "echo b.sh\n");
    assert_eq!(folder.inputs(AS_IT_IS).digest(), before.digest(), "as it was");
    folder.write("files/two", "");
    assert_eq!(common(&before, &folder.inputs(AS_IT_IS)), 3);
    let names: Vec<_> = before
        .files()
        .iter()
        .map(|path| path.strip_prefix(folder.dir.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["a.sh", "b.sh", "files"]);
}

#[test]
fn another_source_image_is_another_build() {
    let mut folder = Folder::new();
    let before = folder.inputs(AS_IT_IS);
    folder.source.created = "2026-02-02T00:00:00Z".into();
    assert_eq!(common(&before, &folder.inputs(AS_IT_IS)), 0);
    folder.vars = vec![("zone", "Asia/Tokyo")];
    folder.source.created = "2026-01-01T00:00:00Z".into();
    assert_eq!(common(&before, &folder.inputs(AS_IT_IS)), 2);
}
