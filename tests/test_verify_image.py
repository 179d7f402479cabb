"""`drydock verify image`: checks on real instances, and nothing left of them, whatever happens."""

import json
import pathlib
import re
import signal
import subprocess
import tarfile
import xml.etree.ElementTree as xml

import pytest

import clouds
from waiting import until

# A check of each kind that holds of the base image, and one that does not, with what is said about it.
HOLDS = r"""
[[mount]]
path = "/var/lib/docker"
device = "/dev/xvdcz"
type = "ext4"
options = "rw"
size = "20GiB"

[[file]]
path = "/usr/bin/jq"
type = "file"
mode = "0755"
owner = "root"
group = "root"

[[file]]
path = "/etc/localtime"
target = "/usr/share/zoneinfo/UTC"

[[file]]
glob = "/var/log/ecs/*"

[[line]]
file = "/etc/ntp.conf"
equals = "server 169.254.169.123 prefer iburst"
count = 1

[[package]]
package = ["jq", "docker", "awslogs"]

[[package]]
package = "jq"
version = ">= 1.5, < 2"

[[service]]
service = ["docker", "ntpd", "sshd", "crond"]
enabled = true
running = true

[[service]]
service = "awslogs"
enabled = false
running = false

[[user]]
user = "ec2-user"
uid = 500
groups = ["docker", "wheel"]
home = "/home/ec2-user"
shell = "/bin/bash"

[[group]]
group = "docker"
members = "ec2-user"

[[port]]
port = 22
address = "0.0.0.0"

[[port]]
port = 80
listening = false

[[command]]
run = "docker info --format '{{.Driver}}'"
user = "ec2-user"
stdout = "overlay2"

[[time_zone]]
zone = "UTC"

[[kernel_parameter]]
parameter = "net.ipv4.conf.lo.forwarding"
matches = "^[01]$"

[[environment]]
variable = "PATH"
user = "ec2-user"
matches = "/opt/aws/bin"

[[docker_image]]
image = "nothing-like-it"
present = false
"""

FAILS = {
    "mount": ("path = '/data'", "expected a file system, found nothing"),
    "file": ("path = '/etc/passwd'\nmode = '0600'", "expected mode 0600, found mode 0644"),
    "line": ("file = '/etc/ntp.conf'\ncontains = 'pool.ntp.org'", "found none among"),
    "package": ("package = 'nginx'", "expected the package, found none"),
    "service": ("service = 'docker'\nenabled = false\nrunning = false", "expected stopped, found active (running)"),
    "user": ("user = 'ec2-user'\nuid = 1000", "expected uid 1000, found uid 500"),
    "group": ("group = 'admins'", "expected such a group, found none"),
    "port": ("port = 80", "expected somebody, found nobody"),
    "command": ("run = 'echo no >&2; exit 3'", 'expected exit code 0, found exit code 3, standard error "no"'),
    "time_zone": ("zone = 'US/Eastern'", "expected US/Eastern, found Etc/UTC (UTC)"),
    "kernel_parameter": ("parameter = 'kernel.ostype'\nvalue = 'Minix'", 'expected "Minix", found "Linux"'),
    "environment": ("variable = 'HTTPS_PROXY'", "expected a value, found no value"),
    "docker_image": ("image = 'nothing-like-it'", "expected the image, found no such image"),
}


