"""The daemon: its start and its memory."""

import socket
import subprocess
import time

import clouds
from measure import median


def ready(runs=7):
    """Milliseconds from the daemon's start to its first answer, in a state directory that has been used before."""
    cloud = clouds.Cloud()
    cloud.start()
    cloud.stop()
    host, port = cloud.listen.split(":")
    taken = []
    for _ in range(runs):
        begun = time.monotonic()
        daemon = subprocess.Popen(
            [clouds.BINARY, "cloud", "run", "--state", cloud.state, "--listen", cloud.listen],
            env=clouds.environment(),
            stderr=subprocess.DEVNULL,
        )
        while True:
            try:
                with socket.create_connection((host, int(port)), timeout=5) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    connection.recv(1)
                break
            except ConnectionRefusedError:
                time.sleep(0.0005)
        taken.append((time.monotonic() - begun) * 1000)
        daemon.terminate()
        daemon.wait()
    cloud.discard()
    return median(taken)


def resident():
    """Megabytes resident of a daemon that has nothing to do."""
    cloud = clouds.Cloud().start()
    time.sleep(3)
    size = cloud.status()["resident_kib"] * 1024 / 1e6
    cloud.discard()
    return size


def daemon(table):
    table.row("daemon ready, state used before", f"{ready():.0f} ms", "< 100 ms")
    table.row("daemon resident, idle", f"{resident():.1f} MB", "< 40 MB")
