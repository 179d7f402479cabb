"""The crates' own measuring programs. Each prints a line of JSON for every figure."""

import json
import subprocess

import clouds
import measure


def cargo(*arguments):
    """Runs cargo in the checkout; its output."""
    done = subprocess.run(
        ["cargo", *arguments], cwd=measure.ROOT, check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout


def show(table, output):
    """Puts what such a program has printed into the table."""
    for line in output.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            value = found["value"]
            digits = 0 if value >= 100 else 2
            aim = f"{found['aim']} {found['unit']}" if found.get("aim") else ""
            table.row(found["figure"], f"{value:,.{digits}f} {found['unit']}", aim)


def bench(table, package, name):
    show(table, cargo("bench", "--quiet", "--package", package, "--bench", name))


def firstrun(table):
    bench(table, "guest", "firstrun")


def logs(table):
    """The log agent, the languages, the store, and all of it over HTTP."""
    bench(table, "guest", "log_agent")
    bench(table, "log-query", "queries")
    bench(table, "log-store", "store")
    cloud = clouds.Cloud().start()
    try:
        load = ["--release", "--quiet", "--package", "cloud", "--example", "log_load"]
        show(table, cargo("run", *load, "--", f"http://{cloud.listen}"))
        table.row("daemon resident after that", f"{cloud.status()['resident_kib'] * 1024 / 1e6:.1f} MB")
    finally:
        cloud.discard()
