"""Commands under `drydock exec`: AWS's names lead to the local cloud, and whatever else they do is as ever."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

import clouds
import leftovers
from waiting import until

PYTHON = sys.executable
# Debian's own command line, when it is installed: version 2, which knows no endpoint variable.
DEBIAN_AWS = pathlib.Path("/usr/bin/aws")


def run_in(cloud, *command, options=(), env=None, **more):
    """Runs a command under `drydock exec`, led by names alone; the caller looks at the exit code."""
    options = ["--no-endpoint-url", *options]
    return cloud.try_run("exec", *options, "--", *command, env=clouds.environment(**(env or {})), **more)


def printed_in(cloud, *command, **more):
    """The same, and its standard output; it must succeed."""
    done = run_in(cloud, *command, **more)
    assert done.returncode == 0, f"{command}: {done.returncode} {done.stderr}\n{done.stdout}"
    return done.stdout


def resolve(cloud, name, **more):
    script = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
    return run_in(cloud, PYTHON, "-c", script, name, **more)


def boto(cloud, script, **more):
    """Runs lines of Python that use boto3 without any setting."""
    return printed_in(cloud, PYTHON, "-c", "import boto3, json\n" + textwrap.dedent(script), **more)


# Names.


@pytest.mark.parametrize("name", ["ec2.us-east-1.amazonaws.com", "sts.amazonaws.com", "ecs.eu-west-1.api.aws"])
def test_names_of_aws_lead_to_the_cloud(cloud, name):
    done = resolve(cloud, name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("127.") and not done.stdout.startswith("127.0.")


def test_other_names_are_looked_up_as_ever(cloud):
    assert printed_in(cloud, PYTHON, "-c", "import socket; print(socket.gethostbyname('localhost'))") == "127.0.0.1\n"


@pytest.fixture
def own_resolver(tmp_path):
    """A name server of the host that knows one name, and a resolv.conf that names it."""
    server = Server(tmp_path)
    yield server
    server.close()


class Server:
    """Answers every question for an A record with 192.0.2.7, by UDP and TCP, and remembers the names."""

    ADDRESS = "127.0.0.203"

    def __init__(self, folder):
        self.asked = []
        self.configuration = folder / "resolv.conf"
        self.configuration.write_text(f"nameserver {self.ADDRESS}\nsearch corp.example\n")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.ADDRESS, 53))
        self.tcp = socket.create_server((self.ADDRESS, 53))
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.datagrams, self.streams)]
        for each in (self.udp, self.tcp):
            each.settimeout(0.1)
        for thread in self.threads:
            thread.start()

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        self.asked.append(".".join(labels))
        is_address = question[at + 1 : at + 3] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, 2, 7])
        header = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_address else b"\0\0") + b"\0\0\0\0"
        return header + question[12 : at + 5] + (record if is_address else b"")

    def datagrams(self):
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                question, client = self.udp.recvfrom(4096)
                self.udp.sendto(self.answer(question), client)

    def streams(self):
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                stream, _ = self.tcp.accept()
                with stream:
                    length = int.from_bytes(stream.recv(2))
                    answer = self.answer(stream.recv(length))
                    stream.sendall(len(answer).to_bytes(2) + answer)

    def close(self):
        self.closing.set()
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()


def beside(cloud, configuration):
    """Stands in for the host's resolv.conf: everything that this runs sees the other file in its place."""
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {configuration} /etc/resolv.conf && exec "$@"', "sh"]


def test_the_hosts_own_resolvers_answer_for_the_rest(own_resolver):
    cloud = clouds.Cloud()
    host = beside(cloud, own_resolver.configuration)
    try:
        start = [clouds.BINARY, "cloud", "start", "--listen", cloud.listen, "--state", cloud.state]
        subprocess.run([*host, *start], check=True, env=clouds.environment(), capture_output=True)

        def ask(name, *options):
            under = [clouds.BINARY, "exec", "--state", cloud.state, "--"]
            script = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"
            command = [*host, *under, "env", *options, PYTHON, "-c", script, name]
            return subprocess.run(command, env=clouds.environment(), capture_output=True, text=True, timeout=60)

        assert ask("db.corp.example").stdout == "192.0.2.7\n"
        assert ask("db").stdout == "192.0.2.7\n", "the host's search list"
        assert ask("www.example.com", "RES_OPTIONS=use-vc").stdout == "192.0.2.7\n", "by TCP"
        assert ask("ec2.us-east-1.amazonaws.com").stdout.startswith("127.")
        # The search list is tried first with this option: AWS's names must not exist there.
        assert ask("ec2.us-east-1.amazonaws.com", "RES_OPTIONS=ndots:9").stdout.startswith("127.")
        assert own_resolver.asked and not [name for name in own_resolver.asked if "amazonaws" in name]
        own_resolver.close()
        assert ask("other.corp.example").returncode != 0
    finally:
        assert cloud.discard() == {}


