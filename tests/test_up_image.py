"""Both halves by one command: the seed's two folders as they are, image first, then the cluster that uses it."""

import json
import shutil

import pytest

import seed
from clouds import ROOT, environment
from waiting import until

STACK = "todobackend-aws"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Copies of the seed's two folders: a build writes its manifest beside the template."""
    root = tmp_path_factory.mktemp("seed")
    for name in ("packer-ecs", "todobackend-aws"):
        if not (seed.directory() / name).exists():
            pytest.skip(f"{seed.directory()} has no {name}")
        shutil.copytree(seed.directory() / name, root / name)
        for path in (root / name).rglob("*"):
            path.chmod(path.stat().st_mode | 0o200)
    if not (root / "packer-ecs/packer.json").exists():
        pytest.skip(f"{seed.directory()} has no Packer template")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the history of builds is kept."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def up(cloud, base_layers, folders, home):
    """`drydock up packer-ecs todobackend-aws …`; the events that it tells, and the caller looks at the exit code."""

    def run(*options):
        done = cloud.try_run(
            *("up", "packer-ecs", "todobackend-aws", "--output", "json", *options),
            cwd=folders,
            env=environment(XDG_STATE_HOME=str(home)),
        )
        done.events = []
        for line in documents(done.stdout):
            done.events.append(line)
        return done

    return run


def documents(text):
    """The JSON documents of an output, which stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        yield document
        while at < len(text) and text[at].isspace():
            at += 1


def notes(done):
    return [event["message"] for event in done.events if event.get("event") == "note"]


def own_images(cloud):
    images = cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    return {image["ImageId"]: image for image in images if not image["Name"].startswith("ecs-base")}


def running_image(cloud):
    """The image that the cluster's one instance runs."""
    [instance] = cloud.instances("running")
    return instance["ImageId"]


def built(done):
    """Whether a build ran."""
    return not any("image unchanged" in note for note in notes(done))


@pytest.fixture(scope="module")
def first(up):
    done = up()
    assert done.returncode == 0, done.stderr + done.stdout
    return done


def test_image_and_cluster_come_up_by_one_command(cloud, first):
    assert first.events[-1]["verified"] is True, first.events[-1]
    [image] = own_images(cloud).values()
    [builder] = json.loads((seed.image() / "packer.json").read_text())["builders"]
    assert image["Name"].startswith(builder["ami_name"].removesuffix("{{timestamp}}"))
    assert running_image(cloud) == image["ImageId"]
    parameters = cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
    assert {"ParameterKey": "ApplicationImageId", "ParameterValue": image["ImageId"]} in parameters


def test_what_was_guessed_is_told(first):
    said = "\n".join(notes(first))
    subnets = seed.parameter("ApplicationSubnets").split(",")
    for adopted in (seed.source_image(), seed.parameter("VpcId"), *subnets, "admin"):
        assert adopted in said, said
    assert "CAPABILITY_IAM" in said


def test_nothing_temporary_is_left(cloud, first):
    ec2 = cloud.client("ec2")
    assert [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]] == ["admin"]
    assert len(cloud.instances("pending", "running", "stopping", "stopped")) == 1


def test_the_manifest_of_the_build_is_beside_its_template(cloud, first, folders):
    manifest = json.loads((folders / "packer-ecs/manifest.json").read_text())
    [build] = manifest["builds"]
    [image] = own_images(cloud)
    assert build["artifact_id"] == f"us-east-1:{image}"


def test_the_second_run_skips_the_build(cloud, first, up):
    [image] = own_images(cloud)
    done = up()
    assert done.returncode == 0, done.stderr
    assert f"image unchanged: {image} in us-east-1" in notes(done)
    assert "up to date" in "\n".join(notes(done))
    assert list(own_images(cloud)) == [image]


def test_an_image_that_is_gone_is_built_again(cloud, first, up):
    [gone] = own_images(cloud)
    cloud.client("ec2").deregister_image(ImageId=gone)
    done = up()
    assert done.returncode == 0, done.stderr
    assert built(done)
    [image] = own_images(cloud)
    assert image != gone
    assert image in parameter(cloud)
    # The group has no update policy: its instance stays as it is, and that is said.
    [instance] = cloud.instances("running")
    assert instance["ImageId"] == gone
    assert any(f"still on another image: {instance['InstanceId']} ({gone})" in note for note in notes(done))


def parameter(cloud):
    stack = cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return [item["ParameterValue"] for item in stack["Parameters"]]


