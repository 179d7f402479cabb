#!/usr/bin/env python3
"""Compares the codecs with botocore on random messages for every supported operation.

Requests: botocore serializes and signs random parameters, we verify and decode them; both must hold the same.
Answers: we encode a random output, botocore parses it; both must hold the same.
Errors: we refuse a request signed with another secret, botocore reads the refusal's code.

    cargo build -p aws-wire --example wire-echo
    python3 crates/aws-wire/tests/botocore_agrees.py target/debug/examples/wire-echo [ROUNDS [SEED]]
"""

import base64
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tomllib
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize

CRATE = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ["", "a", "x y", "a&b=c+d%", '<"tag" & \'quote\'>', "üñí ☂ 𝄞", "line\nline", "  padded  ", "true", "12"]
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
# The error code that each protocol has for a request signed with the wrong secret.
WRONG_SECRET = {"ec2": "AuthFailure", "query": "SignatureDoesNotMatch", "json": "InvalidSignatureException"}
UTC = datetime.timezone.utc


class Sample:
    """Random values for shapes, in botocore's form."""

    def __init__(self, rng):
        self.rng = rng

    def value(self, shape, depth=0):
        kind = shape.type_name
        if kind == "structure":
            if getattr(shape, "is_document_type", False):
                return {"any": ["thing", 1, None]}
            return self.structure(shape, depth)
        if kind == "list":
            return [
                self.value(shape.member, depth + 1)
                for _ in range(self.rng.choice([0, 1, 2, 11]) if depth < 3 else 1)
            ]
        if kind == "map":
            return {f"key {n}": self.value(shape.value, depth + 1) for n in range(self.rng.choice([0, 1, 2]))}
        if kind in ("string", "character"):
            return self.text(shape)
        if kind == "integer":
            return self.number(shape, [0, 1, -1, 2**31 - 1])
        if kind == "long":
            return self.number(shape, [0, 2**53 - 1, -5])
        if kind in ("float", "double"):
            return self.rng.choice([0.0, 1.5, -2.25])
        if kind == "boolean":
            return self.rng.choice([True, False])
        if kind == "timestamp":
            return datetime.datetime(2026, 2, 3, 4, 5, self.rng.randrange(60), tzinfo=UTC)
        if kind == "blob":
            return self.rng.choice([b"", b"\x00\xff", b"text"])
        raise ValueError(kind)

    def text(self, shape):
        """A text that the model allows."""
        if shape.enum:
            return self.rng.choice(shape.enum)
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 1000)
        allowed = [text for text in TEXTS if least <= len(text) <= most]
        return self.rng.choice(allowed or ["x" * least])

    def number(self, shape, candidates):
        """A number that the model allows."""
        least, most = shape.metadata.get("min", -(2**60)), shape.metadata.get("max", 2**60)
        return self.rng.choice([number for number in candidates if least <= number <= most] or [least])

    def structure(self, shape, depth):
        chance = {0: 0.8, 1: 0.6, 2: 0.4}.get(depth, 0.15)
        wanted = [
            name for name in shape.members if name in shape.required_members or (depth < 6 and self.rng.random() < chance)
        ]
        members = {name: self.value(shape.members[name], depth + 1) for name in wanted}
        for name in shape.required_members:
            # Form parameters cannot tell a required list or map that is empty from one that is missing.
            while members[name] in ([], {}):
                members[name] = self.value(shape.members[name], depth + 1)
        if depth and shape.members and all(member in ([], {}) for member in members.values()):
            # Form parameters cannot carry a structure in which nothing is.
            members.update(self.filler(shape, depth))
        return members

    def filler(self, shape, depth):
        """One member that is not empty, a scalar if there is one."""
        scalars = [name for name, member in shape.members.items() if member.type_name not in ("structure", "list", "map")]
        name = (scalars or list(shape.members))[0]
        member = shape.members[name]
        if member.type_name == "list":
            return {name: [self.value(member.member, depth + 1)]}
        return {name: self.value(member, depth + 1)}


