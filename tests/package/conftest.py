"""Builds the deployment packages once, as a deployment does."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from infra.deploy.building import ARCHITECTURES, Package, build, own_architecture
from tests.commands import run_to_end

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
def packages() -> dict[str, Package]:
    """Build the zips for both CPUs, in the folder that `make zip` uses."""
    return {architecture: build(architecture) for architecture in ARCHITECTURES}


@pytest.fixture(scope="session")
def package(packages: dict[str, Package]) -> Package:
    """Give the zip for the CPU of this machine."""
    return packages[own_architecture()]


@pytest.fixture(scope="session")
def importable(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the zip, as Lambda does."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def openapi(importable: Path) -> dict[str, Any]:
    """Give the OpenAPI document as the deployed function would answer it."""
    finished = run_to_end(
        [
            *(sys.executable, "-I", "-S", "-E", "-B", "-c"),
            (
                "import sys; sys.path.insert(0, sys.argv[1])\n"
                "from functions.handlers.api_document import openapi_text; print(openapi_text())"
            ),
            str(importable),
        ],
        env={},
    )
    assert finished.returncode == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document
