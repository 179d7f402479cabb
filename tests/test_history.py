"""How an image came about: its steps, their time and output, on the machine that built it and elsewhere."""

import pytest

import builds
from clouds import environment


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return environment(XDG_STATE_HOME=str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def built(cloud, image, tmp_path_factory, home):
    """The id of an image of two steps."""
    cloud.run("cloud", "adopt", f"{builds.SOURCE}=ecs-base")
    folder = tmp_path_factory.mktemp("history")
    (folder / "talk.sh").write_text("#!/bin/sh\nfor i in 1 2 3 4 5; do echo line $i; done\necho secret-word\n")
    path = builds.template(
        folder,
        {"type": "shell", "script": "talk.sh"},
        builds.shell("exit 7", valid_exit_codes=[7]),
    )
    done = builds.build(cloud, path, env=home)
    assert done.returncode == 0, done.stdout + done.stderr
    own = cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    [found] = [one for one in own if one["Name"].startswith(folder.name)]
    return found


def test_steps_with_time_code_and_output(cloud, built, home):
    history = cloud.json("image", "history", built["ImageId"], env=home)
    talk, seven = history["record"]["steps"]
    assert "talk.sh" in talk["title"]
    assert "line 5" in talk["output"] and talk["seconds"] > 0
    assert (talk["exit"], seven["exit"]) == (0, 7)
    assert history["record"]["source_ami"] == builds.SOURCE
    text = cloud.run("image", "history", built["ImageId"], env=home)
    assert "talk.sh" in text and "| line 5" in text and "| line 1" not in text


def test_the_whole_output_of_a_step(cloud, built, home):
    text = cloud.run("image", "history", built["ImageId"], "--step", "1", env=home)
    assert [line for line in text.splitlines() if line.startswith("line ")] == [f"line {n}" for n in range(1, 6)]
    done = cloud.try_run("image", "history", built["ImageId"], "--step", "3", env=home)
    assert done.returncode == 253 and "steps 1 to 2" in done.stderr


def test_elsewhere_the_tags_tell_what_they_can(cloud, built, tmp_path):
    elsewhere = environment(XDG_STATE_HOME=str(tmp_path))
    history = cloud.json("image", "history", built["ImageId"], env=elsewhere)
    assert history["record"] is None
    assert "talk.sh" in history["facts"]["steps"]
    text = cloud.run("image", "history", built["ImageId"], env=elsewhere)
    assert "not built on this machine" in text
    done = cloud.try_run("image", "history", built["ImageId"], "--step", "1", env=elsewhere)
    assert done.returncode == 255 and "kept there" in done.stderr


def test_the_facts_are_tags(built):
    tags = {tag["Key"]: tag["Value"] for tag in built["Tags"]}
    assert len(tags["drydock:inputs"]) == 64
    assert tags["drydock:source-ami"] == builds.SOURCE


def test_images_of_others_have_none(cloud, image, home):
    done = cloud.try_run("image", "history", image, env=home)
    assert done.returncode == 255 and "no history" in done.stderr
    done = cloud.try_run("image", "history", "ami-00000000000000000", env=home)
    assert done.returncode == 255 and "there is no image" in done.stderr
