"""A killed daemon carries on where it was; a stopped one leaves nothing and brings its machines back."""

import pytest

import leftovers
import stacks
from waiting import until


@pytest.fixture(scope="module", autouse=True)
def images(image):
    """Every test here launches from the base image."""


def status_of(cloud, stack, logical_id):
    found = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return next((one["ResourceStatus"] for one in found if one["LogicalResourceId"] == logical_id), None)


def console(cloud, words):
    found = cloud.instances()
    if not found or found[0]["State"]["Name"] != "running":
        return False
    shown = cloud.try_run("instances", "console", found[0]["InstanceId"])
    return words in shown.stdout


# Moments in the life of a deployment at which the daemon is killed.
MOMENTS = {
    "at once": lambda cloud, stack: True,
    "launch template made": lambda cloud, stack: status_of(cloud, stack, "Launch") == "CREATE_COMPLETE",
    "instance pending": lambda cloud, stack: cloud.instances("pending", "running") != [],
    "instance booting": lambda cloud, stack: any(cloud.machine(one["InstanceId"]) for one in cloud.instances()),
    "user data runs": lambda cloud, stack: console(cloud, "modules:final"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_deployment_survives_the_daemon(cloud, moment):
    name = moment.replace(" ", "-")
    stacks.create(cloud, name, Command="echo first; sleep 1; echo last")
    until(moment, lambda: MOMENTS[moment](cloud, name), 30, 0.005)
    cloud.kill()
    cloud.start()
    until("the stack is complete", lambda: cloud.stack_status(name) == "CREATE_COMPLETE", 60)
    # Done once, not twice.
    assert len(cloud.instances()) == 1
    completed = [
        event["LogicalResourceId"] for event in cloud.events(name) if event["ResourceStatus"] == "CREATE_COMPLETE"
    ]
    assert sorted(completed) == sorted(["Launch", "Group", name])
    [instance] = cloud.instances("running")
    assert cloud.exec(instance["InstanceId"], "hostname")
    cloud.delete_stack(name)


def test_a_failure_while_no_daemon_listens_is_still_told(cloud):
    stacks.create(cloud, "unheard", Command="sleep 1; echo went wrong; exit 4")
    until("user data runs", lambda: console(cloud, "modules:final"), 30, 0.01)
    cloud.kill()
    cloud.start()
    until("rolled back", lambda: cloud.stack_status("unheard") == "ROLLBACK_COMPLETE", 90)
    logical_id, _, reason = stacks.failure(cloud, "unheard")
    assert logical_id == "Group"
    assert "went wrong" in reason
    cloud.delete_stack("unheard")


def test_a_deletion_survives_the_daemon(cloud):
    stacks.create(cloud, "deleted")
    until("complete", lambda: cloud.stack_status("deleted") == "CREATE_COMPLETE", 60)
    cloud.client("cloudformation").delete_stack(StackName="deleted")
    cloud.kill()
    cloud.start()
    until("the stack is gone", lambda: cloud.stack_status("deleted") is None)
    until("its machines are gone", lambda: set(leftovers.processes(cloud.state)) == {cloud.status()["pid"]}, 20)
    assert leftovers.loops(cloud.state) == {}


def test_an_instance_outlives_the_daemon(cloud):
    stacks.create(cloud, "outlives")
    until("complete", lambda: cloud.stack_status("outlives") == "CREATE_COMPLETE", 60)
    [instance] = cloud.instances("running")
    machine = cloud.machine(instance["InstanceId"])
    cloud.kill()
    assert cloud.machine(instance["InstanceId"]) == machine
    cloud.start()
    assert [one["InstanceId"] for one in cloud.instances("running")] == [instance["InstanceId"]]
    assert cloud.machine(instance["InstanceId"]) == machine
    assert cloud.exec(instance["InstanceId"], "curl", "-sf", "http://169.254.169.254/latest/meta-data/instance-id")


def test_stop_leaves_nothing_and_start_brings_back(cloud):
    """Goes on with the stack of the test before."""
    [instance] = cloud.instances("running")
    id = instance["InstanceId"]
    cloud.exec(id, "sh", "-c", "echo kept >/root/kept")
    first_boot = cloud.exec(id, "cat", "/proc/sys/kernel/random/boot_id", "/etc/machine-id")
    cloud.stop()
    assert leftovers.of_cloud(cloud.state) == {}
    cloud.start()
    until("the instance runs again", lambda: [one["InstanceId"] for one in cloud.instances("running")] == [id], 30)
    until("its init answers", lambda: cloud.try_exec(id, "true").returncode == 0, 30)
    assert cloud.exec(id, "cat", "/root/kept") == "kept\n"
    assert cloud.exec(id, "cat", "/etc/machine-id") == first_boot.splitlines()[1] + "\n"
    [again] = cloud.instances("running")
    assert again["PrivateIpAddress"] == instance["PrivateIpAddress"]
    assert cloud.stack_status("outlives") == "CREATE_COMPLETE"
    cloud.delete_stack("outlives")


def test_a_dead_cloud_can_be_swept(fresh_cloud, base_layers):
    """`reset` after a SIGKILL finds the machines that no daemon looks after; the fixture checks that none is left."""
    fresh_cloud.run("image", "create", "ecs-base")
    ec2 = fresh_cloud.client("ec2")
    [image] = ec2.describe_images(Owners=["amazon"])["Images"]
    ec2.run_instances(ImageId=image["ImageId"], MinCount=2, MaxCount=2, InstanceType="t3.micro")
    until("both run", lambda: len(fresh_cloud.instances("running")) == 2, 30)
    fresh_cloud.kill()
    assert "processes" in leftovers.of_cloud(fresh_cloud.state)
    fresh_cloud.run("cloud", "reset", "--yes")
    assert leftovers.of_cloud(fresh_cloud.state) == {}
