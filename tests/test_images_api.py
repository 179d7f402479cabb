"""Images, snapshots and volumes, as a client of EC2 makes them, on real machines.

What is written to an instance's volumes is found again on instances of its image; what is not in use costs nothing;
what a killed daemon has begun is finished by the next one.
"""

import contextlib
import os
import pathlib
import subprocess

import pytest
from botocore.exceptions import ClientError

from waiting import until

DATA = "/dev/xvdcy"
MARK = "written by the build"


@pytest.fixture(scope="module")
def ec2(cloud):
    return cloud.client("ec2")


@pytest.fixture(scope="module")
def open_group(ec2):
    group = ec2.create_security_group(GroupName="ssh", Description="SSH from everywhere")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    return group


def launch(cloud, image, client=None, **request):
    """Launches an instance and waits until it runs."""
    client = client or cloud.client("ec2")
    asked = {"InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1} | request
    instance = client.run_instances(ImageId=image, **asked)["Instances"][0]["InstanceId"]
    reaches(client, instance, "running")
    return instance


def described(client, instance):
    return client.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def reaches(client, instance, state):
    until(f"{instance} is {state}", lambda: described(client, instance)["State"]["Name"] == state, 60)


def stop(client, instance):
    client.stop_instances(InstanceIds=[instance])
    reaches(client, instance, "stopped")


def terminate(client, *instances):
    client.terminate_instances(InstanceIds=instances)
    for instance in instances:
        reaches(client, instance, "terminated")


def image_of(client, image):
    return client.describe_images(ImageIds=[image])["Images"][0]


def available(client, image, seconds=60):
    """Waits until an image is no longer pending; it must be available."""
    until(f"{image} is settled", lambda: image_of(client, image)["State"] != "pending", seconds)
    found = image_of(client, image)
    assert found["State"] == "available", found.get("StateReason")
    return found


def snapshots_of(client, image):
    """The snapshots of an image's volumes, by device."""
    mappings = image_of(client, image)["BlockDeviceMappings"]
    ids = {mapping["DeviceName"]: mapping["Ebs"]["SnapshotId"] for mapping in mappings}
    found = client.describe_snapshots(SnapshotIds=list(ids.values()))["Snapshots"]
    by_id = {snapshot["SnapshotId"]: snapshot for snapshot in found}
    return {device: by_id[id] for device, id in ids.items()}


def discard(client, *images):
    """Deregisters images and deletes their snapshots."""
    for image in images:
        snapshots = snapshots_of(client, image).values()
        client.deregister_image(ImageId=image)
        for snapshot in snapshots:
            client.delete_snapshot(SnapshotId=snapshot["SnapshotId"])


@contextlib.contextmanager
def refused(code):
    """The request inside is refused with this code."""
    with pytest.raises(ClientError) as error:
        yield
    assert error.value.response["Error"]["Code"] == code, error.value


def data_volume(**ebs):
    return [{"DeviceName": DATA, "Ebs": {"VolumeSize": 20, "VolumeType": "gp2"} | ebs}]


def prepare(cloud, instance):
    """What the seed's build does with its second volume, and marks on both."""
    script = f"""
        set -e
        mkdir -p /data && mkfs.ext4 -q -L docker {DATA}
        echo 'LABEL=docker /data ext4 defaults,noatime 0 0' >> /etc/fstab && mount -a
        echo '{MARK}' | tee /root/mark > /data/mark
        ln -sf /usr/share/zoneinfo/US/Eastern /etc/localtime
        chkconfig docker off
    """
    cloud.booted(instance)
    cloud.exec(instance, "bash", "-c", script)


@pytest.fixture(scope="module")
def built(cloud, ec2, image):
    """An image of a stopped instance, the instance, and what identified that."""
    instance = launch(cloud, image, BlockDeviceMappings=data_volume())
    prepare(cloud, instance)
    identity = identity_of(cloud, instance)
    stop(ec2, instance)
    made = ec2.create_image(InstanceId=instance, Name="built", Description="of a stopped instance")["ImageId"]
    assert image_of(ec2, made)["State"] in ("pending", "available")
    available(ec2, made)
    return made, instance, identity


def identity_of(cloud, instance):
    """What no two instances may share."""
    texts = [cloud.exec(instance, "cat", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub")]
    return (*texts, cloud.exec(instance, "hostname").strip())


def test_instances_of_an_image_have_what_was_built_and_an_identity_of_their_own(cloud, ec2, built):
    made, _, identity = built
    script = "#!/bin/bash\necho $(cat /data/mark) > /root/user-data-ran\n"
    answer = ec2.run_instances(ImageId=made, InstanceType="t2.micro", MinCount=2, MaxCount=2, UserData=script)
    instances = [instance["InstanceId"] for instance in answer["Instances"]]
    identities = {identity}
    for instance in instances:
        reaches(ec2, instance, "running")
        cloud.booted(instance)
        assert cloud.exec(instance, "cat", "/root/mark", "/data/mark").split("\n")[:2] == [MARK, MARK]
        assert cloud.exec(instance, "findmnt", "-no", "FSTYPE,OPTIONS", "/data").startswith("ext4")
        assert cloud.exec(instance, "cat", "/root/user-data-ran").strip() == MARK
        assert cloud.exec(instance, "date", "+%Z").strip() in ("EST", "EDT")
        assert cloud.try_exec(instance, "systemctl", "is-enabled", "docker").stdout.strip() == "disabled"
        address = described(ec2, instance)["PrivateIpAddress"]
        hosts = cloud.exec(instance, "cat", "/etc/hosts")
        assert [line for line in hosts.splitlines() if "internal" in line] == [
            f"{address} ip-{address.replace('.', '-')}.ec2.internal ip-{address.replace('.', '-')}"
        ]
        identities.add(identity_of(cloud, instance))
    assert len(identities) == 3, identities
    # A reboot mounts the volume again; a stop keeps what was written since.
    cloud.exec(instances[0], "bash", "-c", "echo more > /data/more")
    stop(ec2, instances[0])
    ec2.start_instances(InstanceIds=instances[:1])
    reaches(ec2, instances[0], "running")
    cloud.booted(instances[0])
    assert cloud.exec(instances[0], "cat", "/data/more").strip() == "more"
    terminate(ec2, *instances)


def test_what_an_image_says_of_itself(ec2, built):
    made, instance, _ = built
    found = image_of(ec2, made)
    assert (found["Name"], found["Description"]) == ("built", "of a stopped instance")
    assert found["SourceInstanceId"] == instance
    assert (found["Public"], found["RootDeviceType"], found["VirtualizationType"]) == (False, "ebs", "hvm")
    assert [mapping["DeviceName"] for mapping in found["BlockDeviceMappings"]] == ["/dev/xvda", "/dev/xvdcz", DATA]
    for snapshot in snapshots_of(ec2, made).values():
        assert (snapshot["State"], snapshot["Progress"]) == ("completed", "100%")
        assert snapshot["Description"] == f"Created by CreateImage({instance}) for {made}"
    with refused("InvalidAMIName.Duplicate"):
        ec2.create_image(InstanceId=instance, Name="built")
    with refused("DryRunOperation"):
        ec2.create_image(InstanceId=instance, Name="tried", DryRun=True)
    by_filter = ec2.describe_images(
        Owners=["self"],
        Filters=[
            {"Name": "name", "Values": ["buil*"]},
            {"Name": "root-device-type", "Values": ["ebs"]},
            {"Name": "virtualization-type", "Values": ["hvm"]},
            {"Name": "state", "Values": ["available"]},
        ],
    )["Images"]
    assert [image["ImageId"] for image in by_filter] == [made]


def test_a_snapshot_costs_what_is_in_use(cloud, ec2, built, image):
    made, _, _ = built
    for device, snapshot in snapshots_of(ec2, made).items():
        assert snapshot["FullSnapshotSizeInBytes"] < 16 << 20, (device, snapshot)
    # What was written and deleted again costs nothing either.
    instance = launch(cloud, image, BlockDeviceMappings=data_volume())
    prepare(cloud, instance)
    write = "head -c 30M /dev/urandom > $d/kept; head -c 300M /dev/urandom > $d/lost; sync; rm $d/lost; sync"
    cloud.exec(instance, "bash", "-c", f"for d in /root /data; do {write}; done")
    stop(ec2, instance)
    second = ec2.create_image(InstanceId=instance, Name="written and deleted")["ImageId"]
    available(ec2, second)
    sizes = {device: s["FullSnapshotSizeInBytes"] >> 20 for device, s in snapshots_of(ec2, second).items()}
    assert 30 <= sizes["/dev/xvda"] < 60 and 30 <= sizes[DATA] < 60, sizes
    terminate(ec2, instance)
    discard(ec2, second)


def test_an_image_of_a_running_instance_with_and_without_reboot(cloud, ec2, image):
    instance = launch(cloud, image, BlockDeviceMappings=data_volume())
    prepare(cloud, instance)
    init = cloud.machine(instance)
    address = described(ec2, instance)["PublicIpAddress"]
    writer = "(while :; do date +%N > /data/ticks.new && mv /data/ticks.new /data/ticks; done) > /dev/null 2>&1 &"
    cloud.exec(instance, "bash", "-c", writer)

    kept = ec2.create_image(InstanceId=instance, Name="kept running", NoReboot=True)["ImageId"]
    available(ec2, kept)
    assert cloud.machine(instance) == init, "it runs on"
    before = cloud.exec(instance, "cat", "/data/ticks")
    until("it writes on", lambda: cloud.exec(instance, "cat", "/data/ticks") != before, 5)

    rebooted = ec2.create_image(InstanceId=instance, Name="rebooted")["ImageId"]
    assert described(ec2, instance)["State"]["Name"] == "running"
    available(ec2, rebooted)
    until("it has booted again", lambda: cloud.machine(instance) not in (None, init), 30)
    assert described(ec2, instance)["PublicIpAddress"] == address
    cloud.booted(instance)
    assert cloud.exec(instance, "cat", "/data/mark").strip() == MARK

    for made in (kept, rebooted):
        copy = launch(cloud, made)
        cloud.booted(copy)
        assert cloud.exec(copy, "cat", "/data/mark").strip() == MARK
        # As a file system that was unmounted in order: nothing to correct, no journal to replay.
        cloud.exec(copy, "bash", "-c", f"umount /data && e2fsck -fn {DATA}")
        terminate(ec2, copy)
    terminate(ec2, instance)
    discard(ec2, kept, rebooted)


def test_mappings_of_an_image_and_of_a_launch(cloud, ec2, built):
    made, instance, _ = built
    mappings = [
        {"DeviceName": "/dev/xvdcz", "NoDevice": ""},
        {"DeviceName": DATA, "Ebs": {"VolumeSize": 30, "DeleteOnTermination": False}},
        {"DeviceName": "/dev/sdh", "Ebs": {"VolumeSize": 1}},
    ]
    second = ec2.create_image(InstanceId=instance, Name="mapped", BlockDeviceMappings=mappings)["ImageId"]
    found = available(ec2, second)["BlockDeviceMappings"]
    assert [m["DeviceName"] for m in found] == ["/dev/xvda", DATA, "/dev/sdh"]
    with refused("InvalidBlockDeviceMapping"):
        launch(cloud, second, BlockDeviceMappings=[{"DeviceName": DATA, "Ebs": {"VolumeSize": 10}}])
    copy = launch(cloud, second, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 11}}])
    cloud.booted(copy)
    size = cloud.exec(copy, "df", "--output=size", "--block-size=1G", "/").split()[-1]
    assert 10 <= int(size) <= 11, "the root grows with its volume"
    assert int(cloud.exec(copy, "blockdev", "--getsize64", DATA)) == 30 << 30
    assert cloud.exec(copy, "blockdev", "--getsize64", "/dev/xvdh").strip() == str(1 << 30)
    volumes = {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in described(ec2, copy)["BlockDeviceMappings"]}
    terminate(ec2, copy)
    left = {volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]}
    assert volumes[DATA] in left and volumes["/dev/xvda"] not in left
    ec2.delete_volume(VolumeId=volumes[DATA])
    snapshots = [s["SnapshotId"] for d, s in snapshots_of(ec2, made).items()]
    ec2.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)
    assert {s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]} == set(snapshots)


