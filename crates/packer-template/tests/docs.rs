//! `docs/packer-options.md` is written from the tables of options. This fails when it is out of date;
//! `UPDATE_DOCS=1 cargo test --package packer-template --test docs` writes it.

use std::{fmt::Write, path::Path};

use packer_template::config::options::{
    AMAZON_EBS, ASSUME_ROLE, BLOCK_DEVICE, BREAKPOINT, CHECKSUM, COMPRESS, FILE, MANIFEST, Opt, SHELL,
    SHELL_LOCAL, Support,
};

const INTRODUCTION: &str = "# Packer templates: options and functions

<!-- Written from the tables of options by `UPDATE_DOCS=1 cargo test --package packer-template --test docs`. -->

The language is that of Packer 1.6.6's JSON templates. What each option means is said in Packer's documentation; here
stands what Drydock makes of it. An option that is not listed is refused, as Packer refuses it, and so is every
builder, provisioner and post-processor that has no section here.
";

const FUNCTIONS: &str = "
## Functions in templates

Go's templates with `if`, `else`, `with`, `range`, variables, comments, trimming and pipelines, and Go's functions `and`,
`eq`, `ge`, `gt`, `html`, `index`, `js`, `le`, `len`, `lt`, `ne`, `not`, `or`, `print`, `printf`, `println`, `slice` and
`urlquery`.

| function | where |
|---|---|
| `user`, `timestamp`, `isotime`, `strftime`, `uuid`, `pwd`, `template_dir`, `split`, `replace`, `replace_all`, `upper`, `lower` | everywhere |
| `env` | in the defaults of variables |
| `build_name`, `build_type`, `packer_version` | in options |
| `build` | in options of provisioners and post-processors, and in options that are rendered late |
| `clean_resource_name` | in options of `amazon-ebs` |
| `{{ .SourceAMI }}`, `.SourceAMIName`, `.SourceAMICreationDate`, `.SourceAMIOwner`, `.SourceAMIOwnerName`, `.SourceAMITags`, `.BuildRegion` | in `ami_description`, `tags`, `snapshot_tags`, `run_tags`, `run_volume_tags` |

Refused by name: `aws_secretsmanager`, `consul_key` and `vault`, because a template's secrets come from variables or the
environment, and `define`, `template`, `block`, `break` and `continue`. `sed` is gone from Packer too.

## Where the verdict differs from Packer's

`drydock validate` and `packer validate` agree, but for this:

| what | Packer 1.6.6 | Drydock |
|---|---|---|
| a builder, provisioner, post-processor or option that is refused | accepted | refused, by name |
| `communicator` `winrm` or `docker`, `ssh_interface` `session_manager` | accepted | refused, by name |
| ports beyond 65535, sizes, retries and numbers below zero | accepted, fails later | refused |
| a name in `{{ .SourceAmi }}` that the builder does not have | accepted, fails when the tag is made | refused |
| `temporary_key_pair_type` of another name | accepted, ignored | refused |
| a certificate file that is not there | accepted without a key file, fails later | refused |
| a volume of type `gp3` without `throughput` | refused | accepted |
| text behind the object of a variable file, or a name that stands twice in it | accepted | refused |
| `imds_support`, `metadata_options`, `skip_create_ami` | refused | accepted, as in later versions |
";

#[test]
fn the_options_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/packer-options.md");
    let expected = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/packer-options.md is out of date: run this test with UPDATE_DOCS=1");
}

fn render() -> String {
    let mut out = INTRODUCTION.to_owned();
    section(&mut out, "Builder `amazon-ebs`", AMAZON_EBS);
    section(&mut out, "`ami_block_device_mappings` and `launch_block_device_mappings`", BLOCK_DEVICE);
    section(&mut out, "`assume_role`", ASSUME_ROLE);
    section(&mut out, "Provisioner `shell`", SHELL);
    section(&mut out, "Provisioner `file`", FILE);
    section(&mut out, "Provisioner and post-processor `shell-local`", SHELL_LOCAL);
    section(&mut out, "Provisioner `breakpoint`", BREAKPOINT);
    section(&mut out, "Post-processor `manifest`", MANIFEST);
    section(&mut out, "Post-processor `checksum`", CHECKSUM);
    section(&mut out, "Post-processor `compress`", COMPRESS);
    out.push_str(FUNCTIONS);
    out
}

fn section(out: &mut String, title: &str, options: &[Opt]) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\n## {title}\n");
    let names = |wanted: Support| {
        let names = options.iter().filter(|option| option.support == wanted);
        names.map(|option| format!("`{}`", option.name)).collect::<Vec<_>>().join(", ")
    };
    let _ = writeln!(out, "Supported: {}.", names(Support::Supported));
    let newer = names(Support::Newer);
    if !newer.is_empty() {
        let _ = writeln!(out, "\nSupported, and newer than Packer 1.6.6: {newer}.");
    }
    let refused: Vec<_> = options.iter().filter_map(|option| Some((option.name, reason(option)?))).collect();
    if !refused.is_empty() {
        out.push_str("\n| refused | why |\n|---|---|\n");
        for (name, why) in refused {
            let _ = writeln!(out, "| `{name}` | {why} |");
        }
    }
}

/// Why an option is refused; none when it is not.
fn reason(option: &Opt) -> Option<String> {
    match option.support {
        Support::Supported | Support::Newer | Support::Ignored(_) => None,
        Support::Refused(why) => Some(why.to_owned()),
        Support::Renamed(to) => Some(format!("Packer 1.6.6 refuses it as well: it is called `{to}` now")),
    }
}
