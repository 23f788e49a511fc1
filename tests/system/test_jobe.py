"""The adapter of Jobe in front of the whole stack: outcomes, texts, and files that a client sends when they miss."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack

BASE = "/jobe/index.php/restapi"
THING = 'public class Thing { public String toString() { return "a thing"; } }'


@pytest.fixture(scope="module")
def jobe(stack: LocalStack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        client.base_url = httpx.URL(stack.url + BASE)
        yield client


def run(jobe: httpx.Client, language: str, source: str, **more: Any) -> dict[str, Any]:
    answer = jobe.post("/runs/", json={"run_spec": {"language_id": language, "sourcecode": source, **more}})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found.keys() == {"run_id", "outcome", "cmpinfo", "stdout", "stderr"}
    return found


@pytest.mark.parametrize(
    ("language", "source", "more", "outcome", "stdout"),
    [
        ("python3", "print(input())", {"input": "42\n"}, 15, "42\n"),
        (
            "python3",
            "import sys; print(sys.argv[1:]); sys.exit(3)",
            {"parameters": {"runargs": ["a", "b"]}},
            15,
            "['a', 'b']\n",
        ),
        ("python3", "print('x'", {}, 11, ""),
        ("python3", "print(1); print([][0])", {}, 12, "1\n"),
        ("python3", "import sys; print(1); sys.stderr.write('said')", {}, 12, "1\n"),
        ("python3", "import time; time.sleep(60)", {"parameters": {"cputime": 1}}, 13, ""),
        (
            "python3",
            "h = bytearray(300 << 20); h[::4096] = b'x' * len(h[::4096])",
            {"parameters": {"memorylimit": 64}},
            17,
            "",
        ),
        ("python3", "import sys; sys.stdout.buffer.write(b'a\\x01\\xff\\n')", {}, 15, "a\\x01\\xff\n"),
        (
            "c",
            '#include <stdio.h>\nint main(void) { puts("a"); fflush(stdout); return *(volatile int *)0; }',
            {},
            12,
            "a\n",
        ),
        ("c", "int main(void) { int unused; return 0; }", {}, 11, ""),
        ("c", "int main(void) { int unused; return 0; }", {"parameters": {"compileargs": []}}, 15, ""),
        ("c", "int main(void) { int unused; return 0; }", {"parameters": {"compileargs": ["-Wall"]}}, 11, ""),
        ("nodejs", "let a = ;", {}, 12, ""),
        ("nodejs", "console.log(42)", {"parameters": {"memorylimit": 1_000_000}}, 15, "42\n"),
        ("go", 'package main\nfunc main() { println("on stderr") }', {}, 12, ""),
    ],
    ids=lambda given: str(given)[:30],
)
def test_an_outcome_is_that_of_its_server(
    jobe: httpx.Client, language: str, source: str, more: dict[str, Any], outcome: int, stdout: str
) -> None:
    found = run(jobe, language, source, **more)
    assert (found["outcome"], found["stdout"]) == (outcome, stdout), found
    assert bool(found["cmpinfo"]) == (outcome == 11)


def test_a_program_that_never_stops_writing_is_out_of_time(jobe: httpx.Client) -> None:
    found = run(jobe, "python3", "while True: print('x' * 65536)")
    assert (found["outcome"], set(found["stdout"]), found["stderr"]) == (13, {"x", "\n"}, "")


def test_a_client_sends_the_files_that_a_run_misses_and_repeats_it(jobe: httpx.Client) -> None:
    file_id = "5f4dcc3b5aa765d61d8327deb882cf99"
    spec = {
        "language_id": "java",
        "sourcecode": "public class Test { public static void main(String[] a) { System.out.println(new Thing()); } }",
        "sourcefilename": "Test.java",
        "file_list": [[file_id, "Thing.java"]],
    }
    missing = jobe.post("/runs", json={"run_spec": spec})
    assert (missing.status_code, missing.json()) == (404, "One or more of the specified files is missing/unavailable")
    assert jobe.head(f"/files/{file_id}").status_code == 404
    sent = jobe.put(f"/files/{file_id}", json={"file_contents": base64.b64encode(THING.encode()).decode()})
    assert (sent.status_code, sent.content) == (204, b"")
    assert jobe.head(f"/files/{file_id}").status_code == 204
    found = jobe.post("/runs", json={"run_spec": spec}).json()
    assert (found["outcome"], found["stdout"]) == (15, "a thing\n"), found
