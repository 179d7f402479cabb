"""`drydock build` is a client of the AWS API only: here the other end is moto, which boots nothing."""

import json
import signal
import subprocess

import pytest

import clouds
import moto_server

REGIONS = (clouds.REGION, "eu-west-1")


@pytest.fixture(scope="module")
def moto():
    with moto_server.running() as moto:
        yield moto


@pytest.fixture(autouse=True)
def nothing_temporary_is_left(moto):
    """After every test: no instance, key pair, security group, role or profile that was not there before."""
    yield
    assert temporary(moto) == {"instances": [], "keys": [], "groups": [], "roles": [], "profiles": []}


def temporary(moto):
    ec2, iam = moto.client("ec2"), moto.client("iam")
    instances = [
        instance
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]
    groups = ec2.describe_security_groups()["SecurityGroups"]
    return {
        "instances": instances,
        "keys": ec2.describe_key_pairs()["KeyPairs"],
        "groups": [group["GroupName"] for group in groups if group["GroupName"] != "default"],
        "roles": iam.list_roles()["Roles"],
        "profiles": iam.list_instance_profiles()["InstanceProfiles"],
    }


@pytest.fixture(scope="module")
def source(moto):
    """An image to start from."""
    images = moto.client("ec2").describe_images(
        Filters=[{"Name": "virtualization-type", "Values": ["hvm"]}, {"Name": "root-device-type", "Values": ["ebs"]}]
    )
    return sorted(images["Images"], key=lambda image: image["ImageId"])[0]


def template(source, name, builder=None, **more):
    """A template whose builder connects to nothing."""
    base = {
        "type": "amazon-ebs",
        "region": clouds.REGION,
        "source_ami": source["ImageId"],
        "instance_type": "t2.micro",
        "communicator": "none",
        "ami_name": name,
    }
    return {"builders": [base | (builder or {})], **more}