def test_an_image_is_copied_to_another_region_and_boots_there(cloud, ec2, built):
    made, _, _ = built
    west = cloud.client("ec2", region="eu-west-1")
    with refused("InvalidAMIID.NotFound"):
        west.describe_images(ImageIds=[made])
    with refused("UnsupportedOperation"):
        west.copy_image(Name="copied", SourceImageId=made, SourceRegion="us-east-1", Encrypted=True)
    copy = west.copy_image(Name="copied", SourceImageId=made, SourceRegion="us-east-1", ClientToken="once")["ImageId"]
    again = west.copy_image(Name="copied", SourceImageId=made, SourceRegion="us-east-1", ClientToken="once")
    assert again["ImageId"] == copy
    found = available(west, copy)
    assert (found["SourceImageId"], found["SourceImageRegion"]) == (made, "us-east-1")
    instance = launch(cloud, copy, west)
    cloud.booted(instance)
    assert cloud.exec(instance, "cat", "/data/mark").strip() == MARK
    terminate(west, instance)
    discard(west, copy)
    assert west.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_an_image_of_snapshots_is_registered(cloud, ec2, built):
    made, _, _ = built
    snapshots = snapshots_of(ec2, made)
    mapped = [
        {"DeviceName": device, "Ebs": {"SnapshotId": snapshots[device]["SnapshotId"]}} for device in ("/dev/xvda", DATA)
    ]
    registered = ec2.register_image(
        Name="registered",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        VirtualizationType="hvm",
        EnaSupport=True,
        BlockDeviceMappings=mapped,
    )["ImageId"]
    assert image_of(ec2, registered)["EnaSupport"] is True
    with refused("UnsupportedOperation"):
        ec2.register_image(
            Name="no system",
            Architecture="x86_64",
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": mapped[1]["Ebs"]}],
        )
    instance = launch(cloud, registered)
    cloud.booted(instance)
    assert cloud.exec(instance, "cat", "/data/mark").strip() == MARK
    terminate(ec2, instance)
    ec2.deregister_image(ImageId=registered)


