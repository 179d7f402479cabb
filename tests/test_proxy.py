"""Container instances without a way out but a forward proxy: they join through it, and without it the reason is told.

A VPC with a public subnet, where tinyproxy runs, and a private one, whose route table knows nothing but the VPC.
"""

import re
import subprocess
import sys

import pytest

import clouds
import seed
import stacks
from waiting import until

PRIVATE = stacks.TEMPLATES / "private.yml"
PORT = 8888
PROXY_LOG = "/var/log/tinyproxy/tinyproxy.log"
# Debian's package installs from the image's own package source, as any other would on Amazon Linux.
PROXY = f"""#!/bin/bash
yum -y install tinyproxy
# Bookworm's package leaves it to root, and the log would go to syslog.
chown tinyproxy: /var/log/tinyproxy
cat >/etc/tinyproxy/tinyproxy.conf <<'END'
User tinyproxy
Group tinyproxy
Port {PORT}
Allow 10.0.0.0/8
ConnectPort 443
LogFile "{PROXY_LOG}"
LogLevel Connect
END
service tinyproxy restart
"""
# Each cluster's template, the name of its group of instances there, and what its parameters are.
CLUSTERS = {
    # The example as it is, whose instances reach the proxy's port and nothing else.
    "example": (
        clouds.ROOT / "examples/todobackend/template.yml",
        "ApplicationAutoscaling",
        {"InstanceType": "t3.micro", "DesiredCount": 1, "LogRetentionDays": 1, "ProxyPort": PORT},
    ),
    # The seed's first run. Its author's image has Docker stopped (cleanup.sh), so that it starts with the proxy; this
    # one is the plain base.
    "seed": (PRIVATE, "Group", {"FirstRun": "service docker stop && sh firstrun.sh"}),
}


@pytest.fixture(scope="module")
def images(cloud, image):
    """The image of the proxy's machine, and one with the seed's first run in it."""
    folder = f"{sys.prefix}/debs"
    names = ("tinyproxy", "tinyproxy-bin")
    subprocess.run([clouds.ROOT / "scripts/download-packages", folder, *names], check=True, timeout=120)
    added = [next(clouds.pathlib.Path(folder).glob(f"{name}_*.deb")) for name in names]
    options = [word for deb in added for word in ("--add", f"{deb}:/var/lib/drydock/packages/{deb.name}")]
    script = f"{seed.first_run()}:/home/ec2-user/firstrun.sh"
    return {
        "proxy": cloud.json("image", "create", "proxy", "--from", "ecs-base", *options)["id"],
        "cluster": cloud.json("image", "create", "cluster", "--from", "ecs-base", "--add", script)["id"],
    }


@pytest.fixture(scope="module")
def net(cloud):
    """The VPC, and its two subnets by name."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.0.0/24")["Subnet"]["SubnetId"]
    private = ec2.create_subnet(VpcId=vpc, CidrBlock="10.60.1.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=public, MapPublicIpOnLaunch={"Value": True})
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    return {"vpc": vpc, "public": public, "private": private}


class Proxy:
    """The proxy's machine and what it has seen."""

    def __init__(self, cloud, instance):
        self.cloud, self.id, self.address = cloud, instance["InstanceId"], instance["PrivateIpAddress"]
        self.url = f"http://{self.address}:{PORT}"

    def tunnels(self, client):
        """The hosts and ports to which a client had connections made, in order."""
        clients, found = {}, []
        for line in self.cloud.exec(self.id, "cat", PROXY_LOG).splitlines():
            if connect := re.search(r"Connect \(file descriptor (\d+)\): (\S+)", line):
                clients[connect[1]] = connect[2]
            elif request := re.search(r"Request \(file descriptor (\d+)\): (\S+) (\S+)", line):
                assert request[2] == "CONNECT", f"nothing is asked of the proxy in clear text: {line}"
                if clients[request[1]] == client:
                    found.append(request[3])
        return found


