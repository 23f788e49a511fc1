"""`python -m infra.release`, behind `make release`. Exit code 0; 1 after an error; 2 for bad usage."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from functions import VERSION
from infra.deploy.building import (
    ARCHITECTURES,
    BASE_IMAGE,
    BUILD_DIR,
    ROOT,
    build,
    build_arguments,
    docker,
    own_architecture,
)
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
    shared = events.glob("*.schema.json")
    messages = {
        path.relative_to(events): _one_line(text) if path.name.endswith(".schema.json") else text
        for path in (*shared, *(path for kind in KINDS for path in (events / kind).glob("v*.json")))
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


def main(arguments: list[str]) -> int:
    """Build everything into one folder."""
    parser = argparse.ArgumentParser(prog="python -m infra.release", description="Build a release with checksums.")
    parser.add_argument("--out", type=Path, default=BUILD_DIR / "release", help="folder, made anew")
    parser.add_argument("--without-image", action="store_true", help="leave out the image, which needs Docker")
    parser.add_argument("--base-image", default=BASE_IMAGE, help="of the image; debian@sha256:… pins it")
    asked = parser.parse_args(arguments)
    try:
        release(asked.out, None if asked.without_image else asked.base_image)
    except DeployError as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    return 0


def release(out: Path, base_image: str | None) -> None:
    """Build into `out`. `base_image`: None leaves out the image. Raises DeployError."""
    if base_image is not None and shutil.which("docker") is None:
        raise DeployError("the image needs Docker: install it, or leave the image out with --without-image")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    build_wheel(out)
    for architecture in ARCHITECTURES:
        shutil.copyfile(build(architecture).path, out / f"rustbox-functions-{VERSION}-{architecture}.zip")
    write_template(out)
    shutil.copyfile(Path(__file__).with_name("deployer_policy.json"), out / "deployer_policy.json")
    if base_image is not None:
        save(out, base_image)
    sums = "".join(f"{_digest(path)}  {path.name}\n" for path in sorted(out.iterdir()))
    (out / "SHA256SUMS").write_text(sums, encoding="ascii")
    sys.stdout.write(f"{sums}release: version {VERSION} in {out}; `sha256sum --check SHA256SUMS` there compares\n")
    if store():
        sys.stdout.write("release: events/released/ has the golden messages of this version now: commit them\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