def test_permissions_and_tags(ec2, built):
    made, _, _ = built
    permit = {"Attribute": "launchPermission", "OperationType": "add"}
    ec2.modify_image_attribute(ImageId=made, UserIds=["111122223333"], **permit)
    ec2.modify_image_attribute(ImageId=made, UserGroups=["all"], **permit)
    ec2.modify_image_attribute(ImageId=made, Description={"Value": "told anew"})

    def permissions():
        return ec2.describe_image_attribute(ImageId=made, Attribute="launchPermission")["LaunchPermissions"]

    assert permissions() == [{"Group": "all"}, {"UserId": "111122223333"}]
    assert [i["ImageId"] for i in ec2.describe_images(ExecutableUsers=["111122223333"])["Images"]] == [made]
    found = image_of(ec2, made)
    assert (found["Public"], found["Description"]) == (True, "told anew")
    ec2.reset_image_attribute(ImageId=made, Attribute="launchPermission")
    assert permissions() == []
    with refused("UnsupportedOperation"):
        ec2.modify_image_attribute(ImageId=made, ProductCodes=["code"])

    snapshot = snapshots_of(ec2, made)[DATA]["SnapshotId"]
    ec2.create_tags(Resources=[made, snapshot], Tags=[{"Key": "Name", "Value": "both"}])
    assert image_of(ec2, made)["Tags"] == [{"Key": "Name", "Value": "both"}]
    by_tag = ec2.describe_snapshots(Filters=[{"Name": "tag:Name", "Values": ["both"]}])["Snapshots"]
    assert [s["SnapshotId"] for s in by_tag] == [snapshot]
    ec2.delete_tags(Resources=[made, snapshot])
    assert image_of(ec2, made).get("Tags", []) == []
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=["111122223333"]
    )
    shared = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert shared["CreateVolumePermissions"] == [{"UserId": "111122223333"}]
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")


