"""The example's provisioning scripts: on a real image build, twice over; and where another init runs than systemd."""

import json
import shutil

import pytest

import builds
import clouds
import provisioning

EXAMPLE = clouds.ROOT / "examples/todobackend"
SERVER = "server 169.254.169.123 prefer iburst"
FSTAB = "LABEL=docker\t/data\text4\tdefaults,noatime,nofail\t0\t2"

# What one run leaves and another one must leave alone.
LOOK = """
grep -v '^#' /etc/fstab
readlink /etc/localtime
cat /etc/sysconfig/clock /etc/ntp.conf /etc/cloud/cloud.cfg.d/*
ls -l --time-style=+ /etc/systemd/system /etc/systemd/system/*.wants /opt/drydock/bin /etc/logrotate.d
blkid -o value -s LABEL -s UUID -s TYPE /dev/xvdcy
findmnt -n -o TARGET,FSTYPE,OPTIONS /data
systemctl is-active docker ecs awslogs ntpd rsyslog
ls -A /var/lib/ecs/data /var/log/ecs /var/lib/awslogs /tmp/files 2>&1
true
"""


@pytest.fixture(scope="module")
def instance(cloud, image, tmp_path_factory):
    """An instance of the example's image whose scripts have run twice, with what was to be seen after each time."""
    folder = tmp_path_factory.mktemp("image") / "todobackend"
    shutil.copytree(EXAMPLE, folder)
    template = json.loads((folder / "packer.json").read_text())
    template["variables"]["time_zone"] = "Europe/Berlin"
    steps = template["provisioners"]
    sudo = "sudo env {{ .Vars }} bash '{{ .Path }}'"
    looks = [
        builds.shell(f"{{ {LOOK} }} > /root/after-{time} 2>&1", execute_command=sudo, skip_clean=True)
        for time in ("first", "second")
    ]
    template["provisioners"] = [*steps, looks[0], *steps, looks[1]]
    (folder / "packer.json").write_text(json.dumps(template))
    done = builds.build(cloud, folder / "packer.json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    [ami] = builds.images(cloud)
    ec2 = cloud.client("ec2")
    [made] = ec2.run_instances(ImageId=ami, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"]
    cloud.booted(made["InstanceId"])
    yield made["InstanceId"]
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


def test_a_second_run_changes_nothing(cloud, instance):
    first, second = (cloud.exec(instance, "cat", f"/root/after-{time}") for time in ("first", "second"))
    assert first == second
    assert "No such file or directory" in first, "the uploaded files are removed"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        # storage.sh
        ("findmnt -n -o FSTYPE,OPTIONS /data", "ext4   rw,noatime"),
        ("grep -c /data /etc/fstab", "1"),
        ("grep /data /etc/fstab", FSTAB),
        # time.sh
        ("readlink /etc/localtime", "/usr/share/zoneinfo/Europe/Berlin"),
        ("cat /etc/sysconfig/clock", 'ZONE="Europe/Berlin"\nUTC=true'),
        ("grep ^server /etc/ntp.conf", SERVER),
        ("systemctl is-enabled ntpd; systemctl is-active ntpd", "enabled\nactive"),
        # cloudinit.sh: what cloud-init itself makes of it
        (
            'python3 -c \'from cloudinit import util; c = util.read_conf_with_confd("/etc/cloud/cloud.cfg");'
            ' print(c["repo_update"], c["repo_upgrade"])\'',
            "False none",
        ),
        # logging.sh: this image's Docker has its log file already
        ("ls /etc/systemd/system/docker.service.d 2>&1 | grep -c log-file || true", "0"),
        # firstrun.sh
        ("/opt/drydock/bin/firstrun --version | cut -d' ' -f1", "firstrun"),
        # cleanup.sh
        ("systemctl is-enabled docker ecs awslogs || true", "disabled\ndisabled\ndisabled"),
        ("systemctl is-active docker ecs awslogs || true", "inactive\ninactive\ninactive"),
        ("ls -A /var/lib/ecs/data /etc/ecs | grep -v -e : -e '^$' || true", ""),
        # The ports that the ECS agent listens on are no outgoing connection's.
        ("cat /proc/sys/net/ipv4/ip_local_reserved_ports", "51678-51680"),
    ],
)
def test_what_systemd_images_get(cloud, instance, command, expected):
    assert cloud.exec(instance, "sh", "-c", command).strip() == expected


