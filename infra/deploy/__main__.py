"""`python -m infra.deploy COMMAND`. Exit code 0; 1 after an error, which standard error explains; 2 for bad usage."""

import argparse
import os
import shutil
import sys

from infra.deploy.errors import DeployError
from infra.deploy.package import ARCHITECTURES, BUILD_DIR, build


def main(arguments: list[str]) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description="Deploy to AWS or an emulator.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    package = commands.add_parser("package", help="build .build/functions.zip")
    package.add_argument("--architecture", choices=ARCHITECTURES, default=os.environ.get("ARCHITECTURE") or "arm64")
    package.set_defaults(run=_package)
    asked = parser.parse_args(arguments)
    try:
        asked.run(asked)
    except DeployError as error:
        sys.stderr.write(f"deploy: {error}\n")
        return 1
    return 0


def _package(asked: argparse.Namespace) -> None:
    built = build(asked.architecture)
    # The name that template.yaml has, for `sam deploy`.
    shutil.copyfile(built.path, BUILD_DIR / "functions.zip")
    print(f"package   {built.path.name}  {built.size / (1 << 20):.2f} MiB  sha256 {built.digest[:16]}")  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
