"""What `sam build` makes of the template must work on Lambda: it returns 0 on broken packages too."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FUNCTIONS = (
    "SubmitFunction",
    "ResultFunction",
    "ManageFunction",
    "EndpointsFunction",
    "RecordFunction",
    "WebhookFunction",
    "SweepFunction",
)
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024

# Runs with -I -S -E: no site-packages, no user directory, no PYTHONPATH. Only the artifact and the stdlib.
_IMPORT = """
import importlib, os, sys
artifact, module_name, attribute = sys.argv[1:]
sys.path.insert(0, artifact)
assert set(os.environ) <= {"LC_CTYPE"}, os.environ  # Python sets that one itself
handler = getattr(importlib.import_module(module_name), attribute)
assert callable(handler)
boto3 = sys.modules.get("boto3")
assert boto3 is None or boto3.DEFAULT_SESSION is None, "a client was made at import"
assert "botocore.client" not in sys.modules or not sys.modules["functions.aws.clients"]._client.cache_info().currsize
for name, module in sys.modules.items():
    origin = getattr(module, "__file__", None)
    if name.split(".")[0] in ("functions", "boto3", "botocore", "pydantic", "aws_lambda_powertools"):
        assert origin.startswith(artifact), (name, origin)
print("imported")
"""


def test_every_function_of_the_template_is_covered(functions: dict[str, Any]) -> None:
    assert sorted(functions) == sorted(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_handler_imports_from_the_artifact_alone_with_an_empty_environment(
    function: str, functions: dict[str, Any], importable: Path
) -> None:
    module_name, _, attribute = functions[function]["Handler"].rpartition(".")
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-E", "-B", "-c", _IMPORT, str(importable / function), module_name, attribute],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, "imported\n"), finished.stderr


def test_every_module_of_the_artifact_imports_those_that_load_late_too(importable: Path) -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import functions\n"
        "names = [found.name for found in pkgutil.walk_packages(functions.__path__, 'functions.')]\n"
        "print(len([importlib.import_module(name) for name in names]))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-E", "-B", "-c", code, str(importable / "SubmitFunction")],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    sources = [
        path for path in (importable / "SubmitFunction" / "functions").rglob("*.py") if path.name != "__init__.py"
    ]
    assert int(finished.stdout) >= len(sources) > 10


@pytest.mark.parametrize("function", FUNCTIONS)
def test_artifact_fits_lambda(function: str, importable: Path) -> None:
    size = sum(file.stat().st_size for file in (importable / function).rglob("*") if file.is_file())
    assert 1024 * 1024 < size < MAX_UNZIPPED_BYTES


def test_artifact_holds_our_code_as_a_package_and_no_tests_or_runner(importable: Path) -> None:
    artifact = importable / "SubmitFunction"
    assert (artifact / "functions" / "__init__.py").is_file()
    assert (artifact / "functions" / "handlers" / "__init__.py").is_file()
    assert not (artifact / "submit.py").exists()
    assert not [name for name in ("sandbox_runtime", "infra", "tests", "moto", "pytest") if (artifact / name).exists()]


def test_deployed_architecture_gets_its_own_wheels(build: Callable[[str], Path]) -> None:
    artifact = build("arm64") / "SubmitFunction"
    libraries = {file.name for file in artifact.rglob("*.so")}
    assert libraries
    assert not [name for name in libraries if "x86_64" in name]
    assert any("aarch64" in name for name in libraries)
