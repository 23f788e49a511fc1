"""A runner for a deployed stage: a container where Docker has the image, as docs/deploy.md says; else a process."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from infra.deploy.smoke_test import runner_process
from infra.deploy.target import Target
from tests.system.local_stack import ROOT

IMAGE = "rustbox-runner"
_COMPOSE_SECS = 180
_PROJECT = f"rustbox-{os.getpid()}"
# The engine of `make test-image` has no bridge. A host of its own would have a role in place of the keys.
_OVERRIDE = {
    "services": {
        "doctor": {"container_name": f"{_PROJECT}-doctor"},
        "runner": {
            "container_name": f"{_PROJECT}-runner",
            "network_mode": "host",
            "environment": {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "LANGUAGES": "python",
                "HEARTBEAT_SECS": "5",
            },
        },
    }
}


def deployed_runner(
    target: Target, outputs: Mapping[str, str], runner_env: Path, folder: Path
) -> AbstractContextManager[None]:
    """Run a runner. `runner_env`: the file that `make deploy` wrote. `folder`: for files of its own."""
    docker = shutil.which("docker")
    if docker is None or not _has_image(docker):
        return runner_process(target, outputs, folder)
    return _container(docker, runner_env, folder)


def _has_image(docker: str) -> bool:
    return subprocess.run([docker, "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0


@contextmanager
def _container(docker: str, runner_env: Path, folder: Path) -> Iterator[None]:
    override = folder / "override.yaml"
    override.write_text(json.dumps(_OVERRIDE))  # JSON is YAML
    files = (f"--file={ROOT / 'infra' / 'runner' / 'compose.yaml'}", f"--file={override}")

    def compose(*arguments: str) -> None:
        subprocess.run(
            [docker, "compose", *files, f"--project-name={_PROJECT}", *arguments],
            env={**os.environ, "RUNNER_ENV": str(runner_env)},
            check=True,
            timeout=_COMPOSE_SECS,
        )

    try:
        compose("up", "--detach", "--no-build")
        yield
    finally:
        compose("logs")
        compose("down")
