"""The adapter answers what a real Piston answered, except for what the page on dialects names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, wait_until

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "recorded" / "piston.jsonl").read_text().splitlines()]
NAMES = [entry["name"] for entry in RECORDED]
ANY: Any = object()
OF_THE_HOST = ("cpu_time", "wall_time", "memory")
_NO_LIMIT_OF_1024 = {"signal": None, "stdout": ANY, "stderr": ANY, "code": 0, "message": None, "status": None}
DIFFERENT: dict[str, dict[str, Any]] = {
    # The first source has our name for it.
    "file without name": {"stdout": "['solution.py'] ['solution.py']\n"},
    "args": {"stdout": "['solution.py', 'a', 'b c']\n"},
    # No shell writes a line about the signal.
    "signal 11": {"stderr": ""},
    "abort": {"stderr": ""},
    # The recorded host had no CPU clock.
    "run_cpu_time 500": {"message": "Time limit exceeded"},
    "much stdout": _NO_LIMIT_OF_1024,
    "much stderr": _NO_LIMIT_OF_1024,
    "fork bomb": _NO_LIMIT_OF_1024,
}
"""By the name of a recorded answer: the fields of `run` that differ."""
STATUS = {"name that escapes": 400}


@pytest.fixture(scope="module")
def piston(stack: LocalStack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        client.base_url = httpx.URL(f"{stack.url}/piston")
        yield client


@pytest.fixture(scope="module")
def versions(piston: httpx.Client) -> dict[str, str]:
    return {one["language"]: one["version"] for one in piston.get("/api/v2/runtimes").json()}


def expected(entry: dict[str, Any], versions: dict[str, str]) -> Any:
    """The recorded answer with our versions, our names of sources and without what the host decides."""
    text = json.dumps(entry["answer"], ensure_ascii=False).replace("3.13.0", versions["python"])
    text = text.replace('"14.0.0"', f'"{versions["c++"]}"').replace("/box/submission/a.py", "/box/solution.py")
    text = text.replace("a.cpp:", "solution.cpp:").replace("limit of 3000", "limit of 25000")
    return json.loads(text)


def ends_later(piston: httpx.Client, message: str) -> None:
    """Wait for the end of a run that outlasted its request. A host that is too busy is no fault of the program (IE)."""
    if "too busy" in message:
        return
    (submission_id,) = re.findall(r"[0-9a-f-]{36}", message)
    url = str(piston.base_url).replace("/piston", "/api/result").rstrip("/") + f"/{submission_id}"
    wait_until(
        lambda: piston.get(url, params={"wait": "20"}).json().get("verdict") in {"TLE", "IE"}, 120, "it ends", str
    )


def same_text(here: str, there: str) -> bool:
    """Compare but for the order of the streams and the compiler's quotation marks."""
    return sorted(here.translate({0x2018: "'", 0x2019: "'"}).split("\n")) == sorted(there.split("\n"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "runtimes"])
def test_an_answer_is_the_recorded_one(piston: httpx.Client, versions: dict[str, str], name: str) -> None:
    entry = RECORDED[NAMES.index(name)]
    body = entry["body"] and entry["body"].replace('"3.13.0"', f'"{versions["python"]}"')
    url = f"{str(piston.base_url).rstrip('/')}{entry['path'].rstrip('/')}"
    answer = piston.request(entry["method"], url, headers=entry["headers"], content=body)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and name in {"endless loop", "run_cpu_time 500"}:
        ends_later(piston, answer.json()["message"])  # a host without idle cores: the clock of a run waits for CPU time
        return
    assert answer.status_code == STATUS.get(name, entry["status"]), answer.text
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    here, there = answer.json(), expected(entry, versions)
    if name in {"name that escapes", "not JSON"}:  # the first is a 500 there, the second the stack of a parser
        assert list(here) == ["message"]
        return
    if "run" not in there:
        assert here == there
        return
    there["run"] |= DIFFERENT.get(name, {})
    assert here.keys() == there.keys()
    assert {field: here[field] for field in ("language", "version")} == {
        field: there[field] for field in ("language", "version")
    }
    for stage in here.keys() & {"run", "compile"}:
        assert here[stage].keys() == there[stage].keys()
        assert all(isinstance(here[stage][field], int | None) for field in OF_THE_HOST)
        assert here[stage]["output"] == here[stage]["stdout"] + here[stage]["stderr"]
        for field in here[stage].keys() - {"output", *OF_THE_HOST}:
            value, wanted = here[stage][field], there[stage][field]
            text = isinstance(value, str) and isinstance(wanted, str)
            assert wanted is ANY or (same_text(value, wanted) if text else value == wanted), (stage, field, value)
    if "compile" in here and here["compile"]["code"]:
        assert here["run"] == here["compile"]


def test_the_runtimes_have_the_recorded_shape(piston: httpx.Client) -> None:
    here, there = piston.get("/api/v2/runtimes").json(), RECORDED[NAMES.index("runtimes")]["answer"]
    assert {tuple(one) for one in here} == {tuple(one) for one in there}
    assert {one["language"] for one in there} < {one["language"] for one in here}
    packages = piston.get("/api/v2/packages").json()
    assert [(one["language"], one["language_version"], one["installed"]) for one in packages] == [
        (one["language"], one["version"], True) for one in here
    ]


def test_a_run_with_too_much_output_is_stopped(piston: httpx.Client) -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    body = {"language": "python", "version": "*", "files": [{"content": code}], "run_timeout": 20_000}
    run = piston.post("/api/v2/execute", json=body).json()["run"]
    assert (run["status"], run["message"], run["code"], run["signal"]) == (
        "OL",
        "stdout length exceeded",
        None,
        "SIGKILL",
    )
    assert set(run["stdout"]) == {"x"}


def test_a_run_over_its_memory_is_stopped(piston: httpx.Client) -> None:
    code = "held = bytearray(400 << 20)\nheld[::4096] = b'x' * len(held[::4096])\nprint('end')"
    limits = {"run_memory_limit": 64 << 20, "run_timeout": 20_000}
    body = {"language": "python", "version": "*", "files": [{"content": code}], **limits}
    run = piston.post("/api/v2/execute", json=body).json()["run"]
    assert run["stdout"] == ""
    assert run["status"] in {"SG", "RE"}


@pytest.mark.parametrize("language", ["c", "java", "go", "rust", "javascript", "typescript"])
def test_every_language_runs(piston: httpx.Client, language: str) -> None:
    programs = {
        "c": '#include <stdio.h>\nint main(void){puts("42");}',
        "java": 'class Main { public static void main(String[] a) { System.out.println("42"); } }',
        "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println("42") }',
        "rust": 'fn main() { println!("42"); }',
    }
    code = programs.get(language, "console.log('42')")
    body = {"language": language, "version": "*", "files": [{"content": code}], "run_timeout": 20_000}
    answer = piston.post("/api/v2/execute", json=body)
    assert (answer.status_code, answer.json().get("run", {}).get("stdout")) == (200, "42\n"), answer.text
    assert ("compile" in answer.json()) == (language in programs)
