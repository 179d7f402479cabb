#!/usr/bin/python3
"""imds-stub.py USER_DATA_FILE: a stand-in for the instance metadata service, for booting the image without a cloud.

Serves 169.254.169.254:80 in the network namespace it runs in: enough of IMDSv2 for cloud-init.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "stub-token"
INSTANCE = "i-0123456789abcdef0"
META_DATA = {
    "ami-id": "ami-0123456789abcdef0",
    "ami-launch-index": "0",
    "hostname": "ip-10-0-0-10.ec2.internal",
    "instance-id": INSTANCE,
    "instance-type": "t2.micro",
    "local-hostname": "ip-10-0-0-10.ec2.internal",
    "local-ipv4": "10.0.0.10",
    "mac": "02:00:00:00:00:0a",
    "network": {"interfaces": {"macs": {"02:00:00:00:00:0a": {
        "device-number": "0", "local-ipv4s": "10.0.0.10", "mac": "02:00:00:00:00:0a",
        "subnet-id": "subnet-0", "vpc-id": "vpc-0", "vpc-ipv4-cidr-block": "10.0.0.0/16"}}}},
    "placement": {"availability-zone": "us-east-1a", "region": "us-east-1"},
    "public-keys": {"0=stub": {"openssh-key": "ssh-ed25519 "
                               "AAAAC3NzaC1lZDI1NTE5AAAAIJx0d0c7m0m5rS9l8Wm0gD1yYbq3yqk6o0b8C3u0r9Zk stub"}},
    "reservation-id": "r-0123456789abcdef0",
    "security-groups": "default",
    "services": {"domain": "amazonaws.com", "partition": "aws"},
}
DOCUMENT = {"instanceId": INSTANCE, "region": "us-east-1", "availabilityZone": "us-east-1a"}


def listing(node):
    """A directory of the metadata tree, as the service lists it."""
    return "\n".join(name + ("/" if isinstance(value, dict) and "=" not in name else "")
                     for name, value in node.items())


def lookup(path, user_data):
    """The body at a path; None when there is nothing."""
    parts = path.strip("/").split("/")[1:]
    if parts == ["user-data"]:
        return user_data
    if parts == ["dynamic", "instance-identity"] or parts == ["dynamic", "instance-identity", ""]:
        return "document"
    if parts == ["dynamic", "instance-identity", "document"]:
        return json.dumps(DOCUMENT)
    if not parts or parts[0] != "meta-data":
        return None
    node = META_DATA
    for part in parts[1:]:
        if not isinstance(node, dict):
            return None
        node = node.get(part, next((node[name] for name in node if name.split("=")[0] == part), None))
    return listing(node) if isinstance(node, dict) else node


class Handler(BaseHTTPRequestHandler):
    """IMDSv2: a token first, then the tree."""

    protocol_version = "HTTP/1.1"
    user_data = ""

    def reply(self, status, body):
        """Sends one answer."""
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        """Only /latest/api/token."""
        self.reply(200, TOKEN)

    def do_GET(self):
        """Everything else."""
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            return self.reply(401, "")
        body = lookup(self.path, self.user_data)
        return self.reply(404, "") if body is None else self.reply(200, body)

    def log_message(self, *_):
        """Quiet."""


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        Handler.user_data = file.read()
    ThreadingHTTPServer(("169.254.169.254", 80), Handler).serve_forever()
