//! Options for tests, read as a template's are.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use packer_template::config::AmazonEbs;
use packer_template::{BuildData, Context, Files, Host, Source, Template, Variables};

struct NoFiles;

impl Files for NoFiles {
    fn exists(&self, _path: &Path) -> bool {
        false
    }

    fn read(&self, _path: &Path) -> Option<String> {
        None
    }
}

/// The options of a builder that has what is required, and `options` (`"NAME": VALUE, …`) on top.
pub(super) fn config(options: &str) -> AmazonEbs {
    let text = format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "region": "us-east-1", "source_ami": "ami-1",
            "instance_type": "t2.micro", "ssh_username": "me", "ami_name": "image"{}{options}}}]}}"#,
        if options.is_empty() { "" } else { ", " }
    );
    let template = Template::parse(&Source::new("packer.json", text)).expect("a template");
    let host = Host {
        env: HashMap::new(),
        start: "2026-01-01T00:00:00Z".parse().expect("a time"),
        cwd: "/".into(),
        template: None,
        files: Arc::new(NoFiles),
        uuid: String::new,
    };
    let context = Context::new(Arc::new(host), Arc::new(Variables::default()))
        .with_build(BuildData::placeholder("amazon-ebs", "amazon-ebs"));
    AmazonEbs::decode(&template.builders[0].block, &context).expect("options")
}
