"""Fixtures: local clouds that are taken down, and looked at once more, whatever the tests did."""

import os
import subprocess

import pytest

import clouds
import leftovers
import seed


def pytest_report_header(config):
    return [f"drydock: {clouds.BINARY}", f"seed: {seed.describe()}"]


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("these tests boot machines: run them as root", returncode=1)
    if not clouds.BINARY.exists():
        pytest.exit(f"{clouds.BINARY} is missing: run `make build`", returncode=1)


@pytest.fixture(scope="session", autouse=True)
def host():
    """Nothing may be on the host at the end that was not there at the beginning."""
    before = leftovers.of_host()
    yield
    after = leftovers.of_host()
    assert after == before


def local_cloud():
    """A running cloud without images, for as long as a fixture is open."""
    cloud = clouds.Cloud()
    try:
        yield cloud.start()
    finally:
        log = cloud.log()
        left = cloud.discard()
    assert left == {}, "the cloud left something behind"
    # A panic is a fault even where a client never saw it.
    assert "panicked at" not in log, log[log.index("panicked at") - 200 :][:2000]


@pytest.fixture(scope="module")
def cloud():
    """A cloud for the tests of one file."""
    yield from local_cloud()


@pytest.fixture
def fresh_cloud():
    """A cloud for one test."""
    yield from local_cloud()


@pytest.fixture(scope="session")
def base_layers():
    """Makes the base image's layers in the machine's cache, which is what takes time; once for all clouds."""
    maker = clouds.Cloud()
    try:
        maker.run("image", "create", "ecs-base", timeout=900)
    finally:
        maker.discard()


@pytest.fixture(scope="module")
def image(cloud, base_layers):
    """The id of the base image in the file's cloud."""
    return cloud.json("image", "create", "ecs-base")["id"]


def cloud_of(item):
    """The cloud that a test works on, if it has one already."""
    fixtures = getattr(item, "funcargs", {})
    found = fixtures.get("fresh_cloud") or fixtures.get("cloud")
    return found if isinstance(found, clouds.Cloud) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    cloud = cloud_of(item)
    item.log_begins = len(cloud.log()) if cloud else 0
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows with a failed test what its cloud's daemon logged meanwhile."""
    report = yield
    cloud = cloud_of(item)
    if report.failed and cloud:
        logged = cloud.log()[getattr(item, "log_begins", 0) :]
        report.sections.append(("the daemon's log", logged[-6000:]))
    return report


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    """A private SSH key's file; the public half is beside it."""
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path
