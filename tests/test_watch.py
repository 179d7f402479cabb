"""`drydock build --watch`: a saved file runs only the steps from there on, and nothing stays behind."""

import contextlib
import json
import signal
import subprocess
import threading
import time

import pytest

import builds
import clouds

STEPS = ("one", "two", "three")


class Watching:
    """A watch under way, whose events can be waited for."""

    def __init__(self, cloud, path):
        command = [clouds.BINARY, "build", "--state", cloud.state, "--watch", "--output", "json", path.name]
        self.process = subprocess.Popen(
            command,
            cwd=path.parent,
            env=clouds.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.events = []

    def until(self, *names, seconds=60):
        """Reads on until an event of one of these names, and returns the events since the last call."""
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        seen = []
        try:
            for line in self.process.stdout:
                event = json.loads(line) if line.startswith("{") else {"event": "other", "text": line}
                self.events.append(event)
                seen.append(event)
                if event["event"] in names:
                    return seen
        finally:
            watchdog.cancel()
        raise AssertionError(f"{names} never happened: {self.events}")

    def interrupt(self):
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            rest, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for line in rest.splitlines():
            with contextlib.suppress(ValueError):
                self.events.append(json.loads(line))
        return self.process.returncode


def steps(events):
    """The steps that ran, by their places."""
    return [event["index"] for event in events if event["event"] == "step"]


def said(events):
    return [event["text"] for event in events if event["event"] == "output"]


@pytest.fixture
def folder(tmp_path):
    for name in STEPS:
        (tmp_path / f"{name}.sh").write_text(f"#!/bin/sh\necho {name} >> ~/steps\necho {name} ran\n")
    builds.template(tmp_path, *({"type": "shell", "script": f"{name}.sh"} for name in STEPS))
    return tmp_path


@pytest.fixture
def watching(cloud, image, folder):
    cloud.run("cloud", "adopt", f"{builds.SOURCE}=ecs-base")
    before = left(cloud)
    watch = Watching(cloud, folder / "packer.json")
    watch.before = before
    try:
        yield watch
    finally:
        if watch.process.poll() is None:
            watch.interrupt()


def left(cloud):
    ec2 = cloud.client("ec2")
    return {
        "images": [one["Name"] for one in ec2.describe_images(Owners=["self"])["Images"]],
        "snapshots": [one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]],
        "keys": [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]],
        "groups": [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "instances": [
            one["InstanceId"] for one in cloud.instances("pending", "running", "shutting-down", "stopping", "stopped")
        ],
        "volumes": [one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]],
    }


def save(path, text):
    """Saves as editors do: a new file in the old one's place. When that was."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)
    return time.monotonic()


def test_only_what_comes_after_the_change_runs(cloud, watching, folder, capsys):
    assert steps(watching.until("green")) == [0, 1, 2]

    # A script in the middle: the machine has what was before it, and that once.
    saved = save(folder / "two.sh", "#!/bin/sh\necho other >> ~/steps\ncat ~/steps\n")
    seen = watching.until("green", "failed")
    took = time.monotonic() - saved
    assert seen[-1]["event"] == "green", seen
    assert [event["changed"] for event in seen if event["event"] == "begin"] == [["two.sh"]]
    assert steps(seen) == [1, 2]
    assert [line for line in said(seen) if line in ("one", "two", "other")] == ["one", "other"]
    with capsys.disabled():
        print(f"\n  from a saved script to green: {took:.1f} s")

    # One that fails; then mended.
    save(folder / "three.sh", "#!/bin/sh\necho broken\nexit 4\n")
    seen = watching.until("green", "failed")
    assert seen[-1]["event"] == "failed" and "4" in seen[-1]["reason"]
    assert steps(seen) == []
    save(folder / "three.sh", "#!/bin/sh\ncat ~/steps\n")
    seen = watching.until("green", "failed")
    assert steps(seen) == [2]
    assert [line for line in said(seen) if line in ("one", "two", "other")] == ["one", "other"]

    # Ctrl-C takes everything away.
    assert watching.interrupt() == 0, watching.events
    assert not [event for event in watching.events if event["event"] == "left"]
    assert left(cloud) == watching.before


def test_the_template_itself(cloud, watching, folder):
    watching.until("green")
    template = folder / "packer.json"
    text = template.read_text()

    # A fault is shown, and the watch goes on.
    save(template, text.replace('"shell"', '"shel"', 1))
    [broken] = [event for event in watching.until("broken", "green") if event["event"] == "broken"]
    assert "shel" in broken["errors"]
    assert watching.process.poll() is None

    # A new step at the end begins where the others ended.
    document = json.loads(text)
    document["provisioners"].append(builds.shell("cat ~/steps"))
    save(template, json.dumps(document))
    seen = watching.until("green", "failed")
    assert steps(seen) == [3]
    assert [line for line in said(seen) if line in STEPS] == list(STEPS)

    # Another builder is another machine.
    document["builders"][0]["instance_type"] = "t3.micro"
    save(template, json.dumps(document))
    assert steps(watching.until("green", "failed")) == [0, 1, 2, 3]


def test_interrupted_in_the_middle(cloud, image, folder):
    before = left(cloud)
    cloud.run("cloud", "adopt", f"{builds.SOURCE}=ecs-base")
    (folder / "two.sh").write_text("#!/bin/sh\necho begun\nsleep 60\n")
    watch = Watching(cloud, folder / "packer.json")
    while "begun" not in said(watch.until("output", "failed")):
        pass
    assert watch.interrupt() == 0, watch.events
    assert left(cloud) == before
