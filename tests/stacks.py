"""Stacks of one group of instances, whose first run does what a test says."""

import pathlib

TEMPLATES = pathlib.Path(__file__).resolve().parent / "templates"
GROUP = TEMPLATES / "group.yml"


def subnets(cloud):
    """The default VPC's subnets, as a parameter takes them."""
    found = cloud.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    return ",".join(subnet["SubnetId"] for subnet in found["Subnets"])


def words(cloud, **values):
    """Parameters as `KEY=VALUE` words."""
    return [f"{key}={value}" for key, value in {"Subnets": subnets(cloud), **values}.items()]


def create(cloud, name, **values):
    """Begins to make a stack of the group template; its id."""
    parameters = [word.split("=", 1) for word in words(cloud, **values)]
    return cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=GROUP.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters],
    )["StackId"]


def deploy(cloud, name, *options, **values):
    """`drydock deploy` of the group template; the caller looks at the exit code."""
    return cloud.try_run(
        *("deploy", "--template-file", GROUP, "--stack-name", name, *options),
        *("--parameter-overrides", *words(cloud, **values)),
    )


def failure(cloud, name):
    """The reason of the first resource that failed."""
    failed = [event for event in cloud.events(name) if event["ResourceStatus"].endswith("_FAILED")]
    assert failed, [event["ResourceStatus"] for event in cloud.events(name)]
    return failed[0]["LogicalResourceId"], failed[0]["ResourceStatus"], failed[0]["ResourceStatusReason"]
