"""Builds the deployment package once, with the command and the configuration that a deployment uses."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_TYPE = "AWS::Serverless::Function"


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="session")
def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == FUNCTION_TYPE
    }
    assert found
    return found


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds for an architecture and gives the directory of the artifacts."""
    built: dict[str, Path] = {}

    def build_once(architecture: str) -> Path:
        if architecture not in built:
            built[architecture] = _build(tmp_path_factory.mktemp(f"build-{architecture}"), architecture)
        return built[architecture]

    return build_once


@pytest.fixture(scope="session")
def importable(build: Callable[[str], Path]) -> Path:
    """Artifacts for this machine.

    The template says arm64, and its compiled wheels load there only. So the same template is built
    once more with the architecture of the machine that runs the tests, and nothing else changed.
    """
    return build({"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()])


@pytest.fixture(scope="session")
def openapi(importable: Path) -> dict[str, Any]:
    """Give the OpenAPI document as the deployed function would answer it."""
    finished = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-E", "-B", "-c"),
            (
                "import sys; sys.path.insert(0, sys.argv[1])\n"
                "from functions.handlers.api_document import openapi_text; print(openapi_text())"
            ),
            str(importable / "ResultFunction"),
        ],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def _build(directory: Path, architecture: str) -> Path:
    # A copy: sam writes caches beside the template, whatever directories it is given.
    shutil.copytree(ROOT / "functions", directory / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", "samconfig.toml", "template.yaml"):
        shutil.copy(ROOT / name, directory)
    bin_dir = ROOT / ".venv" / "bin"
    environment = {
        **os.environ,
        # sam looks for python3.13 and its pip in PATH
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [str(bin_dir / "sam"), "build", "--parameter-overrides", f"Architecture={architecture}"]
    finished = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return directory / ".aws-sam" / "build"
