"""The control plane, by boto3, without booting anything: answers, pages, filters, waiters, tags, and refusals by
the codes that AWS has for them."""

import json
import re
import urllib.request

import botocore.exceptions
import pytest

import stacks
from waiting import until

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.fixture(scope="module")
def api(cloud):
    """Clients by service name."""
    made = {}

    def client(service, region="us-east-1"):
        return made.setdefault((service, region), cloud.client(service, region))

    return client


# Refusals. Each row: service, operation, parameters, AWS's error code, a part of the message.

REFUSALS = [
    ("ec2", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound", "i-0123"),
    ("ec2", "describe_instances", {"InstanceIds": ["nonsense"]}, "InvalidInstanceID.Malformed", "nonsense"),
    ("ec2", "terminate_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceID.NotFound", "i-0123"),
    ("ec2", "get_console_output", {"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound", "i-0123"),
    (
        "ec2",
        "describe_instances",
        {"Filters": [{"Name": "colour", "Values": ["x"]}]},
        "InvalidParameterValue",
        "colour",
    ),
    ("ec2", "describe_vpcs", {"VpcIds": ["vpc-0123abcd"]}, "InvalidVpcID.NotFound", "vpc-0123abcd"),
    ("ec2", "describe_subnets", {"SubnetIds": ["subnet-0123abcd"]}, "InvalidSubnetID.NotFound", "subnet-0123abcd"),
    ("ec2", "describe_security_groups", {"GroupIds": ["sg-0123abcd"]}, "InvalidGroup.NotFound", "sg-0123abcd"),
    ("ec2", "describe_images", {"ImageIds": ["ami-0123abcd"]}, "InvalidAMIID.NotFound", "ami-0123abcd"),
    ("ec2", "describe_key_pairs", {"KeyNames": ["nobody"]}, "InvalidKeyPair.NotFound", "nobody"),
    ("ec2", "describe_volumes", {"VolumeIds": ["vol-0123abcd"]}, "InvalidVolume.NotFound", "vol-0123abcd"),
    ("ec2", "describe_route_tables", {"RouteTableIds": ["rtb-0123abcd"]}, "InvalidRouteTableID.NotFound", "rtb-0123"),
    ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range", "10.0.0.0/8"),
    ("ec2", "create_subnet", {"VpcId": "vpc-0123abcd", "CidrBlock": "10.9.0.0/24"}, "InvalidVpcID.NotFound", "vpc-0"),
    (
        "ec2",
        "run_instances",
        {"ImageId": "ami-0123abcd", "MinCount": 1, "MaxCount": 1},
        "InvalidAMIID.NotFound",
        "ami-",
    ),
    (
        "ec2",
        "describe_launch_templates",
        {"LaunchTemplateNames": ["none"]},
        "InvalidLaunchTemplateName.NotFoundException",
        "none",
    ),
    (
        "ec2",
        "create_tags",
        {"Resources": ["i-0123456789abcdef0"], "Tags": [{"Key": "a"}]},
        "InvalidID",
        "i-0123",
    ),
    ("iam", "get_role", {"RoleName": "nobody"}, "NoSuchEntity", "nobody"),
    ("iam", "get_instance_profile", {"InstanceProfileName": "none"}, "NoSuchEntity", "none"),
    ("iam", "get_policy", {"PolicyArn": "arn:aws:iam::123456789012:policy/none"}, "NoSuchEntity", "none"),
    ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument", ""),
    ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}, "ValidationError", ""),
    ("iam", "put_role_policy", {"RoleName": "x", "PolicyName": "p", "PolicyDocument": POLICY}, "NoSuchEntity", "x"),
    ("ssm", "get_parameter", {"Name": "/none"}, "ParameterNotFound", ""),
    ("ssm", "put_parameter", {"Name": "/aws/mine", "Value": "x", "Type": "String"}, "AccessDeniedException", ""),
    ("ecs", "list_container_instances", {"cluster": "none"}, "ClusterNotFoundException", "luster"),
    ("ecs", "delete_cluster", {"cluster": "none"}, "ClusterNotFoundException", "luster"),
    ("ecs", "create_cluster", {"clusterName": "a b"}, "InvalidParameterException", ""),
    (
        "autoscaling",
        "set_desired_capacity",
        {"AutoScalingGroupName": "none", "DesiredCapacity": 1},
        "ValidationError",
        "",
    ),
    ("autoscaling", "delete_auto_scaling_group", {"AutoScalingGroupName": "none"}, "ValidationError", ""),
    (
        "autoscaling",
        "create_auto_scaling_group",
        {"AutoScalingGroupName": "g", "MinSize": 2, "MaxSize": 1, "LaunchConfigurationName": "none"},
        "ValidationError",
        "",
    ),
    ("cloudformation", "describe_stacks", {"StackName": "none"}, "ValidationError", "none does not exist"),
    ("cloudformation", "describe_stack_events", {"StackName": "none"}, "ValidationError", "does not exist"),
    ("cloudformation", "get_template", {"StackName": "none"}, "ValidationError", "does not exist"),
    ("cloudformation", "validate_template", {"TemplateBody": "Resources: {"}, "ValidationError", "line"),
    ("cloudformation", "create_stack", {"StackName": "1", "TemplateBody": "Resources: {}"}, "ValidationError", ""),
    (
        "cloudformation",
        "signal_resource",
        {"StackName": "none", "LogicalResourceId": "A", "UniqueId": "i", "Status": "SUCCESS"},
        "ValidationError",
        "does not exist",
    ),
    (
        "cloudformation",
        "describe_change_set",
        {"StackName": "none", "ChangeSetName": "none"},
        ("ValidationError", "ChangeSetNotFound"),
        "does not exist",
    ),
    (
        "sts",
        "assume_role",
        {"RoleArn": "arn:aws:iam::123456789012:role/none", "RoleSessionName": "test"},
        "AccessDenied",
        "",
    ),
]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "codes", "message"),
    REFUSALS,
    ids=[f"{service}-{operation}" for service, operation, *_ in REFUSALS],
)
def test_refusals_have_awss_codes(api, service, operation, parameters, codes, message):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        getattr(api(service), operation)(**parameters)
    error = refused.value.response["Error"]
    codes = (codes,) if isinstance(codes, str) else codes
    assert error["Code"].startswith(codes), error
    assert message in error["Message"], error
    assert 400 <= refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


