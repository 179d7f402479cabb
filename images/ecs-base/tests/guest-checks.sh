#!/bin/bash
# guest-checks.sh: what the base image promises, checked inside a booted instance, as root. Prints TAP; exits 1 when a
# check fails. Leaves services as it found them. May be run from standard input.
count=0 failed=0

# check WORDS COMMAND...: one test; what a failing command printed follows as a comment.
check() {
    local words=$1 output
    shift
    count=$((count + 1))
    if output=$("$@" 2>&1); then
        echo "ok $count - $words"
    else
        failed=$((failed + 1))
        echo "not ok $count - $words"
        sed 's/^/# /' <<<"$output"
    fi
}

# says STATUS PATTERN COMMAND...: whether the command exits so and prints something that matches.
says() {
    local status=$1 pattern=$2 output got=0
    shift 2
    output=$("$@" 2>&1 </dev/null) || got=$?
    printf 'exit status %s\n%s\n' "$got" "$output"
    [ "$got" -eq "$status" ] && grep -Eq -- "$pattern" <<<"$output"
}

# within SECONDS COMMAND...: until it succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

sh_is_bash() { [ "$(/bin/sh -c 'echo ${BASH_VERSION:+bash}')" = bash ]; }
no_unit_failed() { [ -z "$(systemctl --failed --no-legend)" ] || { systemctl --failed --no-legend; return 1; }; }
as_ec2_user() { setpriv --reuid=500 --regid=500 --init-groups env HOME=/home/ec2-user USER=ec2-user "$@"; }
own_name_resolves() { timeout 1 getent hosts "$(hostname)"; }
docker_volume_mounted() { findmnt --noheadings --output SOURCE,FSTYPE /var/lib/docker | grep -q ext4; }
# Bit 25 is CAP_SYS_TIME.
clock_is_left_alone() { pgrep -x ntpd && ((((0x$(awk '/^CapEff/ {print $2}' "/proc/$(pgrep -o -x ntpd)/status") >> 25) & 1) == 0)); }
bsd_stamped() { grep -Eq "^[A-Z][a-z]{2} [ 0-9][0-9] ([0-9]{2}:){2}[0-9]{2} " "$1" && ! grep -Evq "^[A-Z][a-z]{2} " "$1"; }
own_host_keys() { [ -s /etc/ssh/ssh_host_ed25519_key ] && [ -s /etc/ssh/ssh_host_ecdsa_key ]; }

check "/bin/sh is bash" sh_is_bash
check "no unit has failed" no_unit_failed
check "cloud-init is done, from the Ec2 data source" says 0 'DataSourceEc2' cloud-init status --long
check "system-release says what this is" says 0 '^Drydock ECS base' cat /etc/system-release
check "the own host name resolves at once" own_name_resolves
check "host keys are the instance's own" own_host_keys
check "sshd listens" says 0 ':22 ' ss -Hltn
check "sshd takes no passwords and no root" says 0 'permitrootlogin no' sshd -T
log_in_with_key() {
    local work keys=/home/ec2-user/.ssh/authorized_keys result=0
    work=$(mktemp -d)
    ssh-keygen -q -t ed25519 -N '' -f "$work/key"
    install -d -m 700 -o ec2-user -g ec2-user /home/ec2-user/.ssh
    cp -p "$keys" "$work/keys" 2>/dev/null
    cat "$work/key.pub" >>"$keys"
    chown ec2-user: "$keys"
    chmod 600 "$keys"
    says 0 '^/opt/aws/bin/cfn-init$' ssh -i "$work/key" -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null ec2-user@127.0.0.1 command -v cfn-init || result=1
    cp -p "$work/keys" "$keys" 2>/dev/null || rm -f "$keys"
    rm -rf "$work"
    return "$result"
}
check "ec2-user logs in with its key" log_in_with_key
check "sudo works for ec2-user" says 0 '^0$' as_ec2_user sudo -n id -u
check "ec2-user may use docker" says 0 '^overlay2$' as_ec2_user docker info --format '{{.Driver}}'
check "Docker has a volume of its own" docker_volume_mounted
check "guest tools are in /opt/aws/bin" test -x /opt/aws/bin/cfn-init -a -x /opt/aws/bin/cfn-signal