@pytest.fixture(scope="module")
def proxy(cloud, net, images):
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="proxy", Description="forward proxy", VpcId=net["vpc"])["GroupId"]
    inside = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, "IpRanges": [{"CidrIp": "10.60.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[inside])
    launched = ec2.run_instances(
        **{"ImageId": images["proxy"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1},
        **{"SubnetId": net["public"], "SecurityGroupIds": [group], "UserData": PROXY},
    )["Instances"][0]
    proxy = Proxy(cloud, launched)
    listens = ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}")
    until("the proxy listens", lambda: cloud.try_exec(proxy.id, *listens).returncode == 0)
    return proxy


def deploy(cloud, net, images, template, name, **values):
    """`drydock deploy` of the cluster into the private subnet; the caller looks at the exit code."""
    given = {"VpcId": net["vpc"], "Subnets": net["private"], "ImageId": images["cluster"], **values}
    return cloud.try_run(
        *("deploy", "--template-file", template, "--stack-name", name),
        *("--capabilities", "CAPABILITY_IAM", "--fail-fast"),
        *("--parameter-overrides", *(f"{key}={value}" for key, value in given.items())),
    )


@pytest.fixture(scope="module", params=CLUSTERS)
def member(request, cloud, net, images, proxy):
    """The container instance of a cluster that came up through the proxy, with its stack's name and its cluster's."""
    name, (template, _, parameters) = request.param, CLUSTERS[request.param]
    if name == "seed" and seed.directory() == seed.FIXTURE:
        pytest.skip("the fixture's first run knows no proxy")
    done = deploy(cloud, net, images, template, name, ProxyUrl=proxy.url, **parameters)
    assert done.returncode == 0, done.stdout + done.stderr
    [instance] = [one for one in cloud.instances("running") if one["SubnetId"] == net["private"]]
    outputs = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    [cluster] = [output["OutputValue"] for output in outputs if output["OutputKey"] == "Cluster"]
    yield instance, name, cluster
    cloud.delete_stack(name)


def aws(service):
    return f"{service}.{clouds.REGION}.amazonaws.com:443"


def test_the_cluster_has_its_instance(cloud, member):
    instance, name, cluster = member
    assert cloud.stack_status(name) == "CREATE_COMPLETE"
    assert "PublicIpAddress" not in instance
    ecs = cloud.client("ecs")
    [arn] = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    [found] = ecs.describe_container_instances(cluster=cluster, containerInstances=[arn])["containerInstances"]
    assert found["agentConnected"] and found["ec2InstanceId"] == instance["InstanceId"]


def test_every_service_was_reached_through_the_proxy(cloud, member, proxy):
    client = member[0]["PrivateIpAddress"]
    # It gathers what it ships for some seconds.
    until("the log agent has shipped", lambda: aws("logs") in proxy.tunnels(client), 30)
    tunnels = proxy.tunnels(client)
    # cfn-init and cfn-signal, the ECS agent's calls, its WebSocket.
    for service in ("cloudformation", "ecs"):
        assert aws(service) in tunnels, tunnels
    assert [host for host in tunnels if host.startswith("ecs-")], tunnels
    assert tunnels.count(aws("cloudformation")) >= 2, tunnels
    assert all(re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com:443", host) for host in tunnels), tunnels


def test_there_is_no_other_way(cloud, member, proxy):
    id = member[0]["InstanceId"]
    url = f"https://{aws('ecs')}/"
    ask = ("curl", "-sS", "--max-time", "2", "-o", "/dev/null", "-w", "%{http_code}")
    direct = cloud.try_exec(id, *ask, "--noproxy", "*", url)
    assert (direct.returncode, direct.stdout) == (28, "000"), direct
    through = cloud.try_exec(id, *ask, "--proxy", proxy.url, url)
    assert through.returncode == 0 and through.stdout.startswith("4"), through


def test_docker_asks_the_proxy(cloud, member, proxy):
    instance = member[0]
    registry = f"123456789012.dkr.ecr.{clouds.REGION}.amazonaws.com"
    cloud.try_exec(instance["InstanceId"], "timeout", "10", "docker", "pull", f"{registry}/none")
    assert f"{registry}:443" in proxy.tunnels(instance["PrivateIpAddress"])


def test_the_logs_came_through_the_proxy(cloud, member):
    instance, name, _ = member
    logs = cloud.client("logs")
    group = f"/{name}/ec2/{CLUSTERS[name][1]}/var/log/ecs/ecs-agent"

    instance_id = instance["InstanceId"]

    def messages():
        """What is in the stream, which is there some seconds after the first line was written."""
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"] if groups else []
        if not streams:
            return []
        assert [stream["logStreamName"] for stream in streams] == [instance_id]
        events = logs.get_log_events(logGroupName=group, logStreamName=instance_id)["events"]
        return [event["message"] for event in events]

    until("the agent's log is there", lambda: any("Connected to ACS" in text for text in messages()), 30)


def test_without_the_proxy_the_reason_is_told(cloud, net, images):
    done = deploy(cloud, net, images, PRIVATE, "lost", FirstRun="true", Timeout="PT15S")
    assert done.returncode == 255, done.stdout + done.stderr
    logical_id, status, reason = stacks.failure(cloud, "lost")
    assert (logical_id, status) == ("Group", "CREATE_FAILED")
    assert "Failed to receive 1 resource signal(s) within the specified duration" in reason
    told = f"there is no route to the AWS endpoints from {net['private']}"
    assert told in reason
    assert told in done.stdout
    until("rolled back", lambda: cloud.stack_status("lost") == "ROLLBACK_COMPLETE")
