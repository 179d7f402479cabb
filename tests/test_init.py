"""`drydock init`: what it asks, what it refuses, what it writes; and that `drydock up` in it comes up with its logs."""

import base64
import json
import os
import pathlib
import subprocess
import tomllib

import boto3
import botocore.exceptions
import pytest

import clouds
from clouds import drydock, environment
from terminals import terminal
from waiting import until

EXAMPLE = clouds.ROOT / "examples/todobackend"
GROUPS = [
    f"/shop/ec2/ApplicationAutoscaling/var/log/{name}"
    for name in ("dmesg", "docker", "ecs/audit.log", "ecs/ecs-agent", "ecs/ecs-init", "messages")
]


def init(*arguments, cwd, **options):
    return drydock("init", *arguments, cwd=cwd, **options)


def files(folder):
    """Name, mode and content of every file below a folder, but for what a build leaves in the example."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_text())
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "drydock-guest")
    }


def parameters(file):
    lines = [line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#")]
    return dict(lines)


# What is written.


def test_the_example_is_what_init_writes(tmp_path):
    done = init("todobackend", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "todobackend") == files(EXAMPLE)


def test_the_options_are_the_answers(tmp_path):
    done = init(
        *("shop", "--region", "eu-west-1", "--time-zone", "Europe/Berlin", "--environment", "test"),
        *("--environment", "live", "--instance-type", "live=m5.large", "--desired-count", "2"),
        *("--desired-count", "live=4", "--log-retention", "live=365", "--proxy", "live=proxy.internal:3128"),
        *(
            "--vpc-id",
            "live=vpc-f8233a80",
            "--subnet-id",
            "live=subnet-a5d3ecee",
            "--subnet-id",
            "live=subnet-324e246f",
        ),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    shop = tmp_path / "shop"
    assert json.loads((shop / "packer.json").read_text())["variables"] == {
        "name": "shop",
        "region": "eu-west-1",
        "time_zone": "Europe/Berlin",
    }
    manifest = tomllib.loads((shop / "drydock.toml").read_text())
    assert (manifest["stack"]["name"], manifest["stack"]["region"]) == ("shop", "eu-west-1")
    assert manifest["stack"]["parameter_file"] == "test.cfg"
    assert {"vpc-f8233a80", "subnet-a5d3ecee", "subnet-324e246f"} < set(manifest["adopt"]["ids"])
    live = {
        "VpcId": "vpc-f8233a80",
        "Subnets": "subnet-a5d3ecee,subnet-324e246f",
        "InstanceType": "m5.large",
        "DesiredCount": "4",
        "LogRetentionDays": "365",
        "ProxyUrl": "http://proxy.internal:3128",
        "ProxyPort": "3128",
    }
    assert parameters(shop / "live.cfg") == live
    test = parameters(shop / "test.cfg")
    assert (test["DesiredCount"], test["InstanceType"], test["ProxyUrl"]) == ("2", "t3.micro", "")
    assert not (shop / "dev.cfg").exists()
    assert "todobackend" not in "".join(text for _, text in files(shop).values())
    assert "drydock up --parameter-file live.cfg --stack-name shop-live" in done.stdout


def test_what_is_written_for_machines(tmp_path):
    done = init("shop", "--output", "json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["environments"] == ["dev", "prod"]
    assert set(document["files"]) == set(files(tmp_path / "shop"))


def test_an_empty_folder_is_taken_and_the_umask_holds(tmp_path):
    (tmp_path / "shop").mkdir()
    done = subprocess.run(
        ["sh", "-c", f"umask 027 && exec {clouds.BINARY} init shop"], cwd=tmp_path, env=environment(), check=False
    )
    assert done.returncode == 0
    modes = {name: mode for name, (mode, _) in files(tmp_path / "shop").items()}
    assert modes["drydock.toml"] == 0o640 and modes["scripts/time.sh"] == 0o750
    assert (tmp_path / "shop/scripts").stat().st_mode & 0o777 == 0o750
    assert os.listdir(tmp_path) == ["shop"]


# What is refused.


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/notes.txt").write_text("mine")
    done = init("shop", cwd=tmp_path)
    assert done.returncode == 253
    assert "shop: the folder is not empty (notes.txt)" in done.stderr
    assert files(tmp_path) == {"shop/notes.txt": (0o644, "mine")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a name"),
        (("my_shop",), "how about 'my-shop'?"),
        (("../shop",), "how about 'shop'?"),
        (("shop", "--region", "eu-wset-1"), "did you mean 'eu-west-1'?"),
        (("shop", "--time-zone", "Berlin"), "did you mean 'Europe/Berlin'?"),
        (("shop", "--instance-type", "t3.mirco"), "did you mean 't3.micro'?"),
        (("shop", "--instance-type", "t4g.micro"), "arm64"),
        (("shop", "--desired-count", "11"), "from 0 to 10"),
        (("shop", "--desired-count", "prd=1"), "there is no environment prd; did you mean 'prod'?"),
        (("shop", "--log-retention", "10"), "the nearest that it does is 7"),
        (("shop", "--proxy", "http://me:secret@proxy:3128"), "without it"),
        (("shop", "--environment", "a/b"), "cannot be the name of an environment"),
        (("shop", "--subnet-id", "vpc-f8233a80"), "is not an id such as subnet-"),
        (("shop", "--region", "x", "--time-zone", "y"), "2 answers cannot be used"),
    ],
)
def test_answers_that_cannot_be_used_leave_nothing(tmp_path, arguments, words):
    done = init(*arguments, "--yes", cwd=tmp_path)
    assert done.returncode == 253, done.stdout
    assert words in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    # The tests are root: no permission would stop them, but there is nothing to write to in /proc.
    done = init("shop", cwd="/proc")
    assert done.returncode == 255 and "nothing was left there" in done.stderr


# What is asked.


def test_it_asks_on_a_terminal(tmp_path):
    with terminal(clouds.BINARY, "init", "--desired-count", "2", cwd=tmp_path) as screen:
        for question, keys in [
            ("Name of the repository", "my shop\r"),
            ("how about 'my-shop'?", "\x15my-shop\r"),
            ("Region", "\r"),
            ("Time zone", "Vienna\r"),
            ("did you mean 'Europe/Vienna'?", "\x15Europe/Vienna\r"),
            ("Environments", "\x15dev live\r"),
            ("dev: type of the instances", "\r"),
            ("dev: days that logs are kept", "\x153\r"),
            ("dev: HTTP proxy", "\r"),
            ("live: type of the instances", "\r"),
            ("live: days that logs are kept", "\r"),
            ("live: HTTP proxy", "proxy:8080\r"),
        ]:
            screen.until(question)
            screen.press(keys)
        assert screen.end() == 0, screen.text
        assert "how many instances" not in screen.text, "an option has said it"
    shop = tmp_path / "my-shop"
    assert json.loads((shop / "packer.json").read_text())["variables"]["time_zone"] == "Europe/Vienna"
    assert parameters(shop / "dev.cfg")["LogRetentionDays"] == "3"
    live = parameters(shop / "live.cfg")
    assert (live["DesiredCount"], live["ProxyUrl"]) == ("2", "http://proxy:8080")


def test_a_ctrl_c_leaves_nothing(tmp_path):
    with terminal(clouds.BINARY, "init", "shop", cwd=tmp_path) as screen:
        screen.until("Region")
        screen.press("\x03")
        assert screen.end() != 0
    assert os.listdir(tmp_path) == []


def test_yes_asks_nothing(tmp_path):
    with terminal(clouds.BINARY, "init", "shop", "--yes", cwd=tmp_path) as screen:
        assert screen.end() == 0, screen.text
    assert "drydock up" in screen.text and "Region" not in screen.text
    assert (tmp_path / "shop/drydock.toml").exists()


def test_the_shells_know_it():
    for shell in ("bash", "zsh", "fish"):
        done = drydock("completion", shell)
        assert "log-retention" in done.stdout, shell


# That it works: `init shop && cd shop && drydock up`, once for all that follows.


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shop(cloud, base_layers, tmp_path_factory):
    """The folder of a repository."""
    folder = tmp_path_factory.mktemp("init")
    assert init("shop", "--time-zone", "Europe/Berlin", "--log-retention", "dev=3", cwd=folder).returncode == 0
    return folder / "shop"


def up(cloud, shop, home, *options):
    return cloud.try_run("up", "--output", "json", *options, cwd=shop, env=environment(XDG_STATE_HOME=str(home)))


def events(text):
    """The JSON documents of an output, which stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        yield document
        while at < len(text) and text[at].isspace():
            at += 1


