"""What instances reach: what their security groups and route tables allow, and nothing else."""

import os
import subprocess

import pytest

from waiting import until

# The seed's three ways out.
EGRESS = [("udp", 53), ("tcp", 80), ("tcp", 443)]
SERVER = """#!/bin/bash
cd /srv && echo here >index.html
for port in 80 443 8080; do nohup python3 -m http.server $port >/dev/null 2>&1 & done
"""


def rule(protocol, port, cidr="0.0.0.0/0"):
    return {"IpProtocol": protocol, "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}


@pytest.fixture(scope="module")
def net(cloud, image, key):
    """Four instances that differ in what they may."""
    ec2 = cloud.client("ec2")
    cloud.run("cloud", "adopt", "key-pair/admin")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]

    def group(name, ingress, egress):
        id = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc["VpcId"])["GroupId"]
        if ingress:
            ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=ingress)
        if egress is not None:
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            ec2.revoke_security_group_egress(GroupId=id, IpPermissions=everything)
            ec2.authorize_security_group_egress(GroupId=id, IpPermissions=egress)
        return id

    def launch(group, subnet=subnet, user_data="", **more):
        answer = ec2.run_instances(
            ImageId=image,
            InstanceType="t3.micro",
            KeyName="admin",
            SecurityGroupIds=[group],
            SubnetId=subnet,
            UserData=user_data,
            MinCount=1,
            MaxCount=1,
            **more,
        )
        return answer["Instances"][0]["InstanceId"]

    [own] = [net for net in ec2.describe_vpcs()["Vpcs"] if net["VpcId"] == vpc["VpcId"]]
    prefix = ".".join(own["CidrBlock"].split(".")[:2])
    enclosed = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=f"{prefix}.240.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=enclosed)

    ssh = [rule("tcp", 22)]
    anyone = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ids = {
        "server": launch(group("server", anyone, None), user_data=SERVER),
        "seedlike": launch(group("seedlike", ssh, [rule(*way) for way in EGRESS])),
        "open": launch(group("open", [], None)),
        "enclosed": launch(
            group("enclosed", ssh, None),
            subnet=enclosed,
            MetadataOptions={"HttpTokens": "required", "HttpEndpoint": "enabled"},
        ),
    }
    for id in ids.values():
        cloud.booted(id)
    described = {instance["InstanceId"]: instance for instance in cloud.instances("running")}
    return {name: described[id] for name, id in ids.items()}


def fetch(cloud, instance, url, *options):
    """curl inside: its exit code (28: nothing came within the time) and what it printed."""
    done = cloud.try_exec(instance["InstanceId"], "curl", "-sS", "--max-time", "2", *options, url)
    return done.returncode, done.stdout.strip()


def status(cloud, instance, url, *options):
    """The HTTP status that came, 000 for none."""
    return fetch(cloud, instance, url, "-o", "/dev/null", "-w", "%{http_code}", *options)


TIMED_OUT = 28


@pytest.mark.parametrize(
    ("source", "port", "expected"),
    [
        ("seedlike", 80, (0, "here")),
        ("seedlike", 443, (0, "here")),
        ("seedlike", 8080, (TIMED_OUT, "")),
        ("open", 8080, (0, "here")),
        ("server", 8080, (0, "here")),
    ],
)
def test_egress(cloud, net, source, port, expected):
    address = net["server"]["PrivateIpAddress"]
    until("the server serves", lambda: fetch(cloud, net["server"], "http://localhost:8080/")[0] == 0, 20)
    assert fetch(cloud, net[source], f"http://{address}:{port}/") == expected


def test_ingress_is_closed_unless_a_rule_opens_it(cloud, net):
    ssh = ("bash", "-c", f"timeout 2 bash -c 'exec 3<>/dev/tcp/{net['open']['PrivateIpAddress']}/22'")
    assert cloud.try_exec(net["server"]["InstanceId"], *ssh).returncode == 124
    ssh = ("bash", "-c", f"timeout 2 bash -c 'exec 3<>/dev/tcp/{net['seedlike']['PrivateIpAddress']}/22'")
    assert cloud.try_exec(net["server"]["InstanceId"], *ssh).returncode == 0


def test_a_rule_is_in_force_when_it_is_acknowledged(cloud, net):
    """Adding and revoking a rule shows in the network, not only in the API."""
    ec2 = cloud.client("ec2")
    group = net["seedlike"]["SecurityGroups"][0]["GroupId"]
    url = f"http://{net['server']['PrivateIpAddress']}:8080/"
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule("tcp", 8080)])
    until("8080 is open", lambda: fetch(cloud, net["seedlike"], url)[0] == 0, 10)
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[rule("tcp", 8080)])
    until("8080 is shut", lambda: fetch(cloud, net["seedlike"], url)[0] == TIMED_OUT, 10)


@pytest.mark.parametrize("service", ["ec2", "ecs", "cloudformation", "sts"])
def test_the_api_is_reached_by_its_own_name(cloud, net, service):
    """By HTTPS, with a certificate that instances trust; an unsigned request is refused, not unheard."""
    code, answer = status(cloud, net["seedlike"], f"https://{service}.us-east-1.amazonaws.com/")
    assert code == 0
    assert answer.startswith(("2", "3", "4")), answer


