"""What every part of the benchmark needs: where things are, the table, the median, a cloud with the seed's image."""

import pathlib
import statistics
import time

import seed

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Table:
    """The result, a row at a time: people watch."""

    def __init__(self):
        self.row("what", "measured", "aim")

    def row(self, what, measured, aim=""):
        print(f"{what:<58} {measured:>16}   {aim}", flush=True)


def median(values):
    return statistics.median(values)


def prepare(cloud):
    cloud.run("image", "create", "ecs-base", timeout=900)
    cloud.run(
        "image", "create", "seed", "--from", "ecs-base", "--add", f"{seed.first_run()}:/home/ec2-user/firstrun.sh"
    )
    cloud.run("cloud", "adopt", *seed.ids("seed"))


def timed(run):
    begun = time.monotonic()
    run()
    return time.monotonic() - begun
