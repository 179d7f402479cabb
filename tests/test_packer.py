"""HashiCorp's own Packer 1.6.6, unmodified, against the local cloud: `drydock exec -- packer build`."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest

import builds
import clouds
import seed
from waiting import until

# What the seed's author looked at by hand.
CHECKS = pathlib.Path(__file__).parent / "fixtures/seed-image.checks.toml"


@pytest.fixture(scope="module", autouse=True)
def source(cloud, image):
    """The base image under the id that templates name."""
    if not shutil.which("packer"):
        pytest.fail("packer is not installed: run `make test-deps`")
    cloud.run("cloud", "adopt", f"{builds.SOURCE}={image}")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home in which Packer has nothing from before, with a profile that assumes a role."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".aws").mkdir()
    (folder / ".aws/credentials").write_text("[me]\naws_access_key_id=AKIAREAL\naws_secret_access_key=real\n")
    (folder / ".aws/config").write_text(
        "[profile demo]\nsource_profile = me\nregion = us-east-1\nrole_session_name = justin\n"
        "role_arn = arn:aws:iam::385605022855:role/admin\n"
    )
    return folder


def user(home):
    """The environment of that home's owner. Packer does not ask its maker for news."""
    files = {
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
    }
    # The tests' own `aws` is not needed: Debian's stands where the Makefile looks for it.
    return clouds.environment(HOME=str(home), CHECKPOINT_DISABLE="1", PACKER_NO_COLOR="1", **files)


def under(cloud, home, folder, *command, timeout=120):
    """A command under `drydock exec` in a folder; the caller looks at the exit code."""
    return cloud.try_run("exec", "--", *command, env=user(home), cwd=folder, timeout=timeout)


