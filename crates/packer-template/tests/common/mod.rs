//! A host that tests can say everything about. Not every test file uses everything.

#![allow(dead_code)]

use std::{collections::HashMap, path::Path, sync::Arc};

use packer_template::{
    BuildData, Collector, Context, Errors, Files, Host, Source, Template, VarInput, VarInputs, Variables,
    config,
};

/// The files that are there: `scripts/*.sh`, `files/firstrun.sh`, `key.pem` and `notes.txt`.
struct Disk;

impl Files for Disk {
    fn exists(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        path.ends_with(".sh") && !path.contains("nosuch") || self.read(Path::new(path.as_ref())).is_some()
    }

    fn read(&self, path: &Path) -> Option<String> {
        match path.file_name()?.to_str()? {
            "key.pem" => Some("-----BEGIN RSA PRIVATE KEY-----\n".to_owned()),
            "notes.txt" => Some("nothing".to_owned()),
            _ => None,
        }
    }
}

/// A host on the 4th of March 2021, 13:04:05.123 UTC.
pub fn host() -> Host {
    Host {
        env: HashMap::from([
            ("HOME".to_owned(), "/home/me".to_owned()),
            ("REGION".to_owned(), "eu-west-1".to_owned()),
        ]),
        start: "2021-03-04T13:04:05.123Z".parse().expect("a time"),
        cwd: "/work".into(),
        template: Some("/srv/templates/packer.json".into()),
        files: Arc::new(Disk),
        uuid: || "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
    }
}

/// A template's text under the name that errors show.
pub fn source(text: &str) -> Source {
    Source::new("packer.json", text)
}

/// `-var` after `-var`.
pub fn vars(pairs: &[(&str, &str)]) -> VarInputs {
    let var =
        |(name, value): &(&str, &str)| VarInput::Var { name: (*name).to_owned(), value: (*value).to_owned() };
    VarInputs { inputs: pairs.iter().map(var).collect() }
}

/// A context in the build `amazon-ebs`, with placeholders for what only the build knows.
pub fn context(variables: Variables) -> Context {
    let context = Context::new(Arc::new(host()), Arc::new(variables));
    context.with_build(BuildData::placeholder("amazon-ebs", "amazon-ebs"))
}

/// Everything wrong with a template, as `drydock validate` finds it.
pub fn check(text: &str) -> Result<(), Errors> {
    let mut errors = Collector::default();
    let (template, found) = Template::parse_leniently(&source(text));
    errors.extend(found.into_iter().flatten());
    let Some(template) = template else { return errors.into_result(()) };
    let (variables, found) = Variables::resolve_leniently(&template, &VarInputs::default(), &host());
    errors.extend(found.into_iter().flatten());
    let outside = Context::new(Arc::new(host()), Arc::new(variables));
    errors.take(template.build_names(&outside).map(|_| ()));
    for builder in &template.builders {
        let context = outside.with_build(BuildData::placeholder(&builder.name, &builder.block.kind));
        errors.take(config::AmazonEbs::decode(&builder.block, &context).map(|_| ()));
        for provisioner in template.provisioners.iter().filter(|found| !found.selection.skips(&builder.name))
        {
            let block = provisioner.block_for(&builder.name);
            errors.take(match block.kind.as_str() {
                "shell" => config::Shell::decode(&block, &context).map(|_| ()),
                "file" => config::File::decode(&block, &context).map(|_| ()),
                "shell-local" => config::ShellLocal::decode(&block, &context).map(|_| ()),
                _ => config::Breakpoint::decode(&block, &context).map(|_| ()),
            });
        }
        for post in template.post_processors.iter().flatten() {
            errors.take(match post.block.kind.as_str() {
                "manifest" => config::Manifest::decode(&post.block, &context).map(|_| ()),
                "checksum" => config::Checksum::decode(&post.block, &context).map(|_| ()),
                "compress" => config::Compress::decode(&post.block, &context).map(|_| ()),
                _ => config::ShellLocalPost::decode(&post.block, &context).map(|_| ()),
            });
        }
    }
    errors.into_result(())
}
