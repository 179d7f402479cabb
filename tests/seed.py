"""The acceptance input: somebody's two repositories, as their author wrote them.

They are not part of this repository. `DRYDOCK_SEED` names their directory; by default it is looked for beside the
checkout. Where it is not, templates of our own with the same demands take its place.
"""

import json
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
FIXTURE = HERE / "fixtures/seed"


def directory():
    given = os.environ.get("DRYDOCK_SEED")
    if given:
        return pathlib.Path(given)
    beside = HERE.parent.parent / "shared/seed"
    return beside if beside.exists() else FIXTURE


def describe():
    where = directory()
    return f"{where} (not there: the project's own fixture instead)" if where == FIXTURE else str(where)


def stack():
    return directory() / "todobackend-aws/stack.yml"


def configuration():
    return directory() / "todobackend-aws/dev.cfg"


def parameters():
    """The words of dev.cfg, as `$(cat dev.cfg)` gives them."""
    return configuration().read_text().split()


def parameter(name):
    return dict(word.split("=", 1) for word in parameters())[name]


def first_run():
    return directory() / "packer-ecs/files/firstrun.sh"


def image():
    """The folder of the image's template."""
    return directory() / "packer-ecs"


def source_image():
    """The AMI that the image is built from."""
    return json.loads((image() / "packer.json").read_text())["builders"][0]["source_ami"]


def ids(image):
    """What is to be adopted, so that dev.cfg can be used as it is."""
    subnets = parameter("ApplicationSubnets").split(",")
    return [parameter("VpcId"), *subnets, f"{parameter('ApplicationImageId')}={image}", "key-pair/admin"]
