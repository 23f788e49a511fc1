"""Files of requests: their paths and bounds, and the versions of messages that have them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import MessageInvalidError
from events.files import path_problem, places_problem
from events.requested import addressee, parse_request
from tests.choice import examples
from tests.submission_factory import golden

FULL = golden("execution_requested/v3.full")
JUDGE = golden("judge_requested/v2.files")
OBJECT = FULL["files"][2]["object"]
PATHS = (
    *("a", "a/b", "a b", "a/b/c/d/e/f/g/h", "é", ".hidden", "...", "a/.b", "-rf", "a\\b", "a:b", "x" * 255, "*"),
    *("", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a/..", "./a", "a/b/c/d/e/f/g/h/i"),
    *("a\nb", "a\0b", "a\x1bb", "a\x7fb", "a\x9fb", "\ud800", "x" * 256, "é" * 128),
)


def _refused(document: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalidError):
        parse_request(json.dumps(document))


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_a_path_is_relative_and_of_ordinary_parts(path: str) -> None:
    assert (path_problem(path) is None) == (PATHS.index(path) < PATHS.index(""))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.sampled_from(["a", "a/b", "a/b/c", "a/bc", "ab", "b", "b/a"]), max_size=4))
def test_paths_exclude_each_other_if_one_is_the_folder_of_another(paths: list[str]) -> None:
    folders = {path[:end] for path in paths for end, mark in enumerate(path) if mark == "/"}
    assert (places_problem(paths) is None) == (len({*paths}) == len(paths) and not folders & {*paths})


@pytest.mark.parametrize("version", [1, 2, 4, True, None])
@pytest.mark.parametrize("message", ["v3.full", "v3.changed", "v3.limits", "v3.network"])
def test_a_request_with_files_has_version_3_and_no_other(message: str, version: object) -> None:
    _refused(golden(f"execution_requested/{message}") | {"version": version})


@pytest.mark.parametrize("version", [1, 3])
def test_a_judge_run_with_files_has_version_2_and_no_other(version: int) -> None:
    _refused(JUDGE | {"version": version})


def test_requests_without_files_keep_their_versions() -> None:
    _refused(golden("execution_requested/v1.full") | {"version": 3})
    _refused(golden("execution_requested/v2.network") | {"version": 3})
    _refused(golden("judge_requested/v1.minimal") | {"version": 2})


def test_a_runner_answers_for_an_invalid_request_with_files() -> None:
    wrong = json.dumps(FULL | {"files": [FULL["files"][0] | {"path": "../etc/passwd"}]})
    with pytest.raises(MessageInvalidError, match=r"files\[0\].path"):
        parse_request(wrong)
    assert addressee(wrong) is not None


def _file(**changes: object) -> dict[str, Any]:
    made = {"path": "a", "read_only": False, "content_base64": "", **changes}
    return {name: value for name, value in made.items() if value is not ...}


LARGEST = OBJECT | {"size": 100 << 20}
STORED = {"content_base64": ..., "object": OBJECT}


@pytest.mark.parametrize(
    "changes",
    [
        {"files": []},
        {"files": {}},
        {"files": [_file(path=str(number)) for number in range(65)]},
        {"files": [_file(), _file()]},
        {"files": [_file(), _file(path="a/b")]},
        {"files": [_file(read_only=1)]},
        {"files": [_file(read_only=...)]},
        {"files": [_file(content_base64=...)]},
        {"files": [_file(object=OBJECT)]},
        {"files": [_file(content_base64="%")]},
        {"files": [_file(content_base64="A" * 349_532)]},
        {"files": [_file(content_base64="A" * 174_768), _file(path="b", content_base64="A" * 174_768)]},
        {"files": [_file(**STORED | {"object": OBJECT | {"size": -1}})]},
        {"files": [_file(**STORED | {"object": OBJECT | {"size": 104_857_601}}, read_only=True)]},
        {"files": [_file(**STORED | {"object": OBJECT | {"size": 67_108_865}})]},
        {
            "files": [
                _file(**STORED | {"object": OBJECT | {"size": 100 << 20}}, read_only=True, path=p) for p in "abcdef"
            ]
        },
        {"files": [_file(**STORED | {"object": OBJECT | {"key": "outputs/x"}})]},
        {"files": [_file(**STORED | {"object": OBJECT | {"key": "files/../outputs/x"}})]},
        {"files": [_file(**STORED | {"object": OBJECT | {"sha256": "AB" * 32}})]},
        {"files": [_file(**STORED | {"object": OBJECT | {"sha256": "ab" * 31}})]},
        {"compile_args": []},
        {"compile_args": "-O2"},
        {"compile_args": [""]},
        {"compile_args": ["-O2"] * 33},
        {"compile_args": ["-D" + "A" * 255]},
        {"limits": {"file_size_mb": 0}},
        {"limits": {"file_size_mb": 1.5}},
        {"limits": {"open_files": "64"}},
    ],
    ids=lambda changes: str(changes)[:80],
)
@pytest.mark.parametrize("message", [FULL, JUDGE], ids=["run", "judge run"])
def test_a_request_outside_the_bounds_is_refused(message: dict[str, Any], changes: dict[str, Any]) -> None:
    _refused(message | changes)


@pytest.mark.parametrize("args", ["-x", [1], ["a"] * 65, ["a" * 1025]], ids=lambda args: str(args)[:20])
def test_other_arguments_are_refused(args: object) -> None:
    _refused(FULL | {"args": args})


def _of_cases(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [_file(**{"path": f"{number}", "case": number % 1000, **changes}) for number in range(count)]


@pytest.mark.parametrize(
    "wrong",
    [
        [_file(case=1000)],
        [_file(case=-1)],
        [_file(case="0")],
        [_file(), _file(case=3)],
        [_file(), _file(path="a/b", case=3)],
        [_file(case=3), _file(case=3)],
        [_file(path=str(number)) for number in range(60)] + [_file(path=f"x{n}", case=3) for n in range(5)],
        [_file(**STORED | {"object": LARGEST}, case=3)],
        [_file(**STORED | {"object": LARGEST | {"sha256": f"{n:064x}"}}, read_only=True, case=n) for n in range(6)],
        [_file(content_base64="A" * 174_768, case=number) for number in range(2)],
        _of_cases(577),
    ],
    ids=lambda files: f"{len(files)}: {str(files[-1])[:70]}",
)
def test_files_of_cases_outside_the_bounds_are_refused(wrong: list[dict[str, Any]]) -> None:
    _refused(JUDGE | {"files": wrong})


@pytest.mark.parametrize(
    "good",
    [
        [_file(case=number) for number in range(488, 1000)],
        _of_cases(512),
        [_file(**STORED | {"object": LARGEST}, read_only=True, case=number) for number in range(200)],
        [_file(**STORED | {"object": LARGEST | {"sha256": f"{n:064x}"}}, read_only=True, case=n) for n in range(5)],
    ],
    ids=["one path in each case", "most", "one blob in each case", "most bytes"],
)
def test_files_of_cases_are_taken(good: list[dict[str, Any]]) -> None:
    text = json.dumps(JUDGE | {"files": good})
    assert len(parse_request(text).files or ()) == len(good)


def test_a_run_has_no_files_of_cases() -> None:
    _refused(FULL | {"files": [_file(case=0)]})


@pytest.mark.parametrize("artifacts", [[], "", "all", ["/a"], ["../a"], ["a"] * 33, [1], {"a": 1}, 1], ids=str)
def test_other_artifacts_are_refused(artifacts: object) -> None:
    _refused(FULL | {"artifacts": artifacts})


def test_the_largest_files_are_taken() -> None:
    largest = [_file(path=f"{number}/{'x' * 250}", content_base64="AAAA" * 1365) for number in range(10, 74)]
    text = json.dumps(FULL | {"files": largest})
    assert parse_request(text).files is not None
