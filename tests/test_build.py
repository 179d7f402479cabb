"""Image builds with `drydock build`: the image, what is said on the way, and what is left when it fails."""

import csv
import json
import re
import shutil
import time

import pytest

import builds
import seed
from builds import build, running, shell, template
from waiting import until


@pytest.fixture(scope="module", autouse=True)
def source(cloud, image):
    """The base image under the id that templates name."""
    cloud.run("cloud", "adopt", f"{builds.SOURCE}={image}")


@pytest.fixture(autouse=True)
def nothing_left(cloud, source):
    """Whatever a build did, nothing temporary is left of it; tests that leave things remove them themselves."""
    before = builds.temporary(cloud)
    yield
    until("instances are gone", lambda: builds.temporary(cloud)["instances"] == before["instances"], 20)
    assert builds.temporary(cloud) == before


@pytest.fixture
def packer_ecs(tmp_path):
    """A copy of the seed's image project, so that its manifest is not written beside it."""
    folder = tmp_path / "packer-ecs"
    shutil.copytree(seed.directory() / "packer-ecs", folder)
    if not (folder / "packer.json").exists():
        pytest.skip("the seed's packer-ecs is not here")
    return folder / "packer.json"


# Builds that succeed.


def test_the_seed_builds_unchanged(cloud, packer_ecs):
    done = build(cloud, packer_ecs)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "==> amazon-ebs: Stopping the source instance..." in lines
    assert "==> amazon-ebs: Provisioning with shell script: scripts/storage.sh" in lines
    # What the script prints comes as it comes, after the build's name.
    assert [line for line in lines if line.startswith("    amazon-ebs: ") and "LABEL=docker" in line]
    assert "==> amazon-ebs: Running post-processor: manifest" in lines
    assert re.search(r"^Build 'amazon-ebs' finished after \d+ seconds?( \d+ milliseconds?)?\.$", done.stdout, re.M)
    at = lines.index("==> Builds finished. The artifacts of successful builds are:")
    assert lines[at + 1] == "--> amazon-ebs: AMIs were created:"
    ami = re.fullmatch(r"us-east-1: (ami-[0-9a-f]+)", lines[at + 2]).group(1)

    image = cloud.client("ec2").describe_images(ImageIds=[ami])["Images"][0]
    assert image["State"] == "available"
    [builder] = json.loads(packer_ecs.read_text())["builders"]
    assert image["Name"].startswith(builder["ami_name"].removesuffix("{{timestamp}}"))
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert builder["tags"] | {"SourceAMI": builds.SOURCE} == {key: tags[key] for key in builder["tags"]}
    devices = {mapping["DeviceName"]: mapping for mapping in image["BlockDeviceMappings"]}
    assert devices["/dev/xvdcy"]["Ebs"]["VolumeSize"] == 20

    text = (packer_ecs.parent / "manifest.json").read_text()
    manifest = json.loads(text)
    made = manifest["builds"][0]
    # Packer's order of fields, its indentation, and no line end after the last brace.
    assert text == json.dumps(manifest, indent=2)
    assert list(manifest) == ["builds", "last_run_uuid"]
    assert list(made) == [
        *("name", "builder_type", "build_time", "files", "artifact_id", "packer_run_uuid", "custom_data"),
    ]
    assert made["name"] == made["builder_type"] == "amazon-ebs"
    assert abs(made["build_time"] - time.time()) < 60
    assert made["files"] is None and made["custom_data"] is None
    assert made["artifact_id"] == f"us-east-1:{ami}"
    assert made["packer_run_uuid"] == manifest["last_run_uuid"]


def test_two_builders_run_side_by_side_and_one_failure_stops_only_itself(cloud, tmp_path):
    path = template(
        tmp_path,
        shell("echo from $PACKER_BUILD_NAME"),
        shell("exit 4", only=["bad"]),
        builders=[{"name": "good", "ami_name": "two good"}, {"name": "bad", "ami_name": "two bad"}],
        force_delete_snapshot=True,
    )
    done = build(cloud, path)
    assert done.returncode == 1
    assert "    good: from good" in done.stdout
    assert "    bad: from bad" in done.stdout
    assert re.search(r"^Build 'bad' errored after .*: .*exit status: 4", done.stdout, re.M)
    assert re.search(r"^Build 'good' finished after ", done.stdout, re.M)
    assert "==> Some builds didn't complete successfully and had errors:\n--> bad: " in done.stdout
    assert "--> good: AMIs were created:\n" in done.stdout
    names = [image["Name"] for image in cloud.client("ec2").describe_images(Owners=["self"])["Images"]]
    assert "two good" in names and "two bad" not in names

    only = build(cloud, path, "-only=good", "-force")
    assert only.returncode == 0, only.stdout
    assert "bad" not in only.stdout
    rest = build(cloud, path, "-except=good")
    assert rest.returncode == 1
    assert "good" not in rest.stdout


