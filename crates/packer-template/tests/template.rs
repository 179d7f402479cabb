//! A whole template, from its text to typed options.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{context, host, source, vars};
use packer_template::{
    BuildData, Context, Template, VarInput, VarInputs, Variables, amazon_fields,
    config::{AmazonEbs, Checksum, ChecksumType, Communicator, File, Manifest, Shell, ShellSource},
};

const TEXT: &str = include_str!("packer.json");

fn template() -> Template {
    Template::parse(&source(TEXT)).expect("the template holds")
}

fn variables(template: &Template) -> Variables {
    Variables::resolve(template, &vars(&[("required", "secret")]), &host()).expect("all have values")
}

fn inside(template: &Template) -> Context {
    context(variables(template))
}

#[test]
fn variables_get_their_values_in_any_order() {
    let template = template();
    let variables = variables(&template);
    assert_eq!(variables.get("suffix"), Some("us-eastern"));
    assert_eq!(variables.get("access_key"), Some(""));
    assert_eq!(variables.get("nosuch"), None);
    assert_eq!(variables.sensitive_values().collect::<Vec<_>>(), ["secret"]);
    assert_eq!(
        variables.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["access_key", "timezone", "suffix", "required"]
    );
}

#[test]
fn single_variables_win_over_files_and_later_ones_over_earlier() {
    let file = |name: &str, text: &str| VarInput::File(packer_template::Source::new(name, text));
    let var = |name: &str, value: &str| VarInput::Var { name: name.into(), value: value.into() };
    let inputs = VarInputs {
        inputs: vec![
            var("timezone", "A"),
            file("1.json", r#"{"timezone": "B", "required": "1", "more": "{{user `timezone`}}!"}"#),
            var("timezone", "C"),
            file("2.json", r#"{"required": "2"}"#),
        ],
    };
    let variables = Variables::resolve(&template(), &inputs, &host()).expect("all have values");
    assert_eq!(variables.get("timezone"), Some("C"));
    assert_eq!(variables.get("required"), Some("2"));
    assert_eq!(variables.get("suffix"), Some("c"));
    assert_eq!(variables.get("more"), Some("C!"));
}

#[test]
fn the_builder_is_read() {
    let template = template();
    let context = inside(&template);
    let config = AmazonEbs::decode(&template.builders[0].block, &context).expect("the options hold");
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.ami.ami_name, "containers 1614863045 us-eastern");
    assert_eq!(config.access.access_key, None);
    assert_eq!(config.run.source_ami.as_deref(), Some("ami-5e414e24"));
    assert_eq!(config.run.associate_public_ip_address, Some(true));
    assert_eq!(config.run.temporary_security_group_source_cidrs, ["0.0.0.0/0"]);
    let [device] = config.run.launch_block_device_mappings.as_slice() else { panic!("one device") };
    assert_eq!((device.device_name.as_str(), device.volume_size), ("/dev/xvdcy", Some(20)));
    assert!(device.delete_on_termination);
    let Communicator::Ssh(ssh) = &config.communicator else { panic!("ssh is the default") };
    assert_eq!((ssh.ssh_username.as_str(), ssh.ssh_port), ("ec2-user", 22));
    assert_eq!((ssh.ssh_timeout, ssh.ssh_handshake_attempts), (Duration::from_secs(300), 10));
    assert!(ssh.wants_temporary_key_pair());
}

#[test]
fn tags_are_rendered_when_the_source_image_is_known() {
    let template = template();
    let context = inside(&template);
    let config = AmazonEbs::decode(&template.builders[0].block, &context).expect("the options hold");
    let tags = BTreeMap::from([("Name".to_owned(), "Old".to_owned())]);
    let data = BuildData {
        fields: amazon_fields("us-east-1", "ami-1", "amzn", "2017", "self", "me", tags),
        ..BuildData::placeholder("amazon-ebs", "amazon-ebs")
    };
    let rendered = config.ami.tags.render(&data).expect("the fields are there");
    let expected = [("Name", "Base"), ("SourceAMI", "ami-1"), ("US/Eastern", "Old")];
    assert_eq!(rendered, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let early = BuildData::placeholder("amazon-ebs", "amazon-ebs");
    let errors = config.ami.tags.render(&early).expect_err("the source image is not known yet");
    assert_eq!(
        errors.iter().next().map(|error| error.message.as_str()),
        Some("there is no field '.SourceAMI' here")
    );
}

#[test]
fn tags_of_the_source_image_can_be_gone_through() {
    let tag = "{{range $name, $value := .SourceAMITags}}{{$name}}={{$value}} {{.}};{{else}}none{{end}}";
    let text = format!(
        r#"{{"builders":[{{"type":"amazon-ebs","source_ami":"ami-1","instance_type":"t2.micro","ssh_username":"x",
        "ami_name":"abc","tag":{{"key":"all","value":"{tag}"}},"run_volume_tag":[{{"name":"one","value":"{{{{with .SourceAMI}}}}{{{{.}}}}{{{{end}}}}"}}]}}]}}"#
    );
    let template = Template::parse(&source(&text)).expect("the template holds");
    let config = AmazonEbs::decode(&template.builders[0].block, &context(Variables::default()))
        .expect("the options hold");
    let data = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        BuildData {
            fields: amazon_fields("us-east-1", "ami-1", "", "", "", "", tags),
            ..BuildData::default()
        }
    };
    let all = |tags| config.ami.tags.render(&data(tags)).expect("the fields are there")["all"].clone();
    assert_eq!(all(&[("a", "1"), ("b", "2")]), "a=1 1;b=2 2;");
    assert_eq!(all(&[]), "none");
    assert_eq!(config.run.run_volume_tags.render(&data(&[])).expect("the fields are there")["one"], "ami-1");
}