# Operations that this cloud does not have are refused by name, in the protocol of their service.


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "describe_vpn_gateways", {}),
        ("ec2", "describe_spot_instance_requests", {}),
        ("ecs", "list_task_definitions", {}),
        ("iam", "list_users", {}),
        ("autoscaling", "describe_policies", {}),
        ("cloudformation", "list_stack_sets", {}),
        ("ssm", "list_commands", {}),
    ],
)
def test_what_is_not_there_says_so(api, service, operation, parameters):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        getattr(api(service), operation)(**parameters)
    error = refused.value.response["Error"]
    name = "".join(word.capitalize() for word in operation.split("_"))
    assert name in error["Message"], error


def test_a_service_that_is_not_there_says_so(cloud):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloud.client("lambda").list_functions()
    assert "lambda" in str(refused.value).lower()


# Who asks.


def test_who_am_i(api):
    identity = api("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"


def test_a_wrong_secret_is_refused(cloud):
    import boto3

    for service, operation, code in [
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("ecs", "list_clusters", "InvalidSignatureException"),
    ]:
        client = boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=cloud.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=cloud.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key="wrong",
        )
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            getattr(client, operation)()
        assert refused.value.response["Error"]["Code"] == code


def test_an_unsigned_request_is_refused(cloud):
    request = urllib.request.Request(
        cloud.environment["AWS_ENDPOINT_URL"], data=b"Action=DescribeVpcs&Version=2016-11-15", method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert 400 <= refused.value.code < 500


# EC2.


def test_the_region_begins_with_a_default_vpc(api):
    ec2 = api("ec2")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == len(subnets) == 3
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    [gateway] = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    assert gateway["InternetGatewayId"] in [route.get("GatewayId") for route in table["Routes"]]
    [group] = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["SecurityGroups"]
    assert group["GroupName"] == "default"


@pytest.mark.parametrize("region", ["eu-west-1", "ap-southeast-2"])
def test_other_regions_begin_when_they_are_asked_for(api, region):
    zones = api("ec2", region).describe_availability_zones()["AvailabilityZones"]
    assert len(zones) >= 3 and all(zone["ZoneName"].startswith(region) for zone in zones)
    assert len(api("ec2", region).describe_vpcs()["Vpcs"]) == 1


def test_regions(api):
    names = {region["RegionName"] for region in api("ec2").describe_regions()["Regions"]}
    assert {"us-east-1", "eu-west-1", "ap-southeast-2"} <= names


@pytest.fixture(scope="module")
def groups(api):
    """Seven security groups, some of them tagged."""
    ec2 = api("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = []
    for number in range(7):
        tags = [{"Key": "parity", "Value": "even" if number % 2 == 0 else "odd"}]
        made.append(
            ec2.create_security_group(
                GroupName=f"group-{number}",
                Description="made by a test",
                VpcId=vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            )["GroupId"]
        )
    yield made
    for group in made:
        ec2.delete_security_group(GroupId=group)


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"group-name": ["group-1", "group-2"]}, {1, 2}),
        ({"group-name": ["group-?"]}, set(range(7))),
        ({"tag:parity": ["even"]}, {0, 2, 4, 6}),
        ({"tag:parity": ["ev*"], "group-name": ["group-2"]}, {2}),
        ({"tag-key": ["parity"]}, set(range(7))),
        ({"tag:parity": ["neither"]}, set()),
        ({"description": ["made by a test"], "tag:parity": ["odd"]}, {1, 3, 5}),
    ],
)
def test_filters(api, groups, filters, numbers):
    wanted = [{"Name": name, "Values": values} for name, values in filters.items()]
    found = api("ec2").describe_security_groups(Filters=wanted)["SecurityGroups"]
    assert {int(group["GroupName"].split("-")[1]) for group in found} == numbers