def copied(folder):
    """A copy of the seed's image project that can be written to."""
    shutil.copytree(seed.directory() / "packer-ecs", folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    return folder


def ami_of(done):
    """The image that a build says it made."""
    return re.search(r"^us-east-1: (ami-[0-9a-f]{17})$", done.stdout, re.M).group(1)


def described(cloud, ami):
    [image] = cloud.client("ec2").describe_images(ImageIds=[ami])["Images"]
    return image


@contextlib.contextmanager
def nothing_left(cloud):
    """Whatever Packer does, nothing temporary is left of it."""
    before = builds.temporary(cloud)
    yield
    until("Packer's instance is gone", lambda: builds.temporary(cloud)["instances"] == before["instances"], 20)
    assert builds.temporary(cloud) == before


# The seed.


@pytest.fixture(scope="module")
def made(cloud, home, tmp_path_factory):
    """`make build` in the seed's own project: the project, and what was said."""
    project = copied(tmp_path_factory.mktemp("seed") / "packer-ecs")
    with nothing_left(cloud):
        done = under(cloud, home, project, "make", "build")
    assert done.returncode == 0, done.stdout + done.stderr
    return project, done


def test_the_seed_is_built_unmodified(cloud, made):
    project, done = made
    assert "amazon-ebs: Using ssh communicator to connect: 127." in done.stdout
    assert "Connected to SSH!" in done.stdout
    assert "Provisioning with shell script: scripts/storage.sh" in done.stdout
    image = described(cloud, ami_of(done))
    assert image["State"] == "available"
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert tags["SourceAMI"] == builds.SOURCE
    devices = {mapping["DeviceName"]: mapping["Ebs"] for mapping in image["BlockDeviceMappings"]}
    assert devices["/dev/xvdcy"]["VolumeSize"] == 20
    snapshots = cloud.client("ec2").describe_snapshots(SnapshotIds=[each["SnapshotId"] for each in devices.values()])
    for snapshot in snapshots["Snapshots"]:
        assert snapshot["State"] == "completed"
        assert {"Key": "SourceAMI", "Value": builds.SOURCE} in snapshot["Tags"], "Packer tags them too"
    manifest = json.loads((project / "manifest.json").read_text())
    assert [build["artifact_id"] for build in manifest["builds"]] == [f"us-east-1:{ami_of(done)}"]


def test_both_roads_lead_to_the_same_image(cloud, made, tmp_path):
    """By Packer and by `drydock build`: what the author checked by hand holds of both."""
    ours = builds.build(cloud, copied(tmp_path / "packer-ecs") / "packer.json")
    assert ours.returncode == 0, ours.stdout + ours.stderr
    results = []
    for ami in (ami_of(made[1]), ami_of(ours)):
        done = cloud.try_run("verify", "image", ami, "--checks", CHECKS, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        results.append([(check["claim"], check["outcome"]) for check in json.loads(done.stdout)["checks"]])
    assert results[0] == results[1] and len(results[0]) > 10


def test_what_the_scripts_did_is_in_an_instance_of_the_image(cloud, made):
    project, done = made
    launched = cloud.client("ec2").run_instances(ImageId=ami_of(done), InstanceType="t2.micro", MinCount=1, MaxCount=1)
    id = launched["Instances"][0]["InstanceId"]
    try:
        until("it runs", lambda: [each for each in cloud.instances("running") if each["InstanceId"] == id], 30)
        cloud.booted(id)
        assert "/data ext4" in cloud.exec(id, "cat", "/proc/mounts")
        assert "docker" in cloud.exec(id, "sh", "-c", "ls /dev/disk/by-label; findmnt -no LABEL /data")
        assert cloud.exec(id, "readlink", "/etc/localtime").strip() == "/usr/share/zoneinfo/US/Eastern"
        firstrun = (project / "files/firstrun.sh").read_text()
        assert cloud.exec(id, "cat", "/home/ec2-user/firstrun.sh") == firstrun
    finally:
        cloud.client("ec2").terminate_instances(InstanceIds=[id])
        until("it is gone", lambda: not cloud.instances("pending", "running", "shutting-down"), 30)


# Public addresses.


def greeting(address, seconds=20):
    """What the SSH server at an address says first; empty when there is none."""
    try:
        with socket.create_connection((address, 22), seconds) as stream:
            return stream.recv(4)
    except OSError:
        return b""


@contextlib.contextmanager
def sshd_of_the_host():
    """Nearly every machine has a service on 0.0.0.0:22."""
    with socket.socket() as sshd:
        sshd.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sshd.bind(("0.0.0.0", 22))
            sshd.listen()
        except OSError:
            # The host has one of its own, which does as well.
            assert socket.create_connection(("127.0.0.1", 22), 2)
        yield


def test_a_public_address_is_reached_from_the_host_and_by_commands(cloud, home, source):
    """Also where the host has an SSH server of its own, and after a stop, which gives another address."""
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="ssh", Description="ssh")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    launch = {"ImageId": builds.SOURCE, "InstanceType": "t2.micro", "SecurityGroupIds": [group]}
    id = ec2.run_instances(**launch, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

    def running():
        [instance] = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"]
        return instance if instance["State"]["Name"] == "running" else None

    try:
        with sshd_of_the_host():
            first = until("it runs", running, 30)
            assert first["PublicDnsName"] and greeting(first["PublicDnsName"]) == b"SSH-"
            assert greeting(first["PublicIpAddress"]) == b"SSH-"
            read = f"head -c 4 </dev/tcp/{first['PublicIpAddress']}/22"
            assert under(cloud, home, "/", "bash", "-c", read).stdout == "SSH-"
            ec2.stop_instances(InstanceIds=[id])
            until("it is stopped", lambda: cloud.instances("stopped"), 30)
            # Only the host's own is there now.
            assert greeting(first["PublicIpAddress"], 0.5) == b""
            ec2.start_instances(InstanceIds=[id])
            second = until("it runs again", running, 30)
            assert greeting(second["PublicIpAddress"]) == b"SSH-"
    finally:
        ec2.terminate_instances(InstanceIds=[id])
        until("it is gone", lambda: not cloud.instances("running", "stopped", "shutting-down"), 30)
        ec2.delete_security_group(GroupId=group)


# Profiles, as the seed's Makefile has them.


@pytest.fixture
def role(cloud):
    """The role of the profile. It may nothing at first."""
    iam = cloud.client("iam")
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=json.dumps(trust))

    def allow(*actions):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName="admin", PolicyName="allowed", PolicyDocument=json.dumps(document))

    yield allow
    with contextlib.suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role_policy(RoleName="admin", PolicyName="allowed")
    iam.delete_role(RoleName="admin")


