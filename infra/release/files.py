"""The files of a release: golden messages, image, template with its rights, and wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from functions import VERSION
from infra.deploy.building.image import build_arguments, docker
from infra.deploy.building.package import ROOT, own_architecture
from infra.deploy.target import DeployError
from infra.sam_template import read, translate

# The golden messages of a release, which the next minor version must still read, and their schemas, which the messages
# of the next one must fit: `events/released/<minor>/`.

KINDS = (
    "execution_requested",
    "execution_started",
    "execution_completed",
    "runner_heartbeat",
    "judge_requested",
    "judge_progress",
    "judge_completed",
)
_EVENTS = ROOT / "events"


def store(events: Path = _EVENTS) -> bool:
    """Copy today's golden messages and schemas into the folder of this minor version. Return whether it changed."""
    folder = events / "released" / VERSION.rpartition(".")[0]
    messages = {
        Path(kind) / path.name: _one_line(text) if path.name.endswith(".schema.json") else text
        for kind in KINDS
        for path in (events / kind).glob("v*.json")
        for text in [path.read_text(encoding="utf-8")]
    }
    if messages == {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in messages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return True


def _one_line(schema: str) -> str:
    return json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False) + "\n"


# The runner's image as one file, for `docker load`. Its bytes depend on the day's packages of Debian.

_TAG = f"rustbox-runner:{VERSION}"


def save(out: Path, base_image: str) -> None:
    """Build the image for this machine's CPU and save it in `out`. Raises DeployError."""
    label = f"org.opencontainers.image.version={VERSION}"
    docker(["build", "--label", label, "--tag", _TAG, *build_arguments(base_image)])
    docker(["save", "--output", str(out / f"rustbox-runner-{VERSION}-{own_architecture()}.tar"), _TAG])


# The template of a release: plain CloudFormation, whose functions take the released zip from a bucket of the user.

NAME = f"rustbox-{VERSION}.template.json"
_BUCKET: dict[str, Any] = {
    "Type": "String",
    "MinLength": 3,
    "Description": "Bucket of this region that holds the zips of the release.",
}
_PREFIX: dict[str, Any] = {
    "Type": "String",
    "Default": "",
    "AllowedPattern": "^([A-Za-z0-9._/-]+/)?$",
    "Description": "Start of the zips' keys in CodeBucket, with a slash at its end. Empty - the file names.",
}


def write_template(out: Path) -> Path:
    """Write the template into a folder, and return its path."""
    path = out / NAME
    path.write_text(json.dumps(released_template(), indent=1) + "\n", encoding="utf-8")
    return path


def released_template() -> dict[str, Any]:
    """Return template.yaml without SAM's types, so that neither SAM nor CAPABILITY_AUTO_EXPAND is needed."""
    declared = read(ROOT / "template.yaml")["Parameters"]
    template = translate(read(ROOT / "template.yaml"), None, "s3://code/functions.zip")
    template["Parameters"] = {"CodeBucket": _BUCKET, "CodePrefix": _PREFIX, **declared}
    key = f"${{CodePrefix}}rustbox-functions-{VERSION}-${{Architecture}}.zip"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::Sub": key}}
    return template


# The wheel of the command line. The same sources give the same bytes.

_BUILD_SECS = 120
# The first date that a zip can hold: dates of files are no part of a wheel's content.
_EPOCH = "315532800"


def build_wheel(out: Path) -> Path:
    """Build `rustbox_cli-<version>-py3-none-any.whl` in `out`. Raises DeployError."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(out), str(ROOT)],
        env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_SECS,
    )
    if done.returncode:
        raise DeployError(f"the wheel of the command line cannot be built:\n{done.stderr.strip()[-2000:]}")
    (wheel,) = out.glob("rustbox_cli-*.whl")
    return wheel
