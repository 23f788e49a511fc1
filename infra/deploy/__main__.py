"""`python -m infra.deploy COMMAND`. Exit code 0; 1 after an error, which standard error explains; 2 for bad usage."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.building import ARCHITECTURES, BASE_IMAGE, BUILD_DIR, ROOT, build
from infra.deploy.deploy import Deployment, Settings, status, undeploy
from infra.deploy.emulator import probe
from infra.deploy.importing import import_file, restore
from infra.deploy.target import DeployError, Progress, Target, read_target


def main(arguments: list[str]) -> int:
    """Run one command. Its options are also environment variables, as make passes them."""
    asked = _parser().parse_args(arguments)
    try:
        asked.run(asked, Progress())
    except DeployError as error:
        sys.stderr.write(f"deploy: {error}\n")
        return 1
    except (ClientError, BotoCoreError) as error:
        sys.stderr.write(
            f"deploy: AWS refused a call: {error}\ndeploy: if it names rights, check your credentials; repeat\n"
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description="Deploy to AWS or an emulator.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    package = commands.add_parser("zip", help="build .build/functions.zip")
    package.set_defaults(run=_package)
    deploy = commands.add_parser("deploy", help="create or update a stage, then test it")
    deploy.set_defaults(run=_deploy)
    remove = commands.add_parser("undeploy", help="delete a stage; data stays")
    remove.set_defaults(
        run=lambda asked, progress: undeploy(_target(asked), progress, delete_data=asked.data == "delete")
    )
    show = commands.add_parser("status", help="show stack, runners and queues")
    show.set_defaults(run=lambda asked, progress: status(_target(asked), progress))
    look = commands.add_parser("probe", help="print the abilities of an emulator: the table of docs/emulators.md")
    look.set_defaults(run=lambda asked, progress: progress.plain("\n" + probe(_target(asked), progress)))
    for command in (package, deploy):
        command.add_argument("--architecture", choices=ARCHITECTURES, default=_variable("ARCHITECTURE"))
    take = commands.add_parser("import", help="write an export of one machine into a stage")
    take.set_defaults(run=lambda asked, progress: import_file(_target(asked), asked.file, progress))
    take.add_argument("file", type=Path)
    back = commands.add_parser("restore", help="put back the rows that a table of a stage had at a point in time")
    back.set_defaults(run=lambda asked, progress: restore(_target(asked), asked.table, asked.time, progress))
    back.add_argument("table", help="its name in template.yaml, such as ChecksTable")
    back.add_argument("time", help="such as 2026-11-30T12:00:00Z, within BackupDays")
    for command in (deploy, remove, show, look, take, back):
        command.add_argument("--stage", default=_variable("STAGE"), help="name of the deployment; default prod")
        command.add_argument("--region", default=_variable("REGION"), help="AWS region; default that of the profile")
        command.add_argument("--endpoint", default=_variable("ENDPOINT"), help="address of an emulator")
    deploy.add_argument(
        "--parameters", default=_variable("PARAMETERS"), help="of template.yaml: Name=value, with spaces between"
    )
    deploy.add_argument("--tags", default=_variable("TAGS"), help="of the stack and its resources: name=value")
    deploy.add_argument("--runner-env", type=Path, default=ROOT / "runner.env", help="file for the runners")
    deploy.add_argument(
        "--runners", choices=("hosts", "fleet"), default=_variable("RUNNERS") or "hosts", help="fleet: on ECS, in AWS"
    )
    deploy.add_argument("--fleet", default=_variable("FLEET"), help="parameters of the fleet and its network")
    deploy.add_argument("--base-image", default=_variable("BASE_IMAGE") or BASE_IMAGE, help="of the runner's image")
    deploy.add_argument("--no-runner", action="store_true", help="start no runner for the smoke test")
    remove.add_argument("--data", choices=("keep", "delete"), default=_variable("DATA") or "keep")
    return parser


def _variable(name: str) -> str:
    return os.environ.get(name, "")


def _target(asked: argparse.Namespace) -> Target:
    return read_target(asked.stage, asked.region, asked.endpoint)


def _package(asked: argparse.Namespace, progress: Progress) -> None:
    built = build(asked.architecture or "arm64")
    # The name that template.yaml has, for `sam deploy`.
    shutil.copyfile(built.path, BUILD_DIR / "functions.zip")
    progress.step("package", f"{built.path}, {built.size / (1 << 20):.2f} MiB, sha256 {built.digest}")


def _deploy(asked: argparse.Namespace, progress: Progress) -> None:
    target = _target(asked)
    settings = Settings(
        architecture=asked.architecture,
        parameters=_pairs(asked.parameters),
        runner_env=asked.runner_env,
        start_runner=target.is_loopback and not asked.no_runner,
        fleet=_pairs(asked.fleet) if asked.runners == "fleet" else None,
        base_image=asked.base_image,
        tags=_pairs(asked.tags),
    )
    Deployment(target, settings, progress).apply()


def _pairs(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in text.split())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
