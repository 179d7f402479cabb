"""What a local cloud has on the host outside of its state directory, found by looking, not by asking it."""

import hashlib
import os
import pathlib
import subprocess

PROC = pathlib.Path("/proc")


def mark(state):
    """The name of all control groups of a state directory, as the nspawn driver chooses it."""
    real = os.fsencode(os.path.realpath(state))
    return "drydock-" + hashlib.sha256(real).digest()[:4].hex()


def is_dead(directory):
    """Whether a process has ended and only its number is kept, until the host's init asks for its exit code."""
    fields = (directory / "stat").read_text().rsplit(")", 1)[1].split()
    return fields[0] == "Z" and fields[1] == "1"


def processes(state):
    """Processes in the cloud's control groups, or with the state directory in their command line."""
    found = {}
    for directory in PROC.glob("[0-9]*"):
        try:
            line = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if (mark(state) in (directory / "cgroup").read_text() or state in line) and not is_dead(directory):
                found[int(directory.name)] = line or (directory / "comm").read_text().strip()
        except OSError:
            continue
    return found


def machine(state, instance_id):
    """The host's process id of an instance's init, or None: the one that is process 1 of its own namespace."""
    for directory in PROC.glob("[0-9]*"):
        try:
            if f"{mark(state)}/{instance_id}/" not in (directory / "cgroup").read_text() + "/":
                continue
            status = (directory / "status").read_text()
        except OSError:
            continue
        numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if len(numbers) == 2 and numbers[1] == "1":
            return int(directory.name)
    return None


def mounts(state):
    """Mounts below the state directory, network namespaces' among them."""
    return [line for line in (PROC / "self/mounts").read_text().splitlines() if f"{state}/" in line]


def loops(state):
    """Loop devices on files of the state directory."""
    files = pathlib.Path("/sys/block").glob("loop*/loop/backing_file")
    found = {}
    for file in files:
        try:
            backing = file.read_text().strip()
        except OSError:
            continue
        if backing.startswith(f"{state}/"):
            found[file.parent.parent.name] = backing
    return found


def namespaces(state):
    """Network namespaces kept below the state directory."""
    kept = pathlib.Path(state, "run/netns")
    return sorted(str(path) for path in kept.rglob("*")) if kept.exists() else []


def groups(state):
    """Control groups, in all hierarchies."""
    root = pathlib.Path("/sys/fs/cgroup")
    tops = [root, *(path for path in root.iterdir() if path.is_dir())]
    return sorted(str(top / mark(state)) for top in tops if (top / mark(state)).exists())


def tables(state):
    """Its table of the host's packet filter."""
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if mark(state) in line]


def of_cloud(state):
    """Everything of a state directory that is on the host now; empty when there is nothing."""
    found = {
        "processes": processes(state),
        "mounts": mounts(state),
        "loop devices": loops(state),
        "network namespaces": namespaces(state),
        "control groups": groups(state),
        "nft tables": tables(state),
    }
    return {kind: things for kind, things in found.items() if things}


def of_host():
    """What is not marked by a state directory and yet must be as it was before."""

    def lines(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def names(directory):
        return sorted(os.listdir(directory)) if os.path.isdir(directory) else []

    return {
        # Those of clouds are looked for by their state directories; another one may run beside the tests.
        "nft tables": [table for table in lines("nft", "list", "tables") if "drydock-" not in table],
        "links": sorted(line.split(": ")[1] for line in lines("ip", "-oneline", "link")),
        "routes": lines("ip", "route", "show", "table", "all"),
        "named namespaces": names("/run/netns"),
        "nspawn's files": names("/run/systemd/nspawn") + names("/run/systemd/machines"),
        "machines": names("/var/lib/machines"),
    }
