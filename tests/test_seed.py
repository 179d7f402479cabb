"""The acceptance: somebody's cluster of 2017 deploys unchanged, is what it says, and leaves nothing.

The tests follow one stack through its life, in the order they are written in.
"""

import os
import signal
import time

import pytest

import leftovers
import seed
from waiting import until

STACK = "todobackend"


@pytest.fixture(scope="module")
def adopted(cloud, image):
    cloud.run(
        "image", "create", "seed", "--from", "ecs-base", "--add", f"{seed.first_run()}:/home/ec2-user/firstrun.sh"
    )
    cloud.run("cloud", "adopt", *seed.ids("seed"))
    return cloud


def deploy(cloud, *overrides):
    """What the seed's README does, word for word."""
    # The AWS command line names its change sets after the second.
    second = int(time.time())
    until("the next second", lambda: int(time.time()) != second, 2, 0.05)
    return cloud.aws(
        *("cloudformation", "deploy", "--template-file", seed.stack(), "--stack-name", STACK),
        *("--parameter-overrides", *(overrides or seed.parameters())),
        *("--capabilities", "CAPABILITY_NAMED_IAM"),
    )


@pytest.fixture(scope="module")
def deployed(adopted):
    done = deploy(adopted)
    assert done.returncode == 0, (
        done.stderr
        + done.stdout
        + "\n".join(
            f"{event['LogicalResourceId']} {event['ResourceStatus']} {event.get('ResourceStatusReason', '')}"
            for event in (adopted.events(STACK) if adopted.stack_status(STACK) else [])
        )
    )
    assert "Successfully created/updated stack - todobackend" in done.stdout
    return adopted


@pytest.fixture(scope="module")
def resources(deployed):
    """The stack's resources: physical ids by type."""
    found = deployed.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    return {resource["ResourceType"]: resource["PhysicalResourceId"] for resource in found}


@pytest.fixture(scope="module")
def cluster(resources):
    return resources["AWS::ECS::Cluster"]


@pytest.fixture(scope="module")
def group(resources):
    return resources["AWS::AutoScaling::AutoScalingGroup"]


def registered(cloud, cluster):
    """Container instances that are active and connected: their EC2 ids."""
    ecs = cloud.client("ecs")
    arns = ecs.list_container_instances(cluster=cluster, status="ACTIVE")["containerInstanceArns"]
    if not arns:
        return set()
    found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"]
    return {instance["ec2InstanceId"] for instance in found if instance["agentConnected"]}


def members(cloud, group):
    answer = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return {
        instance["InstanceId"]: instance["LifecycleState"] for instance in answer["AutoScalingGroups"][0]["Instances"]
    }


def in_service(cloud, group):
    return {id for id, state in members(cloud, group).items() if state == "InService"}


def test_the_stack_is_complete(deployed):
    deployed.aws_json("cloudformation", "wait", "stack-create-complete", "--stack-name", STACK)
    assert deployed.stack_status(STACK) == "CREATE_COMPLETE"
    signals = [
        event
        for event in deployed.events(STACK)
        if "signal" in event.get("ResourceStatusReason", "").lower() and "UniqueId" in event["ResourceStatusReason"]
    ]
    assert len(signals) == 1, signals


def test_the_cluster_counts_one_instance(deployed, cluster):
    clusters = deployed.aws_json("ecs", "describe-clusters", "--clusters", cluster)["clusters"]
    assert [(one["status"], one["registeredContainerInstancesCount"]) for one in clusters] == [("ACTIVE", 1)]


def test_the_instance_is_the_groups(deployed, cluster, group):
    [id] = in_service(deployed, group)
    assert registered(deployed, cluster) == {id}
    [instance] = deployed.instances("running")
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert instance["InstanceId"] == id
    assert instance["ImageId"] == seed.parameter("ApplicationImageId")
    assert instance["SubnetId"] in seed.parameter("ApplicationSubnets")
    assert instance["KeyName"] == "admin"
    assert tags["aws:autoscaling:groupName"] == group
    assert tags["Name"].startswith(STACK)


def test_docker_answers_inside(deployed):
    [instance] = deployed.instances("running")
    info = deployed.exec(instance["InstanceId"], "docker", "info")
    assert "Storage Driver: overlay2" in info
    assert "Containers: " in info


def test_waiters_end(deployed):
    [id] = [instance["InstanceId"] for instance in deployed.instances("running")]
    for waiter in ("instance-running", "instance-status-ok"):
        done = deployed.aws("ec2", "wait", waiter, "--instance-ids", id, timeout=60)
        assert done.returncode == 0, done.stderr


def test_first_run_did_what_it_does(deployed, cluster):
    [id] = [instance["InstanceId"] for instance in deployed.instances("running")]
    assert f"ECS_CLUSTER={cluster}" in deployed.exec(id, "cat", "/etc/ecs/ecs.config")
    assert deployed.exec(id, "stat", "-c", "%u:%g", "/data/public").strip() == "1000:1000"
    assert "is running" in deployed.exec(id, "service", "awslogs", "status")
    assert f'"Cluster":"{cluster}"' in deployed.exec(id, "curl", "-s", "localhost:51678/v1/metadata").replace(" ", "")
    assert deployed.exec(id, "cat", "/var/log/cfn-init.log")


