"""DescribeInstances, answered by a daemon on one core."""

import itertools
import json
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import clouds
import seed
from measure import prepare
from waiting import until


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