def test_the_makefiles_profile_assumes_its_role(cloud, home, role, tmp_path):
    """`AWS_PROFILE=… make build` reads the profile's role and puts a session of it into Packer's environment."""
    folder = tmp_path / "profile"
    folder.mkdir()
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "token": "AWS_SESSION_TOKEN"}
    options = {option: f"{{{{user `{option}`}}}}" for option in names}
    template = builds.template(folder, builds.shell("true"), **options)
    document = json.loads(template.read_text())
    document["variables"] = {option: f"{{{{env `{name}`}}}}" for option, name in names.items()}
    template.write_text(json.dumps(document))
    shutil.copy(seed.directory() / "packer-ecs/Makefile", folder)
    debian = ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    with nothing_left(cloud):
        done = under(cloud, home, folder, *debian, "make", "build", "AWS_PROFILE=demo")
        assert done.returncode != 0
        assert "UnauthorizedOperation" in done.stdout + done.stderr, "it is the role that is asked for its rights"
        role("ec2:*")
        done = under(cloud, home, folder, *debian, "make", "build", "AWS_PROFILE=demo")
        assert done.returncode == 0, done.stdout + done.stderr
    assert described(cloud, ami_of(done))["State"] == "available"


# What goes wrong.


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "small"
    path.mkdir()
    return path


def test_a_provisioner_that_fails_leaves_nothing(cloud, home, folder):
    builds.template(folder, builds.shell("echo before", "exit 1"))
    with nothing_left(cloud):
        images = builds.images(cloud)
        done = under(cloud, home, folder, "packer", "build", "packer.json")
        assert done.returncode == 1
        assert "amazon-ebs: before" in done.stdout
        assert "Script exited with non-zero exit status: 1" in done.stdout
        assert builds.images(cloud) == images


def test_an_image_that_is_not_there_is_told(cloud, home, folder):
    builds.template(folder, builds.shell("true"), source_ami="ami-00000000000000000")
    with nothing_left(cloud):
        done = under(cloud, home, folder, "packer", "build", "packer.json")
    assert done.returncode == 1
    assert "InvalidAMIID.NotFound" in done.stdout


def test_ctrl_c_is_packers_own(cloud, home, folder):
    builds.template(folder, builds.shell("echo here", "sleep 10"))
    command = [clouds.BINARY, "exec", "--state", cloud.state, "--", "packer", "build", "packer.json"]
    # A terminal signals all processes of the command; Packer is several.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    with nothing_left(cloud), subprocess.Popen(command, cwd=folder, env=user(home), **options) as process:
        said = ""
        while "amazon-ebs: here" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        os.killpg(process.pid, signal.SIGINT)
        said += process.communicate(timeout=60)[0]
        assert process.returncode == 1, said
        assert "Cleanly cancelled builds after being interrupted." in said


def test_files_go_and_come_beside_the_hosts_own_sshd(cloud, home, folder):
    builds.template(
        folder,
        {"type": "file", "source": "sent", "destination": "/tmp/"},
        {"type": "file", "source": "/tmp/sent", "destination": "came", "direction": "download"},
    )
    (folder / "sent").write_bytes(bytes(range(256)) * 4096)
    with sshd_of_the_host(), nothing_left(cloud):
        done = under(cloud, home, folder, "packer", "build", "packer.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pathlib.Path(folder, "came").read_bytes() == pathlib.Path(folder, "sent").read_bytes()
