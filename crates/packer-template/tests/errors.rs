//! What errors look like, all of them at once. The texts are kept in `snapshots`.

mod common;

use common::check;

fn shown(text: &str) -> String {
    check(text).expect_err("something is wrong").to_string()
}

macro_rules! wrong {
    ($($name:ident: $text:expr;)*) => {
        $(#[test] fn $name() { insta::assert_snapshot!(stringify!($name), shown($text)); })*
    };
}

wrong! {
    not_json: "{\n  \"builders\": [\n    {\"type\": \"amazon-ebs\",}\n  ]\n}\n";
    comments_are_no_json: "// no\n{}";
    an_empty_file: "";
    a_list: "[]";
    no_builders: "{}";
    names_that_stand_twice: r#"{"builders": [], "builders": [{"type": "amazon-ebs",
        "type": "x"}]}"#;
    the_root: r#"{
  "_comment": 1,
  "variable": {},
  "variables": {"a": 1, "b": true},
  "min_packer_version": "1.7.0",
  "sensitive-variables": "x",
  "builders": ["x", {}, {"type": "amazon-ebs"}, {"type": "amazon-ebs"}],
  "provisioners": {"type": "shell"},
  "post-processors": [1, [["manifest"]], {"type": "manifest", "keep_input_artifact": "true"}]
}"#;
    references: r#"{
  "builders": [{"type": "amazon-ebs", "name": "web", "source_ami": "ami-1", "instance_type": "t2.micro",
    "ssh_username": "x", "ami_name": "abc"}],
  "provisioners": [
    {"type": "shell", "inline": "x", "only": ["wep"]},
    {"type": "shell", "inline": "x", "only": ["web"], "except": ["db"]},
    {"type": "shell", "inline": "x", "override": {"amazon-ebs": {}}}
  ],
  "post-processors": [{"type": "manifest", "except": ["nothing"]}, [{"type": "checksum", "only": ["wb"]}]]
}"#;
    variables: r#"{
  "variables": {
    "circle": "{{user `round`}}",
    "round": "a {{user `circle`}}",
    "missing": "{{user `crcle`}}",
    "wrong": "{{nosuch}} {{env}}",
    "needed": null,
    "key": "{{vault `secret/x` `key`}}"
  },
  "builders": [{"type": "amazon-ebs", "source_ami": "{{user `needed`}}", "instance_type": "t2.micro",
    "ssh_username": "x", "ami_name": "{{user `wrong`}}"}]
}"#;
    expressions: r#"{
  "builders": [{"type": "amazon-ebs",
    "source_ami": "{{env `SOURCE`}}",
    "instance_type": "{{uper `x`}}",
    "ssh_username": "{{",
    "ami_name": "x\n\"é\" {{split `a-b` `-` 2}}",
    "user_data": "{{build `ID`}}",
    "tags": {"a": "{{ .SourceAmi }}", "{{if}}": "b"},
    "ami_description": "{{ .Nothing }}"
  }],
  "provisioners": [
    {"type": "shell", "inline": ["echo {{build `SourceAmi`}}", "docker inspect --format '{{json .}}'"]},
    {"type": "shell", "inline": "x", "execute_command": "{{ .Path"}
  ]
}"#;
    the_builder: r#"{
  "builders": [{
    "type": "amazon-ebs",
    "sorce_ami": "ami-1",
    "ami_name": "a:b",
    "instance_type": "m5.large",
    "enable_t2_unlimited": "yes",
    "ssh_port": 70000,
    "ssh_timeout": "10",
    "access_key": "AKIA",
    "spot_price": "auto",
    "communicator": "winrm",
    "shutdown_behavior": "halt",
    "tags": ["x"],
    "kms_key_id": "alias/k",
    "ami_users": ["123456789012"],
    "temporary_security_group_source_cidrs": ["10.0.0.0/8", "all"],
    "launch_block_device_mappings": [{"volume_size": "big", "volum_type": "gp2"}, "x"],
    "source_ami_filter": {"filters": {"name": "amzn*"}, "most_recent": true},
    "ssh_interface": "session_manager",
    "ssh_private_ip": true,
    "metadata_options": {"http_tokens": "always", "http_put_response_hop_limit": 65}
  }]
}"#;
    one_broken_option_hides_no_other: r#"{
  "variables": {"region": null},
  "builders": [{"type": "amazon-ebs", "region": "{{user `region`}}", "ami_name": "{{uper `x`}}", "ssh_username": ""}]
}"#;
    communicators: r#"{
  "builders": [{
    "type": "amazon-ebs", "source_ami": "ami-1", "instance_type": "t2.micro", "ami_name": "abc",
    "ssh_private_key_file": "notes.txt",
    "ssh_certificate_file": "nosuch.pub",
    "ssh_bastion_host": "bastion", "ssh_proxy_host": "proxy",
    "ssh_bastion_private_key_file": "~/nosuch.pem",
    "ssh_local_tunnels": ["x"],
    "ssh_file_transfer_method": "rsync",
    "ssh_keypair_name": "mine",
    "temporary_key_pair_type": "dsa"
  }]
}"#;
    provisioners: r#"{
  "builders": [{"type": "amazon-ebs", "source_ami": "ami-1", "instance_type": "t2.micro", "ssh_username": "x",
    "ami_name": "abc"}],
  "provisioners": [
    {"type": "shell"},
    {"type": "shell", "script": "nosuch.sh", "inline": ["x"], "environment_vars": ["A=b", "=c"], "enviroment_vars": []},
    {"type": "shell", "scripts": ["a.sh", "nosuch.sh"], "valid_exit_codes": [0, "x"], "start_retry_timeout": "soon"},
    {"type": "file", "source": "nosuch", "direction": "up"},
    {"type": "shell-local", "inline": ["x"], "command": "y", "only_on": ["linux", "dos"], "use_linux_pathing": true},
    {"type": "breakpoint", "disable": "maybe"},
    {"type": "shell", "inline": ["x"], "pause_before": "long", "timeout": []}
  ],
  "post-processors": [
    {"type": "manifest", "filename": "x", "custom_data": "x"},
    {"type": "checksum", "checksum_types": ["md5", "crc"], "output": "{{"},
    {"type": "compress", "compression_level": "high"}
  ]
}"#;
}

#[test]
fn a_template_that_holds_has_no_errors() {
    let text = r#"{"builders": [{"type": "amazon-ebs", "source_ami": "ami-1", "instance_type": "t2.micro",
        "ssh_username": "x", "ami_name": "abc"}]}"#;
    assert_eq!(check(text), Ok(()));
}
