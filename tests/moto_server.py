"""Another implementation of the AWS API: moto's server, for one test file."""

import contextlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import boto3
import botocore.config

import clouds
from waiting import until

KEY = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class Moto:
    """A running server, and clients of it."""

    def __init__(self, port):
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, service, region=clouds.REGION):
        config = botocore.config.Config(retries={"max_attempts": 1})
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region, config=config, **KEY)

    def environment(self):
        """The environment of a client that is told of nothing but the key."""
        return clouds.environment(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def running():
    """A server on a free port, as long as the block lasts."""
    port = clouds.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, AWS_REGION=clouds.REGION))
        try:
            moto = Moto(port)
            until("moto's server to answer", moto.answers)
            yield moto
        finally:
            server.terminate()
            server.wait(timeout=20)
