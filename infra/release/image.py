"""The runner's image as one file, for `docker load`. Its bytes depend on the day's packages of Debian."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import VERSION
from infra.deploy.building.image import build_arguments, docker
from infra.deploy.building.package import own_architecture

if TYPE_CHECKING:
    from pathlib import Path

_TAG = f"rustbox-runner:{VERSION}"


def save(out: Path, base_image: str) -> None:
    """Build the image for this machine's CPU and save it in `out`. Raises DeployError."""
    label = f"org.opencontainers.image.version={VERSION}"
    docker(["build", "--label", label, "--tag", _TAG, *build_arguments(base_image)])
    docker(["save", "--output", str(out / f"rustbox-runner-{VERSION}-{own_architecture()}.tar"), _TAG])
