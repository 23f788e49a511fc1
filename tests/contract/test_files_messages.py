"""Functions and runner agree about files: their paths and bounds, and the versions of messages that have them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.errors import MessageInvalidError as RefusedByFunctionsError
from functions.messages import files as rules_of_functions
from functions.messages.judging import JudgeRequested as JudgeRequestedOfFunctions
from functions.messages.wire import ExecutionRequested as RequestedOfFunctions
from sandbox_runtime.messages import MessageInvalidError, addressee, files, parse_request
from tests.submission_factory import golden

FULL = golden("execution_requested/v3.full")
JUDGE = golden("judge_requested/v2.files")
OBJECT = FULL["files"][2]["object"]
PATHS = (
    *("a", "a/b", "a b", "a/b/c/d/e/f/g/h", "é", ".hidden", "...", "a/.b", "-rf", "a\\b", "a:b", "x" * 255, "*"),
    *("", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a/..", "./a", "a/b/c/d/e/f/g/h/i"),
    *("a\nb", "a\0b", "a\x1bb", "a\x7fb", "a\x9fb", "\ud800", "x" * 256, "é" * 128),
)


def _refused_by_both(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    with pytest.raises(MessageInvalidError):
        parse_request(text)
    of_functions = RequestedOfFunctions if document["type"] == "execution_requested" else JudgeRequestedOfFunctions
    with pytest.raises(RefusedByFunctionsError):
        of_functions.parse(text)


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_both_sides_take_and_refuse_the_same_paths(path: str) -> None:
    is_good = PATHS.index(path) < PATHS.index("")
    assert (rules_of_functions.path_problem(path) is None) == is_good
    assert files.is_file_path(path) == is_good


PARTS = st.text("ab./\n\0é", max_size=6) | st.sampled_from([".", "..", "", "x" * 200, "\ud800"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=10).map("/".join) | st.text(max_size=20))
def test_both_sides_agree_about_any_path(path: str) -> None:
    assert (rules_of_functions.path_problem(path) is None) == files.is_file_path(path)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["a", "a/b", "a/b/c", "a/bc", "ab", "b", "b/a"]), max_size=4))
def test_both_sides_agree_which_paths_exclude_each_other(paths: list[str]) -> None:
    placed = tuple(files.PlacedFile(path=path, read_only=False, content=b"") for path in paths)
    assert (rules_of_functions.places_problem(paths) is None) == files.have_places(placed)


def test_both_sides_have_the_same_bounds() -> None:
    names = [name for name in dir(files) if name.startswith("MAX_")]
    assert len(names) == 12
    for name in [*names, "CHANGED"]:
        assert getattr(files, name) == getattr(rules_of_functions, name)


@pytest.mark.parametrize("version", [1, 2, 4, True, None])
@pytest.mark.parametrize("message", ["v3.full", "v3.changed", "v3.limits", "v3.network"])
def test_a_request_with_files_has_version_3_and_no_other(message: str, version: object) -> None:
    _refused_by_both(golden(f"execution_requested/{message}") | {"version": version})


@pytest.mark.parametrize("version", [1, 3])
def test_a_judge_run_with_files_has_version_2_and_no_other(version: int) -> None:
    _refused_by_both(JUDGE | {"version": version})


def test_requests_without_files_keep_their_versions() -> None:
    _refused_by_both(golden("execution_requested/v1.full") | {"version": 3})
    _refused_by_both(golden("execution_requested/v2.network") | {"version": 3})
    _refused_by_both(golden("judge_requested/v1.minimal") | {"version": 2})


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
def test_both_sides_refuse_what_is_outside_the_bounds(message: dict[str, Any], changes: dict[str, Any]) -> None:
    _refused_by_both(message | changes)


@pytest.mark.parametrize("args", ["-x", [1], ["a"] * 65, ["a" * 1025]], ids=lambda args: str(args)[:20])
def test_both_sides_refuse_other_arguments(args: object) -> None:
    _refused_by_both(FULL | {"args": args})


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
def test_both_sides_refuse_files_of_cases_outside_the_bounds(wrong: list[dict[str, Any]]) -> None:
    _refused_by_both(JUDGE | {"files": wrong})


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
def test_both_sides_take_files_of_cases(good: list[dict[str, Any]]) -> None:
    text = json.dumps(JUDGE | {"files": good})
    assert len(parse_request(text).files or ()) == len(JudgeRequestedOfFunctions.parse(text).files or ()) == len(good)


def test_a_run_has_no_files_of_cases() -> None:
    _refused_by_both(FULL | {"files": [_file(case=0)]})


@pytest.mark.parametrize("artifacts", [[], "", "all", ["/a"], ["../a"], ["a"] * 33, [1], {"a": 1}, 1], ids=str)
def test_both_sides_refuse_other_artifacts(artifacts: object) -> None:
    _refused_by_both(FULL | {"artifacts": artifacts})


def test_the_largest_files_are_taken() -> None:
    largest = [_file(path=f"{number}/{'x' * 250}", content_base64="AAAA" * 1365) for number in range(10, 74)]
    text = json.dumps(FULL | {"files": largest})
    assert parse_request(text).files is not None
    assert RequestedOfFunctions.parse(text).files is not None
