"""`drydock validate` and `drydock inspect` against HashiCorp's Packer 1.6.6: the same verdict on the same template.

Where the verdicts differ on purpose, the case says so and both are looked at: see docs/packer-options.md.
"""

import json
import os
import shutil
import subprocess

import pytest

import clouds
import seed

PACKER = shutil.which("packer")
AMAZON = {
    "type": "amazon-ebs",
    "region": "us-east-1",
    "source_ami": "ami-5e414e24",
    "instance_type": "t2.micro",
    "ssh_username": "ec2-user",
    "ami_name": "name",
}
SHELL = {"type": "shell", "inline": ["true"]}
# A value that takes an option away.
GONE = object()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where both programs run: the files that the templates name, and a home without a configuration."""
    where = tmp_path_factory.mktemp("validate")
    (where / "there.sh").write_text("true\n")
    (where / "notes.txt").write_text("no key\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", where / "key.pem"], check=True)
    variables = {
        "strings": '{"a": "1", "more": "{{user `a`}}"}',
        "number": '{"a": 1}',
        "null": '{"a": null}',
        "list": "[]",
        "empty": "",
        "trailing": '{"a": "1"} x',
        "twice": '{"a": "1", "a": "2"}',
    }
    for name, text in variables.items():
        (where / f"{name}.json").write_text(text)
    return where


def call(folder, program, *args):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "PACKER_NO_COLOR": "1",
        "A_VARIABLE": "its value",
    }
    done = subprocess.run([program, *args], cwd=folder, env=environment, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def verdicts(folder, template, *args):
    """Packer's exit code and Drydock's, with what Drydock said."""
    text = template if isinstance(template, str) else json.dumps(template)
    (folder / "template.json").write_text(text)
    packer = call(folder, PACKER, "validate", *args, "template.json")
    drydock = call(folder, clouds.BINARY, "validate", *args, "template.json")
    # Not a crash of either.
    assert packer[0] in (0, 1) and drydock[0] in (0, 1), (packer, drydock)
    return packer[0], drydock[0], packer[1] + packer[2] + drydock[1] + drydock[2]


def amazon(**options):
    builder = {**AMAZON, **options}
    return {"builders": [{name: value for name, value in builder.items() if value is not GONE}]}


def volume(**options):
    return amazon(launch_block_device_mappings=[{"device_name": "/dev/xvdcy", **options}])


def provisioner(**options):
    return {"builders": [AMAZON], "provisioners": [options]}


def shell(**options):
    return provisioner(type="shell", **options)


def files(**options):
    return provisioner(type="file", **options)


def local(**options):
    return provisioner(type="shell-local", **options)


def post(**options):
    return {"builders": [AMAZON], "post-processors": [options]}


def root(**parts):
    return {"builders": [AMAZON], **{name.replace("_", "-"): value for name, value in parts.items()}}


def variable(default):
    return root(variables={"a": default})


STATEMENT = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}

ROOTS = [
    "",
    "null",
    "[]",
    '"x"',
    "{}",
    '{"builders": []}',
    '{"builders": null}',
    '{"builders": {"type": "amazon-ebs"}}',
    '{"builders": ["amazon-ebs"]}',
    '{"builders": [{}]}',
    '{"builders": [{"type": "no-such-builder"}]}',
    '{"builders": [{"type": "amazon-ebs",}]}',
    '// a comment\n{"builders": []}',
    json.dumps(root()) + " x",
    json.dumps(root()).replace('"builders"', '"Builders"'),
    json.dumps(root()).replace('"type"', '"type": "amazon-ebs", "type"'),
    json.dumps(amazon(tags={"a": "1"})).replace('"a": "1"', '"a": "1", "a": "2"'),
    "\ufeff" + json.dumps(root()),
    root(unknown=1),
    {**root(), "_comment": "x"},
    {**root(), "_comment": ["x"]},
    {**root(), "min_packer_version": "1.6.6"},
    {**root(), "min_packer_version": "1.6.7"},
    {**root(), "min_packer_version": "new"},
    root(description="x"),
    root(description=1),
    root(push={"name": "x"}),
    root(sensitive_variables=["x"]),
    root(sensitive_variables="x"),
    root(provisioners=None),
    root(provisioners={"type": "shell"}),
    root(provisioners=["shell"]),
    root(provisioners=[{}]),
    root(provisioners=[{"type": "no-such-provisioner"}]),
    root(post_processors="manifest"),
    root(post_processors=["manifest", ["checksum", {"type": "compress"}], []]),
    root(post_processors=[[["manifest"]]]),
    root(post_processors=[1]),
    root(post_processors=[[1]]),
    root(post_processors=["no-such-post-processor"]),
    root(error_cleanup_provisioner={"type": "shell-local", "inline": ["true"]}),
    root(error_cleanup_provisioner={"type": "file"}),
    root(error_cleanup_provisioner={}),
    {"builders": [AMAZON, AMAZON]},
    {"builders": [AMAZON, {**AMAZON, "name": "other"}]},
    {"builders": [{**AMAZON, "name": "{{no_such_function}}"}]},
]

VARIABLES = [
    variable("x"),
    variable(1),
    variable(True),
    variable(["x"]),
    variable(None),
    variable("{{env `A_VARIABLE`}} {{timestamp}} {{isotime}} {{uuid}} {{pwd}} {{template_dir}} {{strftime `%Y`}}"),
    variable("{{packer_version}}"),
    variable("{{build_name}}"),
    variable("{{.Field}} {{ .Other }}"),
    variable("{{no_such_function}}"),
    variable("{{clean_resource_name `x`}}"),
    variable("{{user `a`}}"),
    variable("{{user `undeclared`}}"),
    variable('{{if eq `a` `b`}}{{else}}{{printf "%d" 3 | upper}}{{end}}'),
    variable("{{if true}}"),
    variable("{{sed `s/a/b/` `a`}}"),
    variable("{{upper 1}}"),
    variable("{{split `a-b` `-` 2}}"),
    root(variables={"a": "x{{user `b`}}", "b": '{{user "c"}}', "c": "{{ `x` | upper }}"}),
    root(variables={"a": "{{user `b`}}", "b": "{{user `a`}}"}),
]

EXPRESSIONS = [
    amazon(ami_name="x-{{build_name}}-{{build_type}}-{{packer_version}}-{{clean_resource_name `a:b`}}"),
    amazon(ami_name="{{isotime | clean_resource_name}}"),
    amazon(ami_name="{{isotime}}"),
    amazon(ami_name="{{ .SourceAMI }}"),
    amazon(ami_name="abc{{user `undeclared`}}"),
    amazon(ami_name="{{env `A_VARIABLE`}}"),
    amazon(ami_name="{{build `ID`}}"),
    amazon(ami_name="{{clean_ami_name `x`}}"),
    amazon(instance_type="{{ .Nothing }}"),
    amazon(ssh_username="{{"),
    amazon(tags={"{{user `x`}}": "{{ .SourceAMI }} {{ .SourceAMITags.Name }} {{ .BuildRegion }}"}),
    amazon(tags={"a": "{{"}),
    amazon(ami_description="{{ no_such_function }}"),
    shell(inline=["{{build `ID`}} {{build `SourceAMI`}} {{.ID}} {{.Nothing}}"]),
    shell(inline=["{{build `Nothing`}}"]),
    shell(inline=["docker inspect --format '{{json .}}'"]),
    shell(inline=["{{`{{json .}}`}}"]),
    shell(inline=["{{env `A_VARIABLE`}}"]),
    shell(inline=["{{clean_resource_name `x`}}"]),
    shell(inline=["true"], execute_command="{{.Vars}} {{.Path}} {{.Nothing}}"),
    shell(inline=["true"], execute_command="{{"),
    post(type="manifest", custom_data={"a": "{{build `ID`}}"}),
    post(type="manifest", custom_data={"a": "{{build `Nothing`}}"}),
    post(type="checksum", output="{{.BuildName}}{{.Nothing}}"),
    post(type="compress", output="{{no_such_function}}"),
]

BUILDERS = [
    amazon(**options)
    for options in [
        {},
        {"unknown": 1},
        {"SSH_Username": "x"},
        {"packer_debug": True},
        {"region": GONE},
        {"region": "nowhere"},
        {"ami_name": GONE},
        {"ami_name": "xx"},
        {"ami_name": "x" * 129},
        {"ami_name": "a:b"},
        {"ami_name": 123},
        {"ami_name": ["abc"]},
        {"source_ami": GONE},
        {"source_ami": GONE, "source_ami_filter": {"filters": {"name": "x"}}},
        {"source_ami": GONE, "source_ami_filter": {"filters": {"name": "x"}, "owners": "self", "most_recent": "true"}},
        {"source_ami": GONE, "source_ami_filter": {"filter": [{"key": "x", "value": "y"}], "owners": ["self"]}},
        {"source_ami": GONE, "source_ami_filter": {"filter": [{"name": "x", "value": "y"}], "owners": ["self"]}},
        {"source_ami": GONE, "source_ami_filter": {"owners": ["self"]}},
        {"source_ami": GONE, "source_ami_filter": [{"owners": ["self"]}]},
        {"instance_type": GONE},
        {"access_key": "x"},
        {"access_key": "x", "secret_key": "y", "token": "z"},
        {"ssh_username": GONE},
        {"ssh_username": GONE, "communicator": "none"},
        {"communicator": "telnet"},
        {"user_data": "x", "user_data_file": "there.sh"},
        {"user_data_file": "there.sh"},
        {"user_data_file": "nosuch"},
        {"security_group_id": "sg-1", "security_group_ids": ["sg-2"]},
        {"security_group_ids": "sg-1,sg-2"},
        {"security_group_filter": {"filters": {"group-name": "x"}}},
        {"security_group_filter": {"filters": "x"}},
        {"subnet_filter": {"filters": {"a": "b"}, "most_free": True, "random": "false"}},
        {"vpc_filter": {"filter": {"name": "a", "value": "b"}}},
        {"vpc_filter": {"filter": {"key": "a", "value": "b"}}},
        {"temporary_security_group_source_cidrs": ["10.0.0.0/8", "::/0"]},
        {"temporary_security_group_source_cidrs": ["10.0.0.0"]},
        {"shutdown_behavior": "terminate"},
        {"shutdown_behavior": "halt"},
        {"enable_t2_unlimited": True},
        {"enable_t2_unlimited": True, "instance_type": "m5.large"},
        {"enable_t2_unlimited": True, "instance_type": "m5"},
        {"tenancy": "host"},
        {"tenancy": "mine"},
        {"associate_public_ip_address": "true"},
        {"ena_support": "true"},
        {"ena_support": "maybe"},
        {"ena_support": ""},
        {"encrypt_boot": True, "ami_users": ["123456789012"]},
        {"encrypt_boot": True, "ami_users": ["123456789012"], "kms_key_id": "alias/k"},
        {"encrypt_boot": True, "snapshot_users": ["123456789012"]},
        {"kms_key_id": "alias/k"},
        {"encrypt_boot": True, "kms_key_id": "!!"},
        {"encrypt_boot": True, "region_kms_key_ids": {"us-west-2": "alias/k"}},
        {"encrypt_boot": True, "region_kms_key_ids": {"us-west-2": "alias/k"}, "ami_regions": ["us-west-2"]},
        {"encrypt_boot": True, "region_kms_key_ids": {"us-west-2": ""}, "ami_regions": ["us-west-2", "eu-west-1"]},
        {"ami_regions": "us-west-2,eu-west-1"},
        {"ami_users": ["1", 2]},
        {"tags": {"a": 1, "b": True, "c": None}},
        {"tags": {"a": ["x"]}},
        {"tags": [{"a": "b"}, {"c": "d"}]},
        {"tags": "x"},
        {"tag": {"key": "a", "value": "b"}, "run_volume_tag": [{"name": "a", "value": "b"}]},
        {"tag": [{"name": "a", "value": "b"}]},
        {"assume_role": {"role_arn": "arn:aws:iam::123456789012:role/x", "duration_seconds": "900"}},
        {"assume_role": {"duration_seconds": "long"}},
        {"assume_role": "x"},
        {"assume_role": {"unknown": "x"}},
        {"aws_polling": {"max_attempts": "3", "delay_seconds": 5}},
        {"aws_polling": {"max_attempts": "many"}},
        {"max_retries": "many"},
        {"temporary_iam_instance_profile_policy_document": {"Version": "2012-10-17", "Statement": [STATEMENT]}},
        {"temporary_iam_instance_profile_policy_document": {"statement": {"action": "x", "resource": "*"}}},
        {"temporary_iam_instance_profile_policy_document": {"Statement": [{"Sid": "x"}]}},
        {"temporary_iam_instance_profile_policy_document": "{}"},
        {"ssh_private_ip": True},
        {"ami_block_device_mappings": [{}]},
        {"launch_block_device_mappings": ["x"]},
        {"launch_block_device_mappings": {"device_name": "/dev/xvdcy"}},
        {"force_deregister": True, "force_delete_snapshot": "true", "skip_save_build_region": True},
        {"custom_endpoint_ec2": "http://x", "profile": "x", "shared_credentials_file": "x"},
    ]
]

SSH = [
    amazon(**options)
    for options in [
        {"ssh_port": "22"},
        {"ssh_port": "ssh"},
        {"ssh_port": 22.5},
        {"ssh_timeout": "10m"},
        {"ssh_timeout": "10"},
        {"ssh_timeout": 10},
        {"ssh_timeout": ""},
        {"ssh_timeout": "-1s"},
        {"ssh_wait_timeout": "1m"},
        {"ssh_pty": "true"},
        {"ssh_pty": "yes"},
        {"ssh_pty": 1},
        {"ssh_pty": ""},
        {"ssh_pty": []},
        {"ssh_pty": None},
        {"ssh_interface": "private_ip"},
        {"ssh_interface": "eth0"},
        {"ssh_interface": "session_manager"},
        {"ssh_keypair_name": "x"},
        {"ssh_keypair_name": "x", "ssh_agent_auth": True},
        {"ssh_keypair_name": "x", "ssh_private_key_file": "key.pem"},
        {"ssh_private_key_file": "key.pem", "ssh_certificate_file": ""},
        {"ssh_private_key_file": "nosuch"},
        {"ssh_private_key_file": "notes.txt"},
        {"ssh_bastion_host": "x"},
        {"ssh_bastion_host": "x", "ssh_bastion_password": "y"},
        {"ssh_bastion_host": "x", "ssh_bastion_agent_auth": True},
        {"ssh_bastion_host": "x", "ssh_private_key_file": "key.pem"},
        {"ssh_bastion_host": "x", "ssh_bastion_private_key_file": "nosuch"},
        {"ssh_bastion_host": "x", "ssh_bastion_password": "z", "ssh_proxy_host": "y"},
        {"ssh_file_transfer_method": "sftp"},
        {"ssh_file_transfer_method": "rsync"},
        {"ssh_local_tunnels": ["80:localhost:80"]},
        {"ssh_local_tunnels": ["80"]},
        {"ssh_remote_tunnels": ["x:y:z"]},
        {"temporary_key_pair_type": "ed25519"},
        {"temporary_key_pair_bits": "many"},
    ]
]

VOLUMES = [
    volume(**options)
    for options in [
        {},
        {"device_name": ""},
        {"device_name": "{{user `undeclared`}}"},
        {"volume_size": "20", "volume_type": "gp2", "delete_on_termination": "true"},
        {"volume_size": "big"},
        {"delete_on_termination": "maybe"},
        {"unknown": 1},
        {"kms_key_id": "alias/k"},
        {"kms_key_id": "alias/k", "encrypted": True},
        {"kms_key_id": "alias/k", "encrypted": False},
        {"volume_type": "io1", "iops": 100},
        {"volume_type": "io1", "iops": 1, "volume_size": 10},
        {"volume_type": "io1", "iops": 501, "volume_size": 10},
        {"volume_type": "io1", "iops": 509, "volume_size": 10},
        {"volume_type": "io1", "iops": 510, "volume_size": 10},
        {"volume_type": "io2", "iops": 5000, "volume_size": 10},
        {"volume_type": "io2", "iops": 64001, "volume_size": 1000},
        {"volume_type": "gp3", "iops": 3000, "throughput": 125},
        {"volume_type": "gp3", "iops": 2999, "throughput": 125},
        {"volume_type": "gp3", "iops": 3000, "throughput": 1001},
        {"volume_type": "gp2", "throughput": 200},
        {"virtual_name": "ephemeral0"},
        {"no_device": True},
        {"snapshot_id": "snap-1", "encrypted": "true"},
    ]
]

PROVISIONERS = [
    *[
        provisioner(**SHELL, **options)
        for options in [
            {"only": ["amazon-ebs"]},
            {"only": "amazon-ebs"},
            {"only": ["other"]},
            {"except": ["amazon-ebs"]},
            {"except": ["other"]},
            {"only": ["amazon-ebs"], "except": ["amazon-ebs"]},
            {"override": {"amazon-ebs": {"inline": ["false"]}}},
            {"override": {"amazon-ebs": {"script": "there.sh"}}},
            {"override": {"amazon-ebs": {"unknown": 1}}},
            {"override": {"amazon-ebs": "x"}},
            {"override": {"other": {}}},
            {"pause_before": "10s", "timeout": "5m", "max_retries": 3},
            {"pause_before": 10},
            {"pause_before": True},
            {"pause_before": "10"},
            {"timeout": "soon"},
            {"max_retries": "3"},
            {"max_retries": "-1"},
            {"max_retries": "many"},
            {"max_retries": "{{user `undeclared`}}"},
            {"name": "x"},
            {"env": {"a": "b"}},
            {"environment_vars": ["A=b", "C="]},
            {"environment_vars": "A=b"},
            {"environment_vars": ["A"]},
            {"environment_vars": ["=b"]},
            {"environment_vars": {"a": "b"}},
            {"valid_exit_codes": [0, "2"]},
            {"valid_exit_codes": 3},
            {"valid_exit_codes": "x"},
            {"start_retry_timeout": "1m", "pause_after": "2s", "binary": "true", "skip_clean": 1},
            {"start_retry_timeout": "x"},
            {"script": "there.sh"},
            {"use_env_var_file": True, "remote_path": "/tmp/x", "expect_disconnect": "false"},
        ]
    ],
    *[
        shell(**options)
        for options in [
            {},
            {"inline": []},
            {"inline": "a,b"},
            {"inline": [1, True, None]},
            {"Inline": ["true"]},
            {"SCRIPT": "there.sh"},
            {"script": "nosuch.sh"},
            {"scripts": ["there.sh", "nosuch.sh"]},
            {"scripts": "there.sh"},
            {"script": "there.sh", "scripts": ["there.sh"]},
            {"script": "there.sh", "inline": None},
        ]
    ],
    *[
        files(**options)
        for options in [
            {},
            {"source": "there.sh"},
            {"source": "there.sh", "destination": "/x"},
            {"source": "nosuch", "destination": "/x"},
            {"source": "nosuch", "destination": "/x", "generated": True},
            {"source": "nosuch", "destination": "/x", "direction": "download"},
            {"source": "there.sh", "destination": "/x", "direction": "up"},
            {"sources": ["there.sh"], "source": "there.sh", "destination": "/x"},
            {"sources": ["there.sh", "nosuch"], "destination": "/x"},
            {"source": "./", "destination": "/x/"},
            {"source": "~/there.sh", "destination": "/x"},
            {"content": "x", "destination": "/x"},
        ]
    ],
    *[
        local(**options)
        for options in [
            {},
            {"command": "true"},
            {"inline": ["true"]},
            {"inline": ["true"], "command": "true"},
            {"inline": [], "command": "true"},
            {"script": "there.sh"},
            {"script": "nosuch.sh"},
            {"scripts": ["there.sh"], "inline": ["true"]},
            {"inline": ["true"], "execute_command": "sh"},
            {"inline": ["true"], "execute_command": []},
            {"inline": ["true"], "execute_command": ["sh", "{{.Vars}}", "{{"]},
            {"inline": ["true"], "only_on": ["linux"]},
            {"inline": ["true"], "only_on": ["dos"]},
            {"inline": ["true"], "environment_vars": ["x"], "tempfile_extension": ".sh"},
        ]
    ],
    *[
        provisioner(type="breakpoint", **options)
        for options in [{}, {"note": "x", "disable": "true"}, {"disable": "maybe"}, {"unknown": 1}]
    ],
]

POST_PROCESSORS = [
    post(**options)
    for options in [
        {"type": "manifest", "output": "{{build_name}}.json", "strip_path": "true", "strip_time": 1},
        {"type": "manifest", "custom_data": "x"},
        {"type": "manifest", "filename": "x"},
        {"type": "manifest", "unknown": 1},
        {"type": "manifest", "keep_input_artifact": False, "name": "x"},
        {"type": "manifest", "keep_input_artifact": "true"},
        {"type": "manifest", "name": 1},
        {"type": "manifest", "only": ["amazon-ebs"]},
        {"type": "manifest", "only": ["other"]},
        {"type": "manifest", "except": ["other"]},
        {"type": "manifest", "except": "amazon-ebs"},
        {"type": "checksum", "checksum_types": ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]},
        {"type": "checksum", "checksum_types": "md5,sha1", "output": "x"},
        {"type": "checksum", "checksum_types": ["crc32"]},
        {"type": "checksum", "checksum_types": []},
        {"type": "compress", "format": "rar", "compression_level": 20},
        {"type": "compress", "compression_level": "high"},
        {"type": "shell-local", "inline": ["{{build `ID`}}"]},
        {"type": "shell-local", "command": "true"},
        {"type": "shell-local"},
    ]
]

OTHER = {**AMAZON, "name": "other", "ami_name": ""}
REQUIRED = root(variables={"a": None})
COMMAND_LINES = [
    (REQUIRED, "-var", "a=1"),
    (REQUIRED, "-var=a=1"),
    (REQUIRED, "--var", "a=b=c"),
    (REQUIRED, "-var", "b=1"),
    (REQUIRED, "-var-file=strings.json"),
    (REQUIRED, "-var-file", "null.json"),
    (REQUIRED, "-var-file=number.json"),
    (REQUIRED, "-var-file=list.json"),
    (REQUIRED, "-var-file=empty.json"),
    (REQUIRED, "-var-file=nosuch.json"),
    (root(), "-var", "a={{no_such_function}}"),
    (root(), "-var", "=x"),
    (root(), "-var", "x"),
    (REQUIRED, "-syntax-only"),
    (root(unknown=1), "-syntax-only"),
    (root(provisioners=[{"type": "shell", "only": ["other"]}]), "-syntax-only"),
    ({}, "-syntax-only"),
    ({"builders": [AMAZON, OTHER]}, "-only=amazon-ebs"),
    ({"builders": [AMAZON, OTHER]}, "-only=amazon-ebs,other"),
    ({"builders": [AMAZON, OTHER]}, "-except=other"),
    ({"builders": [AMAZON, OTHER]}, "-except", "amazon-ebs"),
    ({"builders": [OTHER]}, "-only=nothing"),
    ({"builders": [AMAZON]}, "-except=nothing"),
    (post(type="manifest", unknown=1, name="m"), "-except=m"),
    (
        {
            "variables": {"x": "y"},
            "builders": [{**AMAZON, "name": "{{user `x`}}"}],
            "provisioners": [{**SHELL, "only": ["{{user `x`}}"]}],
        },
    ),
    (
        {
            "variables": {"x": "y"},
            "builders": [{**AMAZON, "name": "{{user `x`}}"}],
            "provisioners": [{**SHELL, "only": ["y"]}],
        },
    ),
]

CASES = [
    *[(case,) for case in [*ROOTS, *VARIABLES, *EXPRESSIONS, *BUILDERS, *SSH]],
    *[(case,) for case in [*VOLUMES, *PROVISIONERS, *POST_PROCESSORS]],
    *COMMAND_LINES,
]

# Packer's verdict, ours, and the word that ours names the reason by.
DIFFERENT = [
    (0, 1, "spot_price", amazon(spot_price="auto")),
    (0, 1, "winrm", amazon(communicator="winrm", winrm_username="x")),
    (0, 1, "docker", amazon(communicator="docker")),
    (0, 1, "session_manager", amazon(ssh_interface="session_manager", iam_instance_profile="x")),
    (0, 1, "vault_aws_engine", amazon(vault_aws_engine={})),
    (0, 1, "decode_authorization_messages", amazon(decode_authorization_messages=True)),
    (0, 1, "insecure_skip_tls_verify", amazon(insecure_skip_tls_verify=True)),
    (0, 1, "mfa_code", amazon(mfa_code="123456")),
    (0, 1, "transitive_tag_keys", amazon(assume_role={"role_arn": "x", "transitive_tag_keys": ["x"]})),
    (0, 1, "windows_password_timeout", amazon(windows_password_timeout="1m")),
    (0, 1, "'null'", {"builders": [{"type": "null", "communicator": "none"}]}),
    (0, 1, "70000", amazon(ssh_port=70000)),
    (0, 1, "volume_size", volume(volume_size=-1)),
    (0, 1, "SourceAMI", amazon(tags={"a": "{{ .SourceAmi }}"})),
    (0, 1, "dsa", amazon(temporary_key_pair_type="dsa")),
    (0, 1, "compression_level", post(type="compress", compression_level=-5)),
    (1, 0, None, volume(volume_type="gp3")),
    (1, 0, None, amazon(imds_support="v2.0", metadata_options={"http_tokens": "required"}, skip_create_ami=True)),
    (0, 1, "not JSON", REQUIRED, "-var-file=trailing.json"),
    (0, 1, "twice", REQUIRED, "-var-file=twice.json"),
]


def name_of(value):
    """What a test case is called: the part of the template that makes it one."""
    text = value if isinstance(value, str) else json.dumps(value)
    for part in [json.dumps(root())[:-1], json.dumps(AMAZON)[1:-1]]:
        text = text.replace(part, "…")
    return text[:100]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(name_of, case)))
def test_the_verdict_is_packers(folder, case):
    packer, drydock, said = verdicts(folder, *case)
    assert drydock == packer, said


@pytest.mark.parametrize("case", DIFFERENT, ids=lambda case: " ".join(map(name_of, case[3:])))
def test_where_the_verdicts_differ_is_known(folder, case):
    expected_of_packer, expected_of_drydock, reason, *rest = case
    packer, drydock, said = verdicts(folder, *rest)
    assert (packer, drydock) == (expected_of_packer, expected_of_drydock), said
    assert reason is None or reason in said


INSPECTED = [
    {},
    root(),
    root(description="An image,\nand more"),
    root(
        variables={"needed": None, "short": "x", "a-long-name": "{{env `A`}}, or not", "secret": "hidden"},
        sensitive_variables=["secret"],
        provisioners=[SHELL, {"type": "file"}],
    ),
    {"builders": [{**AMAZON, "name": "zz"}, AMAZON, {**AMAZON, "name": "a {{timestamp}}"}]},
]


@pytest.mark.parametrize("template", INSPECTED, ids=name_of)
@pytest.mark.parametrize("form", ["text", "records"])
def test_inspect_says_what_packer_says(folder, template, form):
    (folder / "template.json").write_text(json.dumps(template))
    options = ["-machine-readable"] if form == "records" else []
    expected = call(folder, PACKER, "inspect", *options, "template.json")
    found = call(folder, clouds.BINARY, "inspect", *options, "template.json")
    assert found[0] == expected[0] == 0, (expected, found)
    # Records begin with the time.
    without_time = [line.partition(",")[2] if options else line for line in expected[1].splitlines()]
    assert [line.partition(",")[2] if options else line for line in found[1].splitlines()] == without_time


def test_inspect_refuses_what_packer_refuses(folder):
    for text in ["[]", json.dumps(root(unknown=1))]:
        (folder / "template.json").write_text(text)
        assert call(folder, PACKER, "inspect", "template.json")[0] == 1
        code, _, said = call(folder, clouds.BINARY, "inspect", "template.json")
        assert code == 1 and "template.json:1:" in said


def test_inspect_as_json_hides_secrets(folder):
    template = root(variables={"a": "1", "b": "2", "c": None}, sensitive_variables=["b"], post_processors=["manifest"])
    (folder / "template.json").write_text(json.dumps(template))
    code, out, _ = call(folder, clouds.BINARY, "inspect", "--output", "json", "template.json")
    found = json.loads(out)
    assert code == 0 and found["builders"] == [{"name": "amazon-ebs", "type": "amazon-ebs"}]
    assert [item.get("default") for item in found["variables"]] == ["1", "<sensitive>", None]
    assert found["post_processors"] == [[{"name": "manifest", "type": "manifest"}]]


def test_everything_wrong_is_told_at_once_with_its_line(folder):
    text = """{
  "variables": { "region": null },
  "builders": [
    {
      "type": "amazon-ebs",
      "sorce_ami": "ami-1",
      "region": "{{user `region`}}",
      "instance_type": "t2.micro",
      "ami_name": "{{uper `x`}}"
    }
  ],
  "provisoners": [],
  "provisioners": [{ "type": "shell", "script": "nosuch.sh" }]
}
"""
    (folder / "wrong.json").write_text(text)
    code, out, said = call(folder, clouds.BINARY, "validate", "--output", "json", "wrong.json")
    report = json.loads(out)
    assert (code, report["valid"]) == (1, False), said
    found = {(error["line"], error["message"]) for error in report["errors"]}
    assert found == {
        (2, "the variable 'region' has no value"),
        (4, "'source_ami' or 'source_ami_filter' is missing"),
        (4, "'ssh_username' is missing"),
        (6, "unknown option 'sorce_ami' of amazon-ebs"),
        (9, "there is no template function 'uper'"),
        (12, "unknown key 'provisoners' in the root of the template"),
        (13, "there is no file 'nosuch.sh'"),
    }
    code, _, said = call(folder, clouds.BINARY, "validate", "wrong.json")
    assert code == 1 and "did you mean 'source_ami'?" in said and "The template does not hold: 7 errors." in said


def test_the_seed_holds():
    where = seed.directory() / "packer-ecs"
    if not where.exists():
        pytest.skip(f"{where} is not there")
    for program, said in [(PACKER, ""), (clouds.BINARY, "Template validated successfully.\n")]:
        code, out, problem = call(where, program, "validate", "packer.json")
        assert (code, problem) == (0, ""), out
        assert said in out


def test_a_template_comes_by_standard_input(folder):
    done = subprocess.run(
        [clouds.BINARY, "validate", "-"],
        input=json.dumps(root()).encode(),
        capture_output=True,
        check=False,
        cwd=folder,
    )
    assert (done.returncode, done.stdout) == (0, b"Template validated successfully.\n"), done.stderr


def test_what_is_odd_is_told_and_holds(folder):
    (folder / "template.json").write_text(json.dumps(shell(inline=["docker ps --format '{{.ID2}}'"])))
    code, out, said = call(folder, clouds.BINARY, "validate", "template.json")
    assert (code, out) == (0, "Template validated successfully.\n")
    assert "'.ID2' has no value here" in said