check "service NAME status of a running service" says 0 'docker \(pid +[0-9]+\) is running\.\.\.' service docker status
check "service knows Amazon's names" says 0 'crond \(pid' service crond status
check "service refuses an unknown name" says 1 '^nothing: unrecognized service$' service nothing start
check "service refuses an unknown action" says 2 '^Usage: /etc/init.d/docker' service docker dance
check "service NAME stop" says 0 'Stopping ntpd: +\[  OK  \]' service ntpd stop
check "service NAME status of a stopped service" says 3 '^ntpd is stopped' service ntpd status
check "service NAME start" says 0 'Starting ntpd: +\[  OK  \]' service ntpd start
check "/etc/init.d/NAME" says 0 'is running' /etc/init.d/sshd status

check "chkconfig --list NAME" says 0 '^docker +.*3:on' chkconfig --list docker
check "chkconfig NAME off" says 0 '' chkconfig docker off
check "chkconfig --list tells" says 0 '^docker +.*3:off' chkconfig --list docker
check "chkconfig NAME is a question" says 1 '' chkconfig docker
check "chkconfig NAME on" says 0 '' chkconfig docker on
check "systemctl disable works as well" says 0 '' systemctl disable docker
check "systemctl enable works as well" says 0 '' systemctl enable docker
check "chkconfig NAME says yes" says 0 '' chkconfig docker
check "chkconfig --add of a service" says 0 '' chkconfig --add ntpd
check "chkconfig refuses an unknown name" says 1 'error reading information on service nothing' chkconfig nothing on

cat >/etc/init.d/guest-check <<'SCRIPT'
#!/bin/sh
# chkconfig: 345 99 01
echo "guest-check $1"
SCRIPT
chmod 755 /etc/init.d/guest-check
check "service runs a script in /etc/init.d" says 0 '^guest-check start$' service guest-check start
check "chkconfig --add of a script" says 0 '' chkconfig --add guest-check
check "chkconfig links the script at its priority" test -L /etc/rc3.d/S99guest-check
check "chkconfig --del of a script" says 0 '' chkconfig --del guest-check
check "chkconfig has removed the links" test ! -e /etc/rc3.d/S99guest-check
rm -f /etc/init.d/guest-check

within 10 systemctl is-active --quiet ecs || true
check "status JOB" says 0 '^ecs start/running, process [0-9]+$' status ecs
check "start of a running job" says 1 '^start: Job is already running: ecs$' start ecs
check "stop JOB" says 0 '^ecs stop/waiting$' stop ecs
check "stop of a stopped job" says 1 '^stop: Unknown instance: ' stop ecs
check "initctl status JOB" says 0 '^ecs stop/waiting$' initctl status ecs
check "start JOB" says 0 '^ecs start/running, process [0-9]+$' as_ec2_user sudo start ecs
without_docker() {
    local result=0
    stop ecs >/dev/null
    systemctl --quiet stop docker.socket docker.service
    says 1 '^start: Job failed to start$' start ecs && says 3 '^inactive$' systemctl is-active docker || result=1
    systemctl --quiet start docker.socket docker.service
    start ecs >/dev/null
    return "$result"
}
check "the agent needs Docker and does not start it" without_docker
check "restart JOB" says 0 '^ecs start/running, process [0-9]+$' restart ecs
check "start of an unknown job" says 1 '^start: Unknown job: nothing$' start nothing
check "initctl list" says 0 '^ecs ' initctl list

check "yum update with exclusions" says 0 '^No packages marked for update$' yum -y -x docker\* -x ecs\* update
check "yum install of what is there" says 0 'jq-[^ ]+ already installed and latest version' \
    yum -y install aws-cfn-bootstrap awslogs jq
check "yum install of what is nowhere" says 1 'No package nothing-like-it available' yum -y install nothing-like-it
check "yum ends such an install as an error" says 1 '^Error: Nothing to do' yum -y install nothing-like-it
check "yum refuses RPM files" says 1 'Cannot open: https://example.com/a.rpm' yum -y install https://example.com/a.rpm
check "yum refuses unknown commands" says 1 'No such command: dance' yum dance
check "yum needs root" says 1 'You need to be root' as_ec2_user yum -y install jq
check "yum tells its version" says 0 '^3\.' yum --version
check "yum bears a reader that has seen enough" sh -c '! { yum list | head -n 1; } 2>&1 | grep Traceback'
check "yum list installed" says 0 '^docker\.x86_64' yum list installed docker
check "rpm -q of a package" says 0 '^jq-[0-9.]+-' rpm -q jq
check "rpm -q of none" says 1 '^package nothing is not installed$' rpm -q nothing
check "rpm --queryformat" says 0 '^ntp@' rpm -q --qf '%{NAME}@%{VERSION}\n' ntp

