"""The images with data packages have all locked ones, in one layer more than the images without.

Needs the images `rustbox-runner` and `rustbox`, each also with the tag `data`, and a Docker engine:
`infra/image/test.sh` brings all.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[2] / "sandbox_runtime" / "data_packages.txt"
IMAGES = ["rustbox-runner", "rustbox"]
LIST = (
    "import json; from importlib.metadata import distributions as found\n"
    "print(json.dumps({one.name: one.version for one in found(path=['/opt/rustbox/toolchains/data'])}))"
)


def _docker(*arguments: str) -> Any:
    done = subprocess.run(["/usr/bin/docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _layers(image: str) -> list[str]:
    layers: list[str] = _docker("image", "inspect", "--format={{json .RootFS.Layers}}", image)
    return layers


@pytest.mark.parametrize("image", IMAGES)
def test_the_image_has_every_locked_data_package(image: str) -> None:
    found = _docker("run", "--rm", "--network=none", "--entrypoint=python3", f"{image}:data", "-c", LIST)
    assert {canonicalize_name(name): version for name, version in found.items()} == dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("image", IMAGES)
def test_the_packages_are_one_layer_that_the_image_without_them_lacks(image: str) -> None:
    assert _layers(f"{image}:data")[:-1] == _layers(image)


@pytest.mark.parametrize("tag", ["latest", "data"])
def test_the_doctor_of_an_image_finds_nothing_missing(tag: str) -> None:
    privileges = os.environ["RUSTBOX_IMAGE_PRIVILEGES"].split()
    found = _docker("run", "--rm", "--network=none", *privileges, f"rustbox-runner:{tag}", "doctor", "--json")
    assert (found["mode"], found["python_fork"]["works"], found["network"]["works"]) == ("strict", True, True)
