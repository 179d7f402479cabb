"""Packages as Amazon Linux 1 names them, on this image: what yum and rpm (in /usr/bin) know.

A package is one of: a Debian package under its own name or under the name Amazon Linux has for it, a part of the image
itself, or a .deb file in the image's package source, SOURCE.
"""

import fnmatch
import os
import subprocess
from dataclasses import dataclass

NAMES = "/usr/share/drydock/packages.tsv"
SOURCE = "/var/lib/drydock/packages"
IMAGE_VERSION = "12"
IMAGE_RELEASE = "drydock"


@dataclass(frozen=True)
class Package:
    """An installed package, or one that the source offers."""

    name: str
    version: str
    release: str
    arch: str
    # Debian's name; None for a part of the image.
    debian: str | None = None
    # Path of the .deb file; None for an installed package.
    file: str | None = None

    @property
    def full_version(self):
        """Version and release, as rpm prints them."""
        return f"{self.version}-{self.release}"

    @property
    def nevra(self):
        """The name by which rpm speaks of one build of a package."""
        return f"{self.name}-{self.full_version}.{self.arch}"


def split_version(debian_version):
    """Splits Debian's `[epoch:]upstream[-revision]` into rpm's version and release."""
    without_epoch = debian_version.split(":", 1)[-1]
    version, _, release = without_epoch.rpartition("-")
    return (version, release) if version else (release, "1")


def rpm_arch(debian_arch):
    """rpm's name of an architecture."""
    return {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}.get(debian_arch, debian_arch)


def from_debian(name, version, arch, **more):
    """A package from dpkg's fields."""
    upstream, release = split_version(version)
    return Package(name, upstream, release, rpm_arch(arch), **more)


def query_dpkg():
    """Installed Debian packages: name → (version, architecture)."""
    fields = r"${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
    output = subprocess.run(
        ["dpkg-query", "--show", "--showformat", fields], check=True, capture_output=True, text=True
    ).stdout
    rows = (line.split("\t") for line in output.splitlines())
    return {name: (version, arch) for status, name, version, arch in rows if status.startswith("ii")}


def read_names():
    """Amazon Linux's names: name → (kind, value), as NAMES documents them."""
    names = {}
    with open(NAMES, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, provider = line.rstrip("\n").split("\t")
                kind, _, value = provider.partition(":")
                names[name] = (kind, value)
    return names


def installed():
    """Every installed package by the name it answers to; Amazon Linux's names win over Debian's."""
    debian = query_dpkg()
    packages = {
        name: from_debian(name, version, arch, debian=name) for name, (version, arch) in debian.items()
    }
    for name, (kind, value) in read_names().items():
        if kind != "deb":
            packages[name] = Package(name, IMAGE_VERSION, IMAGE_RELEASE, "noarch")
        elif value in debian:
            packages[name] = from_debian(name, *debian[value], debian=value)
    return packages


def read_deb(path):
    """The package in a .deb file; None when dpkg cannot read it."""
    fields = subprocess.run(
        ["dpkg-deb", "--show", "--showformat", r"${Package}\t${Version}\t${Architecture}", path],
        check=False,
        capture_output=True,
        text=True,
    )
    if fields.returncode != 0:
        return None
    name, version, arch = fields.stdout.split("\t")
    return from_debian(name, version, arch, debian=name, file=path)


def offered():
    """What the image's package source offers: Debian name → package."""
    if not os.path.isdir(SOURCE):
        return {}
    files = (os.path.join(SOURCE, name) for name in sorted(os.listdir(SOURCE)) if name.endswith(".deb"))
    return {package.name: package for package in map(read_deb, files) if package}


def debian_version(package):
    """dpkg's own version string of a package, epoch included."""
    if package.file:
        command = ["dpkg-deb", "--field", package.file, "Version"]
    else:
        command = ["dpkg-query", "--show", "--showformat", "${Version}", package.debian]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def is_newer(package, than):
    """Whether a package has a higher version than another of the same name."""
    versions = [debian_version(package), "gt", debian_version(than)]
    return subprocess.run(["dpkg", "--compare-versions", *versions], check=False).returncode == 0


def matching(packages, pattern):
    """The packages that a name, a name with architecture, or a shell pattern means."""
    return [
        package
        for name, package in sorted(packages.items())
        if fnmatch.fnmatchcase(name, pattern)
        or fnmatch.fnmatchcase(f"{name}.{package.arch}", pattern)
        or pattern in (package.nevra, f"{name}-{package.version}", f"{name}-{package.full_version}")
    ]
