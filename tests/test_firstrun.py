"""`firstrun` on a real container instance: it joins, a second run leaves it alone, and what is wrong is told."""

import contextlib
import json

import pytest

import clouds
from waiting import until

FIRSTRUN = "/opt/drydock/bin/firstrun"
GROUPS = "/web/ec2/Group/var/log/"
SETTINGS = ["--stack", "web", "--group", "Group", "--health-timeout", "30s"]


@pytest.fixture(scope="module")
def member(cloud, base_layers):
    """An instance of the example's cluster, and the cluster."""
    done = cloud.try_run("up", clouds.ROOT / "examples/ecs-cluster", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    [instance] = cloud.instances("running")
    [arn] = cloud.client("ecs").list_clusters()["clusterArns"]
    # The example's instances ship no logs.
    iam = cloud.client("iam")
    [role] = [role["RoleName"] for role in iam.list_roles()["Roles"] if "InstanceRole" in role["RoleName"]]
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:logs:*:*:log-group:{GROUPS}*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="logs", PolicyDocument=policy)
    return instance["InstanceId"], arn.rsplit("/", 1)[1]


def firstrun(cloud, member, *arguments, cluster=None):
    id, own = member
    command = [FIRSTRUN, *arguments, "--cluster", cluster or own, *SETTINGS]
    return cloud.try_run("instances", "exec", id, "--", *command)


def test_it_configures_starts_and_waits_and_is_then_left_alone(cloud, member):
    id, cluster = member
    dry = firstrun(cloud, member, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "+++ /etc/awslogs/awslogs.conf" in dry.stdout and "nothing was written" in dry.stdout
    assert firstrun(cloud, member, "check").returncode == 1

    done = firstrun(cloud, member)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrote /etc/awslogs/awslogs.conf" in done.stdout
    assert "firstrun: service awslogs started\n" in done.stdout
    assert (
        f"the ECS agent has joined {cluster} as arn:aws:ecs:us-east-1:123456789012:container-instance/" in done.stdout
    )
    again = firstrun(cloud, member)
    assert again.returncode == 0 and "wrote" not in again.stdout and "started" not in again.stdout, again.stdout
    checked = firstrun(cloud, member, "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The region was not given: the instance knows it.
    assert "region = us-east-1\n" in cloud.exec(id, "cat", "/etc/awslogs/awscli.conf")


def test_the_log_agent_ships_what_firstrun_configured(cloud, member):
    id, _ = member
    planned = cloud.exec(id, "/usr/libexec/drydock/awslogs-agent", "check")
    assert planned.count("\nto          /web/ec2/Group/var/log/") == 6, planned
    assert planned.count(f" {id}\n") == 6, planned
    logs = cloud.client("logs")

    def come():
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            found = logs.filter_log_events(logGroupName=f"{GROUPS}messages", logStreamNamePrefix=id)["events"]
            return {event["message"] for event in found}

    messages = until("lines of the instance have come", come, 30)
    assert messages <= set(cloud.exec(id, "cat", "/var/log/messages").splitlines())


def test_another_cluster_is_told_as_what_stands_in_the_way(cloud, member):
    done = firstrun(cloud, member, "check", cluster="elsewhere")
    assert done.returncode == 1
    assert f"the ECS agent is not in elsewhere: it has joined {member[1]} instead" in done.stdout, done.stdout


def test_hostile_values_change_nothing(cloud, member):
    id, cluster = member
    before = cloud.exec(id, "cat", "/etc/ecs/ecs.config")
    done = firstrun(cloud, member, cluster=f"{cluster}\nECS_BACKEND_HOST=https://elsewhere")
    assert done.returncode == 2
    assert "ECS_CLUSTER is not a cluster's name" in done.stderr
    assert cloud.exec(id, "cat", "/etc/ecs/ecs.config") == before