def test_machine_readable_output_parses(cloud, tmp_path):
    path = template(tmp_path, shell("echo a, b"), builders=[{"name": "one"}])
    done = build(cloud, path, "-machine-readable")
    assert done.returncode == 0, done.stdout
    records = list(csv.reader(done.stdout.splitlines(), quoting=csv.QUOTE_NONE))
    assert all(int(record[0]) > 1_700_000_000 for record in records)
    assert ["", "ui", "message", "    one: a%!(PACKER_COMMA) b"] in [record[1:] for record in records]
    artifact = {record[4]: record[5:] for record in records if record[1:3] == ["one", "artifact"]}
    assert artifact["builder-id"] == ["mitchellh.amazonebs"]
    assert re.fullmatch(r"us-east-1:ami-[0-9a-f]+", artifact["id"][0])
    assert artifact["files-count"] == ["0"]
    assert artifact["end"] == []


def test_json_lines_end_with_the_outcome(cloud, tmp_path):
    path = template(tmp_path, shell("echo hello"), shell("echo again"))
    done = build(cloud, path, "--output", "json")
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"event": "message", "build": "amazon-ebs", "message": "hello"} in lines
    outcome = lines[-1]
    assert outcome["event"] == "outcome" and outcome["succeeded"] is True
    (made,) = outcome["builds"]
    assert made["artifacts"][0]["amis"]["us-east-1"].startswith("ami-")
    assert [step["name"] for step in made["steps"]] == ['shell "echo hello"', 'shell "echo again"']
    assert "hello" in made["steps"][0]["output"] and made["steps"][0]["seconds"] >= 0


def test_build_data_reaches_provisioners_and_post_processors(cloud, tmp_path):
    path = template(
        tmp_path,
        shell("echo id={{build `ID`}} user={{build `User`}} run={{build `PackerRunUUID`}}"),
        {"type": "shell-local", "inline": ["echo source={{build `SourceAMI`}} > said"]},
        post_processors=[
            {"type": "manifest", "output": "m.json", "custom_data": {"instance": "{{build `ID`}}"}},
            {"type": "shell-local", "inline": ["echo {{build_name}} from {{build `SourceAMIName`}}"]},
        ],
    )
    done = build(cloud, path)
    assert done.returncode == 0, done.stdout
    said = re.search(r"id=(i-[0-9a-f]+) user=ec2-user run=([0-9a-f-]{36})", done.stdout)
    assert (tmp_path / "said").read_text() == f"source={builds.SOURCE}\n"
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert manifest["builds"][0]["custom_data"] == {"instance": said.group(1)}
    assert manifest["last_run_uuid"] == said.group(2)
    assert "    amazon-ebs (shell-local): amazon-ebs from " in done.stdout

    again = build(cloud, path)
    assert again.returncode == 0, again.stdout
    assert len(json.loads((tmp_path / "m.json").read_text())["builds"]) == 2


def test_secrets_are_not_shown(cloud, tmp_path):
    path = template(tmp_path, shell("echo the word is {{user `word`}}"))
    document = json.loads(path.read_text())
    document |= {"variables": {"word": None}, "sensitive-variables": ["word"]}
    path.write_text(json.dumps(document))
    for option in ("-color=false", "-machine-readable", "--output=json"):
        done = build(cloud, path, option, "-var", "word=xyzzy-plugh")
        assert done.returncode == 0, done.stdout
        assert "the word is <sensitive>" in done.stdout
        assert "xyzzy" not in done.stdout + done.stderr


def test_retries_pauses_and_timeouts(cloud, tmp_path):
    path = template(
        tmp_path,
        shell("test -e /tmp/second || { touch /tmp/second; exit 9; }", max_retries=2, pause_before="1s"),
        shell("sleep 60", timeout="1s"),
    )
    begun = time.monotonic()
    done = build(cloud, path)
    assert time.monotonic() - begun < 30
    assert done.returncode == 1
    assert "==> amazon-ebs: Pausing 1s before the next provisioner..." in done.stdout
    assert "retrying with 2 trie(s) left" in done.stdout
    assert "==> amazon-ebs: Setting a 1s timeout for the next provisioner..." in done.stdout
    failure = r'provisioner 2 \(shell "sleep 60", packer.json:\d+\): it took longer than its timeout of 1s'
    assert re.search(failure, done.stdout)


# Builds that fail.


