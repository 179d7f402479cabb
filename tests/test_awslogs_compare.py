"""Amazon's own log agent (awscli-cwlogs) and ours ship the same rotated files; the events are equal.

Ours runs twice: by Amazon's configuration, and by the same in the CloudWatch agent's JSON. All follow the same files at
the same time, each into groups of its own in the same local cloud.
"""

import datetime
import json
import os
import pathlib
import signal
import subprocess
import textwrap
import zoneinfo

import pytest

import clouds
from waiting import until

GUEST = pathlib.Path(
    os.environ.get("DRYDOCK_GUEST", clouds.ROOT / "target/x86_64-unknown-linux-gnu/release/drydock-guest")
)
ENVIRONMENT = clouds.AWS.parent.parent.with_name("drydock-tests-awslogs")
# Neither UTC nor the machine's own.
ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
STREAM = "both"


class Clock:
    """Times for lines: each a little later than the one before, all of them in the last hours."""

    def __init__(self):
        self.now = datetime.datetime.now(ZONE) - datetime.timedelta(hours=3)

    def next(self, form, zone=ZONE):
        self.now += datetime.timedelta(milliseconds=1370)
        return self.now.astimezone(zone).strftime(form)


def syslog(clock):
    """Lines of the local time without a year; some have no time, some belong to the line before."""
    for number in range(40):
        time = clock.next("%b %d %H:%M:%S")
        yield f"{time} host kernel: [{number}.{number:06}] eth0: link {'up' if number % 2 else 'down'}"
        if number % 10 == 3:
            yield "a line without a time"
            yield "Feb 31 25:61:00 is no time either"
        if number % 10 == 5:
            yield "\tan indented line"
            yield ""
            yield "    and one after an empty one  "
        if number % 10 == 7:
            yield f"carriage {time}\r"


def stack_traces(clock):
    """Events of several lines, each of which begins with a time."""
    for number in range(25):
        yield f"{clock.next('%Y-%m-%dT%H:%M:%S.%f%z')} ERROR request {number} failed"
        for depth in range(number % 4):
            yield f"Traceback {depth}: in module {{}} at line {number * depth}"
            yield ""
        yield "Error: no time here, and not indented"


def latin(clock):
    """Text of another encoding, and some bytes that are not of it."""
    for number in range(25):
        yield f"[{clock.next('%d/%b/%Y:%H:%M:%S')}] größe={number} naïve café £\x80"
        yield "continued without a bracket"


def agent(clock):
    """What the ECS agent writes, in UTC."""
    for number in range(60):
        yield f'level=info time={clock.next("%Y-%m-%dT%H:%M:%SZ", datetime.UTC)} msg="Task {number}" ünïcode=✓'


def timeless(clock):
    """Lines whose time is that of their reading."""
    yield "[    0.000000] Linux version"
    yield f"[    0.000001] boot {clock.next('%f')}"
    yield from (f"[    {number}.123456] usb 1-1: new device ☃" for number in range(28))


# Section, file, options, lines, encoding, how it is rotated.
LOGS = [
    ("syslog", "messages", "datetime_format = %b %d %H:%M:%S", syslog, "utf-8", "rename"),
    (
        "traces",
        "traces.log",
        "datetime_format = %Y-%m-%dT%H:%M:%S.%f%z\nmulti_line_start_pattern = {datetime_format}",
        stack_traces,
        "utf-8",
        "copytruncate",
    ),
    (
        "latin",
        "latin.log",
        "datetime_format = %d/%b/%Y:%H:%M:%S\nencoding = latin_1\nmulti_line_start_pattern = ^\\[",
        latin,
        "latin-1",
        "rename",
    ),
    ("agent", "ecs-agent.log*", "datetime_format = %Y-%m-%dT%H:%M:%SZ\ntime_zone = UTC", agent, "utf-8", "new name"),
    ("dmesg", "dmesg", "file_fingerprint_lines = 1-2", timeless, "utf-8", "rename"),
]


class Files:
    """The log files, as their programs write and rotate them."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = Clock()
        self.generation = 0

    def path(self, name):
        return self.folder / name.replace("*", f".{self.generation:02}")

    def write(self):
        for _, name, _, lines, encoding, _ in LOGS:
            with self.path(name).open("ab") as file:
                for line in lines(self.clock):
                    file.write(f"{line}\n".encode(encoding))

    def rotate(self):
        for _, name, _, _, _, how in LOGS:
            path = self.path(name)
            if how == "rename":
                path.rename(f"{path}-old")
            elif how == "copytruncate":
                pathlib.Path(f"{path}-old").write_bytes(path.read_bytes())
                os.truncate(path, 0)
        self.generation += 1


def configuration(folder, name, files):
    """The folder of an agent's files."""
    folder.mkdir()
    sections = [f"[general]\nstate_file = {folder}/state\n"]
    for section, file, options, *_ in LOGS:
        sections.append(
            f"[{section}]\nfile = {files}/{file}\nlog_group_name = /{name}/{section}\n"
            f"log_stream_name = {STREAM}\n{options}\n"
        )
    folder.joinpath("awslogs.conf").write_text("\n".join(sections))
    return folder


