"""What must fail, and how: with the reason, soon, and without a stack left behind where nothing was begun."""

import json
import re
import time

import pytest

import stacks
from waiting import until


@pytest.fixture(scope="module", autouse=True)
def images(image):
    """Every test here launches from the base image."""


# Instances that fail.


def test_a_first_run_that_fails_is_named_with_its_last_output(cloud):
    done = cloud.aws(
        *("cloudformation", "deploy", "--template-file", stacks.GROUP, "--stack-name", "failing"),
        "--parameter-overrides",
        *stacks.words(cloud, Command="echo about to give up; echo cannot reach the moon >&2; exit 7"),
    )
    assert done.returncode == 255, done.stderr
    assert "Failed to create/update the stack" in done.stderr
    logical_id, status, reason = stacks.failure(cloud, "failing")
    assert (logical_id, status) == ("Group", "CREATE_FAILED")
    assert "Received 1 FAILURE signal(s) out of 1" in reason
    assert "10_first_run" in reason
    assert "cannot reach the moon" in reason
    assert re.search(r"exit code 7\b", reason)
    until("rolled back", lambda: cloud.stack_status("failing") == "ROLLBACK_COMPLETE")
    statuses = [event["ResourceStatus"] for event in cloud.events("failing")]
    assert statuses[-1] == "ROLLBACK_COMPLETE"
    assert cloud.instances() == []
    cloud.delete_stack("failing")


def test_drydock_tells_the_same(cloud):
    done = stacks.deploy(cloud, "told", Command="echo no such disk; false")
    assert done.returncode == 255
    assert "CREATE_FAILED" in done.stdout
    assert "10_first_run" in done.stdout and "no such disk" in done.stdout
    assert "ROLLBACK_COMPLETE" in done.stdout
    cloud.delete_stack("told")


def test_one_that_never_signals_times_out(cloud):
    stacks.create(cloud, "silent", Timeout="PT15S", UserData="#!/bin/bash\necho waiting for the end\nsleep 600\n")
    begun = time.monotonic()
    until("rolled back", lambda: cloud.stack_status("silent") == "ROLLBACK_COMPLETE", 90)
    assert time.monotonic() - begun > 14
    logical_id, status, reason = stacks.failure(cloud, "silent")
    assert (logical_id, status) == ("Group", "CREATE_FAILED")
    assert "Failed to receive 1 resource signal(s) within the specified duration" in reason
    # What the author of the template wants to know: how far it came.
    assert "waiting for the end" in reason
    cloud.delete_stack("silent")


@pytest.mark.parametrize("command", ["deploy", "up"])
def test_fail_fast_does_not_wait_for_what_cannot_come(cloud, tmp_path, command):
    script = "#!/bin/bash\necho forgot to signal\nexit 3\n"
    name = f"hasty-{command}"
    begun = time.monotonic()
    if command == "deploy":
        done = stacks.deploy(cloud, name, "--fail-fast", Timeout="PT10M", UserData=script)
    else:
        parameters = {"Subnets": stacks.subnets(cloud), "Timeout": "PT10M", "UserData": script}
        lines = [f"{key} = {json.dumps(value)}" for key, value in parameters.items()]
        head = f'[stack]\nname = "{name}"\ntemplate = "{stacks.GROUP}"\n[stack.parameters]\n'
        (tmp_path / "drydock.toml").write_text(head + "\n".join(lines) + "\n")
        done = cloud.try_run("up", tmp_path)
    assert done.returncode == 255, done.stderr
    assert time.monotonic() - begun < 120
    logical_id, status, reason = stacks.failure(cloud, name)
    assert (logical_id, status) == ("Group", "CREATE_FAILED")
    assert "forgot to signal" in done.stdout
    assert "FAILURE signal" in reason and "forgot to signal" in reason
    assert cloud.stack_status(name) == "ROLLBACK_COMPLETE"
    cloud.delete_stack(name)


def test_a_failed_update_goes_back(cloud):
    done = stacks.deploy(cloud, "updated", Count=1)
    assert done.returncode == 0, done.stdout + done.stderr
    [before] = cloud.instances("running")
    # More than the group's MaxSize.
    done = stacks.deploy(cloud, "updated", Count=9)
    assert done.returncode == 255
    assert cloud.stack_status("updated") == "UPDATE_ROLLBACK_COMPLETE"
    assert [instance["InstanceId"] for instance in cloud.instances("running")] == [before["InstanceId"]]
    cloud.delete_stack("updated")


# Input that cannot be deployed: template, parameters, and what the error says. A place is a line of the template.

HEAD = "Parameters:\n  Name: {Type: String, Default: x}\n"
CLUSTER = "Resources:\n  Cluster:\n    Type: AWS::ECS::Cluster\n"
ROLE = """Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: a.b}, Action: "sts:AssumeRole"}]}
"""
LAUNCH = """Resources:
  Launch:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties:
      ImageId: %s
      InstanceType: t2.micro
      KeyName: %s
"""