install_offered() {
    local work result=0
    work=$(mktemp -d)
    mkdir -p "$work/DEBIAN" "$work/usr/share/guest-check"
    printf 'Package: guest-check\nVersion: 1.0-1\nArchitecture: all\nMaintainer: none <none@example.com>\nDescription: check\n' \
        >"$work/DEBIAN/control"
    dpkg-deb --build "$work" /var/lib/drydock/packages/guest-check.deb >/dev/null
    says 0 'guest-check-1.0-1.noarch' yum -y install guest-check && says 0 'guest-check-1.0-1' rpm -q guest-check &&
        says 0 'Removed:' yum -y remove guest-check && says 1 'not installed' rpm -q guest-check || result=1
    rm -rf "$work" /var/lib/drydock/packages/guest-check.deb
    return "$result"
}
check "yum installs and removes what the package source offers" install_offered

docker_environment() {
    local result=0
    cp /etc/sysconfig/docker /tmp/sysconfig-docker
    echo 'export HTTPS_PROXY=http://proxy.example.com:3128' >>/etc/sysconfig/docker
    service docker restart
    tr '\0' '\n' <"/proc/$(pgrep -x dockerd)/environ" | grep -q '^HTTPS_PROXY=http://proxy' || result=1
    tr '\0' ' ' <"/proc/$(pgrep -x dockerd)/cmdline" | grep -q 'nofile=1024:4096' || result=1
    cp /tmp/sysconfig-docker /etc/sysconfig/docker
    service docker restart
    return "$result"
}
check "Docker reads /etc/sysconfig/docker" docker_environment

run_container() {
    local result=0
    # An image of nothing but bash and what it loads.
    # shellcheck disable=SC2046
    (cd / && tar -ch usr/bin/bash $(ldd /usr/bin/bash | grep -o '/lib[^ ]*' | sed 's,^/,,')) |
        docker import --change 'CMD ["/usr/bin/bash", "-c", "echo contained"]' - guest-check >/dev/null
    says 0 '^contained$' docker run --rm guest-check || result=1
    docker rmi --force guest-check >/dev/null
    return "$result"
}
check "Docker runs a container on its bridge" run_container

logger -t guest-check "a line"
check "/var/log/messages has its lines and stamps" within 3 bsd_stamped /var/log/messages
check "/var/log/dmesg is written" test -s /var/log/dmesg
check "/var/log/docker is Docker's log" says 0 '^time="[0-9]{4}-.*Daemon has completed' cat /var/log/docker
check "/var/log/ecs/ecs-init.log" says 0 '^[-0-9]{10}T[:0-9]{8}Z \[INFO\]' cat /var/log/ecs/ecs-init.log
check "/var/log/cloud-init-output.log" test -s /var/log/cloud-init-output.log

check "awslogs has its package's configuration" says 0 '^log_group_name = /var/log/messages$' cat /etc/awslogs/awslogs.conf
check "awslogs does not start by itself" says 3 '^awslogs is stopped' service awslogs status
check "service awslogs start" says 0 'Starting awslogs: +\[  OK  \]' service awslogs start
check "service awslogs status" says 0 'awslogs \(pid +[0-9]+\) is running\.\.\.' service awslogs status
check "service awslogs restart" says 0 'Starting awslogs: +\[  OK  \]' service awslogs restart
check "service awslogs reload" says 0 'Reloading awslogs: +\[  OK  \]' service awslogs reload
check "awslogs runs on after a reload" says 0 'is running' service awslogs status
check "chkconfig awslogs on" says 0 '' chkconfig awslogs on
check "chkconfig --list awslogs" says 0 '^awslogs +.*3:on' chkconfig --list awslogs
chkconfig awslogs off
check "awslogs has a log of its own" test -s /var/log/awslogs.log
check "service awslogs stop" says 0 'Stopping awslogs: +\[  OK  \]' service awslogs stop

check "ntpd reads /etc/ntp.conf" says 0 '169\.254\.169\.123' ntpq -pn
check "ntpd cannot set the clock" clock_is_left_alone

label_mount() {
    mkfs.ext4 -q -F -L guest-check /dev/xvdcy && mkdir -p /tmp/guest-check &&
        mount LABEL=guest-check /tmp/guest-check && findmnt /tmp/guest-check
    local result=$?
    umount /tmp/guest-check
    return "$result"
}
if [ -b /dev/xvdcy ] && ! findmnt --source /dev/xvdcy >/dev/null && [ -z "$(blkid -p -s TYPE -o value /dev/xvdcy)" ]; then
    check "a volume is found by its label" label_mount
fi

echo "1..$count"
[ "$failed" -eq 0 ]
