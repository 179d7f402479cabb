"""Measures what docs/performance.md promises and prints a table. Asserts nothing, keeps nothing.

    make bench                      everything
    make bench BENCH=daemon         a part of it: deploy, daemon, describe, image, logs, firstrun

Run it on a machine that does nothing else.
"""

import os
import sys

import daemon
import deployments
import describe
import images
import measure
import programs
import seed

PARTS = {
    "deploy": deployments.deployments,
    "daemon": daemon.daemon,
    "describe": describe.describe_instances,
    "image": images.image,
    "logs": programs.logs,
    "firstrun": programs.firstrun,
}


def main():
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    print(f"{os.cpu_count()} processors, Linux {os.uname().release}, seed: {seed.describe()}")
    table = measure.Table()
    for part in wanted:
        PARTS[part](table)


if __name__ == "__main__":
    main()