@pytest.mark.parametrize("size", [5, 6, 7, 1000])
def test_pages_hold_everything_once(api, groups, size):
    pages = list(
        api("ec2")
        .get_paginator("describe_security_groups")
        .paginate(
            Filters=[{"Name": "group-name", "Values": ["group-*"]}],
            PaginationConfig={"PageSize": size},
        )
    )
    found = [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    assert sorted(found) == sorted(groups)
    assert len(pages) == -(-len(groups) // size)


def test_a_page_token_of_nobodys_is_refused(api):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        api("ec2").describe_security_groups(MaxResults=5, NextToken="nonsense")
    assert refused.value.response["Error"]["Code"] in ("InvalidParameterValue", "InvalidNextToken")


def test_rules_come_and_go(api, groups):
    ec2 = api("ec2")
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=[rule])
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=[rule])
    assert refused.value.response["Error"]["Code"] == "InvalidPermission.Duplicate"
    [group] = ec2.describe_security_groups(GroupIds=[groups[0]])["SecurityGroups"]
    assert group["IpPermissions"][0]["FromPort"] == 22
    ec2.revoke_security_group_ingress(GroupId=groups[0], IpPermissions=[rule])
    [group] = ec2.describe_security_groups(GroupIds=[groups[0]])["SecurityGroups"]
    assert group["IpPermissions"] == []


def test_what_is_in_use_cannot_be_deleted(api):
    ec2 = api("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ec2.delete_vpc(VpcId=vpc)
    assert refused.value.response["Error"]["Code"] == "DependencyViolation"


def test_a_vpc_of_ones_own(api):
    ec2 = api("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    for cidr, code in [("10.20.1.128/25", "InvalidSubnet.Conflict"), ("10.21.0.0/24", "InvalidSubnet.Range")]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)
        assert refused.value.response["Error"]["Code"] == code
    ec2.delete_subnet(SubnetId=subnet)
    for group in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]:
        assert group["GroupName"] == "default"
    ec2.delete_vpc(VpcId=vpc)
    assert vpc not in [other["VpcId"] for other in ec2.describe_vpcs()["Vpcs"]]


def test_tags(api):
    ec2 = api("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "a", "Value": "3"}])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "b"}])
    found = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
    assert [(tag["Key"], tag["Value"], tag["ResourceType"]) for tag in found] == [("a", "3", "vpc")]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "aws:mine", "Value": "1"}])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"


