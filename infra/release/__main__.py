"""`python -m infra.release`, behind `make release`. Exit code 0; 1 after an error; 2 for bad usage."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

from functions import VERSION
from infra.deploy.building.image import BASE_IMAGE
from infra.deploy.building.package import ARCHITECTURES, BUILD_DIR, build
from infra.deploy.target import DeployError
from infra.release.files import build_wheel, save, store, write_template


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