def aws_config(folder, cloud, **more):
    keys = {
        "region": clouds.REGION,
        "aws_access_key_id": cloud.environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": cloud.environment["AWS_SECRET_ACCESS_KEY"],
    }
    lines = [f"{key} = {value}\n" for key, value in (keys | more).items()]
    path = folder / "awscli.conf"
    path.write_text("[plugins]\ncwlogs = cwlogs\n[default]\n" + "".join(lines))
    return path


def amazons(folder, cloud):
    """Amazon's agent, as its launcher starts it."""
    command = [ENVIRONMENT / "bin/aws", "logs", "push", "--endpoint-url", cloud.environment["AWS_ENDPOINT_URL"]]
    command += ["--config-file", folder / "awslogs.conf"]
    return started(folder, command, AWS_CONFIG_FILE=str(aws_config(folder, cloud)))


def ours(folder, cloud, config="awslogs.conf"):
    aws = aws_config(folder, cloud, endpoint_url=cloud.environment["AWS_ENDPOINT_URL"])
    command = [GUEST, "awslogs-agent", "--config", folder / config, "--aws-config", aws]
    command += ["--additional-configs-dir", folder / "none", "--proxy", folder / "none", "--log-file", "-"]
    return started(folder, [*command, "--socket", folder / "socket"])


def by_json(folder, cloud, files):
    """Ours, by the CloudWatch agent's words for the same."""
    names = {"datetime_format": "timestamp_format", "time_zone": "timezone"}
    entries = []
    for section, file, options, *_ in LOGS:
        given = dict(line.split(" = ") for line in options.splitlines() if not line.startswith("file_fingerprint"))
        entry = {names.get(name, name): value for name, value in given.items()}
        if entry.get("multi_line_start_pattern") == "{datetime_format}":
            entry["multi_line_start_pattern"] = "{timestamp_format}"
        entry |= {"file_path": f"{files}/{file}", "log_group_name": f"/json/{section}", "log_stream_name": STREAM}
        entries.append(entry)
    collected = {"files": {"file_state_folder": str(folder), "collect_list": entries}}
    folder.mkdir()
    folder.joinpath("agent.json").write_text(json.dumps({"logs": {"logs_collected": collected}}))
    return ours(folder, cloud, "agent.json")


def started(folder, command, **variables):
    with folder.joinpath("output").open("wb") as output:
        return subprocess.Popen(
            list(map(str, command)),
            env=clouds.environment(TZ=str(ZONE), **variables),
            stdout=output,
            stderr=output,
            cwd=folder,
        )


@pytest.fixture(scope="module")
def plugin():
    """The virtual environment with Amazon's agent."""
    command = [clouds.ROOT / "scripts/test-env", ENVIRONMENT, clouds.ROOT / "tests/requirements-awslogs.txt"]
    subprocess.run(command, check=True, timeout=300)


@pytest.fixture
def agents(cloud, plugin, tmp_path):
    """The agents, and the files that they follow."""
    files = Files(tmp_path / "logs")
    files.folder.mkdir()
    files.write()
    running = {
        "amazons": amazons(configuration(tmp_path / "amazons", "amazons", files.folder), cloud),
        "ours": ours(configuration(tmp_path / "ours", "ours", files.folder), cloud),
        "json": by_json(tmp_path / "json", cloud, files.folder),
    }
    try:
        yield files
    finally:
        for name, process in running.items():
            process.send_signal(signal.SIGINT if name == "amazons" else signal.SIGTERM)
        for name, process in running.items():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            print(name, textwrap.indent((tmp_path / name / "output").read_text()[-4000:], "    "), sep="\n")


def events(logs, name, section):
    """What a group holds: times and messages in their order."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/{name}/{section}", logStreamNames=[STREAM]
        )
        return [(event["timestamp"], event["message"]) for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def all_events(logs):
    return {section: [events(logs, name, section) for name in ("amazons", "ours", "json")] for section, *_ in LOGS}


def shipped(logs, counts):
    """What the agents have shipped, once each has shipped as many events as `counts` says; or what they have."""

    def look():
        found = all_events(logs)
        return found if all(len(one) >= counts[section] for section in found for one in found[section]) else None

    try:
        return until("all agents have shipped everything", look, 60, 1)
    except AssertionError:
        return all_events(logs)


def compare(found, counts):
    for section, (theirs, *others) in found.items():
        assert len(theirs) == counts[section], section
        for own in others:
            if section == "dmesg":
                # Each agent read at its own time.
                assert [message for _, message in own] == [message for _, message in theirs]
            else:
                assert own == theirs, section


# How many events one writing makes, by the agents' rules.
ONCE = {"syslog": 40 + 2 * 4 + 4, "traces": 25, "latin": 25, "agent": 60, "dmesg": 30}


def test_the_agents_make_the_same_events_of_rotated_files(cloud, agents):
    logs = cloud.client("logs")
    compare(shipped(logs, ONCE), ONCE)
    agents.rotate()
    agents.write()
    twice = {section: 2 * count for section, count in ONCE.items()}
    compare(shipped(logs, twice), twice)