def test_drydock_shows_and_verifies_it(deployed):
    [instance] = deployed.json("instances", "ls", "--stack", STACK)
    assert instance["phase"]["name"] == "registered"
    verified = deployed.json("verify", STACK)
    assert verified["verified"] is True
    assert all(check["holds"] for check in verified["checks"])


def test_the_same_again_changes_nothing(deployed):
    done = deploy(deployed)
    # Version 1 of the AWS command line takes this for a failure.
    assert done.returncode in (0, 255), done.stderr
    assert "No changes to deploy. Stack todobackend is up to date" in done.stdout + done.stderr


def test_three_by_update(deployed, cluster, group):
    before = in_service(deployed, group)
    done = deploy(deployed, "ApplicationDesiredCount=3")
    assert done.returncode == 0, done.stderr
    assert deployed.stack_status(STACK) == "UPDATE_COMPLETE"
    until("three are registered", lambda: len(registered(deployed, cluster)) == 3)
    assert registered(deployed, cluster) == in_service(deployed, group) > before


def test_an_instance_killed_from_outside_is_replaced(deployed, cluster, group):
    victim = sorted(in_service(deployed, group))[0]
    os.kill(deployed.machine(victim), signal.SIGKILL)
    until("the victim's container instance is gone", lambda: victim not in registered(deployed, cluster))
    until("the victim has left the group", lambda: victim not in members(deployed, group))
    until("three are registered again", lambda: len(registered(deployed, cluster) - {victim}) == 3)
    activities = deployed.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    causes = [activity["Cause"] for activity in activities if victim in activity["Description"]]
    assert any("health" in cause for cause in causes), causes
    assert deployed.machine(victim) is None


def test_a_terminated_instance_leaves_the_cluster(deployed, cluster, group):
    victim = sorted(in_service(deployed, group))[0]
    ecs = deployed.client("ecs")
    deployed.client("ec2").terminate_instances(InstanceIds=[victim])
    deployed.aws_json("ec2", "wait", "instance-terminated", "--instance-ids", victim, timeout=60)
    assert deployed.machine(victim) is None

    def listed():
        arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
        if not arns:
            return set()
        found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"]
        return {instance["ec2InstanceId"] for instance in found}

    until("its container instance is gone", lambda: victim not in listed())
    until("another has taken its place", lambda: len(registered(deployed, cluster) - {victim}) == 3)


def drydock_deploy(cloud, *overrides):
    """The same by Drydock's own command, which follows the stack instead of asking every 30 seconds."""
    return cloud.try_run(
        *("deploy", "--template-file", seed.stack(), "--stack-name", STACK),
        *("--parameter-overrides", seed.configuration(), *overrides),
        *("--capabilities", "CAPABILITY_NAMED_IAM"),
    )


def test_none_by_update(deployed, cluster, group):
    done = drydock_deploy(deployed, "ApplicationDesiredCount=0")
    assert done.returncode == 0, done.stderr
    until("the group is empty", lambda: not members(deployed, group))
    until("no instance is left", lambda: not deployed.instances("pending", "running", "shutting-down", "stopping"))
    [described] = deployed.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    assert described["registeredContainerInstancesCount"] == 0
    assert leftovers.loops(deployed.state) == {}


def test_one_again(deployed, cluster):
    done = drydock_deploy(deployed)
    assert done.returncode == 0, done.stderr
    until("one is registered", lambda: len(registered(deployed, cluster)) == 1)


def test_deleting_removes_everything(deployed, resources):
    stack_id = deployed.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    done = deployed.aws("cloudformation", "delete-stack", "--stack-name", STACK)
    assert done.returncode == 0, done.stderr
    # The waiter looks every 30 seconds, and now once.
    until("the stack is gone", lambda: deployed.stack_status(STACK) is None)
    done = deployed.aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK, timeout=120)
    assert done.returncode == 0, done.stderr
    assert deployed.stack_status(STACK) is None
    assert deployed.stack_status(stack_id) == "DELETE_COMPLETE"
    assert deployed.instances("pending", "running", "shutting-down", "stopping", "stopped") == []
    assert deployed.client("ec2").describe_volumes()["Volumes"] == []
    groups = deployed.client("ec2").describe_security_groups()["SecurityGroups"]
    assert {group["GroupName"] for group in groups} == {"default"}
    assert deployed.client("iam").list_instance_profiles()["InstanceProfiles"] == []
    roles = deployed.client("iam").list_roles()["Roles"]
    assert resources["AWS::IAM::Role"] not in {role["RoleName"] for role in roles}
    assert deployed.client("ecs").list_clusters()["clusterArns"] == []


def test_the_host_has_nothing_of_the_machines(deployed):
    daemon = deployed.status()["pid"]
    assert set(leftovers.processes(deployed.state)) == {daemon}
    assert leftovers.loops(deployed.state) == {}
    files = [path for path in os.listdir(f"{deployed.state}/instances")]
    assert files == []


def test_stopping_leaves_nothing(deployed):
    deployed.stop()
    assert leftovers.of_cloud(deployed.state) == {}
