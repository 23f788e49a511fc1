"""Every published Python SDK works unmodified."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from events.vocabulary import Language
from tests.system.local_stack import API_KEY, ROOT, LocalStack
from tests.system.pages import blocks

VERSIONS = sorted(lock.stem for lock in (Path(__file__).parent / "sdk").glob("*.txt"))


def test_all_published_versions_are_covered() -> None:
    assert VERSIONS == ["0.1.0", "0.2.0", "0.3.0", "0.4.0"]


@pytest.fixture(scope="module")
def networked_id(stack: LocalStack) -> str:
    """A run with network, which the SDKs cannot request, but read."""
    code = "import socket\ntry: socket.create_connection(('host.rustbox.internal', 1))\nexcept OSError: print('dead')"
    network = {"allow": ["host.rustbox.internal:1"]}
    body = {"language": "python", "code": code, "profile": "agent", "network": network}
    with httpx.Client(base_url=stack.url, headers={"X-API-Key": API_KEY}, timeout=35) as client:
        return str(client.post("/api/submit", params={"wait": "true"}, json=body).json()["id"])


def run_with_sdk(version: str, program: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program with one version of the SDK, which reaches this machine alone."""
    return subprocess.run(
        [sys.executable, program, *args],
        env={
            "PYTHONPATH": str(ROOT / ".sdk" / version),
            "PATH": os.environ["PATH"],
            # On a server error these versions go on to their vendor's service: that shall fail, not answer.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_of_the_api_guide_runs_with_the_newest_version(stack: LocalStack, tmp_path: Path) -> None:
    (program,) = blocks("docs/api.md", "python")
    path = tmp_path / "program.py"
    path.write_text(program)
    finished = run_with_sdk(VERSIONS[-1], path, RUSTBOX_URL=stack.url, RUSTBOX_API_KEY=API_KEY)
    assert (finished.stdout, finished.stderr) == ("AC 42\n\n", "")
    assert f"rustbox=={VERSIONS[-1]}" in (ROOT / "docs/api.md").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_published_sdk_works_unmodified(stack: LocalStack, networked_id: str, version: str) -> None:
    package = ROOT / ".sdk" / version
    assert (package / f"rustbox-{version}.dist-info").is_dir(), "run `make system`"
    finished = run_with_sdk(version, Path(__file__).parent / "sdk_client.py", stack.url, API_KEY, networked_id)
    assert finished.returncode == 0, finished.stderr
    answers = json.loads(finished.stdout)
    # 0.1 and 0.2 read the flat fields, 0.3 and 0.4 the nested ones.
    assert (answers["run"]["verdict"], answers["run"]["stdout"]) == ("AC", "hello\n")
    assert (answers["run"]["result"]["verdict"], answers["run"]["output"]["stdout"]) == ("AC", "hello\n")
    assert (answers["run_failing"]["verdict"], answers["run_failing"]["exit_code"]) == ("RE", 3)
    assert answers["submitted"]["status"] == "pending"
    assert "verdict" not in answers["submitted"]
    assert (answers["polled"]["verdict"], answers["polled"]["stdout"]) == ("AC", "2\n")
    (connection,) = answers["networked"]["evidence"]["network"]
    assert (connection["name"], connection["port"]) == ("host.rustbox.internal", 1)
    assert answers["networked"]["verdict"] == "AC"
    assert answers["languages"] == list(Language)
    assert answers["health"]["status"] == "ok"
    assert answers["ready"]["status"] == "ready"
    judged = answers["judged"]
    assert (judged is not None) == (version == "0.4.0")
    if judged is not None:
        assert judged["all_passed"] is False
        assert [case["verdict"] for case in judged["results"]] == ["AC", "AC", "AC"]
        assert [case["passed"] for case in judged["results"]] == [True, True, False]
        assert [case["stdout"] for case in judged["results"]] == ["3\n", "42\n", "2\n"]
