"""The tool as people and scripts meet it."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

import clouds
import leftovers
from clouds import ROOT, drydock
from waiting import until

BUILDING = ["build", "validate", "inspect"]
DEPLOYING = ["up", "down", "deploy", "events", "verify"]
VERBS = [*BUILDING, *DEPLOYING, "logs", "instances", "image", "cloud", "exec", "completion"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb):
    done = drydock(verb, "--help")
    assert done.returncode == 0
    assert re.search(rf"Examples?:\n +.*drydock {verb}", done.stdout), done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("verb", "subverbs"),
    [
        ("cloud", ["start", "stop", "status", "env", "reset", "adopt"]),
        ("image", ["create", "ls", "rm", "import"]),
        ("instances", ["ls", "console", "exec", "ssh"]),
    ],
)
def test_subverbs_take_a_state_directory(verb, subverbs):
    listed = drydock(verb, "--help").stdout
    for subverb in subverbs:
        assert f"  {subverb} " in listed
        assert "--state" in drydock(verb, subverb, "--help").stdout


def test_help_names_every_verb():
    shown = drydock("--help").stdout
    for verb in VERBS:
        assert f"  {verb} " in shown


def test_version():
    assert re.fullmatch(r"drydock \d+\.\d+\.\d+\S*\n", drydock("--version").stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    done = drydock("completion", shell)
    assert done.returncode == 0
    for verb in VERBS:
        assert verb in done.stdout


def test_bash_accepts_its_completion(tmp_path):
    (tmp_path / "completion").write_text(drydock("completion", "bash").stdout)
    subprocess.run(["bash", "-n", tmp_path / "completion"], check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 252, "Usage"),
        (("dance",), 252, "dance"),
        (("deploy",), 252, "--template-file"),
        (("build",), 1, "TEMPLATE"),
        (("validate", "-nonsense", "packer.json"), 1, "-n"),
        (("up", "/nowhere"), 253, "/nowhere: there is no such folder"),
        (("cloud", "status", "--state", "/var/tmp/none"), 255, "drydock cloud start"),
        (("instances", "ls", "--state", "/var/tmp/none"), 255, "drydock cloud start"),
        (("events", "x", "--state", "/var/tmp/none"), 255, "drydock cloud start"),
        (("cloud", "stop", "--state", "/var/tmp/none"), 255, "no local cloud is running"),
        (("cloud", "reset", "--state", "/var/tmp/none"), 253, "--yes"),
    ],
)
def test_exit_codes(arguments, code, words):
    done = drydock(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert not pathlib.Path("/var/tmp/none").exists()


def test_a_manifest_with_an_unknown_key_is_refused(tmp_path):
    (tmp_path / "drydock.toml").write_text("[stack]\nname = 'x'\ntemplat = 'x.yml'\n")
    done = drydock("up", tmp_path)
    assert done.returncode == 253
    assert "templat" in done.stderr and "line 3" in done.stderr


def test_aws_is_asked_for_before_it_is_changed(cloud):
    """With the local cloud in AWS's place: the account and region are shown, and nothing is changed unasked."""
    example = ROOT / "examples/ecs-cluster"
    done = drydock("up", example, "--target", "aws", env=cloud.environment)
    assert done.returncode == 253, done.stderr
    assert "123456789012" in done.stderr and "us-east-1" in done.stderr and "--yes" in done.stderr
    assert cloud.client("cloudformation").list_stacks()["StackSummaries"] == []


# What the host lacks.


def starting(cloud, **options):
    done = cloud.try_run("cloud", "start", "--listen", cloud.listen, **options)
    assert done.returncode != 0, done.stdout
    assert leftovers.of_cloud(cloud.state) == {}
    return done.stderr


@pytest.fixture
def unstarted():
    """A state directory whose cloud has not been started."""
    cloud = clouds.Cloud()
    yield cloud
    shutil.rmtree(os.path.dirname(cloud.state), ignore_errors=True)


def test_a_taken_port_is_told_with_what_to_do(unstarted):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        unstarted.listen = f"127.0.0.1:{port}"
        said = starting(unstarted)
    assert f"127.0.0.1:{port}" in said and "--listen" in said


def test_a_second_daemon_is_refused(cloud):
    done = cloud.try_run("cloud", "start", "--listen", f"127.0.0.1:{clouds.free_port()}")
    assert done.returncode != 0
    assert "already running" in done.stderr
    assert cloud.status()["endpoint"] == f"http://{cloud.listen}"