@pytest.mark.parametrize("type_", ["ed25519", "rsa"])
def test_key_pairs(api, key, type_):
    ec2 = api("ec2")
    made = ec2.create_key_pair(KeyName=f"made-{type_}", KeyType=type_)
    assert "PRIVATE KEY" in made["KeyMaterial"]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ec2.create_key_pair(KeyName=f"made-{type_}")
    assert refused.value.response["Error"]["Code"] == "InvalidKeyPair.Duplicate"
    ec2.delete_key_pair(KeyName=f"made-{type_}")


def test_a_key_pair_is_imported(api, key):
    ec2 = api("ec2")
    public = key.with_suffix(".pub").read_bytes()
    imported = ec2.import_key_pair(KeyName="imported", PublicKeyMaterial=public)
    assert imported["KeyFingerprint"]
    [found] = ec2.describe_key_pairs(KeyNames=["imported"], IncludePublicKey=True)["KeyPairs"]
    assert found["PublicKey"].split()[1] == public.decode().split()[1]
    ec2.delete_key_pair(KeyName="imported")


def test_launch_templates_have_versions(api):
    ec2 = api("ec2")
    data = {"ImageId": "ami-0123abcd", "InstanceType": "t3.micro"}
    made = ec2.create_launch_template(LaunchTemplateName="versions", LaunchTemplateData=data)["LaunchTemplate"]
    ec2.create_launch_template_version(
        LaunchTemplateId=made["LaunchTemplateId"], SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="versions")["LaunchTemplateVersions"]
    types = {one["VersionNumber"]: one["LaunchTemplateData"]["InstanceType"] for one in versions}
    assert types == {1: "t3.micro", 2: "t3.small"}
    [latest] = ec2.describe_launch_template_versions(LaunchTemplateName="versions", Versions=["$Latest"])[
        "LaunchTemplateVersions"
    ]
    assert latest["LaunchTemplateData"]["ImageId"] == "ami-0123abcd"
    ec2.delete_launch_template(LaunchTemplateName="versions")


def test_volumes(api):
    ec2 = api("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    [found] = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (found["Size"], found["State"], found["AvailabilityZone"]) == (1, "available", "us-east-1a")
    ec2.delete_volume(VolumeId=volume)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 10})


def test_a_dry_run_changes_nothing(api):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        api("ec2").create_vpc(CidrBlock="10.30.0.0/16", DryRun=True)
    assert refused.value.response["Error"]["Code"] == "DryRunOperation"
    assert "10.30.0.0/16" not in [vpc["CidrBlock"] for vpc in api("ec2").describe_vpcs()["Vpcs"]]


# IAM.


def test_roles_and_profiles(api):
    iam = api("iam")
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST, Path="/team/")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/team/worker"
    assert iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=POLICY)
    assert iam.get_role_policy(RoleName="worker", PolicyName="all")["PolicyDocument"] == json.loads(POLICY)
    iam.create_instance_profile(InstanceProfileName="worker")
    waiter = {"Delay": 1, "MaxAttempts": 5}
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="worker", WaiterConfig=waiter)
    iam.get_waiter("role_exists").wait(RoleName="worker", WaiterConfig=waiter)
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="worker")
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="worker")
    iam.delete_instance_profile(InstanceProfileName="worker")
    iam.delete_role_policy(RoleName="worker", PolicyName="all")
    iam.delete_role(RoleName="worker")


def test_managed_policies(api):
    iam = api("iam")
    own = iam.create_policy(PolicyName="own", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_role(RoleName="managed", AssumeRolePolicyDocument=TRUST)
    amazons = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    for arn in (own, amazons):
        iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="managed")["AttachedPolicies"]
    assert {policy["PolicyArn"] for policy in attached} == {own, amazons}
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_policy(PolicyArn=own)
    for arn in (own, amazons):
        iam.detach_role_policy(RoleName="managed", PolicyArn=arn)
    iam.delete_policy(PolicyArn=own)
    iam.delete_role(RoleName="managed")


