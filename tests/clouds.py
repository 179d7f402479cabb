"""A local cloud of a test's own, and the clients that real users have."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import boto3
import botocore.config

import leftovers
from waiting import until

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("DRYDOCK", ROOT / "target/release/drydock"))
# The AWS command line of the tests' own environment.
AWS = pathlib.Path(sys.executable).parent / "aws"
REGION = "us-east-1"


def environment(**more):
    """The caller's environment without anything that could lead a client elsewhere."""
    base = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and name not in ("DRYDOCK_STATE", "DRYDOCK")
    }
    base.update(AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
    base.update(AWS_EC2_METADATA_DISABLED="true", PYTHONWARNINGS="ignore", LC_ALL="C.UTF-8")
    return base | more


def drydock(*arguments, env=None, timeout=300, stdin=subprocess.DEVNULL, cwd=None):
    """Runs the program; the caller looks at the exit code."""
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=stdin,
        cwd=cwd,
    )


def free_port():
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cloud:
    """A local cloud in a state directory of its own."""

    def __init__(self):
        # Not there yet: that it is only for its owner is the program's own doing.
        self.state = os.path.join(tempfile.mkdtemp(prefix="drydock-test-", dir="/var/tmp"), "state")
        self.listen = f"127.0.0.1:{free_port()}"
        self.environment = None

    # The tool.

    def try_run(self, *arguments, **options):
        """Runs `drydock ARGUMENTS --state …`; arguments after `--` stay last."""
        arguments = [str(argument) for argument in arguments]
        at = arguments.index("--") if "--" in arguments else len(arguments)
        arguments[at:at] = ["--state", self.state]
        return drydock(*arguments, **options)

    def run(self, *arguments, **options):
        """The same, and its standard output; it must succeed."""
        done = self.try_run(*arguments, **options)
        assert done.returncode == 0, f"drydock {' '.join(map(str, arguments))}: {done.stderr}\n{done.stdout}"
        return done.stdout

    def json(self, *arguments, **options):
        """The same with `--output json`, decoded."""
        return json.loads(self.run(*arguments, "--output", "json", **options))

    # The daemon.

    def start(self):
        self.run("cloud", "start", "--listen", self.listen)
        self.environment = environment(**self.json("cloud", "env"))
        return self

    def stop(self):
        self.run("cloud", "stop")

    def status(self):
        return self.json("cloud", "status")

    def kill(self):
        """SIGKILL, and no more than that."""
        pid = self.status()["pid"]
        os.kill(pid, signal.SIGKILL)
        until("the killed daemon is gone", lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid), 10, 0.01)

    def log(self):
        path = pathlib.Path(self.state, "log/daemon.log")
        return path.read_text() if path.exists() else ""

    def discard(self):
        """Removes everything, whatever state it is in, and tells what `reset` left; a dead cloud is swept by it."""
        try:
            done = self.try_run("cloud", "reset", "--images", "--yes")
            left = leftovers.of_cloud(self.state)
            if done.returncode != 0:
                left["reset failed"] = done.stderr
            files = [str(path) for path in pathlib.Path(self.state).rglob("*")]
            if files:
                left["files"] = files
            return left
        finally:
            shutil.rmtree(os.path.dirname(self.state), ignore_errors=True)

    # The clients.

    def client(self, service, region=REGION, **config):
        """A boto3 client that does not retry: a fault must be seen."""
        env = self.environment
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}, **config),
        )

    def aws(self, *arguments, timeout=300):
        """Runs the AWS command line; the caller looks at the exit code."""
        return subprocess.run(
            [AWS, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def aws_json(self, *arguments, **options):
        """The same with JSON output, decoded; it must succeed."""
        done = self.aws(*arguments, "--output", "json", **options)
        assert done.returncode == 0, f"aws {' '.join(map(str, arguments))}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    # The machines.

    def try_exec(self, instance_id, *command, **options):
        return self.try_run("instances", "exec", instance_id, "--", *command, **options)

    def exec(self, instance_id, *command, **options):
        """Runs a command inside an instance; it must succeed. Its standard output."""
        done = self.try_exec(instance_id, *command, **options)
        assert done.returncode == 0, f"{instance_id}: {command}: {done.returncode} {done.stderr}\n{done.stdout}"
        return done.stdout

    def machine(self, instance_id):
        """The host's process id of the instance's init, or None."""
        return leftovers.machine(self.state, instance_id)

    def booted(self, instance_id, seconds=60):
        """Waits until cloud-init has ended in an instance, in this boot of it."""
        end = ("test", "-e", "/run/cloud-init/result.json")
        until(f"{instance_id} has booted", lambda: self.try_exec(instance_id, *end).returncode == 0, seconds)

    def instances(self, *states):
        """Instances in these states (pending and running when none are named), oldest first."""
        states = states or ("pending", "running")
        answer = self.client("ec2").describe_instances(
            Filters=[{"Name": "instance-state-name", "Values": list(states)}]
        )
        found = [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
        return sorted(found, key=lambda instance: instance["LaunchTime"])

    def stack_status(self, name):
        """The stack's status, or None when there is no such stack."""
        try:
            return self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except self.client("cloudformation").exceptions.ClientError as error:
            assert "does not exist" in str(error)
            return None

    def events(self, name):
        """The stack's events, oldest first."""
        pages = self.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def delete_stack(self, name):
        """Deletes a stack and waits for its end."""
        cloudformation = self.client("cloudformation")
        cloudformation.delete_stack(StackName=name)
        until(f"stack {name} is gone", lambda: self.stack_status(name) is None, 60)


def is_zombie(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True
