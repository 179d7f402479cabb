"""Deployments of the seed's stack against the bare boot of its image."""

import re
import subprocess
import sys
import time

import clouds
import measure
import seed
from measure import median, prepare
from waiting import until

STACK = "todobackend"


def bare_boot(cloud):
    """Seconds to the first line of user data, with nothing of Drydock's around the image's layers."""
    [image] = [one for one in cloud.json("image", "ls") if one["name"] == "ecs-base"]
    overlay, packages = image["layers"]
    done = subprocess.run(
        [measure.ROOT / "images/ecs-base/tests/bare-boot", packages, overlay],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return float(re.search(r"first line of user data +([0-9.]+) s", done.stdout)[1])


def deploy(cloud, count):
    """Seconds from the request to CREATE_COMPLETE with as many registered instances."""
    cloudformation, ecs = cloud.client("cloudformation"), cloud.client("ecs")
    parameters = dict(word.split("=", 1) for word in seed.parameters()) | {"ApplicationDesiredCount": str(count)}
    begun = time.monotonic()
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=seed.stack().read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    until("complete", lambda: cloud.stack_status(STACK) == "CREATE_COMPLETE", 120, 0.02)
    taken = time.monotonic() - begun
    [cluster] = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    if cluster["registeredContainerInstancesCount"] != count:
        sys.exit(f"{count} instances were asked for, {cluster['registeredContainerInstancesCount']} are registered")
    return taken


def delete(cloud):
    begun = time.monotonic()
    cloud.delete_stack(STACK)
    return time.monotonic() - begun


OVERHEAD = """
set -e
printf 'exit 0\\n' >/home/ec2-user/firstrun.sh
cd /home/ec2-user
now() { date +%s%N; }
begun=$(now)
for n in $(seq 10); do
    /opt/aws/bin/cfn-init -v --stack STACK --resource RESOURCE --region us-east-1 >/dev/null
done
whole=$(($(now) - begun))
begun=$(now)
for n in $(seq 10); do
    sh -c 'mkdir -p /data/public'; sh -c 'chown -R 1000:1000 /data/public'; sh -c 'sh firstrun.sh'
done
echo $((whole / 10)) $((($(now) - begun) / 10))
"""


def cfn_init(cloud):
    """Milliseconds that cfn-init takes on the seed's metadata, without those of its commands."""
    [instance] = cloud.instances("running")[:1]
    found = cloud.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    [resource] = [
        one["LogicalResourceId"] for one in found if one["ResourceType"] == "AWS::AutoScaling::LaunchConfiguration"
    ]
    script = OVERHEAD.replace("STACK", STACK).replace("RESOURCE", resource)
    whole, commands = cloud.exec(instance["InstanceId"], "bash", "-c", script).split()
    return (int(whole) - int(commands)) / 1e6


def deployments(table, runs=5):
    """Bare boots and deployments by turns, so that both meet the machine in the same mood."""
    cloud = clouds.Cloud().start()
    try:
        prepare(cloud)
        boots, ones, fours, deletions, overheads = [], [], [], [], []
        for _ in range(runs):
            boots.append(bare_boot(cloud))
            ones.append(deploy(cloud, 1))
            overheads.append(cfn_init(cloud))
            deletions.append(delete(cloud))
        for _ in range(3):
            fours.append(deploy(cloud, 4))
            delete(cloud)
        boot, one, four = median(boots), median(ones), median(fours)
        table.row("bare boot of the image to the first line of user data", f"{boot:.2f} s")
        table.row("deploy to CREATE_COMPLETE, 1 registered instance", f"{one:.2f} s", f"< 6 s and < {2 * boot:.2f} s")
        table.row("  times the bare boot", f"{one / boot:.2f}", "< 2")
        table.row("  its deletion", f"{median(deletions):.2f} s")
        table.row("deploy to CREATE_COMPLETE, 4 registered instances", f"{four:.2f} s", "< 15 s")
        table.row("  times the bare boot", f"{four / boot:.2f}")
        table.row("cfn-init on the seed's metadata, without its commands", f"{median(overheads):.1f} ms", "< 50 ms")
        resident = cloud.status()["resident_kib"] * 1024 / 1e6
        table.row("daemon resident after these deployments", f"{resident:.1f} MB", "< 40 MB")
    finally:
        cloud.discard()