def test_without_a_route_out_no_api_is_reached(cloud, net):
    code, answer = status(cloud, net["enclosed"], "https://ecs.us-east-1.amazonaws.com/")
    assert code != 0 and answer == "000"
    # It is a matter of the route: the neighbours in the VPC are reached.
    until("the server serves", lambda: fetch(cloud, net["server"], "http://localhost:8080/")[0] == 0, 20)
    assert fetch(cloud, net["enclosed"], f"http://{net['server']['PrivateIpAddress']}:8080/") == (0, "here")


def test_nothing_leads_out_of_the_machine(cloud, net):
    code, answer = status(cloud, net["open"], "http://192.0.2.1/")
    assert code != 0 and answer == "000"


METADATA = "http://169.254.169.254/latest/"


def test_metadata_of_version_one_where_it_is_allowed(cloud, net):
    id = net["open"]["InstanceId"]
    assert fetch(cloud, net["open"], METADATA + "meta-data/instance-id") == (0, id)
    document = fetch(cloud, net["open"], METADATA + "dynamic/instance-identity/document")[1]
    assert f'"{id}"' in document


def test_metadata_of_version_two_alone(cloud, net):
    id = net["enclosed"]["InstanceId"]
    assert status(cloud, net["enclosed"], METADATA + "meta-data/instance-id") == (0, "401")
    get_token = ("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")
    code, token = fetch(cloud, net["enclosed"], METADATA + "api/token", *get_token)
    assert code == 0 and token
    header = ("-H", f"X-aws-ec2-metadata-token: {token}")
    assert fetch(cloud, net["enclosed"], METADATA + "meta-data/instance-id", *header) == (0, id)
    # A token is the instance's own.
    assert status(cloud, net["open"], METADATA + "meta-data/instance-id", *header) == (0, "401")


@pytest.mark.parametrize("name", ["seedlike", "enclosed"])
def test_the_instances_clock_is_compared_with_the_time_service(cloud, net, name):
    """ntpd takes it for its source, though no rule lets UDP port 123 out and one subnet has no route."""

    def chosen():
        peers = cloud.exec(net[name]["InstanceId"], "ntpq", "--numeric", "--peers").splitlines()
        return [peer.split() for peer in peers if peer.startswith("*")]

    [(remote, reference, stratum, *_, offset, _jitter)] = until("ntpd has chosen its source", chosen, 60, 1)
    assert (remote, reference, stratum) == ("*169.254.169.123", "169.254.169.122", "3")
    # In milliseconds. It is the same clock; only the way there and back can be taken for a difference.
    assert abs(float(offset)) < 500


def ssh(cloud, instance, *command):
    return subprocess.run(
        [
            *("ssh", "-i", f"{cloud.state}/keys/admin.pem", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=3"),
            *("-o", "LogLevel=ERROR", f"ec2-user@{instance['PublicIpAddress']}", *command),
        ],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


def test_ssh_by_the_public_address_with_the_adopted_key(cloud, net):
    assert net["seedlike"]["PublicIpAddress"].startswith("127.")
    done = ssh(cloud, net["seedlike"], "id", "-un")
    assert (done.returncode, done.stdout) == (0, "ec2-user\n"), done.stderr
    done = ssh(cloud, net["seedlike"], "sudo", "id", "-u")
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_ssh_is_subject_to_the_security_group(cloud, net):
    assert ssh(cloud, net["open"], "true").returncode == 255


def test_drydock_opens_ssh(cloud, net):
    done = cloud.try_run("instances", "ssh", net["seedlike"]["InstanceId"], "--", "hostname")
    assert done.returncode == 0, done.stderr
    done = cloud.try_run("instances", "ssh", net["seedlike"]["InstanceId"], "--", "exit", "9")
    assert done.returncode == 9


def test_private_keys_are_the_owners_alone(cloud, net):
    assert os.stat(f"{cloud.state}/keys/admin.pem").st_mode & 0o077 == 0


def test_names_are_resolved(cloud, net):
    own = net["seedlike"]["PrivateDnsName"]
    found = cloud.exec(net["seedlike"]["InstanceId"], "getent", "ahostsv4", own)
    assert found.split()[0] == net["seedlike"]["PrivateIpAddress"]
    assert cloud.try_exec(net["seedlike"]["InstanceId"], "getent", "hosts", "nothing.invalid").returncode == 2


def test_the_network_goes_with_the_instances(cloud, net):
    """The last test of the file."""
    import leftovers

    ids = [instance["InstanceId"] for instance in net.values()]
    cloud.client("ec2").terminate_instances(InstanceIds=ids)
    until("all are gone", lambda: cloud.instances("running", "shutting-down", "pending") == [])
    interfaces = cloud.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert interfaces == []
    until("no namespace of theirs is left", lambda: not [n for n in leftovers.namespaces(cloud.state) if "eni-" in n])
    for id in ids:
        assert cloud.machine(id) is None
