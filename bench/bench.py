"""Measures what docs/performance.md promises and prints a table. Asserts nothing, keeps nothing.

    make bench                      everything
    make bench BENCH=daemon         a part of it: deploy, daemon, describe, image

Run it on a machine that does nothing else.
"""

import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import botocore.auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402

import clouds  # noqa: E402
import seed  # noqa: E402
from waiting import until  # noqa: E402

STACK = "todobackend"
# What `build --watch` says of the second step when it has succeeded, and when all steps from the changed one on have.
WATCH_STEP = "✓ 2/6"
WATCH_GREEN = "green after"


class Table:
    """The result, a row at a time: people watch."""

    def __init__(self):
        self.row("what", "measured", "aim")

    def row(self, what, measured, aim=""):
        print(f"{what:<58} {measured:>16}   {aim}", flush=True)


def median(values):
    return statistics.median(values)


# The machine's own boot.


def bare_boot(cloud):
    """Seconds to the first line of user data, with nothing of Drydock's around the image's layers."""
    [image] = [one for one in cloud.json("image", "ls") if one["name"] == "ecs-base"]
    overlay, packages = image["layers"]
    done = subprocess.run(
        [ROOT / "images/ecs-base/tests/bare-boot", packages, overlay],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return float(re.search(r"first line of user data +([0-9.]+) s", done.stdout)[1])


# Deployments of the seed's stack.


def prepare(cloud):
    cloud.run("image", "create", "ecs-base", timeout=900)
    cloud.run(
        "image", "create", "seed", "--from", "ecs-base", "--add", f"{seed.first_run()}:/home/ec2-user/firstrun.sh"
    )
    cloud.run("cloud", "adopt", *seed.ids("seed"))


def deploy(cloud, count):
    """Seconds from the request to CREATE_COMPLETE with as many registered instances."""
    cloudformation, ecs = cloud.client("cloudformation"), cloud.client("ecs")
    parameters = dict(word.split("=", 1) for word in seed.parameters()) | {"ApplicationDesiredCount": str(count)}
    begun = time.monotonic()
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=seed.stack().read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    until("complete", lambda: cloud.stack_status(STACK) == "CREATE_COMPLETE", 120, 0.02)
    taken = time.monotonic() - begun
    [cluster] = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    if cluster["registeredContainerInstancesCount"] != count:
        sys.exit(f"{count} instances were asked for, {cluster['registeredContainerInstancesCount']} are registered")
    return taken


def delete(cloud):
    begun = time.monotonic()
    cloud.delete_stack(STACK)
    return time.monotonic() - begun


# cfn-init's own time.

OVERHEAD = """
set -e
printf 'exit 0\\n' >/home/ec2-user/firstrun.sh
cd /home/ec2-user
now() { date +%s%N; }
begun=$(now)
for n in $(seq 10); do
    /opt/aws/bin/cfn-init -v --stack STACK --resource RESOURCE --region us-east-1 >/dev/null
done
whole=$(($(now) - begun))
begun=$(now)
for n in $(seq 10); do
    sh -c 'mkdir -p /data/public'; sh -c 'chown -R 1000:1000 /data/public'; sh -c 'sh firstrun.sh'
done
echo $((whole / 10)) $((($(now) - begun) / 10))
"""


def cfn_init(cloud):
    """Milliseconds that cfn-init takes on the seed's metadata, without those of its commands."""
    [instance] = cloud.instances("running")[:1]
    found = cloud.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    [resource] = [
        one["LogicalResourceId"] for one in found if one["ResourceType"] == "AWS::AutoScaling::LaunchConfiguration"
    ]
    script = OVERHEAD.replace("STACK", STACK).replace("RESOURCE", resource)
    whole, commands = cloud.exec(instance["InstanceId"], "bash", "-c", script).split()
    return (int(whole) - int(commands)) / 1e6


# The daemon.


def ready(runs=7):
    """Milliseconds from the daemon's start to its first answer, in a state directory that has been used before."""
    cloud = clouds.Cloud()
    cloud.start()
    cloud.stop()
    host, port = cloud.listen.split(":")
    taken = []
    for _ in range(runs):
        begun = time.monotonic()
        daemon = subprocess.Popen(
            [clouds.BINARY, "cloud", "run", "--state", cloud.state, "--listen", cloud.listen],
            env=clouds.environment(),
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                with socket.create_connection((host, int(port)), timeout=5) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    connection.recv(1)
                break
            except ConnectionRefusedError:
                time.sleep(0.0005)
        taken.append((time.monotonic() - begun) * 1000)
        daemon.terminate()
        daemon.wait()
    cloud.discard()
    return median(taken)


def resident():
    """Megabytes resident of a daemon that has nothing to do."""
    cloud = clouds.Cloud().start()
    time.sleep(3)
    size = cloud.status()["resident_kib"] * 1024 / 1e6
    cloud.discard()
    return size


# DescribeInstances.


def store_copies(cloud, original, count):
    """Writes copies of a stopped instance, its interface and volumes into the store of a cloud that does not run."""
    with sqlite3.connect(pathlib.Path(cloud.state, "state.db")) as store:
        rows = store.execute(
            "SELECT kind, region, id, body FROM records WHERE body LIKE ?", [f"%{original}%"]
        ).fetchall()
        fresh = {id: id.split("-")[0] for _, _, id, _ in rows if re.fullmatch(r"(i|eni|vol)-[0-9a-f]{17}", id)}
        [reservation] = {json.loads(body)["reservation_id"] for kind, _, _, body in rows if kind == "ec2.instance"}
        for _ in range(count):
            names = {old: f"{prefix}-{uuid.uuid4().hex[:17]}" for old, prefix in fresh.items()}
            names[reservation] = f"r-{uuid.uuid4().hex[:17]}"
            for kind, region, id, body in rows:
                if id not in names:
                    continue
                for old, new in names.items():
                    body = body.replace(old, new)
                store.execute("INSERT INTO records VALUES (?, ?, ?, ?)", [kind, region, names[id], body])
    store.close()


def signed(cloud, **parameters):
    """A request as it goes over the wire."""
    env = cloud.environment
    body = urllib.parse.urlencode({"Action": "DescribeInstances", "Version": "2016-11-15", **parameters})
    request = botocore.awsrequest.AWSRequest(
        method="POST",
        url=env["AWS_ENDPOINT_URL"] + "/",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": cloud.listen},
    )
    credentials = botocore.credentials.Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    botocore.auth.SigV4Auth(credentials, "ec2", "us-east-1").add_auth(request)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def answer_length(connection, request):
    """The length of an answer with its head, from a first one."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, rest = received.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.splitlines()[0]:
        sys.exit(f"DescribeInstances was refused: {received.decode()}")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(rest) < length:
        rest += connection.recv(length - len(rest))
    return len(head) + 4 + length, rest.count(b"<instanceId>")


def rate(cloud, requests, seconds=5, connections=8):
    """Answers a second on some connections, to the requests in turn; the size of one and how many instances it holds.

    The same signed request is sent again and again: signing is the client's work, and the daemon verifies each.
    """
    host, port = cloud.listen.split(":")
    opened = [socket.create_connection((host, int(port))) for _ in range(connections)]
    turns = itertools.cycle(requests)
    lengths = [answer_length(connection, next(turns)) for connection in opened]
    [(length, instances)] = set(lengths)
    buffer = bytearray(length)
    for connection in opened:
        connection.sendall(next(turns))
    answers, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        for connection in opened:
            connection.recv_into(buffer, length, socket.MSG_WAITALL)
            connection.sendall(next(turns))
        answers += connections
    taken = time.monotonic() - begun
    for connection in opened:
        connection.close()
    return answers / taken, length, instances


def describe_instances(table):
    """With 100 instances stored, the daemon on one core and the client on another."""
    cloud = clouds.Cloud().start()
    try:
        prepare(cloud)
        ec2 = cloud.client("ec2")
        image = seed.parameter("ApplicationImageId")
        [launched] = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
        id = launched["InstanceId"]
        until("it runs", lambda: cloud.instances("running"), 30)
        ec2.stop_instances(InstanceIds=[id])
        until("it is stopped", lambda: cloud.instances("stopped"), 60)
        cloud.stop()
        store_copies(cloud, id, 99)
        cloud.start()
        if len(cloud.instances("stopped")) != 100:
            sys.exit(f"{len(cloud.instances('stopped'))} instances are stored instead of 100")
        os.sched_setaffinity(0, {1})
        pid = cloud.status()["pid"]
        subprocess.run(["taskset", "-acp", "0", str(pid)], check=True, stdout=subprocess.DEVNULL)
        for what, requests in [
            ("one by its id", [signed(cloud, **{"InstanceId.1": id})]),
            (
                "those that run (none)",
                [signed(cloud, **{"Filter.1.Name": "instance-state-name", "Filter.1.Value.1": "running"})],
            ),
            ("a page of five", [signed(cloud, MaxResults="5")]),
            ("all of them", [signed(cloud)]),
            # More questions than the daemon keeps answers to, so that each answer is made anew.
            ("all, made anew", [signed(cloud, MaxResults=str(size)) for size in range(901, 1001)]),
        ]:
            answers, length, instances = rate(cloud, requests)
            what = f"DescribeInstances, 100 stored: {what}, {length / 1024:.0f} KiB"
            table.row(what, f"{answers:,.0f} /s", "> 5,000 /s on one core")
        table.row("resident after that", f"{cloud.status()['resident_kib'] * 1024 / 1e6:.1f} MB")
        os.sched_setaffinity(0, range(os.cpu_count()))
    finally:
        cloud.discard()


def deployments(table, runs=5):
    """Bare boots and deployments by turns, so that both meet the machine in the same mood."""
    cloud = clouds.Cloud().start()
    try:
        prepare(cloud)
        boots, ones, fours, deletions, overheads = [], [], [], [], []
        for _ in range(runs):
            boots.append(bare_boot(cloud))
            ones.append(deploy(cloud, 1))
            overheads.append(cfn_init(cloud))
            deletions.append(delete(cloud))
        for _ in range(3):
            fours.append(deploy(cloud, 4))
            delete(cloud)
        boot, one, four = median(boots), median(ones), median(fours)
        table.row("bare boot of the image to the first line of user data", f"{boot:.2f} s")
        table.row("deploy to CREATE_COMPLETE, 1 registered instance", f"{one:.2f} s", f"< 6 s and < {2 * boot:.2f} s")
        table.row("  times the bare boot", f"{one / boot:.2f}", "< 2")
        table.row("  its deletion", f"{median(deletions):.2f} s")
        table.row("deploy to CREATE_COMPLETE, 4 registered instances", f"{four:.2f} s", "< 15 s")
        table.row("  times the bare boot", f"{four / boot:.2f}")
        table.row("cfn-init on the seed's metadata, without its commands", f"{median(overheads):.1f} ms", "< 50 ms")
        resident = cloud.status()["resident_kib"] * 1024 / 1e6
        table.row("daemon resident after these deployments", f"{resident:.1f} MB", "< 40 MB")
    finally:
        cloud.discard()


# Image builds.


def image_folder():
    """A copy of the acceptance input's image half, since builds leave files beside their template."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drydock-bench-", dir="/var/tmp"))
    shutil.copytree(seed.image(), folder / "image")
    return folder / "image"


def timed(run):
    begun = time.monotonic()
    run()
    return time.monotonic() - begun


def validation(folder, program, *arguments, runs=15):
    """Milliseconds of a whole process that validates the template."""
    command = [program, "validate", *arguments, "packer.json"]
    env = clouds.environment()
    run = functools.partial(
        subprocess.run, command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    return median([timed(run) * 1000 for _ in range(runs)])


def watched(cloud, folder, runs=5):
    """Seconds from a saved script, the second of six, to its green step, and to the last one's."""
    script = folder / "scripts/time.sh"
    log = folder.parent / "watch.log"
    with log.open("w") as out:
        watch = subprocess.Popen(
            [clouds.BINARY, "build", "--watch", "--state", cloud.state, "packer.json"],
            cwd=folder,
            env=clouds.environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        count = lambda words: log.read_text().count(words)  # noqa: E731
        step, all_steps = [], []
        try:
            until("the first build is done", lambda: count(WATCH_GREEN) or watch.poll() is not None, 120, 0.1)
            for turn in range(1, runs + 1):
                script.write_text(script.read_text() + f"\n# {turn}\n")
                begun = time.monotonic()
                for words, taken in ((WATCH_STEP, step), (WATCH_GREEN, all_steps)):
                    seen = lambda words=words, turn=turn: count(words) > turn or watch.poll() is not None  # noqa: E731
                    until(f"{words} is said again", seen, 60, 0.01)
                    if watch.poll() is not None:
                        sys.exit(f"build --watch ended:\n{log.read_text()}")
                    taken.append(time.monotonic() - begun)
        finally:
            watch.send_signal(signal.SIGINT)
            watch.wait(60)
    return median(step), median(all_steps)


def occupied(path):
    """Megabytes that the files below a directory take on disk."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file()) / 1e6


def snapshot(cloud, volume):
    """Seconds and megabytes that a snapshot takes."""
    ec2, state = cloud.client("ec2"), pathlib.Path(cloud.state)
    before, begun = occupied(state), time.monotonic()
    id = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    until(
        "the snapshot is completed",
        lambda: ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"] == "completed",
        60,
        0.01,
    )
    return time.monotonic() - begun, occupied(state) - before


def snapshots(cloud, table):
    """What a snapshot of a volume of 20 GiB takes on disk and how long it lasts, with little and with more in use."""
    ec2 = cloud.client("ec2")
    launched = ec2.run_instances(
        ImageId=seed.parameter("ApplicationImageId"),
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvdcy", "Ebs": {"VolumeSize": 20}}],
    )
    id = launched["Instances"][0]["InstanceId"]
    until("it runs", lambda: cloud.instances("running"), 30)
    cloud.exec(id, "sh", "-c", "mkfs.ext4 -q /dev/xvdcy && mkdir -p /data && mount /dev/xvdcy /data")
    [volume] = [
        mapping["Ebs"]["VolumeId"]
        for mapping in ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0][
            "BlockDeviceMappings"
        ]
        if mapping["DeviceName"] == "/dev/xvdcy"
    ]
    for megabytes in (0, 500):
        cloud.exec(id, "sh", "-c", f"head -c {megabytes}M /dev/urandom >/data/file && sync")
        taken, added = snapshot(cloud, volume)
        table.row(f"snapshot of a 20 GiB volume with {megabytes} MB in it", f"{taken:.2f} s", "")
        table.row("  takes on disk", f"{added:.0f} MB", "what is in use")
    ec2.terminate_instances(InstanceIds=[id])


def image(table, runs=5):
    cloud = clouds.Cloud().start()
    folder = image_folder()
    try:
        prepare(cloud)
        cloud.run("cloud", "adopt", f"{seed.source_image()}=ecs-base")
        ours = [timed(lambda: cloud.run("build", "packer.json", cwd=folder)) for _ in range(runs)]
        table.row("build of the seed's image", f"{median(ours):.1f} s", "< 12 s")
        packer = [
            timed(lambda: cloud.run("exec", "--", "packer", "build", "packer.json", cwd=folder)) for _ in range(2)
        ]
        table.row("  the same by Packer 1.6.6", f"{median(packer):.1f} s", "< 30 s")
        step, all_steps = watched(cloud, folder)
        table.row("  from a saved script to a green step, --watch", f"{step:.2f} s", "< 3 s")
        table.row("  to the end of that step and the four after it", f"{all_steps:.2f} s", "")
        snapshots(cloud, table)
        table.row("validate the seed's template", f"{validation(folder, clouds.BINARY):.1f} ms", "< 20 ms")
        table.row("  the same by Packer 1.6.6", f"{validation(folder, 'packer'):.0f} ms", "")
    finally:
        cloud.discard()
        shutil.rmtree(folder.parent)


def daemon(table):
    table.row("daemon ready, state used before", f"{ready():.0f} ms", "< 100 ms")
    table.row("daemon resident, idle", f"{resident():.1f} MB", "< 40 MB")


PARTS = {"deploy": deployments, "daemon": daemon, "describe": describe_instances, "image": image}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    print(f"{os.cpu_count()} processors, Linux {os.uname().release}, seed: {seed.describe()}")
    table = Table()
    for part in wanted:
        PARTS[part](table)


if __name__ == "__main__":
    main()