@pytest.fixture
def checks(tmp_path):
    """Writes a file of checks."""

    def write(text):
        path = tmp_path / "checks.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def instance(cloud, image, key):
    """An instance of the base image that a test's own key opens."""
    ec2 = cloud.client("ec2")
    ec2.import_key_pair(KeyName="tests", PublicKeyMaterial=pathlib.Path(f"{key}.pub").read_bytes())
    group = ec2.create_security_group(GroupName="tests", Description="ssh")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    answer = ec2.run_instances(
        **dict(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro"),
        **dict(KeyName="tests", SecurityGroupIds=[group]),
    )
    id = answer["Instances"][0]["InstanceId"]
    until("it runs", lambda: cloud.instances("running"), 30)
    yield id
    ec2.terminate_instances(InstanceIds=[id])
    until("it is gone", lambda: cloud.instances("pending", "running", "shutting-down") == [])
    ec2.delete_key_pair(KeyName="tests")
    ec2.delete_security_group(GroupId=group)


def belongings(cloud):
    """What a verification makes, as long as it is there."""
    ec2 = cloud.client("ec2")
    return {
        "instances": sorted(
            one["InstanceId"] for one in cloud.instances("pending", "running", "shutting-down", "stopping", "stopped")
        ),
        "key pairs": sorted(one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]),
        "security groups": sorted(one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]),
        "volumes": sorted(one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]),
    }


@pytest.fixture
def nothing_left(cloud, image):
    """Whatever a test does, afterwards there is what there was before."""
    before = belongings(cloud)
    yield
    assert belongings(cloud) == before


def verify(cloud, *arguments, **options):
    return cloud.try_run("verify", "image", *arguments, **options)


def cases(path):
    """The cases of a JUnit file: name to (kind of check, outcome, message)."""
    [suite] = xml.parse(path).getroot().iter("testsuite")
    found = {}
    for case in suite.iter("testcase"):
        outcome = [child for child in case if child.tag in ("failure", "error", "skipped")]
        found[case.get("name")] = (
            case.get("classname"),
            outcome[0].tag if outcome else "success",
            outcome[0].get("message") if outcome else None,
        )
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    return found, counts


def test_an_image_that_is_as_it_should_be(cloud, image, checks, tmp_path, nothing_left):
    report = tmp_path / "report.xml"
    done = verify(cloud, image, "--checks", checks(HOLDS), "--junit", report)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == f"{image} is verified: {len(lines) - 1} checks hold"
    assert all(line.startswith("✓ ") for line in lines[:-1]), done.stdout
    found, counts = cases(report)
    assert counts == {"tests": len(lines) - 1, "failures": 0, "errors": 0, "skipped": 0}
    assert {kind for kind, _, _ in found.values()} == set(FAILS), "a check of every kind"


@pytest.mark.parametrize("kind", FAILS)
def test_what_is_not_as_it_should_be(cloud, instance, key, checks, tmp_path, kind):
    fields, words = FAILS[kind]
    path = checks(f"[[{kind}]]\n{fields}\nwhy = 'it matters'\n[[command]]\nrun = 'true'\n")
    report = tmp_path / "report.xml"
    done = verify(cloud, "--instance", instance, "-i", key, "--checks", path, "--junit", report)
    assert done.returncode == 255, done.stdout + done.stderr
    assert words in done.stdout
    assert "why: it matters" in done.stdout
    assert "✓ `true` exits with 0" in done.stdout
    assert done.stdout.splitlines()[-1] == f"{instance} is not as it should be: 1 of 2 checks do not hold"
    found, counts = cases(report)
    assert counts == {"tests": 2, "failures": 1, "errors": 0, "skipped": 0}
    [(failed, message)] = [(case[0], case[2]) for case in found.values() if case[1] == "failure"]
    assert failed == kind
    assert words in message