def comparable(value, shape):
    """The stored form of a value: no empty list or map, texts for times and bytes."""
    if shape.type_name == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        members = {name: comparable(value[name], member) for name, member in shape.members.items() if name in value}
        return {name: member for name, member in members.items() if not is_empty(member, shape.members[name])}
    if shape.type_name == "list":
        return [comparable(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: comparable(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def is_empty(value, shape):
    return shape.type_name in ("list", "map") and not value


class Echo:
    """The example program wire-echo."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def http_message(model, serialized, presign):
    """The request that botocore sends, signed in its headers or in its query string."""
    body = serialized["body"]
    url = f"https://{model.endpoint_prefix}.us-east-1.amazonaws.com{serialized['url_path']}"
    method, headers, signer = serialized["method"], serialized["headers"], botocore.auth.SigV4Auth
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body, doseq=True)
        if presign:
            method, url, body, headers, signer = "GET", f"{url}?{body}", "", {}, botocore.auth.SigV4QueryAuth
    request = botocore.awsrequest.AWSRequest(method, url, headers, body)
    credentials = botocore.credentials.Credentials("AKIDEXAMPLE", SECRET, "token/+==")
    signer(credentials, model.signing_name, "us-east-1").add_auth(request)
    prepared = request.prepare()
    split = urllib.parse.urlsplit(prepared.url)
    headers = [["host", split.netloc]] + [[name, as_text(value)] for name, value in prepared.headers.items()]
    uri = f"{split.path}?{split.query}" if split.query else split.path
    return {"method": method, "uri": uri, "headers": headers, "body": as_text(prepared.body or ""), "secret": SECRET}


def as_text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def load(service):
    """botocore's model, with the members that our patches add put in."""
    description = botocore.loaders.Loader().load_service_model(service, "service-2")
    pruned = json.loads((CRATE / "models" / f"{service}.json").read_text())
    for name, shape in pruned["shapes"].items():
        for member, reference in shape.get("members", {}).items():
            description["shapes"][name]["members"].setdefault(member, reference)
    return botocore.model.ServiceModel(description, service)


def check_answer(echo, model, operation, sample, message):
    """Compares an answer, and tells how it differs."""
    output = sample.value(operation.output_shape) if operation.output_shape else {}
    stored = comparable(output, operation.output_shape) if operation.output_shape else {}
    answer = echo.ask({**message, "output": stored})
    if answer.get("status") != 200:
        return f"output {json.dumps(stored)}\n  ours: {json.dumps(answer)}"
    parsed = parse(model, operation, answer)
    if not parsed.pop("ResponseMetadata").get("RequestId"):
        return f"answer {answer['body'][:2000]} has no request id"
    found = comparable(parsed, operation.output_shape) if operation.output_shape else parsed
    if found != stored:
        return f"answer {answer['body'][:2000]}\n  ours:     {json.dumps(stored)}\n  botocore: {json.dumps(found)}"
    return None


def check(echo, model, operation, sample):
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], False)
    params = sample.value(operation.input_shape) if operation.input_shape else {}
    presign = sample.rng.random() < 0.3
    message = http_message(model, serializer.serialize_to_request(params, operation), presign)
    expected = comparable(params, operation.input_shape) if operation.input_shape else {}
    found = echo.ask(message)
    if found != {"input": expected}:
        return f"request {message['body'][:2000]}\n  ours:     {json.dumps(found)}\n  botocore: {json.dumps(expected)}"
    # The service frames a stream of events itself; tests with real clients read it.
    difference = None if operation.has_event_stream_output else check_answer(echo, model, operation, sample, message)
    if difference:
        return difference
    refused = echo.ask({**message, "secret": "another"})
    error = parse_refusal(model, refused)["Error"]
    if error["Code"] != WRONG_SECRET[model.metadata["protocol"]] or not error["Message"]:
        return f"refusal {json.dumps(refused)}\n  botocore: {json.dumps(error)}"
    return None


def parse_refusal(model, answer):
    """What botocore makes of a refusal, which has the same form for every operation."""
    return parse(model, None, answer)


def parse(model, operation, answer):
    """What botocore makes of an answer."""
    parser = botocore.parsers.create_parser(model.metadata["protocol"])
    headers = botocore.awsrequest.HeadersDict(answer["headers"])
    response = {"status_code": answer["status"], "headers": headers, "body": answer["body"].encode(), "context": {}}
    return parser.parse(response, operation and operation.output_shape)


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int.from_bytes(os.urandom(4), "big")
    sample = Sample(random.Random(seed))
    echo = Echo(program)
    selected = tomllib.loads((CRATE / "models" / "operations.toml").read_text())
    failed = checked = 0
    for service, selection in selected.items():
        model = load(service)
        for name in selection["operations"]:
            for _ in range(rounds):
                checked += 1
                difference = check(echo, model, model.operation_model(name), sample)
                if difference:
                    failed += 1
                    print(f"{service} {name}: {difference}\n", file=sys.stderr)
                    break
    print(f"{checked} messages each way, {failed} operations differ (seed {seed})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