# TLS and credentials.


def test_curl_and_openssl_trust_the_cloud(cloud):
    url = "https://ec2.us-east-1.amazonaws.com/_drydock/health"
    assert printed_in(cloud, "curl", "-sS", "--max-time", "10", url) == "ok\n"
    # Without any variable it is the system's own store that counts.
    bare = ["env", "-i", f"PATH={os.environ['PATH']}"]
    assert printed_in(cloud, *bare, "curl", "-sS", "--max-time", "10", url) == "ok\n"
    script = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).read())"
    assert printed_in(cloud, PYTHON, "-c", script) == "b'ok\\n'\n"
    assert printed_in(cloud, "curl", "-sS", "http://sts.amazonaws.com/_drydock/health") == "ok\n"


def test_a_name_that_is_not_aws_gets_no_certificate(cloud):
    address = resolve(cloud, "sts.amazonaws.com").stdout.strip()
    done = run_in(cloud, "curl", "-sS", "--resolve", f"example.com:443:{address}", "https://example.com/")
    assert done.returncode == 35, done.stderr


def test_boto3_needs_no_setting(cloud):
    told = boto(
        cloud,
        """
        session = boto3.session.Session()
        ec2 = session.client("ec2")
        print(json.dumps({
            "account": session.client("sts").get_caller_identity()["Account"],
            "endpoint": ec2.meta.endpoint_url,
            "vpcs": len(ec2.describe_vpcs()["Vpcs"]),
            "region": session.region_name,
        }))
        """,
    )
    assert json.loads(told) == {
        "account": "123456789012",
        "endpoint": "https://ec2.us-east-1.amazonaws.com",
        "vpcs": 1,
        "region": "us-east-1",
    }


def test_the_aws_command_lines(cloud):
    cluster = cloud.client("ecs").create_cluster(clusterName="under-exec")["cluster"]["clusterArn"]
    for aws in filter(os.path.exists, {clouds.AWS, DEBIAN_AWS}):
        done = run_in(cloud, aws, "ecs", "list-clusters", "--output", "json")
        assert done.returncode == 0, f"{aws}: {done.stderr}"
        assert cluster in json.loads(done.stdout)["clusterArns"], aws


def test_the_region_is_the_one_asked_for(cloud):
    script = 'print(boto3.session.Session().client("ec2").meta.endpoint_url)'
    elsewhere = "https://ec2.eu-central-1.amazonaws.com\n"
    assert boto(cloud, script, options=["--region", "eu-central-1"]) == elsewhere
    assert boto(cloud, script, env={"AWS_DEFAULT_REGION": "eu-central-1"}) == elsewhere


REAL = {
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
}