def test_a_changed_script_builds_another_image(cloud, first, up, folders):
    before = set(own_images(cloud))
    script = folders / "packer-ecs/scripts/cleanup.sh"
    script.write_text(script.read_text() + "echo changed\n")
    done = up()
    assert done.returncode == 0, done.stderr
    [new] = set(own_images(cloud)) - before
    assert new in parameter(cloud)
    # As it was before, it is the image of before.
    script.write_text(script.read_text().removesuffix("echo changed\n"))
    done = up()
    assert done.returncode == 0, done.stderr
    [old] = before
    assert f"image unchanged: {old} in us-east-1" in notes(done)
    assert old in parameter(cloud)


def test_a_broken_template_changes_nothing(cloud, first, up, folders):
    template = folders / "packer-ecs/packer.json"
    text = template.read_text()
    before = own_images(cloud), parameter(cloud)
    template.write_text(text.replace('"source_ami"', '"sorce_ami"'))
    done = up()
    template.write_text(text)
    assert done.returncode == 1
    assert "sorce_ami" in done.stderr and "packer.json" in done.stderr
    assert (own_images(cloud), parameter(cloud)) == before


def test_a_failing_script_deploys_nothing(cloud, first, up, folders):
    script = folders / "packer-ecs/scripts/time.sh"
    text = script.read_text()
    before = own_images(cloud), parameter(cloud)
    script.write_text(text + "exit 3\n")
    done = up()
    script.write_text(text)
    assert done.returncode == 255, done.stdout
    assert "exit status: 3" in done.stdout and "time.sh" in done.stdout
    assert (own_images(cloud), parameter(cloud)) == before


def test_the_history_of_the_image(cloud, first, home):
    image = sorted(own_images(cloud))[0]
    history = cloud.json("image", "history", image, env=environment(XDG_STATE_HOME=str(home)))
    assert history["facts"]["source_ami"] == "ami-5e414e24"
    steps = history["record"]["steps"]
    assert len(steps) == 6
    assert "scripts/storage.sh" in steps[0]["title"]
    assert "server 169.254.169.123 prefer iburst" in steps[1]["output"]
    assert all(step["seconds"] > 0 for step in steps)


def test_down_takes_the_stack_and_leaves_the_image(cloud, first, folders):
    images = own_images(cloud)
    cloud.run("down", "packer-ecs", "todobackend-aws", cwd=folders)
    assert cloud.stack_status(STACK) is None
    assert own_images(cloud) == images


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nowhere",), "no such folder"),
        (("packer-ecs", "packer-ecs"), "two Packer templates"),
        (("packer-ecs", "todobackend-aws", "--image-parameter", "VpcId"), "AWS::EC2::VPC::Id"),
        (("packer-ecs", "todobackend-aws", "--only", "other"), "other"),
    ],
)
def test_refusals(cloud, folders, options, words):
    done = cloud.try_run("up", *options, cwd=folders)
    assert done.returncode in (1, 253), done.stderr
    assert words in done.stderr


def test_the_example_has_both_halves(cloud, tmp_path, home):
    folder = tmp_path / "ecs-image"
    shutil.copytree(ROOT / "examples/ecs-image", folder)
    env = environment(XDG_STATE_HOME=str(home))
    first = cloud.run("up", folder, env=env)
    assert "is verified: " in first and "stack ecs-image is verified" in first
    before = cloud.instances("running")[0]
    second = cloud.run("up", folder, env=env)
    assert "image unchanged" in second and "has passed checks.toml before" in second and "up to date" in second
    # Another script: another image, checked again; the group's next instance has it.
    script = folder / "scripts/time-zone.sh"
    script.write_text(script.read_text() + "touch /etc/changed\n")
    third = cloud.run("up", folder, env=env)
    assert "is verified: " in third and "stack ecs-image is verified" in third
    assert f"still on another image: {before['InstanceId']}" in third
    cloud.client("ec2").terminate_instances(InstanceIds=[before["InstanceId"]])
    until("the group has replaced it", lambda: replaced(cloud, before["InstanceId"]))
    [after] = cloud.instances("running")
    assert after["ImageId"] != before["ImageId"]
    assert cloud.try_exec(after["InstanceId"], "test", "-e", "/etc/changed").returncode == 0
    cloud.run("down", folder)


def replaced(cloud, id):
    return [one["InstanceId"] for one in cloud.instances("running")] not in ([], [id])