def test_every_kind_holds_on_an_instance_that_is_there(cloud, instance, key, checks):
    done = verify(cloud, "--instance", instance, "-i", key, "--checks", checks(HOLDS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["InstanceId"] for one in cloud.instances("running")] == [instance], "it is left as it was"


def test_what_cannot_be_found_out_does_not_hold(cloud, instance, key, checks, tmp_path):
    text = """
    [[line]]
    file = "/etc/nothing-like-it"
    contains = "x"
    absent = true
    [[time_zone]]
    zone = "Nowhere/Atall"
    [[environment]]
    variable = "X"
    set = false
    user = "nobody-like-it"
    [[command]]
    run = "true"
    skip = "not today"
    """
    report = tmp_path / "report.xml"
    done = verify(cloud, "--instance", instance, "-i", key, "--checks", checks(text), "--junit", report)
    assert done.returncode == 255
    assert done.stdout.count("cannot tell: ") == 3, done.stdout
    assert "- `true` exits with 0: skipped: not today" in done.stdout
    assert "3 of 4 checks do not hold, 1 skipped" in done.stdout
    found, counts = cases(report)
    assert counts == {"tests": 4, "failures": 0, "errors": 3, "skipped": 1}


def test_the_result_for_machines(cloud, instance, key, checks):
    path = checks("[[command]]\nrun = 'true'\n[[port]]\nport = 80\nwhy = 'web'\n")
    done = verify(cloud, "--instance", instance, "-i", key, "--checks", path, "--output", "json")
    assert done.returncode == 255
    document = json.loads(done.stdout)
    assert document["verified"] is False
    assert document["properties"] == {"instance": instance, "region": clouds.REGION}
    assert document["checks"] == [
        {"kind": "command", "claim": "`true` exits with 0", "outcome": "held", "found": "exit code 0"},
        {
            **{"kind": "port", "claim": "something listens on 80/tcp", "why": "web", "outcome": "failed"},
            "mismatches": [{"expected": "somebody", "found": "nobody"}],
        },
    ]


def test_what_comes_later_is_waited_for(cloud, instance, key, checks):
    cloud.exec(instance, "sh", "-c", "rm -f /run/late; (sleep 2; touch /run/late) >/dev/null 2>&1 &")
    path = checks("[[file]]\npath = '/run/late'\nwithin = '20s'\n")
    done = verify(cloud, "--instance", instance, "-i", key, "--checks", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_user_data_has_ended_before_anything_is_asked(cloud, image, checks, tmp_path, nothing_left):
    user_data = tmp_path / "user-data.sh"
    user_data.write_text("#!/bin/sh\nsleep 2\necho ready >/etc/ready\n")
    path = checks("[[line]]\nfile = '/etc/ready'\nequals = 'ready'\n")
    done = verify(cloud, image, "--checks", path, "--user-data", user_data)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_boot_that_does_not_settle(cloud, image, checks, tmp_path, nothing_left):
    user_data = tmp_path / "user-data.sh"
    user_data.write_text("#!/bin/sh\necho brewing coffee\nsleep 600\n")
    path = checks("[[command]]\nrun = 'true'\n")
    done = verify(cloud, image, "--checks", path, "--user-data", user_data, "--timeout", "6s")
    assert done.returncode == 255
    assert re.search(r"i-\w+ has not settled within 6s: cloud-init has not ended: brewing coffee", done.stderr)


def test_a_user_who_is_not_let_in(cloud, image, checks, nothing_left):
    path = checks("[[command]]\nrun = 'true'\n")
    done = verify(cloud, image, "--checks", path, "--ssh-username", "nobody-like-it", "--timeout", "5s")
    assert done.returncode == 255
    assert "nobody-like-it" in done.stderr
    assert done.stdout == "", "nothing was verified"


def test_an_image_that_does_not_boot(cloud, checks, tmp_path, nothing_left):
    root = tmp_path / "root"
    (root / "sbin").mkdir(parents=True)
    (root / "sbin/init").write_text("this is no program\n")
    (root / "sbin/init").chmod(0o755)
    with tarfile.open(tmp_path / "broken.tar", "w") as archive:
        archive.add(root, arcname=".")
    broken = cloud.json("image", "import", tmp_path / "broken.tar", "--name", "broken")["id"]
    done = verify(cloud, broken, "--checks", checks("[[command]]\nrun = 'true'\n"), "--timeout", "20s")
    assert done.returncode == 255
    assert re.search(r"instance i-\w+ is (shutting-down|terminated)", done.stderr), done.stderr
    # Refused while an instance of it is left.
    cloud.run("image", "rm", broken)


def start(cloud, *arguments):
    """The verb in the background."""
    command = [clouds.BINARY, "verify", "image", *map(str, arguments), "--state", cloud.state]
    return subprocess.Popen(
        command, env=clouds.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("moment", ["a key pair is there", "the instance is there", "the checks run"])
def test_ctrl_c_leaves_nothing(cloud, image, checks, nothing_left, moment):
    before = belongings(cloud)
    path = checks("[[command]]\nrun = 'touch /run/asked; sleep 60'\ntimeout = '70s'\n")
    running = start(cloud, image, "--checks", path)

    def news(kind):
        return set(belongings(cloud)[kind]) - set(before[kind])

    def asked():
        return any(cloud.try_exec(id, "test", "-e", "/run/asked").returncode == 0 for id in news("instances"))

    moments = {
        "a key pair is there": lambda: news("key pairs"),
        "the instance is there": lambda: news("instances"),
        "the checks run": asked,
    }
    until(moment, moments[moment], 60, 0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 255, err
    assert "the verification was cancelled" in err
    assert out == ""


def test_an_instance_that_is_kept(cloud, image, checks, tmp_path, nothing_left):
    path = checks("[[port]]\nport = 80\n")
    done = verify(cloud, image, "--checks", path, "--keep", cwd=tmp_path)
    assert done.returncode == 255
    [login] = re.findall(r"^(i-\w+) is kept: (ssh .*)$", done.stderr, re.MULTILINE)
    id, command = login
    assert id in [one["InstanceId"] for one in cloud.instances("running")]
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    ssh = subprocess.run(
        [*command.split(), *options, "id", "-un"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ssh.stdout == "ec2-user\n", ssh.stderr
    removal = done.stderr.split("Remove it by:\n", 1)[1].splitlines()
    for line in removal:
        words = line.split()
        if words[0] == "aws":
            removed = cloud.aws(*words[1:])
            assert removed.returncode == 0, f"{line}: {removed.stderr}"
        else:
            subprocess.run(words, cwd=tmp_path, check=True)
    assert not list(tmp_path.glob("*.pem"))


@pytest.mark.parametrize(
    ("arguments", "text", "code", "words"),
    [
        ((), "[[command]]\nrun = 'true'\n", 253, "neither a drydock.toml"),
        (("ami-1", "--instance", "i-1"), "[[command]]\nrun = 'true'\n", 252, "--instance"),
        (("ami-1", "-i", "key"), "[[command]]\nrun = 'true'\n", 252, "--identity"),
        (("ami-0123456789abcdef0",), "[[command]]\nrun = 'true'\n", 254, "InvalidAMIID.NotFound"),
        (("--instance", "i-0123456789abcdef0"), "[[command]]\nrun = 'true'\n", 254, "InvalidInstanceID.NotFound"),
        (("ami-1",), "", 253, "there is no check"),
        (("ami-1",), "[[file]]\npaht = '/x'\nmode = 644\n", 253, ":2:1: unknown key `paht` in [[file]]; did you mean"),
        (("ami-1", "--checks", "/nowhere.toml"), None, 253, "/nowhere.toml"),
        (("ami-1", "--timeout", "soon"), "[[command]]\nrun = 'true'\n", 252, "soon"),
    ],
)
def test_refusals(cloud, checks, arguments, text, code, words, nothing_left):
    if text is not None:
        arguments = (*arguments, "--checks", checks(text))
    done = verify(cloud, *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_everything_wrong_with_a_file_is_told_at_once(cloud, checks):
    done = verify(cloud, "ami-1", "--checks", checks("[[file]]\npaht = '/x'\nmode = 644\n[[ports]]\nport = 1\n"))
    assert done.returncode == 253
    assert done.stderr.startswith("drydock: 4 errors in ")
    assert len(done.stderr.splitlines()) == 5


def test_stacks_are_verified_by_the_same_verb(cloud):
    for arguments in (("nothing-like-it",), ("--", "image")):
        done = cloud.try_run("verify", *arguments)
        assert done.returncode == 255
        assert "does not exist" in done.stderr, done.stderr