def test_not_root_is_told_with_what_to_do(unstarted):
    # Somewhere that anybody can read the program from, and write to.
    place = pathlib.Path(unstarted.state).parent
    shutil.copy(clouds.BINARY, place / "drydock")
    os.chmod(place, 0o777)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", place / "drydock", "cloud", "start"]
    done = subprocess.run(
        [*command, "--state", unstarted.state, "--listen", unstarted.listen],
        env=clouds.environment(HOME=str(place)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "root" in done.stderr and "sudo" in done.stderr, done.stderr


def test_a_missing_program_is_told_with_its_package(unstarted):
    """In mounts of its own, where nft is hidden: the system's directories are looked into whatever PATH says."""
    nft = pathlib.Path(shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")).resolve()
    programs = pathlib.Path(unstarted.state).parent / "programs"
    hide = f"""
        cp -a {nft.parent} {programs}
        rm {programs}/nft
        mount --bind {programs} {nft.parent}
        exec "$@"
    """
    done = subprocess.run(
        [
            *("unshare", "--mount", "bash", "-ec", hide, "-", clouds.BINARY, "cloud", "start"),
            *("--state", unstarted.state, "--listen", unstarted.listen),
        ],
        env=clouds.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "nft" in done.stderr and "apt-get install nftables" in done.stderr, done.stderr


# The cloud's own commands.


def test_status_and_env(cloud):
    status = cloud.json("cloud", "status")
    assert status["endpoint"] == f"http://{cloud.listen}"
    assert status["account"] == "123456789012"
    assert os.path.exists(f"/proc/{status['pid']}")
    text = cloud.run("cloud", "status")
    assert str(status["pid"]) in text and cloud.state in text
    # What is printed can be evaluated, and the AWS command line then works with no further settings.
    script = 'eval "$("$0" cloud env --state "$1")"; exec "$2" sts get-caller-identity --output text --query Account'
    done = subprocess.run(
        ["bash", "-ec", script, clouds.BINARY, cloud.state, clouds.AWS],
        env=clouds.environment(AWS_PROFILE="somebody", AWS_SESSION_TOKEN="old"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "123456789012\n", done.stderr


def test_a_reader_who_has_seen_enough_is_no_error(cloud):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [clouds.BINARY, "cloud", "status", "--state", cloud.state],
            env=clouds.environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_state_is_the_owners_alone(cloud):
    assert os.stat(cloud.state).st_mode & 0o777 == 0o700


def test_two_clouds_live_side_by_side(cloud, fresh_cloud):
    fresh_cloud.client("ecs").create_cluster(clusterName="of-the-other")
    assert cloud.client("ecs").list_clusters()["clusterArns"] == []
    assert len(fresh_cloud.client("ecs").list_clusters()["clusterArns"]) == 1


def test_adoption(cloud):
    ids = ["vpc-0a0b0c0d", "subnet-0a0b0c01", "subnet-0a0b0c02", "key-pair/adopted"]
    lines = cloud.json("cloud", "adopt", *ids)["lines"]
    assert len(lines) == 4
    ec2 = cloud.client("ec2")
    subnets = ec2.describe_subnets(SubnetIds=ids[1:3])["Subnets"]
    assert {subnet["VpcId"] for subnet in subnets} == {"vpc-0a0b0c0d"}
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    assert ec2.describe_key_pairs(KeyNames=["adopted"])["KeyPairs"]
    before = ec2.describe_subnets(SubnetIds=ids[1:3])["Subnets"]
    cloud.run("cloud", "adopt", *ids)
    assert ec2.describe_subnets(SubnetIds=ids[1:3])["Subnets"] == before
    for item, words in [
        ("i-0123456789abcdef0", "cannot adopt"),
        ("ami-0123abcd", "ami-0123abcd=IMAGE"),
        ("ami-0123abcd=none", "none"),
        ("vpc-zzz", "vpc-zzz"),
    ]:
        done = cloud.try_run("cloud", "adopt", item)
        assert done.returncode != 0 and words in done.stderr, done.stderr


# What up and down do.


@pytest.fixture(scope="module")
def up(cloud, base_layers):
    """`drydock up` of the example, as a script runs it; its lines."""
    done = cloud.try_run("up", ROOT / "examples/ecs-cluster", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_up_tells_what_happens_in_plain_lines(up):
    text = "\n".join(up)
    assert "\x1b" not in text
    for words in ("CREATE_COMPLETE", "Cluster", "agent connected", "stack ecs-cluster is verified"):
        assert words in text, text
    phases = [line for line in up if re.search(r"s +(booting|cloud-init|user data|cfn-init command)", line)]
    assert phases, text


def test_up_again_changes_nothing_and_verifies(cloud, up):
    done = cloud.try_run("up", ROOT / "examples/ecs-cluster", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert '"verified": true' in done.stdout or '"verified":true' in done.stdout
    assert len(cloud.instances("running")) == 1


def test_events(cloud, up):
    events = cloud.json("events", "ecs-cluster")
    assert events[-1]["status"] == "CREATE_COMPLETE"
    text = cloud.run("events", "ecs-cluster")
    assert "CREATE_COMPLETE" in text and "Group" in text
    followed = cloud.try_run("events", "ecs-cluster", "--follow", timeout=30)
    assert followed.returncode == 0
    done = cloud.try_run("events", "none")
    assert done.returncode == 255 and "none" in done.stderr


def test_instances(cloud, up):
    [instance] = cloud.json("instances", "ls")
    id = instance["id"]
    assert id in cloud.run("instances", "ls")
    console = cloud.run("instances", "console", id)
    assert "Cloud-init v." in console
    assert cloud.exec(id, "sh", "-c", "echo out; echo err >&2") == "out\n"
    done = cloud.try_exec(id, "sh", "-c", "exit 42")
    assert done.returncode == 42
    for verb in ("console", "exec"):
        done = cloud.try_run("instances", verb, "i-0123456789abcdef0", *(("--", "true") if verb == "exec" else ()))
        assert done.returncode in (254, 255) and "i-0123456789abcdef0" in done.stderr, done.stderr


def test_verify_by_directory(cloud, up):
    verified = cloud.json("verify", ROOT / "examples/ecs-cluster")
    assert verified["verified"] is True
    text = cloud.run("verify", "ecs-cluster")
    assert "is verified" in text


def test_verify_finds_what_is_not_true(cloud, up):
    [instance] = cloud.instances("running")
    cloud.exec(instance["InstanceId"], "systemctl", "stop", "ecs")
    until("verify fails", lambda: cloud.try_run("verify", "ecs-cluster").returncode == 255, 20)
    assert "not what it says" in cloud.try_run("verify", "ecs-cluster").stdout
    cloud.exec(instance["InstanceId"], "systemctl", "start", "ecs")
    until("verify holds again", lambda: cloud.try_run("verify", "ecs-cluster").returncode == 0, 30)


def test_a_terminal_gets_a_live_picture(cloud, up, tmp_path):
    typescript = tmp_path / "typescript"
    done = subprocess.run(
        ["script", "-qec", f"{clouds.BINARY} events ecs-cluster --follow --state {cloud.state}", typescript],
        env=clouds.environment(TERM="xterm-256color"),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    assert "\x1b[" in typescript.read_text()


def test_json_lines_of_a_deployment(cloud, up):
    example = ROOT / "examples/ecs-cluster"
    done = cloud.try_run(
        *("deploy", "--template-file", example / "template.yml", "--stack-name", "ecs-cluster"),
        *("--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "InstanceCount=0", "--output", "json"),
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["event"] == "outcome" and lines[-1]["status"] == "UPDATE_COMPLETE"
    until("no instance is left", lambda: not cloud.instances("pending", "running", "shutting-down"))


def test_down(cloud, up):
    done = cloud.try_run("down", ROOT / "examples/ecs-cluster")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DELETE_COMPLETE" in done.stdout
    assert set(leftovers.processes(cloud.state)) == {cloud.status()["pid"]}
    assert leftovers.loops(cloud.state) == {}
    done = cloud.try_run("down", ROOT / "examples/ecs-cluster")
    assert done.returncode == 0
    assert "there is no stack ecs-cluster" in done.stdout


def test_reset_forgets_everything_but_images(cloud, up):
    """The last test of the file."""
    cloud.client("ecs").create_cluster(clusterName="forgotten")
    images = cloud.json("image", "ls")
    cloud.run("cloud", "reset", "--yes")
    assert leftovers.of_cloud(cloud.state) == {}
    cloud.start()
    assert cloud.client("ecs").list_clusters()["clusterArns"] == []
    assert cloud.json("image", "ls") == images