#[test]
fn provisioners_are_read_with_their_overrides() {
    let template = template();
    let context = inside(&template);
    let [storage, time, firstrun] = template.provisioners.as_slice() else { panic!("three provisioners") };
    assert_eq!((storage.pause_before, storage.retries(&context)), (Duration::from_secs(10), Ok(2)));
    let shell = Shell::decode(&storage.block_for("amazon-ebs"), &context).expect("the options hold");
    assert_eq!(shell.source, ShellSource::Scripts(vec!["scripts/storage.sh".into()]));
    assert_eq!(shell.execute_command.as_written(), "chmod +x {{.Path}}; {{.Vars}} {{.Path}}");
    assert_eq!(
        (shell.env_var_format.as_str(), shell.valid_exit_codes.as_slice()),
        ("%s='%s' ", [0].as_slice())
    );

    let shell = Shell::decode(&time.block_for("amazon-ebs"), &context).expect("the options hold");
    assert_eq!(shell.environment_vars, ["TIMEZONE=US/Eastern"]);
    assert_eq!(shell.valid_exit_codes, [0, 3]);
    let data = BuildData::placeholder("amazon-ebs", "amazon-ebs");
    let command = shell.execute_command.render_with(&data, &[("Vars", "A='1'"), ("Path", "/tmp/x.sh")]);
    assert_eq!(command.as_deref(), Ok("sudo A='1' /tmp/x.sh"));
    let other = Shell::decode(&time.block_for("another"), &context).expect("the options hold");
    assert_eq!(other.valid_exit_codes, [0]);

    let file = File::decode(&firstrun.block, &context).expect("the options hold");
    assert_eq!(
        (file.sources.as_slice(), file.destination.as_str()),
        (["files/firstrun.sh".to_owned()].as_slice(), "/home/ec2-user/firstrun.sh")
    );
}

#[test]
fn post_processors_are_read_twice() {
    let template = template();
    let context = inside(&template);
    let [chain] = template.post_processors.as_slice() else { panic!("one chain") };
    let [manifest, checksum] = chain.as_slice() else { panic!("two post-processors") };
    let mut data = BuildData::placeholder("amazon-ebs", "amazon-ebs");
    data.values.insert("ID".into(), "i-1".into());
    let manifest = Manifest::decode(&manifest.block, &context.with_build(data)).expect("the options hold");
    assert_eq!(manifest.custom_data["who"], "i-1");
    assert!(manifest.strip_path);
    let checksum = Checksum::decode(&checksum.block, &context).expect("the options hold");
    assert_eq!(checksum.checksum_types, [ChecksumType::Md5]);
}

#[test]
fn builds_are_named_by_rendered_names_in_order() {
    let text = r#"{"variables": {"x": "b"}, "builders": [
        {"type": "amazon-ebs", "name": "{{user `x`}}"}, {"type": "amazon-ebs", "name": "a"}, {"type": "amazon-ebs"}]}"#;
    let template = Template::parse(&source(text)).expect("the template holds");
    let variables = Variables::resolve(&template, &VarInputs::default(), &host()).expect("all have values");
    let context = Context::new(std::sync::Arc::new(host()), std::sync::Arc::new(variables));
    let names: Vec<_> =
        template.build_names(&context).expect("names").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "amazon-ebs", "b"]);
}

#[test]
fn what_is_odd_is_told_and_goes_on() {
    let text = r#"{"builders": [{"type": "amazon-ebs", "packer_debug": true, "source_ami": "ami-1", "instance_type": "t2.micro",
        "ssh_username": "x", "ami_name": "abc{{user `nosuch`}}", "user_data": "docker --format '{{.ID}}'"}]}"#;
    let template = Template::parse(&source(text)).expect("the template holds");
    let config = AmazonEbs::decode(&template.builders[0].block, &context(Variables::default()))
        .expect("the options hold");
    assert_eq!(config.ami.ami_name, "abc");
    assert_eq!(config.run.user_data.as_deref(), Some("docker --format '<no value>'"));
    assert_eq!(
        config.warnings,
        [
            "the option 'packer_debug' of amazon-ebs has no effect: Packer sets it by itself (packer.json:1:38)",
            "the variable 'nosuch' is not declared and becomes an empty string, as in Packer (packer.json:2:48)",
            "'.ID' has no value here and becomes '<no value>', as in Packer; to keep the braces write {{`{{.ID}}`}} (packer.json:2:99)",
        ]
    );
}