@pytest.fixture(scope="module")
def running(cloud, shop, home):
    """The events of the first `drydock up` in it."""
    done = up(cloud, shop, home)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return list(events(done.stdout))


def test_the_template_of_the_image_holds(shop):
    done = drydock("validate", "packer.json", cwd=shop)
    assert done.returncode == 0, done.stderr


def test_up_comes_up_verified(cloud, running):
    verified = [event for event in running if event["event"] == "verification"]
    assert [event["verified"] for event in verified] == [True, True], verified
    assert "checks" in verified[0] and verified[1]["stack"] == "shop"


def test_its_image_is_verified_without_being_named(cloud, running, shop):
    [ami] = {instance["ImageId"] for instance in cloud.instances("running")}
    document = cloud.json("verify", "image", cwd=shop)
    assert (document["image"], document["verified"]) == (ami, True)


def test_an_image_that_was_not_made_is_told(cloud, running, shop, tmp_path):
    done = init("other", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for folder, words in [(tmp_path / "other", "`drydock up` or `drydock build` makes one"), (tmp_path, "neither a")]:
        done = cloud.try_run("verify", "image", cwd=folder)
        assert done.returncode == 253 and words in done.stderr, done.stderr


def test_a_second_up_does_nothing(cloud, running, shop, home):
    before = cloud.instances("running")
    done = up(cloud, shop, home)
    assert done.returncode == 0, done.stderr
    notes = [event["message"] for event in events(done.stdout) if event["event"] == "note"]
    said = "\n".join(notes)
    assert "image unchanged" in said and "has passed checks.toml before" in said and "up to date" in said
    assert [one["InstanceId"] for one in cloud.instances("running")] == [one["InstanceId"] for one in before]


def test_the_instance_lets_nothing_in_and_has_version_2_of_metadata(cloud, running):
    [instance] = cloud.instances("running")
    options = instance["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    assert "KeyName" not in instance
    [group] = instance["SecurityGroups"]
    [rules] = cloud.client("ec2").describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"]
    assert rules["IpPermissions"] == []
    assert [(rule["FromPort"], rule["ToPort"]) for rule in rules["IpPermissionsEgress"]] == [(443, 443)]
    # This is how one gets in.
    assert cloud.exec(instance["InstanceId"], "id", "-un").strip() == "root"
    assert cloud.exec(instance["InstanceId"], "date", "+%Z").strip() in ("CET", "CEST")


def test_firstrun_has_configured_it(cloud, running):
    [instance] = cloud.instances("running")
    settings = ["--cluster", "shop-cluster", "--stack", "shop", "--group", "ApplicationAutoscaling"]
    done = cloud.try_exec(instance["InstanceId"], "/opt/drydock/bin/firstrun", "check", *settings)
    assert done.returncode == 0, done.stdout


def test_the_log_groups_are_the_stacks_and_the_logs_arrive(cloud, running):
    logs = cloud.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix="/shop/")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == dict.fromkeys(GROUPS, 3)
    [instance] = cloud.instances("running")

    def arrived(group):
        found = logs.filter_log_events(logGroupName=group, logStreamNamePrefix=instance["InstanceId"])
        return [event["message"] for event in found["events"]]

    agent = GROUPS[3]
    shipped = until(f"{agent} has events", lambda: arrived(agent), 60)
    written = cloud.exec(instance["InstanceId"], "cat", "/var/log/ecs/ecs-agent.log").splitlines()
    assert shipped[0] in written
    until("messages have arrived", lambda: arrived(GROUPS[5]), 60)
    # Their lines have the local time of the instance, which is not UTC.
    newest = logs.filter_log_events(logGroupName=GROUPS[5])["events"][-1]
    assert abs(newest["timestamp"] - newest["ingestionTime"]) < 600_000, newest


def test_drydock_logs_shows_them(cloud, running, shop):
    [instance] = cloud.instances("running")
    done = cloud.try_run("logs", cwd=shop)
    assert done.returncode == 0, done.stderr
    assert instance["InstanceId"] in done.stdout


def test_the_role_may_do_no_more_than_it_needs(cloud, running):
    """Asked of the API with the instance's own credentials."""
    own = "/shop/ec2/ApplicationAutoscaling"
    logs, ecs, ec2 = (role_client(cloud, service) for service in ("logs", "ecs", "ec2"))
    logs.create_log_stream(logGroupName=GROUPS[0], logStreamName="of-the-test")
    for call in (
        lambda: logs.create_log_group(logGroupName=f"{own}/more"),
        lambda: logs.create_log_stream(logGroupName="/other/var/log/messages", logStreamName="x"),
        lambda: logs.filter_log_events(logGroupName=GROUPS[0]),
        lambda: logs.delete_log_group(logGroupName=GROUPS[0]),
        lambda: ecs.register_container_instance(cluster="other"),
        lambda: ecs.list_clusters(),
        lambda: ec2.describe_instances(),
    ):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            call()
        code = refused.value.response["Error"]["Code"]
        assert code in ("AccessDeniedException", "UnauthorizedOperation"), code


def role_client(cloud, service):
    """A client with the credentials of the running instance's role, which it gets from its metadata."""
    [instance] = cloud.instances("running")
    base = "http://169.254.169.254/latest"
    script = (
        f"T=$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {base}/api/token);"
        f' R={base}/meta-data/iam/security-credentials/; H="X-aws-ec2-metadata-token: $T";'
        ' curl -s -H "$H" $R$(curl -s -H "$H" $R)'
    )
    keys = json.loads(cloud.exec(instance["InstanceId"], "sh", "-c", script))
    return boto3.session.Session().client(
        service,
        region_name=clouds.REGION,
        endpoint_url=cloud.environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["Token"],
    )


def user_data(cloud, stack):
    """The user data of a stack's launch template, and the ports that its instances may reach."""
    ec2 = cloud.client("ec2")
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    template = ids["ApplicationLaunchTemplate"]
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    group = ids["ApplicationAutoscalingSecurityGroup"]
    [rules] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    text = base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()
    return text, [rule["ToPort"] for rule in rules["IpPermissionsEgress"]]


def test_another_environment_is_another_stack(cloud, running, shop, home):
    """Of the same image, with the parameters of its own file; here with a proxy, and fewer instances than it says."""
    more = {"DesiredCount": 0, "ProxyUrl": "http://proxy.internal:8080", "ProxyPort": 8080}
    options = [word for key, value in more.items() for word in ("--parameter", f"{key}={value}")]
    done = up(cloud, shop, home, "--parameter-file", "prod.cfg", "--stack-name", "shop-prod", *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    stack = cloud.client("cloudformation").describe_stacks(StackName="shop-prod")["Stacks"][0]
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}
    assert (given["InstanceType"], given["DesiredCount"], given["LogRetentionDays"]) == ("t3.small", "0", "90")
    assert len(cloud.instances("running")) == 1
    usual, proxied = user_data(cloud, "shop"), user_data(cloud, "shop-prod")
    assert "proxy" not in usual[0] and usual[1] == [443]
    assert proxied[0].count("--https-proxy http://proxy.internal:8080\n") == 2 and proxied[1] == [8080]
    cloud.run("down", "--stack-name", "shop-prod", cwd=shop)


def test_a_proxy_with_a_password_is_refused(cloud, running, shop, home):
    done = up(cloud, shop, home, "--parameter", "ProxyUrl=http://me:secret@proxy:3128")
    assert done.returncode != 0
    assert "without a password" in done.stderr + done.stdout


def test_down_takes_the_logs_along(cloud, running, shop):
    cloud.run("down", cwd=shop)
    assert cloud.stack_status("shop") is None
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix="/shop/")["logGroups"] == []