def test_roles_come_in_pages(api):
    iam = api("iam")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
    found = [role["RoleName"] for page in pages for role in page["Roles"]]
    assert [name for name in found if name.startswith("page-")] == names
    for name in names:
        iam.delete_role(RoleName=name)


def test_what_a_role_may_is_what_its_policies_say(cloud, api):
    iam = api("iam")
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"] = {"AWS": "arn:aws:iam::123456789012:root"}
    arn = iam.create_role(RoleName="looker", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    look = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="looker", PolicyName="look", PolicyDocument=json.dumps(look))
    credentials = api("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]

    def as_looker(service):
        import boto3

        return boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=cloud.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    assert as_looker("sts").get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/looker/test"
    assert as_looker("ec2").describe_vpcs()["Vpcs"]
    for service, operation, parameters, code in [
        ("ec2", "create_vpc", {"CidrBlock": "10.40.0.0/16"}, "UnauthorizedOperation"),
        ("ecs", "list_clusters", {}, "AccessDeniedException"),
        ("cloudformation", "list_stacks", {}, "AccessDenied"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            getattr(as_looker(service), operation)(**parameters)
        assert refused.value.response["Error"]["Code"] == code
    iam.delete_role_policy(RoleName="looker", PolicyName="look")
    iam.delete_role(RoleName="looker")


# SSM.


def test_parameters_have_versions(api):
    ssm = api("ssm")
    assert ssm.put_parameter(Name="/a/b", Value="1", Type="String")["Version"] == 1
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/a/b", Value="2", Type="String")
    assert ssm.put_parameter(Name="/a/b", Value="2", Type="String", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/a/b")["Parameter"]["Value"] == "2"
    answer = ssm.get_parameters(Names=["/a/b", "/none"])
    assert [one["Name"] for one in answer["Parameters"]] == ["/a/b"]
    assert answer["InvalidParameters"] == ["/none"]
    ssm.delete_parameter(Name="/a/b")


def test_parameters_by_path_come_in_pages(api):
    ssm = api("ssm")
    names = [f"/page/{letter}" for letter in "abcde"] + ["/page/deep/f"]
    for name in names:
        ssm.put_parameter(Name=name, Value="x", Type="String")
    paginator = ssm.get_paginator("get_parameters_by_path")
    for recursive, expected in [(False, names[:5]), (True, sorted(names))]:
        pages = paginator.paginate(Path="/page", Recursive=recursive, PaginationConfig={"PageSize": 2})
        found = [one["Name"] for page in pages for one in page["Parameters"]]
        assert sorted(found) == expected
    ssm.delete_parameters(Names=names)


# ECS.


def test_clusters(api):
    ecs = api("ecs")
    made = ecs.create_cluster(clusterName="one", tags=[{"key": "a", "value": "1"}])["cluster"]
    assert made["status"] == "ACTIVE"
    assert ecs.create_cluster(clusterName="one")["cluster"]["clusterArn"] == made["clusterArn"]
    answer = ecs.describe_clusters(clusters=["one", "none"], include=["TAGS"])
    assert [cluster["tags"] for cluster in answer["clusters"]] == [[{"key": "a", "value": "1"}]]
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    ecs.tag_resource(resourceArn=made["clusterArn"], tags=[{"key": "b", "value": "2"}])
    assert len(ecs.list_tags_for_resource(resourceArn=made["clusterArn"])["tags"]) == 2
    assert ecs.delete_cluster(cluster="one")["cluster"]["status"] == "INACTIVE"


def test_clusters_come_in_pages(api):
    ecs = api("ecs")
    arns = [ecs.create_cluster(clusterName=f"page-{number}")["cluster"]["clusterArn"] for number in range(5)]
    pages = ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2})
    assert sorted(arn for page in pages for arn in page["clusterArns"]) == sorted(arns)
    for arn in arns:
        ecs.delete_cluster(cluster=arn)


def test_a_foreign_identity_document_registers_nobody(api):
    ecs = api("ecs")
    ecs.create_cluster(clusterName="guarded")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        ecs.register_container_instance(
            cluster="guarded",
            instanceIdentityDocument=json.dumps({"instanceId": "i-0123456789abcdef0", "region": "us-east-1"}),
            instanceIdentityDocumentSignature="bm9uZQ==",
        )
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert ecs.describe_clusters(clusters=["guarded"])["clusters"][0]["registeredContainerInstancesCount"] == 0
    ecs.delete_cluster(cluster="guarded")


# Auto Scaling, without capacity.


def test_an_empty_group(api):
    autoscaling, ec2 = api("autoscaling"), api("ec2")
    data = {"ImageId": "ami-0123abcd", "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName="empty", LaunchTemplateData=data)
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="empty",
        LaunchTemplate={"LaunchTemplateName": "empty", "Version": "$Latest"},
        MinSize=0,
        MaxSize=2,
        VPCZoneIdentifier=subnet,
        Tags=[{"Key": "a", "Value": "1", "PropagateAtLaunch": True}],
    )
    [group] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["empty"])["AutoScalingGroups"]
    assert (group["DesiredCapacity"], group["Instances"]) == (0, [])
    assert group["Tags"][0]["Key"] == "a"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        autoscaling.set_desired_capacity(AutoScalingGroupName="empty", DesiredCapacity=3)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="empty")

    def groups():
        return autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["empty"])["AutoScalingGroups"]

    until("the group is gone", lambda: not groups(), 10)
    ec2.delete_launch_template(LaunchTemplateName="empty")


