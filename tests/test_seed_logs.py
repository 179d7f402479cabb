"""The seed's image and stack, unchanged: what its instance logs arrives line by line, from all six files."""

import collections
import pathlib
import re
import shutil
import subprocess

import pytest

import seed
from waiting import until

DEBIAN_AWS = pathlib.Path("/usr/bin/aws")
STACK = "todobackend"
PREFIX = f"/{STACK}/ec2/ApplicationAutoscaling"
# The log groups of the seed's first run, and the file that each is for.
FILES = {
    f"{PREFIX}/var/log/dmesg": "/var/log/dmesg",
    f"{PREFIX}/var/log/messages": "/var/log/messages",
    f"{PREFIX}/var/log/docker": "/var/log/docker",
    f"{PREFIX}/var/log/ecs/ecs-init": "/var/log/ecs/ecs-init.log",
    f"{PREFIX}/var/log/ecs/ecs-agent": "/var/log/ecs/ecs-agent.log",
    f"{PREFIX}/var/log/ecs/audit.log": "/var/log/ecs/audit.log",
}
# A container instance that runs no tasks has nobody to give credentials to, which is what this log is for.
EMPTY = f"{PREFIX}/var/log/ecs/audit.log"


@pytest.fixture(scope="module")
def instance(cloud, base_layers, tmp_path_factory):
    """The id of the one instance of the stack that `drydock up` makes of the seed's two folders."""
    if seed.directory() == seed.FIXTURE:
        pytest.skip("the fixture's first run configures no log agent; test_init.py has one that does")
    root = tmp_path_factory.mktemp("seed")
    for name in ("packer-ecs", "todobackend-aws"):
        if not (seed.directory() / name).exists():
            pytest.skip(f"{seed.directory()} has no {name}")
        # A build writes its manifest beside the template.
        shutil.copytree(seed.directory() / name, root / name)
        for path in (root / name).rglob("*"):
            path.chmod(path.stat().st_mode | 0o200)
    if not (root / "packer-ecs/packer.json").exists():
        pytest.skip(f"{seed.directory()} has no Packer template")
    done = cloud.try_run("up", "packer-ecs", "todobackend-aws", "--stack-name", STACK, cwd=root, timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout
    [found] = cloud.instances("running")
    return found["InstanceId"]


def events(cloud, group, stream):
    """All events of a stream, oldest first."""
    logs, found, token = cloud.client("logs"), [], None
    while True:
        given = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **given)
        found += page["events"]
        if page["nextForwardToken"] == token:
            return found
        token = page["nextForwardToken"]


def shipped(cloud, group, stream):
    """How often each line is in a stream. An event may be of several lines: those that begin with a blank go on."""
    messages = [event["message"] for event in events(cloud, group, stream)]
    return collections.Counter("\n".join(messages).splitlines())


def written(cloud, instance, file):
    """How often each line is in a file; the service takes no empty ones."""
    return collections.Counter(line for line in cloud.exec(instance, "cat", file).splitlines() if line)


def streams(cloud, group):
    return [
        stream["logStreamName"]
        for stream in cloud.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    ]


def groups(cloud):
    found = cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"{PREFIX}/")["logGroups"]
    return {group["logGroupName"] for group in found}


def test_six_groups_have_the_instances_stream(cloud, instance):
    until("the six groups are there", lambda: groups(cloud) == set(FILES), 30)
    for group in FILES:
        until(f"{group} has a stream", lambda group=group: streams(cloud, group) == [instance], 30)


@pytest.mark.parametrize("group", FILES)
def test_the_stream_holds_the_files_very_lines(cloud, instance, group):
    file = FILES[group]
    before = written(cloud, instance, file)
    assert bool(before) == (group != EMPTY), before
    lines = until(
        f"all lines of {file} are in {group}",
        lambda: [found] if before <= (found := shipped(cloud, group, instance)) else None,
        30,
        0.5,
    )[0]
    # What has been written since then may have been shipped too, and nothing else.
    assert lines <= written(cloud, instance, file), lines - written(cloud, instance, file)


def test_events_have_the_times_of_their_lines(cloud, instance):
    """The instance is in the seed's time zone; what its agent writes is in UTC."""
    group = f"{PREFIX}/var/log/ecs/ecs-agent"
    for event in events(cloud, group, instance):
        stamp = re.search(r"time=(\S+)Z ", event["message"])[1]
        shown = cloud.exec(instance, "date", "-u", "-d", f"@{event['timestamp'] // 1000}", "+%Y-%m-%dT%H:%M:%S").strip()
        assert stamp == shown
        break
    newest = events(cloud, f"{PREFIX}/var/log/messages", instance)[-1]
    local = cloud.exec(instance, "date", "-d", f"@{newest['timestamp'] // 1000}", "+%b %e %H:%M:%S").rstrip("\n")
    assert newest["message"].startswith(local), (newest, local)


def test_aws_logs_tail_shows_them(cloud, instance):
    group = f"{PREFIX}/var/log/ecs/ecs-agent"
    # Version 1 of the AWS command line has no such command, and early ones of version 2 do not know AWS_ENDPOINT_URL.
    command = [DEBIAN_AWS, "--endpoint-url", cloud.environment["AWS_ENDPOINT_URL"], "logs", "tail", group]
    done = subprocess.run(
        [*command, "--since", "1h"], env=cloud.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert {stream for _, stream, _ in shown} == {instance}
    told = "\n".join(message for *_, message in shown)
    for words in ("Registration completed successfully", "Connected to ACS endpoint"):
        assert words in told, told


def test_a_restart_and_a_rotation_lose_and_repeat_nothing(cloud, instance):
    group, file = f"{PREFIX}/var/log/messages", "/var/log/messages"
    cloud.exec(instance, "logger", "-t", "drill", "before the restart")
    cloud.exec(instance, "service", "awslogs", "restart")
    cloud.exec(instance, "logger", "-t", "drill", "before the rotation")
    cloud.exec(instance, "logrotate", "--force", "/etc/logrotate.d/rsyslog")
    cloud.exec(instance, "logger", "-t", "drill", "after the rotation")

    def lines():
        return written(cloud, instance, f"{file}.1") + written(cloud, instance, file)

    def last_seen():
        return [line for line in shipped(cloud, group, instance) if line.endswith("drill: after the rotation")]

    until("the last line has arrived", last_seen, 30, 0.5)
    until("all lines are shipped once", lambda: shipped(cloud, group, instance) == lines(), 15, 0.5)


def test_the_agents_own_log_is_quiet(cloud, instance):
    log = cloud.exec(instance, "cat", "/var/log/awslogs.log")
    assert log and "ERROR" not in log, log
    assert "is running" in cloud.exec(instance, "service", "awslogs", "status")


def test_the_last_lines_before_a_power_off_arrive(cloud, instance):
    """The log agent ends after what it ships the logs of. The last test of the file."""
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    last_words = {
        "ecs/ecs-agent": 'msg="Exiting"',
        "ecs/ecs-init": "post-stop: agent ended",
        "docker": "Daemon shutdown",
    }
    for log, words in last_words.items():
        group = f"{PREFIX}/var/log/{log}"
        until(
            f"{words!r} is in {group}",
            lambda group=group, words=words: any(words in line for line in shipped(cloud, group, instance)),
            20,
            0.5,
        )
