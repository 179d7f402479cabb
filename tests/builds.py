"""Image builds as users run them, and what they leave in the cloud."""

import contextlib
import json
import signal
import subprocess
import threading

import clouds

# The id that templates name; the cloud adopts it for the base image.
SOURCE = "ami-5e414e24"


def template(folder, *provisioners, post_processors=(), builders=None, **options):
    """Writes a template with one small `amazon-ebs` builder, or with `builders`, each over the same defaults."""
    defaults = {
        "type": "amazon-ebs",
        "region": clouds.REGION,
        "source_ami": SOURCE,
        "instance_type": "t2.micro",
        "ssh_username": "ec2-user",
        "ami_name": f"{folder.name} {{{{timestamp}}}}",
    } | options
    document = {
        "builders": [defaults | builder for builder in builders or [{}]],
        "provisioners": list(provisioners),
        "post-processors": list(post_processors),
    }
    path = folder / "packer.json"
    path.write_text(json.dumps(document, indent=2))
    return path


def shell(*lines, **options):
    """A shell provisioner."""
    return {"type": "shell", "inline": list(lines)} | options


def build(cloud, path, *options, cwd=None, **more):
    """`drydock build OPTIONS PATH`; the caller looks at the exit code."""
    return cloud.try_run("build", *options, path.name, cwd=cwd or path.parent, **more)


class Running:
    """A build under way, whose lines can be waited for."""

    def __init__(self, cloud, path, *options):
        command = [clouds.BINARY, "build", "--state", cloud.state, *options, path.name]
        self.process = subprocess.Popen(
            command,
            cwd=path.parent,
            env=clouds.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []

    def until(self, text, seconds=60):
        """Reads on until a line has `text` in it, and returns that line."""
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                self.lines.append(line)
                if text in line:
                    return line
        finally:
            watchdog.cancel()
        raise AssertionError(f"{text!r} was never said:\n{self.output()}")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds=60):
        """Reads the rest and returns the exit code."""
        try:
            rest, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            rest, _ = self.process.communicate()
            self.lines.append(rest)
            raise AssertionError(f"not ended within {seconds} s:\n{self.output()}") from None
        self.lines.append(rest)
        return self.process.returncode

    def output(self):
        return "".join(self.lines)


@contextlib.contextmanager
def running(cloud, path, *options):
    """A build under way, which does not outlive the test."""
    build = Running(cloud, path, *options)
    try:
        yield build
    finally:
        if build.process.poll() is None:
            build.process.kill()
            build.process.wait()
        build.process.stdout.close()


def images(cloud):
    """The ids of images that builds made (not the base image and what stands for it)."""
    found = cloud.client("ec2").describe_images(Owners=["self"])["Images"]
    return {image["ImageId"] for image in found if image.get("BlockDeviceMappings") and "base" not in image["Name"]}


def temporary(cloud):
    """Everything in the account that a build makes on the way, by kind; the same before and after every build."""
    ec2, iam = cloud.client("ec2"), cloud.client("iam")
    used = {
        mapping["Ebs"]["SnapshotId"]
        for image in ec2.describe_images(Owners=["self"])["Images"]
        for mapping in image.get("BlockDeviceMappings", [])
        if mapping.get("Ebs", {}).get("SnapshotId")
    }
    snapshots = {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    return {
        "instances": [
            instance["InstanceId"]
            for instance in cloud.instances("pending", "running", "stopping", "stopped", "shutting-down")
        ],
        "key pairs": [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]],
        "security groups": [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]],
        "volumes": [volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]],
        "snapshots of no image": sorted(snapshots - used),
        "roles": [role["RoleName"] for role in iam.list_roles()["Roles"]],
        "instance profiles": [
            profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]
        ],
    }