# CloudFormation, with resources that need no machine.

PLAIN = """
Parameters:
  Name: {Type: String, Default: first}
Resources:
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: {ClusterName: !Ref Name}
  Parameter:
    Type: AWS::SSM::Parameter
    Properties: {Name: /plain/name, Type: String, Value: !GetAtt Cluster.Arn}
Outputs:
  Arn: {Value: !GetAtt Cluster.Arn, Export: {Name: plain-arn}}
"""


@pytest.fixture(scope="module")
def plain(cloud, api):
    api("cloudformation").create_stack(StackName="plain", TemplateBody=PLAIN, Tags=[{"Key": "a", "Value": "1"}])
    waiter = {"Delay": 1, "MaxAttempts": 20}
    api("cloudformation").get_waiter("stack_create_complete").wait(StackName="plain", WaiterConfig=waiter)
    yield api("cloudformation")
    cloud.delete_stack("plain")


def test_a_stack_is_what_its_resources_are(api, plain):
    [stack] = plain.describe_stacks(StackName="plain")["Stacks"]
    [cluster] = api("ecs").describe_clusters(clusters=["first"])["clusters"]
    assert stack["Outputs"][0]["OutputValue"] == cluster["clusterArn"]
    assert stack["Tags"] == [{"Key": "a", "Value": "1"}]
    assert api("ssm").get_parameter(Name="/plain/name")["Parameter"]["Value"] == cluster["clusterArn"]
    assert plain.list_exports()["Exports"][0]["Value"] == cluster["clusterArn"]


def test_events_tell_the_story_in_order(cloud, plain):
    story = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in cloud.events("plain")]
    assert story[0] == ("plain", "CREATE_IN_PROGRESS")
    assert story[-1] == ("plain", "CREATE_COMPLETE")
    assert story.index(("Cluster", "CREATE_COMPLETE")) < story.index(("Parameter", "CREATE_IN_PROGRESS"))


def test_the_template_is_given_back(plain):
    assert plain.get_template(StackName="plain")["TemplateBody"].strip() == PLAIN.strip()
    summary = plain.get_template_summary(TemplateBody=PLAIN)
    assert sorted(summary["ResourceTypes"]) == ["AWS::ECS::Cluster", "AWS::SSM::Parameter"]


def test_resources_are_listed(plain):
    for operation, key in [("describe_stack_resources", "StackResources"), ("list_stack_resources", None)]:
        answer = getattr(plain, operation)(StackName="plain")
        found = answer[key or "StackResourceSummaries"]
        assert {one["LogicalResourceId"]: one["ResourceStatus"] for one in found} == {
            "Cluster": "CREATE_COMPLETE",
            "Parameter": "CREATE_COMPLETE",
        }