class Build:
    """A template in a folder of its own, and what building it said."""

    def __init__(self, moto, folder, content):
        self.moto = moto
        self.folder = folder
        (folder / "packer.json").write_text(json.dumps(content))

    def command(self, *options):
        return ["build", "--endpoint-url", self.moto.endpoint, *options, "packer.json"]

    def run(self, *options):
        return clouds.drydock(*self.command(*options), env=self.moto.environment(), cwd=self.folder, timeout=120)

    def start(self):
        return subprocess.Popen(
            [clouds.BINARY, *self.command()],
            env=self.moto.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def build(moto, tmp_path):
    return lambda content: Build(moto, tmp_path, content)


def built(done):
    """The output of a build that succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def failed(done):
    """What a build said that failed as Packer fails."""
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


def images(moto, name, region=clouds.REGION):
    filters = [{"Name": "name", "Values": [name]}]
    return moto.client("ec2", region).describe_images(Owners=["self"], Filters=filters)["Images"]


def snapshots_of(image):
    mappings = image["BlockDeviceMappings"]
    return [mapping["Ebs"]["SnapshotId"] for mapping in mappings if "SnapshotId" in mapping.get("Ebs", {})]


def tags_of(moto, resource):
    found = moto.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    # What the program itself notes on an image is not the builder's doing.
    return {name: value for name, value in tags.items() if not name.startswith("drydock:")}


def in_order(text, *lines):
    """Asserts that all lines are in a text, one after the other."""
    at = 0
    for line in lines:
        assert line in text[at:], f"{line!r} is not there, or too early, in\n{text}"
        at = text.index(line, at) + len(line)


def test_an_image_is_built_in_packers_order(moto, build, source):
    options = {
        "ami_description": "from {{ .SourceAMI }}",
        "ami_users": ["123456789012"],
        "tags": {"Base": "{{ .SourceAMIName }}", "Kind": "image"},
        "snapshot_tags": {"Kind": "snapshot"},
        "run_tags": {"Purpose": "building"},
    }
    manifest = [{"type": "manifest", "output": "manifest.json"}]
    run = build(template(source, "whole", options, **{"post-processors": manifest}))
    output = built(run.run())
    in_order(
        output,
        "==> amazon-ebs: Prevalidating any provided VPC information",
        "==> amazon-ebs: Prevalidating AMI Name: whole",
        f"    amazon-ebs: Found Image ID: {source['ImageId']}",
        "==> amazon-ebs: Creating temporary security group for this instance: packer_",
        "==> amazon-ebs: Launching a source AWS instance...",
        "==> amazon-ebs: Adding tags to source instance",
        '    amazon-ebs: Adding tag: "Name": "Packer Builder"',
        '    amazon-ebs: Adding tag: "Purpose": "building"',
        "    amazon-ebs: Instance ID: i-",
        ") to become ready...",
        "==> amazon-ebs: Stopping the source instance...",
        "==> amazon-ebs: Waiting for the instance to stop...",
        "==> amazon-ebs: Creating AMI whole from instance i-",
        "    amazon-ebs: AMI: ami-",
        "==> amazon-ebs: Waiting for AMI to become ready...",
        "==> amazon-ebs: Modifying attributes on AMI (ami-",
        "    amazon-ebs: Modifying: description",
        "    amazon-ebs: Modifying: users",
        "==> amazon-ebs: Adding tags to AMI (ami-",
        "==> amazon-ebs: Tagging snapshot: snap-",
        "==> amazon-ebs: Terminating the source AWS instance...",
        "==> amazon-ebs: Cleaning up any extra volumes...",
        "==> amazon-ebs: Deleting temporary security group...",
        "AMIs were created:\n",
        f"{clouds.REGION}: ami-",
    )
    [image] = images(moto, "whole")
    # moto accepts a description and does not keep it: that it arrives is shown against the local cloud.
    assert tags_of(moto, image["ImageId"]) == {"Base": source["Name"], "Kind": "image"}
    for snapshot in snapshots_of(image):
        assert tags_of(moto, snapshot) == {"Base": source["Name"], "Kind": "snapshot"}
    permissions = moto.client("ec2").describe_image_attribute(Attribute="launchPermission", ImageId=image["ImageId"])
    assert permissions["LaunchPermissions"] == [{"UserId": "123456789012"}]
    artifact = json.loads((run.folder / "manifest.json").read_text())["builds"][-1]
    assert artifact["artifact_id"] == f"{clouds.REGION}:{image['ImageId']}"


def test_the_image_is_copied_to_other_regions(moto, build, source):
    options = {"ami_regions": list(REGIONS), "tags": {"Kind": "copied"}}
    output = built(build(template(source, "copied", options)).run())
    in_order(
        output,
        ") to other regions...",
        "    amazon-ebs: Copying to: eu-west-1",
        "    amazon-ebs: Waiting for all copies to complete...",
        "AMIs were created:\neu-west-1: ami-",
        "us-east-1: ami-",
    )
    for region in REGIONS:
        [image] = images(moto, "copied", region)
        assert {"Key": "Kind", "Value": "copied"} in image["Tags"]


def test_encryption_leaves_the_encrypted_copy_only(moto, build, source):
    before = {image["ImageId"] for image in moto.client("ec2").describe_images(Owners=["self"])["Images"]}
    output = built(build(template(source, "encrypted", {"encrypt_boot": True})).run())
    in_order(
        output,
        "==> amazon-ebs: Copying/Encrypting AMI (ami-",
        "==> amazon-ebs: Deregistering the AMI and deleting unencrypted temporary AMIs and snapshots",
    )
    after = {image["ImageId"] for image in moto.client("ec2").describe_images(Owners=["self"])["Images"]}
    [image] = images(moto, "encrypted")
    assert after - before == {image["ImageId"]}
    assert f"us-east-1: {image['ImageId']}" in output


def test_a_taken_name_is_refused_and_replaced_by_force(moto, build, source):
    run = build(template(source, "taken", {"force_delete_snapshot": True}))
    built(run.run())
    [first] = images(moto, "taken")
    output = failed(run.run())
    assert f"AMI Name: 'taken' is used by an existing AMI: {first['ImageId']}" in output
    assert "Launching" not in output
    output = built(run.run("-force"))
    in_order(
        output,
        "Force Deregister flag found, skipping prevalidating AMI Name",
        f"Deregistered AMI taken, id: {first['ImageId']}",
    )
    [second] = images(moto, "taken")
    assert second["ImageId"] != first["ImageId"]


def test_a_filter_finds_the_newest_image(build, source):
    options = {
        "source_ami": "",
        "source_ami_filter": {
            "filters": {"name": source["Name"], "root-device-type": "ebs"},
            "owners": [source["OwnerId"]],
            "most_recent": True,
        },
        "skip_create_ami": True,
    }
    output = built(build(template(source, "none", options)).run())
    in_order(output, f"Found Image ID: {source['ImageId']}", "Skipping AMI creation...")


def test_a_subnet_is_found_by_a_filter(moto, build, source):
    ec2 = moto.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    options = {
        "subnet_filter": {"filters": {"default-for-az": "true"}, "most_free": True},
        "associate_public_ip_address": True,
        "skip_create_ami": True,
    }
    output = built(build(template(source, "none", options)).run())
    assert any(f"Found Subnet ID: {subnet['SubnetId']}" in output for subnet in subnets)
    options["subnet_filter"].pop("most_free")
    assert f"Your filter matched {len(subnets)} Subnets" in failed(build(template(source, "none", options)).run())


def test_a_temporary_profile_is_made_and_removed(build, source):
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["*"]}],
    }
    options = {"temporary_iam_instance_profile_policy_document": policy, "skip_create_ami": True}
    in_order(
        built(build(template(source, "none", options)).run()),
        "Creating temporary instance profile for this instance: packer-",
        "Creating temporary role for this instance: packer-",
        "Attaching policy to the temporary role: packer-",
        "Detaching temporary role from instance profile...",
        "Removing policy from temporary role...",
        "Deleting temporary role...",
        "Deleting temporary instance profile...",
    )


def test_a_wrong_source_image_names_the_operation_and_what_to_do(build, source):
    wrong = {"source_ami": "ami-00000000000000000"}
    output = failed(build(template(source, "none", wrong)).run())
    assert "Error querying AMI: InvalidAMIID.NotFound" in output
    assert "(DescribeImages)" in output
    assert "Check `source_ami` and `region`" in output
    assert "Build 'amazon-ebs' errored" in output


def test_a_missing_profile_stops_the_build_before_anything_is_launched(build, source):
    output = failed(build(template(source, "none", {"iam_instance_profile": "nobody"})).run())
    assert "Couldn't find specified instance profile: NoSuchEntity" in output
    assert "Launching" not in output


def waiting_instance(moto, process):
    """The instance of a build that waits for it to be stopped by hand."""
    for line in process.stdout:
        if "Waiting for the instance to stop..." in line:
            break
    reservations = moto.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
    )["Reservations"]
    [instance] = [instance for reservation in reservations for instance in reservation["Instances"]]
    return instance["InstanceId"]


@pytest.fixture
def waiting_build(build, source):
    """A build that does not stop its instance itself."""
    process = build(template(source, "waits", {"disable_stop_instance": True})).start()
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_ctrl_c_cleans_up(moto, waiting_build):
    instance = waiting_instance(moto, waiting_build)
    waiting_build.send_signal(signal.SIGINT)
    output, _ = waiting_build.communicate(timeout=60)
    assert waiting_build.returncode == 1, output
    in_order(output, "Terminating the source AWS instance...", "Deleting temporary security group...")
    described = moto.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    assert described[0]["Instances"][0]["State"]["Name"] == "terminated"
    assert images(moto, "waits") == []


def test_an_instance_that_ends_too_early_ends_the_build(moto, waiting_build):
    instance = waiting_instance(moto, waiting_build)
    moto.client("ec2").terminate_instances(InstanceIds=[instance])
    output, _ = waiting_build.communicate(timeout=60)
    assert waiting_build.returncode == 1, output
    assert f"The instance {instance} is terminated" in output
    assert images(moto, "waits") == []


def test_an_instance_stopped_by_hand_becomes_an_image(moto, waiting_build):
    instance = waiting_instance(moto, waiting_build)
    moto.client("ec2").stop_instances(InstanceIds=[instance])
    output, _ = waiting_build.communicate(timeout=60)
    assert waiting_build.returncode == 0, output
    assert len(images(moto, "waits")) == 1