def test_everything_wrong_is_told_before_anything_starts(cloud, tmp_path):
    path = template(
        tmp_path,
        {"type": "shell", "script": "missing.sh"},
        {"type": "chef-solo"},
        post_processors=["vagrant"],
        sorce_ami="ami-1",
    )
    done = build(cloud, path)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    for wrong in ("missing.sh", "chef-solo", "vagrant", "sorce_ami"):
        assert wrong in said
    assert "==>" not in said
    unknown = build(cloud, template(tmp_path), "-only=nothing")
    assert unknown.returncode == 1
    assert "-only names no build: nothing" in unknown.stderr


def test_a_provisioner_that_fails_is_named(cloud, tmp_path):
    path = template(tmp_path, shell("true"), shell("echo so far; exit 1"), shell("echo never"))
    done = build(cloud, path)
    assert done.returncode == 1
    failure = r'provisioner 2 \(shell "echo so far; exit 1", packer.json:\d+\): Script exited with .* exit status: 1'
    assert re.search(failure, done.stdout)
    assert "so far" in done.stdout and "never" not in done.stdout
    assert "==> Builds finished but no artifacts were created." in done.stdout


def test_a_source_image_that_is_not_there_is_named(cloud, tmp_path):
    done = build(cloud, template(tmp_path, source_ami="ami-00000000000000000"))
    assert done.returncode == 1
    assert re.search(r"Build 'amazon-ebs' errored after .*ami-00000000000000000", done.stdout)


def test_a_full_disk_is_the_scripts_failure(cloud, tmp_path):
    path = template(
        tmp_path,
        shell("sudo mkfs.ext4 -q /dev/xvdf", "sudo mount /dev/xvdf /mnt", "sudo dd if=/dev/zero of=/mnt/x bs=1M"),
        launch_block_device_mappings=[
            {"device_name": "/dev/xvdf", "volume_size": 1, "volume_type": "gp2", "delete_on_termination": True}
        ],
    )
    done = build(cloud, path)
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    assert re.search(r"errored after .*provisioner 1 .*exit status: 1", done.stdout)


def test_an_instance_that_dies_ends_the_build(cloud, tmp_path):
    with running(cloud, template(tmp_path, shell("echo now", "sleep 300"))) as run:
        run.until("amazon-ebs: now")
        (instance,) = cloud.instances()
        cloud.client("ec2").terminate_instances(InstanceIds=[instance["InstanceId"]])
        begun = time.monotonic()
        assert run.end() == 1
        assert time.monotonic() - begun < 30
    assert "provisioner 1 (shell" in run.output()


def test_abort_leaves_everything_to_look_at(cloud, tmp_path):
    before = builds.temporary(cloud)
    done = build(cloud, template(tmp_path, shell("exit 1")), "-on-error=abort")
    assert done.returncode == 1
    assert 'Step "StepProvision" failed, aborting...' in done.stdout
    after = builds.temporary(cloud)
    for kind in ("instances", "key pairs", "security groups", "volumes"):
        assert len(after[kind]) > len(before[kind]), kind
    remove_leftovers(cloud)


PHASES = [
    "Prevalidating",
    "Creating temporary keypair",
    "Creating temporary security group",
    "Launching a source AWS instance",
    "Waiting for instance",
    "Waiting for SSH",
    "Connected to SSH",
    "working",
    "Stopping the source instance",
    "Waiting for the instance to stop",
    "Creating AMI",
    "Waiting for AMI",
]


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupt_cleans_up_at_each_phase(cloud, tmp_path, phase):
    images = builds.images(cloud)
    with running(cloud, template(tmp_path, shell("echo working", "sleep 1"))) as run:
        run.until(phase)
        run.interrupt()
        assert run.end(30) == 1, run.output()
    assert "Cancelling build after receiving interrupt\n" in run.output()
    assert run.output().endswith("Cleanly cancelled builds after being interrupted.\n")
    assert builds.images(cloud) == images


def test_a_second_interrupt_ends_it_at_once(cloud, tmp_path):
    with running(cloud, template(tmp_path, shell("echo working", "sleep 60"))) as run:
        run.until("amazon-ebs: working")
        run.interrupt()
        run.until("Cancelling build after receiving interrupt")
        run.interrupt()
        begun = time.monotonic()
        assert run.end(10) == 1
        assert time.monotonic() - begun < 1
    remove_leftovers(cloud)


def remove_leftovers(cloud):
    """Removes what a build left that was given no time to clean up."""
    ec2 = cloud.client("ec2")
    for instance in cloud.instances("pending", "running"):
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    until("all are terminated", lambda: cloud.instances("pending", "running", "shutting-down") == [])
    for pair in ec2.describe_key_pairs()["KeyPairs"]:
        if pair["KeyName"].startswith("packer_"):
            ec2.delete_key_pair(KeyName=pair["KeyName"])
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["GroupName"].startswith("packer_"):
            ec2.delete_security_group(GroupId=group["GroupId"])
