"""A second root inside an instance, in which another init seems to run: for scripts that know several."""

import contextlib
import io
import tarfile
import tempfile

# What stands for the programs that drive services. Each notes how it was called; services have a state, in files.
FAKES = {
    "service": """
        case $2 in
          status) [ -e /state/running/$1 ] ;;
          start|restart) touch /state/running/$1 ;;
          stop) rm /state/running/$1 ;;
        esac""",
    "chkconfig": "case $2 in on) touch /state/enabled/$1 ;; off) rm -f /state/enabled/$1 ;; esac",
    "initctl": """
        case $1 in
          status) [ ! -e /state/running/$2 ] && echo "$2 stop/waiting" || echo "$2 start/running, process 7" ;;
          stop) rm /state/running/$2 ;;
        esac""",
    "systemctl": """
        while [[ $1 == --* ]]; do shift; done
        case $1 in
          is-active) [ -e /state/running/$2 ] ;;
          cat) cat /usr/lib/systemd/system/${2%.service}.service /etc/systemd/system/$2.service.d/* 2> /dev/null ;;
          stop) rm -f /state/running/$2 ;;
          disable) rm -f /state/enabled/$2 ;;
        esac""",
    "yum": "true",
    "docker": "true",
    "mountpoint": "[ -e /state/mounted ]",
    "mount": "touch /state/mounted",
    "df": "true",
}


def fake(name, body):
    """A program that notes its call, unless it is a question, and does `body`."""
    note = f'case " $* " in *" status "*|*" is-active "*|*" cat "*) ;; *) echo "{name} $*" >> /calls ;; esac'
    if name in ("mountpoint", "df"):
        note = ""
    return f"#!/bin/bash\n{note}\n{body}\n"


class Root:
    """A writable copy of an instance's root, without what is mounted on it: no init is there by the look of it."""

    def __init__(self, cloud, instance, scripts, name):
        self.cloud = cloud
        self.instance = instance
        self.path = f"/data/roots/{name}"
        self.sh(
            f"mkdir -p {self.path}/up {self.path}/work {self.path}/root && mount -t overlay overlay "
            f"-o lowerdir=/,upperdir={self.path}/up,workdir={self.path}/work {self.path}/root"
        )
        files = {f"/usr/local/fakes/{name}": fake(name, body) for name, body in FAKES.items()}
        files |= {f"/scripts/{path.name}": path.read_text() for path in scripts.glob("*.sh")}
        self.put(files)
        self.sh("mkdir -p state/running state/enabled; mknod -m 666 dev/null c 1 3 2> /dev/null || true")

    def sh(self, script):
        """Runs a shell script of ours in the root's folder (which does not make it the root)."""
        return self.cloud.exec(self.instance, "bash", "-c", f"mkdir -p {self.path}/root; cd {self.path}/root; {script}")

    def put(self, files):
        """Writes files, executable ones."""
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for path, text in files.items():
                    member = tarfile.TarInfo(path.lstrip("/"))
                    member.size, member.mode = len(text.encode()), 0o755
                    tar.addfile(member, io.BytesIO(text.encode()))
            archive.seek(0)
            done = self.cloud.try_exec(
                self.instance, "tar", "--extract", "--no-same-owner", "--directory", f"{self.path}/root", stdin=archive
            )
        assert done.returncode == 0, done.stderr

    def run(self, script, **environment):
        """Runs one of the scripts as the image build does; the caller looks at the exit code."""
        variables = [f"{key}={value}" for key, value in environment.items()]
        path = "PATH=/usr/local/fakes:/usr/sbin:/usr/bin:/sbin:/bin"
        return self.cloud.try_exec(
            self.instance,
            *("chroot", f"{self.path}/root", "env", "-i", path, *variables, "bash", f"/scripts/{script}.sh"),
        )

    def read(self, path):
        return self.sh(f"cat .{path}")

    def calls(self):
        """The calls that changed something, since the last time."""
        return self.sh("touch calls; cat calls; rm calls").splitlines()

    def services(self):
        """The services that run, and those that start at boot."""
        return tuple(set(self.sh(f"ls state/{what}").split()) for what in ("running", "enabled"))

    def digest(self):
        """What a second run must not change: every file but the notes, and the data volume's."""
        where = "etc usr/libexec/drydock opt/drydock disk.img"
        return self.sh(
            f"find {where} -type f -print0 | sort -z | xargs -0 sha256sum; "
            f"find {where} -type l -printf '%p %l\\n' | sort"
        )


@contextlib.contextmanager
def root(cloud, instance, scripts, name):
    made = Root(cloud, instance, scripts, name)
    try:
        yield made
    finally:
        cloud.exec(instance, "sh", "-c", f"umount {made.path}/root && rm -rf {made.path}")