@pytest.fixture
def root(cloud, instance, request):
    """A root in which System V scripts and Upstart drive the services, as on Amazon Linux 1."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)
    with provisioning.root(cloud, instance, EXAMPLE / "scripts", name) as made:
        made.sh("truncate -s 64M disk.img; printf 'LABEL=/\\t/\\text4\\tdefaults\\t1\\t1\\n' > etc/fstab")
        made.sh("printf 'driftfile /var/lib/ntp/drift\\n' > etc/ntp.conf; rm -f etc/systemd/system/ecs.service")
        made.sh("rm -rf etc/cloud/cloud.cfg.d; rm -f etc/localtime; touch etc/ecs/ecs.config")
        yield made


ALL = ["packages", "storage", "time", "cloudinit", "logging", "firstrun", "cleanup"]
SETTINGS = {"DEVICE": "/disk.img", "TIME_ZONE": "Europe/Berlin"}


def run_all(root):
    for script in ALL:
        done = root.run(script, **SETTINGS)
        assert done.returncode == 0, f"{script}: {done.stderr}{done.stdout}"


def test_sysvinit_and_upstart(root):
    root.sh("touch state/running/docker state/running/ecs state/running/awslogs state/enabled/docker")
    run_all(root)
    assert root.calls() == [
        "yum install -y aws-cfn-bootstrap jq rsyslog",
        "yum install -y awslogs",
        "yum install -y amazon-ssm-agent",
        "mount /data",
        "chkconfig ntpd on",
        "service ntpd restart",
        "chkconfig rsyslog on",
        "initctl stop ecs",
        "docker system prune --force --all",
        "service docker stop",
        "chkconfig docker off",
        "service awslogs stop",
        "chkconfig awslogs off",
        "yum clean all",
    ]
    assert root.services() == ({"ntpd"}, {"ntpd", "rsyslog"})
    assert root.read("/etc/fstab") == f"LABEL=/\t/\text4\tdefaults\t1\t1\n{FSTAB}\n"
    assert root.sh("blkid -o value -s LABEL -s TYPE disk.img") == "docker\next4\n"
    assert root.sh("readlink etc/localtime").strip() == "/usr/share/zoneinfo/Europe/Berlin"
    assert root.read("/etc/sysconfig/clock") == 'ZONE="Europe/Berlin"\nUTC=true\n'
    assert root.read("/etc/ntp.conf") == f"driftfile /var/lib/ntp/drift\n{SERVER}\n"
    assert root.read("/etc/cloud/cloud.cfg.d/90-no-updates.cfg") == "repo_update: false\nrepo_upgrade: none\n"
    assert root.sh("ls etc/ecs etc/systemd/system | grep -e ecs.config -e docker.service.d || true") == ""

    before = root.digest()
    run_all(root)
    assert root.digest() == before
    # Nothing of it runs any more, so nothing is stopped; and Docker is not asked, which would start it.
    again = root.calls()
    assert not any(call.startswith(("docker", "mount", "initctl stop", "service docker")) for call in again), again


def test_an_agent_with_a_system_v_script(root):
    root.sh("rm etc/init/ecs.conf; cp etc/init.d/docker etc/init.d/ecs; touch state/running/ecs state/enabled/ecs")
    assert root.run("cleanup").returncode == 0
    assert "service ecs stop" in (calls := root.calls()) and "chkconfig ecs off" in calls
    assert root.services() == (set(), set())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{FSTAB}\n"),
        ("# /data is ours", f"# /data is ours\n{FSTAB}\n"),
        ("LABEL=old /data xfs defaults 0 0\nproc /proc proc 0 0\n", f"{FSTAB}\nproc /proc proc 0 0\n"),
        (f"{FSTAB}\n{FSTAB}\n", f"{FSTAB}\n"),
        ("LABEL=x /data/more ext4 defaults 0 0\n", f"LABEL=x /data/more ext4 defaults 0 0\n{FSTAB}\n"),
    ],
)
def test_one_line_of_fstab(root, before, after):
    root.put({"/etc/fstab": before})
    for _ in range(2):
        done = root.run("storage", **SETTINGS)
        assert done.returncode == 0, done.stderr
        assert root.read("/etc/fstab") == after


@pytest.mark.parametrize("make", ["mkfs.ext4 -q -L photos", "mkfs.ext4 -q", "mkswap -L docker"])
def test_a_volume_with_other_contents_is_left_alone(root, make):
    root.sh(f"{make} disk.img > /dev/null")
    before = root.digest()
    done = root.run("storage", **SETTINGS)
    assert done.returncode == 1
    assert "/disk.img holds something else, and is left alone" in done.stderr
    assert root.digest() == before and root.calls() == []


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../../etc/passwd", "/etc/passwd", "", "Europe"])
def test_what_is_no_time_zone_changes_nothing(root, zone):
    before = root.digest()
    done = root.run("time", TIME_ZONE=zone)
    assert done.returncode != 0 and "time zone" in done.stderr
    assert root.digest() == before and root.calls() == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Amazon Linux 2023 has the server in a file of chrony's directory.
        ({"/etc/chrony.conf": "makestep 1 3\n", "/etc/chrony.d/link-local.sources": f"{SERVER}\n"}, "makestep 1 3\n"),
        ({"/etc/chrony.conf": f"{SERVER} minpoll 4\n"}, f"{SERVER} minpoll 4\n"),
        ({"/etc/chrony.conf": "#server 169.254.169.123\n"}, f"#server 169.254.169.123\n{SERVER}\n"),
        ({"/etc/chrony.conf": "server 169.254.169.1234\n"}, f"server 169.254.169.1234\n{SERVER}\n"),
    ],
)
def test_chrony_instead_of_ntpd(root, files, expected):
    root.put({"/usr/sbin/chronyd": "#!/bin/sh\n"} | files)
    ntp = root.read("/etc/ntp.conf")
    for _ in range(2):
        assert root.run("time", **SETTINGS).returncode == 0
        assert root.read("/etc/chrony.conf") == expected
    assert root.read("/etc/ntp.conf") == ntp
    assert root.calls() == ["chkconfig chronyd on", "service chronyd restart"] * 2


def test_dockers_log_goes_to_a_file_where_the_unit_does_not_say_so(root):
    root.sh("mkdir -p run/systemd/system; rm -rf usr/lib/systemd/system/docker.service.d etc/logrotate.d/ecs-base")
    for calls in (
        ["systemctl enable --now rsyslog", "systemctl daemon-reload"],
        ["systemctl enable --now rsyslog"],
    ):
        done = root.run("logging")
        assert done.returncode == 0, done.stderr
        assert root.calls() == calls
        drop_in = root.read("/etc/systemd/system/docker.service.d/20-log-file.conf")
        assert drop_in == "[Service]\nStandardOutput=append:/var/log/docker\nStandardError=inherit\n"
        assert "copytruncate" in root.read("/etc/logrotate.d/docker-log")


def test_an_agent_that_waits_for_the_end_of_user_data(root):
    """As Amazon Linux 2 and 2023 have it; what the unit says otherwise stays."""
    unit = "[Unit]\nAfter=docker.service{}\nWants=x.service\n[Service]\nExecStart=/usr/libexec/amazon-ecs-init start\n"
    root.put({"/usr/lib/systemd/system/ecs.service": unit.format(" cloud-final.service")})
    for _ in range(2):
        assert root.run("firstrun").returncode == 0
        assert root.read("/etc/systemd/system/ecs.service") == unit.format("")
    root.put({"/usr/lib/systemd/system/ecs.service": unit.replace("docker.service{}", "cloud-final.service")})
    assert root.run("firstrun").returncode == 0
    assert root.read("/etc/systemd/system/ecs.service") == unit.replace("After=docker.service{}\n", "")


def test_firstrun_is_installed_from_the_uploaded_file(root):
    root.sh(
        "mkdir -p tmp/files; cp -L opt/drydock/bin/firstrun tmp/files/drydock-guest; "
        "rm -rf opt/drydock usr/libexec/drydock"
    )
    done = root.run("firstrun")
    assert done.returncode == 0 and done.stdout.startswith("firstrun "), done.stderr
    assert root.sh("readlink opt/drydock/bin/firstrun; stat -c %a usr/libexec/drydock/guest").split() == [
        "/usr/libexec/drydock/guest",
        "755",
    ]


def test_an_image_without_firstrun_is_told(root):
    root.sh("rm -rf opt/drydock")
    done = root.run("firstrun")
    assert done.returncode == 1
    assert "drydock image guest files/drydock-guest" in done.stderr