def test_the_same_name_again_is_refused(plain):
    with pytest.raises(plain.exceptions.AlreadyExistsException):
        plain.create_stack(StackName="plain", TemplateBody=PLAIN)


def test_an_empty_update_is_refused(plain):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        plain.update_stack(StackName="plain", UsePreviousTemplate=True)
    assert "No updates are to be performed" in str(refused.value)


def test_a_change_set_shows_and_does_an_update(api, plain):
    plain.create_change_set(
        StackName="plain",
        ChangeSetName="rename",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Name", "ParameterValue": "second"}],
    )
    waiter = {"Delay": 1, "MaxAttempts": 20}
    plain.get_waiter("change_set_create_complete").wait(StackName="plain", ChangeSetName="rename", WaiterConfig=waiter)
    changes = plain.describe_change_set(StackName="plain", ChangeSetName="rename")["Changes"]
    by_id = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in changes}
    assert by_id["Cluster"]["Replacement"] == "True"
    assert by_id["Parameter"]["Action"] == "Modify"
    # A change set changes nothing until it is executed.
    assert api("ecs").describe_clusters(clusters=["second"])["clusters"] == []
    plain.execute_change_set(StackName="plain", ChangeSetName="rename")
    plain.get_waiter("stack_update_complete").wait(StackName="plain", WaiterConfig=waiter)
    [cluster] = api("ecs").describe_clusters(clusters=["second"])["clusters"]
    assert api("ssm").get_parameter(Name="/plain/name")["Parameter"]["Value"] == cluster["clusterArn"]
    old = api("ecs").describe_clusters(clusters=["first"])["clusters"]
    assert [one["status"] for one in old] in ([], ["INACTIVE"])


def test_a_failed_creation_is_rolled_back_in_reverse(cloud, api):
    api("ssm").put_parameter(Name="/taken", Value="x", Type="String")
    template = """
Resources:
  Cluster: {Type: AWS::ECS::Cluster}
  Taken:
    Type: AWS::SSM::Parameter
    DependsOn: Cluster
    Properties: {Name: /taken, Type: String, Value: y}
"""
    api("cloudformation").create_stack(StackName="taken", TemplateBody=template)
    until("rolled back", lambda: cloud.stack_status("taken") == "ROLLBACK_COMPLETE", 20)
    logical_id, status, reason = stacks.failure(cloud, "taken")
    assert (logical_id, status) == ("Taken", "CREATE_FAILED")
    assert re.search("already exists", reason)
    assert api("ssm").get_parameter(Name="/taken")["Parameter"]["Value"] == "x"
    cloud.delete_stack("taken")
    api("ssm").delete_parameter(Name="/taken")


def test_termination_protection(cloud, api):
    cloudformation = api("cloudformation")
    template = "Resources: {C: {Type: AWS::ECS::Cluster}}"
    cloudformation.create_stack(StackName="kept", TemplateBody=template, EnableTerminationProtection=True)
    until("made", lambda: cloud.stack_status("kept") == "CREATE_COMPLETE", 20)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloudformation.delete_stack(StackName="kept")
    assert "TerminationProtection" in str(refused.value)
    cloudformation.update_termination_protection(StackName="kept", EnableTerminationProtection=False)
    cloud.delete_stack("kept")


def test_stacks_of_a_region_are_its_own(cloud, api):
    template = "Resources: {C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: there}}}"
    there = api("cloudformation", "eu-west-1")
    there.create_stack(StackName="there", TemplateBody=template)
    there.get_waiter("stack_create_complete").wait(StackName="there", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert cloud.stack_status("there") is None
    assert api("ecs").describe_clusters(clusters=["there"])["clusters"] == []
    there.delete_stack(StackName="there")
    there.get_waiter("stack_delete_complete").wait(StackName="there", WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def test_what_is_acknowledged_survives_a_kill(cloud, api):
    api("ssm").put_parameter(Name="/survives", Value="a kill", Type="String")
    cloud.kill()
    cloud.start()
    assert api("ssm").get_parameter(Name="/survives")["Parameter"]["Value"] == "a kill"
    api("ssm").delete_parameter(Name="/survives")