def test_a_volume_of_a_snapshot_is_attached_to_an_instance_that_runs(cloud, ec2, built, image):
    made, _, _ = built
    instance = launch(cloud, image)
    cloud.booted(instance)
    zone = described(ec2, instance)["Placement"]["AvailabilityZone"]
    snapshot = snapshots_of(ec2, made)[DATA]["SnapshotId"]
    volume = ec2.create_volume(SnapshotId=snapshot, AvailabilityZone=zone)
    assert (volume["Size"], volume["SnapshotId"]) == (20, snapshot)
    volume = volume["VolumeId"]

    def state():
        return ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"]

    until("the volume is there", lambda: state() == "available", 30)
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdk")
    until("it is attached", lambda: cloud.try_exec(instance, "test", "-b", "/dev/xvdk").returncode == 0, 30)
    mounted = cloud.exec(instance, "bash", "-c", "mount LABEL=docker /mnt && cat /mnt/mark && umount /mnt")
    assert mounted.strip() == MARK
    ec2.detach_volume(VolumeId=volume)
    until("it is detached", lambda: state() == "available", 30)
    assert cloud.try_exec(instance, "test", "-e", "/dev/xvdk").returncode != 0
    # A snapshot of what nothing uses, and the volume gone before it may be completed.
    taken = ec2.create_snapshot(VolumeId=volume, Description="alone")["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    completed = lambda: ec2.describe_snapshots(SnapshotIds=[taken])["Snapshots"][0]["State"] == "completed"  # noqa: E731
    until("the snapshot is completed", completed, 30)
    ec2.delete_snapshot(SnapshotId=taken)
    terminate(ec2, instance)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_key_pair_opens_ssh_by_the_public_address(cloud, ec2, image, open_group, kind, tmp_path):
    pair = ec2.create_key_pair(KeyName=f"build-{kind}", KeyType=kind)
    key = tmp_path / "key.pem"
    key.write_text(pair["KeyMaterial"])
    key.chmod(0o600)
    instance = launch(cloud, image, KeyName=f"build-{kind}", SecurityGroupIds=[open_group])
    cloud.booted(instance)
    address = described(ec2, instance)["PublicIpAddress"]
    assert address.startswith("127."), address
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"]
    command = ["ssh", "-i", key, *(word for option in options for word in ("-o", option)), f"ec2-user@{address}"]
    done = subprocess.run([*command, "sudo", "id", "-un"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "root\n", done.stderr
    terminate(ec2, instance)
    ec2.delete_key_pair(KeyName=f"build-{kind}")


def test_what_is_in_use_is_not_removed(cloud, ec2, built, image):
    made, instance, _ = built
    with refused("InvalidSnapshot.InUse"):
        ec2.delete_snapshot(SnapshotId=snapshots_of(ec2, made)[DATA]["SnapshotId"])
    with refused("InvalidSnapshot.NotFound"):
        ec2.delete_snapshot(SnapshotId="snap-0123456789abcdef0")
    with refused("AuthFailure"):
        ec2.deregister_image(ImageId=image)
    copy = launch(cloud, made)
    assert cloud.try_run("image", "rm", made).returncode != 0
    terminate(ec2, copy)
    protected = ec2.create_image(InstanceId=instance, Name="protected")["ImageId"]
    available(ec2, protected)
    ec2.enable_image_deregistration_protection(ImageId=protected)
    with refused("OperationNotPermitted"):
        ec2.deregister_image(ImageId=protected)
    ec2.disable_image_deregistration_protection(ImageId=protected)
    discard(ec2, protected)


def test_a_deregistered_image_takes_nothing_from_its_instances(cloud, ec2, built):
    _, source, _ = built
    made = ec2.create_image(InstanceId=source, Name="soon gone")["ImageId"]
    available(ec2, made)
    instance = launch(cloud, made)
    discard(ec2, made)
    with refused("InvalidAMIID.NotFound"):
        ec2.run_instances(ImageId=made, MinCount=1, MaxCount=1)
    stop(ec2, instance)
    ec2.start_instances(InstanceIds=[instance])
    reaches(ec2, instance, "running")
    cloud.booted(instance)
    assert cloud.exec(instance, "cat", "/data/mark").strip() == MARK
    terminate(ec2, instance)


def test_built_images_are_listed_and_removed_by_the_tool(cloud, ec2, built):
    _, source, _ = built
    made = ec2.create_image(InstanceId=source, Name="for the tool")["ImageId"]
    available(ec2, made)
    snapshots = [snapshot["SnapshotId"] for snapshot in snapshots_of(ec2, made).values()]
    listed = {image["id"]: image for image in cloud.json("image", "ls")}
    assert listed[made]["name"] == "for the tool"
    assert "for the tool" in cloud.run("image", "ls")
    cloud.run("image", "rm", made)
    left = [snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    assert not set(snapshots) & set(left)


@pytest.mark.parametrize("reboots", [True, False])
def test_a_snapshot_is_completed_by_the_next_daemon(cloud, ec2, image, reboots):
    instance = launch(cloud, image, BlockDeviceMappings=data_volume())
    prepare(cloud, instance)
    # Enough that the copy is under way when the daemon is killed.
    cloud.exec(instance, "bash", "-c", "head -c 700M /dev/urandom > /data/much; sync", timeout=120)
    digest = cloud.exec(instance, "sha256sum", "/data/much").split()[0]
    made = ec2.create_image(InstanceId=instance, Name=f"killed {reboots}", NoReboot=not reboots)["ImageId"]
    snapshots = pathlib.Path(cloud.state, "images/snapshots")
    until("bytes are being copied", lambda: any(p.stat().st_blocks for p in snapshots.glob("*.partial")), 30, 0.005)
    cloud.kill()
    if not reboots:
        # Nobody is left to thaw its file systems but their guards.
        assert cloud.try_exec(instance, "bash", "-c", "echo on > /data/on && sync", timeout=20).returncode == 0
    cloud.start()
    available(cloud.client("ec2"), made, 120)
    reaches(ec2, instance, "running")
    copy = launch(cloud, made)
    cloud.booted(copy)
    assert cloud.exec(copy, "sha256sum", "/data/much").split()[0] == digest
    terminate(ec2, copy, instance)
    discard(ec2, made)
    assert not list(snapshots.glob("*.partial"))
    assert os.path.exists(snapshots)
