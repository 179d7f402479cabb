"""Image builds, snapshots, validation."""

import functools
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import clouds
import seed
from measure import median, prepare, timed
from waiting import until

# What `build --watch` says of the second step when it has succeeded, and when all steps from the changed one on have.
WATCH_STEP = "✓ 2/6"
WATCH_GREEN = "green after"


def image_folder():
    """A copy of the acceptance input's image half, since builds leave files beside their template."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="drydock-bench-", dir="/var/tmp"))
    shutil.copytree(seed.image(), folder / "image")
    return folder / "image"


def validation(folder, program, *arguments, runs=15):
    """Milliseconds of a whole process that validates the template."""
    command = [program, "validate", *arguments, "packer.json"]
    env = clouds.environment()
    run = functools.partial(
        subprocess.run, command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    return median([timed(run) * 1000 for _ in range(runs)])


def watched(cloud, folder, runs=5):
    """Seconds from a saved script, the second of six, to its green step, and to the last one's."""
    script = folder / "scripts/time.sh"
    log = folder.parent / "watch.log"
    with log.open("w") as out:
        watch = subprocess.Popen(
            [clouds.BINARY, "build", "--watch", "--state", cloud.state, "packer.json"],
            cwd=folder,
            env=clouds.environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        count = lambda words: log.read_text().count(words)  # noqa: E731
        step, all_steps = [], []
        try:
            until("the first build is done", lambda: count(WATCH_GREEN) or watch.poll() is not None, 120, 0.1)
            for turn in range(1, runs + 1):
                script.write_text(script.read_text() + f"\n# {turn}\n")
                begun = time.monotonic()
                for words, taken in ((WATCH_STEP, step), (WATCH_GREEN, all_steps)):
                    seen = lambda words=words, turn=turn: count(words) > turn or watch.poll() is not None  # noqa: E731
                    until(f"{words} is said again", seen, 60, 0.01)
                    if watch.poll() is not None:
                        sys.exit(f"build --watch ended:\n{log.read_text()}")
                    taken.append(time.monotonic() - begun)
        finally:
            watch.send_signal(signal.SIGINT)
            watch.wait(60)
    return median(step), median(all_steps)


def occupied(path):
    """Megabytes that the files below a directory take on disk."""
    return sum(file.stat().st_blocks * 512 for file in path.rglob("*") if file.is_file()) / 1e6


def snapshot(cloud, volume):
    """Seconds and megabytes that a snapshot takes."""
    ec2, state = cloud.client("ec2"), pathlib.Path(cloud.state)
    before, begun = occupied(state), time.monotonic()
    id = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    until(
        "the snapshot is completed",
        lambda: ec2.describe_snapshots(SnapshotIds=[id])["Snapshots"][0]["State"] == "completed",
        60,
        0.01,
    )
    return time.monotonic() - begun, occupied(state) - before


def snapshots(cloud, table):
    """What a snapshot of a volume of 20 GiB takes on disk and how long it lasts, with little and with more in use."""
    ec2 = cloud.client("ec2")
    launched = ec2.run_instances(
        ImageId=seed.parameter("ApplicationImageId"),
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvdcy", "Ebs": {"VolumeSize": 20}}],
    )
    id = launched["Instances"][0]["InstanceId"]
    until("it runs", lambda: cloud.instances("running"), 30)
    cloud.exec(id, "sh", "-c", "mkfs.ext4 -q /dev/xvdcy && mkdir -p /data && mount /dev/xvdcy /data")
    [volume] = [
        mapping["Ebs"]["VolumeId"]
        for mapping in ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0][
            "BlockDeviceMappings"
        ]
        if mapping["DeviceName"] == "/dev/xvdcy"
    ]
    for megabytes in (0, 500):
        cloud.exec(id, "sh", "-c", f"head -c {megabytes}M /dev/urandom >/data/file && sync")
        taken, added = snapshot(cloud, volume)
        table.row(f"snapshot of a 20 GiB volume with {megabytes} MB in it", f"{taken:.2f} s", "")
        table.row("  takes on disk", f"{added:.0f} MB", "what is in use")
    ec2.terminate_instances(InstanceIds=[id])


def image(table, runs=5):
    cloud = clouds.Cloud().start()
    folder = image_folder()
    try:
        prepare(cloud)
        cloud.run("cloud", "adopt", f"{seed.source_image()}=ecs-base")
        ours = [timed(lambda: cloud.run("build", "packer.json", cwd=folder)) for _ in range(runs)]
        table.row("build of the seed's image", f"{median(ours):.1f} s", "< 12 s")
        packer = [
            timed(lambda: cloud.run("exec", "--", "packer", "build", "packer.json", cwd=folder)) for _ in range(2)
        ]
        table.row("  the same by Packer 1.6.6", f"{median(packer):.1f} s", "< 30 s")
        step, all_steps = watched(cloud, folder)
        table.row("  from a saved script to a green step, --watch", f"{step:.2f} s", "< 3 s")
        table.row("  to the end of that step and the four after it", f"{all_steps:.2f} s", "")
        snapshots(cloud, table)
        table.row("validate the seed's template", f"{validation(folder, clouds.BINARY):.1f} ms", "< 20 ms")
        table.row("  the same by Packer 1.6.6", f"{validation(folder, 'packer'):.0f} ms", "")
    finally:
        cloud.discard()
        shutil.rmtree(folder.parent)
