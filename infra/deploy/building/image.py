"""The runner's image: built by Docker, pushed to ECR under the hash of its sources, used by its digest."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.deploy.building.package import ROOT
from infra.deploy.target import DeployError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.deploy.target import Progress, Target

REPOSITORY = "rustbox-runner"
BASE_IMAGE = "debian:trixie-slim"
SOURCES = ("sandbox_runtime/**/*", "events/*.py")
"""Files of the repository that the image is made of."""
_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
_KEPT_IMAGES = 20
_BUILD_SECS = 3600
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "old images go",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": _KEPT_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}


def ensure_image(target: Target, architecture: str, base_image: str, progress: Progress) -> str:
    """Return the image's address by digest. Builds and pushes it only after a change. Raises DeployError."""
    ecr: Any = target.client("ecr")
    repository = _ensure_repository(ecr)
    tag = f"{architecture}-{source_digest(ROOT, base_image)}"
    digest = _digest(ecr, tag)
    if digest is None:
        address = f"{repository}:{tag}"
        _log_in(ecr, repository)
        progress.step("image", f"building for {_PLATFORMS[architecture]} on {base_image}; this takes some minutes")
        docker(["build", "--platform", _PLATFORMS[architecture], "--tag", address, *build_arguments(base_image)])
        docker(["push", address])
        digest = _digest(ecr, tag)
        if digest is None:
            raise DeployError(f"ECR has no image {address} after docker pushed it: repeat the command")
    else:
        progress.step("image", f"{tag} exists")
    return f"{repository}@{digest}"


def build_arguments(base_image: str) -> list[str]:
    """Return the end of a `docker build`: the base image, the Dockerfile and the context."""
    return [
        "--build-arg",
        f"BASE_IMAGE={base_image}",
        "--file",
        str(ROOT / "sandbox_runtime" / "Dockerfile"),
        str(ROOT),
    ]


def source_digest(root: Path, base_image: str) -> str:
    """Hash everything that the image is made of: file names, contents and the name of the base image."""
    hashed = hashlib.sha256(base_image.encode())
    for path in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            name, content = str(path.relative_to(root)).encode(), path.read_bytes()
            hashed.update(b"%d %d " % (len(name), len(content)) + name + content)
    return hashed.hexdigest()[:32]


def _ensure_repository(ecr: Any) -> str:
    try:
        made = ecr.create_repository(
            repositoryName=REPOSITORY,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )["repository"]
        ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=json.dumps(_LIFECYCLE))
    except ecr.exceptions.RepositoryAlreadyExistsException:
        made = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]
    return str(made["repositoryUri"])


def _digest(ecr: Any, tag: str) -> str | None:
    try:
        found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return None
        raise
    return str(found[0]["imageDigest"]) if found else None


def _log_in(ecr: Any, repository: str) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    docker(["login", "--username", user, "--password-stdin", repository.partition("/")[0]], password)


def docker(arguments: list[str], stdin: str = "") -> None:
    """Run a command of Docker. Raises DeployError."""
    command = shutil.which("docker")
    if command is None:
        raise DeployError("the image needs Docker: install it on this machine")
    try:
        done = subprocess.run(
            [command, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=_BUILD_SECS
        )
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"docker {arguments[0]} took over {_BUILD_SECS} s: repeat the command") from error
    if done.returncode:
        raise DeployError(f"docker {arguments[0]} failed:\n{done.stderr.strip()[-2000:]}")