BAD = {
    "broken YAML": ("Resources:\n  A:\n    Type: AWS::ECS::Cluster\n   B: x\n", [], ["line 4"]),
    "broken JSON": ('{"Resources": {\n "A": }}', [], ["line 2"]),
    "no resources": ("Description: nothing\n", [], ["Resources"]),
    "an unknown section": (CLUSTER + "Resource: {}\n", [], ["line 4", "Resource", "did you mean"]),
    "an unknown function": (
        CLUSTER + "    Properties:\n      ClusterName: !Subb x\n",
        [],
        ["line 5", "!Subb", "did you mean '!Sub'"],
    ),
    "a reference to nothing": (
        CLUSTER + "    Properties:\n      ClusterName: !Ref Nmae\n",
        [],
        ["line 5", "Nmae"],
    ),
    "a cycle": (
        "Resources:\n  A:\n    Type: AWS::ECS::Cluster\n    DependsOn: B\n"
        "  B:\n    Type: AWS::ECS::Cluster\n    DependsOn: A\n",
        [],
        ["line 2", "Circular dependency between resources: [A, B]"],
    ),
    "a parameter without a value": (
        "Parameters:\n  Name: {Type: String}\n" + CLUSTER,
        [],
        ["Parameters: [Name] must have values"],
    ),
    "a parameter that is no number": (
        "Parameters:\n  Count: {Type: Number}\n" + CLUSTER,
        ["Count=many"],
        ["Count", "must be a number"],
    ),
    "a parameter below its limit": (
        "Parameters:\n  Count: {Type: Number, MinValue: 2}\n" + CLUSTER,
        ["Count=1"],
        ["Count", "not less than 2"],
    ),
    "a parameter that is not allowed": (
        "Parameters:\n  Size: {Type: String, AllowedValues: [small, big]}\n" + CLUSTER,
        ["Size=huge"],
        ["Size", "AllowedValues"],
    ),
    "a VPC that is not there": (
        "Parameters:\n  Vpc: {Type: 'AWS::EC2::VPC::Id'}\n" + CLUSTER,
        ["Vpc=vpc-0123abcd"],
        ["vpc-0123abcd", "Vpc", "does not exist"],
    ),
    "a subnet that is not there": (
        "Parameters:\n  Nets: {Type: 'List<AWS::EC2::Subnet::Id>'}\n" + CLUSTER,
        ["Nets=subnet-0123abcd"],
        ["subnet-0123abcd", "Nets", "does not exist"],
    ),
    "a missing capability": (ROLE, [], ["CAPABILITY_IAM"]),
    "an image that is not there": (
        LAUNCH % ("ami-0123abcd", "admin"),
        [],
        ["line 5", "ami-0123abcd"],
    ),
    "a key pair that is not there": (
        LAUNCH % ("!Ref Image", "nobody") + "Parameters: {Image: {Type: String}}\n",
        ["Image={image}"],
        ["line 7", "nobody"],
    ),
    "an unsupported type": (
        "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n",
        [],
        ["line 3", "AWS::S3::Bucket"],
    ),
    "an unsupported property": (
        CLUSTER + "    Properties:\n      ClusterColour: red\n",
        [],
        ["line 5", "ClusterColour"],
    ),
    "an ill-typed property": (
        CLUSTER + "    Properties:\n      ClusterName: [a]\n",
        [],
        ["line 5", "ClusterName"],
    ),
    "an attribute that the type has not": (
        CLUSTER + "Outputs:\n  O:\n    Value: !GetAtt Cluster.Endpoint\n",
        [],
        ["line 6", "Endpoint"],
    ),
    "an unsupported policy": (
        CLUSTER + "    UpdatePolicy: {AutoScalingRollingUpdate: {PauseTime: PT1S}}\n",
        [],
        ["line 4", "UpdatePolicy"],
    ),
}


@pytest.mark.parametrize("client", ["aws", "drydock"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_leaves_no_stack(cloud, image, tmp_path, case, client):
    text, parameters, expected = BAD[case]
    template = tmp_path / "bad.yml"
    template.write_text(text)
    arguments = ["deploy", "--template-file", template, "--stack-name", "bad"]
    if parameters:
        arguments += ["--parameter-overrides", *(word.format(image=image) for word in parameters)]
    done = cloud.aws("cloudformation", *arguments) if client == "aws" else cloud.try_run(*arguments)
    # The AWS command line tells its own refusals (252, 253) from the service's (254) and from failed deployments (255).
    assert done.returncode in (253, 254, 255), done.stdout + done.stderr
    said = done.stderr if client == "aws" else done.stderr + done.stdout
    for words in expected:
        if client == "drydock" and (place := re.fullmatch(r"line (\d+)", words)):
            # Drydock shows the place in the file where it has read the template itself.
            assert words in said or f"bad.yml:{place[1]}:" in said, said
        else:
            assert words in said, said
    assert "Traceback" not in said and "panicked" not in said
    assert cloud.stack_status("bad") is None
    summaries = cloud.client("cloudformation").list_stacks()["StackSummaries"]
    assert "bad" not in [summary["StackName"] for summary in summaries]


def test_drydock_refuses_files_that_are_not_there(cloud, tmp_path):
    done = cloud.try_run("deploy", "--template-file", tmp_path / "none.yml", "--stack-name", "bad")
    assert done.returncode == 253
    assert "none.yml" in done.stderr
    done = cloud.try_run(
        *("deploy", "--template-file", stacks.GROUP, "--stack-name", "bad"),
        *("--parameter-overrides", tmp_path / "none.cfg"),
    )
    assert done.returncode == 253
    assert "none.cfg" in done.stderr