@pytest.fixture
def home(tmp_path):
    """A user's home with an AWS configuration: one profile has keys, another assumes a role with them."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("[me]\naws_access_key_id=AKIAREAL\naws_secret_access_key=real\n")
    (folder / "config").write_text(
        "[profile demo]\nsource_profile = me\nregion = us-east-1\nrole_session_name = justin\n"
        "role_arn = arn:aws:iam::385605022855:role/admin\nmfa_serial = arn:aws:iam::385605022855:mfa/justin\n"
    )
    return tmp_path


def user(home):
    """The environment of somebody with that home, in which no file is named."""
    return {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
    }


def test_the_users_own_credentials_are_not_to_be_seen(cloud, home):
    seen = printed_in(
        cloud, "sh", "-c", "env; cat ~/.aws/* $AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE", env=user(home) | REAL
    )
    assert not [word for word in ("REAL", "real\n", "production", "127.0.0.1:9\n") if word in seen]
    script = 'print(boto3.client("sts").get_caller_identity()["Arn"])'
    assert boto(cloud, script, env=user(home) | REAL) == "arn:aws:iam::123456789012:root\n"


def test_the_environment_has_credentials_region_and_endpoint(cloud):
    script = """
        import os, boto3
        assert "AWS_ACCESS_KEY_ID" in os.environ and "AWS_SECRET_ACCESS_KEY" in os.environ
        print(os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"], boto3.client("ec2").meta.endpoint_url)
        print(boto3.client("sts").get_caller_identity()["Arn"])
    """
    done = cloud.try_run("exec", "--", PYTHON, "-c", textwrap.dedent(script), env=clouds.environment(**REAL))
    assert done.returncode == 0, done.stderr
    url = f"http://{cloud.listen}"
    assert done.stdout == f"{url} us-east-1 {url}\narn:aws:iam::123456789012:root\n"


def make_role(cloud, name="admin"):
    iam = cloud.client("iam")
    principal = {"AWS": "arn:aws:iam::123456789012:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))


def test_a_profile_is_the_users_with_the_clouds_credentials(cloud, home):
    make_role(cloud)
    options = {"options": ["--profile", "demo"], "env": user(home) | REAL}
    script = 'print(boto3.client("sts").get_caller_identity()["Arn"])'
    assert boto(cloud, script, **options) == "arn:aws:sts::123456789012:assumed-role/admin/justin\n"
    got = printed_in(cloud, clouds.AWS, "configure", "get", "role_arn", **options)
    assert got == "arn:aws:iam::123456789012:role/admin\n"
    done = run_in(cloud, "true", options=["--profile", "nobody"], env=user(home))
    assert done.returncode == 253 and "no such profile" in done.stderr


def test_no_instance_metadata_is_asked_for(cloud):
    shutil.which("strace") or pytest.skip("strace is not installed")
    log = pathlib.Path(cloud.state).parent / "strace"
    traced = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", log]
    printed_in(cloud, *traced, clouds.AWS, "ec2", "describe-vpcs")
    calls = log.read_text()
    assert "htons(443)" in calls and "169.254." not in calls


# The command is itself.


def test_the_exit_code_is_the_commands(cloud, tmp_path):
    assert run_in(cloud, "sh", "-c", "exit 7").returncode == 7
    assert run_in(cloud, "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    missing = run_in(cloud, "/no/such/command")
    assert missing.returncode == 127 and "/no/such/command" in missing.stderr
    (tmp_path / "text").write_text("no program\n")
    assert run_in(cloud, tmp_path / "text").returncode == 126


def test_signals_go_to_the_command(cloud):
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.05; done"
    command = [clouds.BINARY, "exec", "--state", cloud.state, "--", "sh", "-c", script]
    with subprocess.Popen(command, env=clouds.environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted\n"
    assert process.returncode == 3


def test_standard_streams_and_terminal_are_the_commands(cloud):
    command = [clouds.BINARY, "exec", "--state", cloud.state, "--", "cat"]
    done = subprocess.run(command, env=clouds.environment(), input="some\n", capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("some\n", 0)
    leader, follower = os.openpty()
    under = [clouds.BINARY, "exec", "--state", cloud.state, "--", "tty"]
    done = subprocess.run(under, env=clouds.environment(), stdin=follower, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("/dev/pts/")
    os.close(leader)
    os.close(follower)


def test_the_hosts_files_stay_as_they_are(cloud):
    files = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"]
    before = [pathlib.Path(file).read_bytes() for file in files if os.path.exists(file)]
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    inside = printed_in(cloud, "cat", "/etc/resolv.conf", "/proc/self/mounts")
    assert "nameserver 127." in inside and "/etc/resolv.conf tmpfs" in inside
    assert [pathlib.Path(file).read_bytes() for file in files if os.path.exists(file)] == before
    assert pathlib.Path("/proc/self/mounts").read_text() == mounts


# The cloud around it.


def test_without_a_cloud_nothing_is_run(tmp_path):
    done = clouds.drydock("exec", "--state", tmp_path / "none", "--", "touch", tmp_path / "ran")
    assert done.returncode == 255 and "drydock cloud start" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_two_clouds_side_by_side(cloud, fresh_cloud):
    fresh_cloud.client("ecs").create_cluster(clusterName="second")
    script = 'print([arn.split("/")[1] for arn in boto3.client("ecs").list_clusters()["clusterArns"]])'
    assert boto(fresh_cloud, script) == "['second']\n"
    assert "second" not in boto(cloud, script)
    addresses = {resolve(each, "ecs.us-east-1.amazonaws.com").stdout for each in (cloud, fresh_cloud)}
    assert len(addresses) == 2


def test_the_hosts_own_services_are_not_in_the_way(fresh_cloud):
    """With something on 0.0.0.0 at the ports that the front needs."""
    busy = []
    for port in (53, 80, 443):
        listener = socket.socket()
        try:
            listener.bind(("0.0.0.0", port))
            listener.listen()
        except OSError:
            pass  # The host has a service of its own there, which does just as well.
        busy.append(listener)
    try:
        assert boto(fresh_cloud, 'print(len(boto3.client("ec2").describe_vpcs()["Vpcs"]))') == "1\n"
    finally:
        for listener in busy:
            listener.close()


def test_a_service_may_come_later(fresh_cloud):
    printed_in(fresh_cloud, "true")
    for port in (53, 80, 443):
        with socket.socket() as late:
            late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                late.bind(("0.0.0.0", port))
                late.listen()
            except OSError:
                # Only a service of the host may be in the way, not the cloud.
                assert socket.create_connection(("127.0.0.1", port), 2)


def test_nothing_is_left_of_a_stopped_cloud(fresh_cloud):
    printed_in(fresh_cloud, "true")
    assert leftovers.tables(fresh_cloud.state)
    fresh_cloud.stop()
    assert leftovers.of_cloud(fresh_cloud.state) == {}


def test_a_killed_daemon_leaves_nothing_that_reset_does_not_remove(fresh_cloud):
    printed_in(fresh_cloud, "true")
    fresh_cloud.kill()
    assert leftovers.tables(fresh_cloud.state)
    fresh_cloud.run("cloud", "reset", "--yes")
    assert leftovers.of_cloud(fresh_cloud.state) == {}


def test_a_command_outlives_the_daemon(fresh_cloud):
    """One that goes on while the daemon is killed finds AWS nowhere, and finds it again with the next daemon."""
    script = "while read -r _; do curl -sS --max-time 5 https://sts.amazonaws.com/_drydock/health || echo none; done"
    command = [clouds.BINARY, "exec", "--state", fresh_cloud.state, "--", "sh", "-c", script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=clouds.environment(), text=True, bufsize=1, **pipes) as process:

        def ask():
            process.stdin.write("\n")
            return process.stdout.readline()

        assert ask() == "ok\n"
        fresh_cloud.kill()
        assert ask() == "none\n"
        fresh_cloud.start()
        until("the names lead to the next daemon", lambda: ask() == "ok\n", 20)
        process.stdin.close()
    assert process.returncode == 0


def test_somebody_else_who_may_read_the_state_has_it_too(fresh_cloud):
    """In a user namespace, as who they are."""
    base = pathlib.Path(fresh_cloud.state).parent
    base.chmod(0o755)
    binary = shutil.copy(clouds.BINARY, base / "drydock")
    nobody, nogroup = 65534, 65534
    for path in [base / "state", *(base / "state").rglob("*")]:
        os.chown(path, nobody, nogroup, follow_symlinks=False)
    command = ["setpriv", f"--reuid={nobody}", f"--regid={nogroup}", "--clear-groups", "--inh-caps=-all", binary]
    script = "id -u; curl -sS https://sts.amazonaws.com/_drydock/health; cat ~/.aws/credentials"
    (base / "home/.aws").mkdir(parents=True)
    options = {"env": clouds.environment(HOME=str(base / "home")), "capture_output": True, "text": True, "cwd": "/"}
    done = subprocess.run(
        [*command, "exec", "--state", fresh_cloud.state, "--", "sh", "-c", script], timeout=60, **options
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("65534\nok\n") and "aws_secret_access_key" in done.stdout
    os.chmod(base / "state/keys/root.json", 0)
    os.chown(base / "state/keys/root.json", 0, 0)
    done = subprocess.run([*command, "exec", "--state", fresh_cloud.state, "--", "true"], timeout=60, **options)
    assert done.returncode == 255 and "root.json" in done.stderr
