"""Images: made, listed, imported, removed, and what the base image promises, checked inside."""

import json
import tarfile

import pytest

from clouds import ROOT
from waiting import until


def names(cloud):
    return {image["name"] for image in cloud.json("image", "ls")}


def test_the_base_image_is_amazons(cloud, image):
    images = cloud.aws_json("ec2", "describe-images", "--owners", "amazon")["Images"]
    [found] = [one for one in images if one["ImageId"] == image]
    assert found["State"] == "available"
    assert found["RootDeviceName"] == "/dev/xvda"
    devices = {device["DeviceName"]: device["Ebs"]["VolumeSize"] for device in found["BlockDeviceMappings"]}
    assert devices == {"/dev/xvda": 8, "/dev/xvdcz": 22}


@pytest.mark.parametrize(
    "name",
    [
        "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id",
        "/aws/service/ecs/optimized-ami/amazon-linux/recommended/image_id",
    ],
)
def test_the_public_parameter_names_it(cloud, image, name):
    value = cloud.aws_json("ssm", "get-parameter", "--name", name)["Parameter"]["Value"]
    assert value == image


def test_the_public_parameter_describes_it(cloud, image):
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended"
    value = cloud.aws_json("ssm", "get-parameter", "--name", name)["Parameter"]["Value"]
    assert json.loads(value)["image_id"] == image


def test_making_it_again_is_quick_and_changes_nothing(cloud, image):
    assert cloud.json("image", "create", "ecs-base", timeout=10)["id"] == image


def test_an_image_with_a_file_added(cloud, image, tmp_path):
    script = tmp_path / "hello"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    made = cloud.json("image", "create", "hello", "--from", "ecs-base", "--add", f"{script}:/opt/hello/run")
    ec2 = cloud.client("ec2")
    answer = ec2.run_instances(ImageId=made["id"], MinCount=1, MaxCount=1, InstanceType="t3.micro")
    id = answer["Instances"][0]["InstanceId"]
    until("it runs", lambda: cloud.try_exec(id, "true").returncode == 0, 30)
    assert cloud.exec(id, "/opt/hello/run") == "hello\n"
    # What an instance runs on cannot be removed.
    done = cloud.try_run("image", "rm", "hello")
    assert done.returncode != 0 and "in use" in done.stderr
    ec2.terminate_instances(InstanceIds=[id])
    until("it is gone", lambda: cloud.instances("pending", "running", "shutting-down") == [])
    cloud.run("image", "rm", "hello")
    assert "hello" not in names(cloud)


def test_a_tar_file_is_imported(cloud, tmp_path):
    root = tmp_path / "root"
    (root / "sbin").mkdir(parents=True)
    (root / "sbin/init").write_text("#!/bin/sh\n")
    (root / "etc").mkdir()
    with tarfile.open(tmp_path / "mine.tar", "w") as archive:
        archive.add(root, arcname=".")
    made = cloud.json("image", "import", tmp_path / "mine.tar", "--name", "mine")
    assert made["id"].startswith("ami-")
    assert "mine" in names(cloud)
    own = cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    assert made["id"] in [one["ImageId"] for one in own]
    cloud.run("image", "rm", made["id"])
    assert "mine" not in names(cloud)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("create", "other"), 253, "--from"),
        (("create", "other", "--from", "nothing"), 255, "nothing"),
        (("create", "other", "--from", "ecs-base", "--add", "/none:/x"), 253, "/none"),
        (("create", "other", "--from", "ecs-base", "--add", "/etc/hostname"), 253, "FILE:PATH"),
        (("create", "ecs-base", "--add", "/etc/hostname:/x"), 253, "ecs-base"),
        (("import", "/none.tar"), 255, "/none.tar"),
        (("rm", "nothing"), 255, "nothing"),
    ],
)
def test_refusals(cloud, image, arguments, code, words):
    done = cloud.try_run("image", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "other" not in names(cloud)


def test_what_is_no_archive_is_not_imported(cloud, tmp_path):
    (tmp_path / "not-one.tar").write_text("not a tar file at all")
    done = cloud.try_run("image", "import", tmp_path / "not-one.tar")
    assert done.returncode != 0 and "not-one.tar" in done.stderr
    assert "not-one" not in names(cloud)


def test_the_base_image_keeps_its_promises(cloud, image):
    """The recipe's own checks, inside an instance of this cloud."""
    ec2 = cloud.client("ec2")
    answer = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")
    id = answer["Instances"][0]["InstanceId"]
    until("it runs", lambda: cloud.try_exec(id, "true").returncode == 0, 30)
    cloud.booted(id)
    checks = (ROOT / "images/ecs-base/tests/guest-checks.sh").read_text()
    done = cloud.try_exec(id, "/bin/bash", "-c", checks, timeout=300)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("not ok", "#"))]
    assert (done.returncode, failed) == (0, [])
    assert done.stdout.splitlines()[-1].startswith("1..")
    ec2.terminate_instances(InstanceIds=[id])
