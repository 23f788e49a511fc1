"""Packages of sinol and DMOJ in the terms of a judge run, and what of them is refused."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rustbox_cli.errors import CommandError
from rustbox_cli.problem_cases import CaseFolder, read_case_folder

SINOL = {
    "config.yml": "title: Sum\nsinol_task_id: sum\ntime_limit: 2500\nmemory_limit: 65536\nscores: {1: 30, 2: 70}\n",
    "prog/sum.cpp": "int main() {}",
    **{f"in/sum{name}.in": name for name in ("0", "1a", "1b", "2a", "1ocen")},
    **{f"out/sum{name}.out": f"answer {name}" for name in ("0", "1a", "1b", "2a", "1ocen")},
}


def package(folder: Path, files: Mapping[str, str | bytes], **changes: str) -> Path:
    for name, text in {**files, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def argument(found: CaseFolder) -> Any:
    assert found.checker is not None
    return found.checker["args"]


def test_tests_of_sinol_are_groups_with_the_least_share(tmp_path: Path) -> None:
    found = read_case_folder(package(tmp_path, SINOL))
    cases = [(case["id"], case["group"], case["points"], case["stdin"], case["expected"]) for case in found.cases]
    assert cases == [
        (f"sum{name}", group, 100, name, f"answer {name}")
        for name, group in (("0", "0"), ("1ocen", "0"), ("1a", "1"), ("1b", "1"), ("2a", "2"))
    ]
    assert found.groups == [
        {"id": "0", "points": 0, "aggregate": "min", "stop": True},
        {"id": "1", "points": 30, "aggregate": "min", "stop": True},
        {"id": "2", "points": 70, "aggregate": "min"},
    ]
    assert found.limits == {"cpu_time_secs": 2.5, "wall_time_secs": 6, "memory_mb": 64}
    assert argument(found) == ["by_line", "{}"]


def test_limits_of_sinol_are_those_of_a_test_then_of_its_group(tmp_path: Path) -> None:
    more = "time_limits: {1a: 500, 1: 1000}\nmemory_limits: {2: 1025}\n"
    found = read_case_folder(package(tmp_path, {**SINOL, "config.yml": f"{SINOL['config.yml']}{more}"}))
    assert {case["id"]: case.get("limits") for case in found.cases} == {
        "sum0": None,
        "sum1ocen": None,
        "sum1a": {"cpu_time_secs": 0.5, "wall_time_secs": 2},
        "sum1b": {"cpu_time_secs": 1, "wall_time_secs": 3},
        "sum2a": {"memory_mb": 2},
    }


@pytest.mark.parametrize(
    ("setting", "groups"),
    [
        ("", [("0", 0, None), ("1", 50, None), ("2", 50, None)]),
        ("sinol_contest_type: icpc", [("0", 0, []), ("1", 0, ["0"]), ("2", 1, ["0", "1"])]),
        ("subtask_dependencies: {2: [1]}", [("0", 0, None), ("1", 50, None), ("2", 50, ["1"])]),
    ],
)
def test_groups_of_sinol_without_scores(tmp_path: Path, setting: str, groups: list[Any]) -> None:
    found = read_case_folder(package(tmp_path, {**SINOL, "config.yml": f"sinol_task_id: sum\n{setting}"}))
    assert [(group["id"], group["points"], group.get("requires")) for group in found.groups] == groups


def test_a_checker_of_sinol_gets_the_program_that_makes_it_work(tmp_path: Path) -> None:
    files = {"prog/sumchk.cpp": '#include "oi.h"\nint main() {}', "prog/oi.h": "// oi", "prog/other.h": "// other"}
    found = read_case_folder(package(tmp_path, {**SINOL, **files}))
    assert found.checker is not None
    assert "checker_main" in found.checker["code"]
    assert found.checker["files"] == {"checker.h": files["prog/sumchk.cpp"], "oi.h": "// oi"}


def test_a_library_of_sinol_is_beside_each_program_of_its_language(tmp_path: Path) -> None:
    config = (
        "extra_compilation_files: [lib.cpp, lib.h]\nextra_compilation_args: {cpp: lib.cpp}\n"
        "extra_execution_files: {py: [lib.py]}\n"
    )
    files = {"config.yml": f"{SINOL['config.yml']}{config}", "prog/lib.cpp": "", "prog/lib.h": "", "prog/lib.py": ""}
    found = read_case_folder(package(tmp_path, {**SINOL, **files}))
    assert {language: [file.path for file in some] for language, some in found.includes.items()} == {
        "cpp": ["lib.cpp", "lib.h"],
        "c": ["lib.h"],
        "python": ["lib.py"],
    }


def test_without_groups_a_case_has_one_point(tmp_path: Path) -> None:
    config = f"{SINOL['config.yml']}sinol_contest_type: oi\n"
    found = read_case_folder(package(tmp_path, {**SINOL, "config.yml": config}), reads_groups=False)
    assert (found.groups, {*found.cases[0]}) == ([], {"id", "stdin", "expected"})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"config.yml": "sinol_task_id: sum\nnum_processes: 2"},
            "config.yml: Rustbox does not have the setting num_proc",
        ),
        ({"config.yml": "sinol_task_id: sum\noverride_limits: {}"}, "does not have the setting override_limits"),
        ({"config.yml": "sinol_task_id: sum\nsinol_contest_type: oi"}, "Give --without-groups to get one point a case"),
        ({"config.yml": "sinol_task_id: sum\nscores: {1: 100}"}, "scores has no group 2"),
        ({"config.yml": "sinol_task_id: sum\nscores: [1]"}, "scores must be a map"),
        ({"config.yml": "sinol_task_id: sum\ntime_limit: soon"}, "time_limit needs a number"),
        ({"config.yml": "sinol_task_id: other"}, "is no test of the task other"),
        ({"config.yml": "sinol_task_id: sum\nextra_compilation_files: [../a.h]"}, "there is no file prog/../a.h"),
        ({"config.yml": "sinol_task_id: sum\nextra_compilation_args: {cpp: -lm}"}, "the option -lm"),
        (
            {"config.yml": "sinol_task_id: sum\nsubtask_dependencies: {2: [1], 3: [2]}"},
            "without those that it depends on",
        ),
        (
            {"config.yml": "sinol_task_id: sum\nsubtask_dependencies: {2: [1]}", "prog/sumchk.cpp": ""},
            "with partial scores",
        ),
        ({"prog/sumsoc.cpp": ""}, "sumsoc.cpp: Rustbox does not have interactors of sinol"),
        ({"prog/sumchk.py": ""}, "a checker of sinol in this language"),
        ({"in/sum3a.in": ""}, "sum3a.out is not there"),
    ],
)
def test_a_package_of_sinol_that_cannot_be_judged_is_refused_by_name(
    tmp_path: Path, changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CommandError) as refused:
        read_case_folder(package(tmp_path, SINOL, **changes))
    assert sentence in str(refused.value)


def test_a_package_of_sinol_without_tests_names_the_program_that_makes_them(tmp_path: Path) -> None:
    files = {"config.yml": "sinol_task_id: sum", "prog/sumingen.cpp": "", "in/.gitkeep": ""}
    with pytest.raises(CommandError, match=r"in has no tests\. prog/sumingen\.cpp makes them: run it first"):
        read_case_folder(package(tmp_path, files))


def dmoj(folder: Path, config: str, **files: str | bytes) -> CaseFolder:
    names = {"1.in": "1", "1.out": "one\r\n", "2.in": "2\n", "2.out": "two\n"}
    return read_case_folder(package(folder, {"init.yml": config, **names, **files}))


def test_cases_of_dmoj_have_points_and_line_breaks_of_unix(tmp_path: Path) -> None:
    found = dmoj(tmp_path, "test_cases:\n- {in: 1.in, out: 1.out, points: 5}\n- {in: 2.in, points: 7}\n")
    assert found.cases == [
        {"id": "1", "points": 5, "stdin": "1\n", "expected": "one\n"},
        {"id": "2", "points": 7, "stdin": "2\n", "expected": ""},
    ]
    assert (found.groups, argument(found)) == ([], ["standard", "{}"])
    assert len(found.warnings({})) == 1  # no time limit


def test_binary_data_of_dmoj_stay_as_they_are(tmp_path: Path) -> None:
    found = dmoj(tmp_path, "binary_data: true\ntest_cases: [{in: 1.in, out: 1.out}]\n")
    assert (found.cases[0]["stdin"], found.cases[0]["expected"]) == ("1", "one\r\n")


def test_a_batch_of_dmoj_is_a_group_whose_cases_have_its_settings(tmp_path: Path) -> None:
    config = (
        "points: 3\ntest_cases:\n- batched: [{in: 1.in}, {in: 2.in, out: 2.out}]\n  out: 1.out\n"
        "- batched: [{in: 2.in, out: 2.out}]\n  points: 9\n  dependencies: [1]\n- {in: 1.in, out: 1.out}\n"
    )
    found = dmoj(tmp_path, config)
    assert found.groups == [
        {"id": "batch1", "points": 3, "aggregate": "min", "stop": True},
        {"id": "batch2", "points": 9, "aggregate": "min", "stop": True, "requires": ["batch1"]},
    ]
    assert [(case.get("group"), case["points"], case["expected"]) for case in found.cases] == [
        ("batch1", 3, "one\n"),
        ("batch1", 3, "two\n"),
        ("batch2", 9, "two\n"),
        (None, 3, "one\n"),
    ]


def test_after_a_failure_without_points_no_case_of_dmoj_counts(tmp_path: Path) -> None:
    found = dmoj(tmp_path, "test_cases:\n- {in: 1.in, points: 0}\n- {in: 2.in, points: 1}\n")
    assert [(group["id"], group.get("requires")) for group in found.groups] == [("case1", None), ("case2", ["case1"])]


def test_an_archive_of_dmoj_has_the_cases(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in ("t.1.1.in", "t.1.1.out", "t.1.2.in", "t.1.2.out", "t.2.in", "t.2.out"):
            archive.writestr(f"tests/{name}", f"{name}\n")
    listed = dmoj(tmp_path, "archive: data.zip\ntest_cases: [{in: tests/t.2.in, out: 1.out}]\n")
    assert (listed.cases[0]["stdin"], listed.cases[0]["expected"]) == ("t.2.in\n", "one\n")
    found = dmoj(tmp_path, "archive: data.zip\n")
    assert [(case.get("group"), case["stdin"]) for case in found.cases] == [
        ("batch1", "t.1.1.in\n"),
        ("batch1", "t.1.2.in\n"),
        (None, "t.2.in\n"),
    ]


@pytest.mark.parametrize(
    ("checker", "expected"),
    [
        ("identical", {"kind": "exact"}),
        ("unordered", ["sorted", '{"split_on": "whitespace"}']),
        ("{name: floatsabs, args: {precision: 3}}", ["floats", '{"error_mode": "absolute", "precision": 3}']),
        (
            "{name: linematches, args: {point_distribution: [1]}}",
            ["linematches", '{"point_distribution": [1], "points": 4.0}'],
        ),
    ],
)
def test_a_standard_checker_of_dmoj(tmp_path: Path, checker: str, expected: Any) -> None:
    found = dmoj(tmp_path, f"checker: {checker}\npoints: 4\ntest_cases: [{{in: 1.in}}]\n")
    assert found.checker is not None
    assert (found.checker if isinstance(expected, dict) else found.checker["args"]) == expected


def test_a_case_of_dmoj_may_have_its_own_checker(tmp_path: Path) -> None:
    found = dmoj(tmp_path, "test_cases: [{in: 1.in}, {in: 2.in, checker: identical}]\n")
    assert [case.get("checker") for case in found.cases] == [None, {"kind": "exact"}]


def test_a_checker_program_of_dmoj(tmp_path: Path) -> None:
    args = "{files: [c.cpp, testlib.h], lang: CPP17, type: testlib}"
    config = f"checker: {{name: bridged, args: {args}}}\ntest_cases: [{{in: 1.in}}]\n"
    found = dmoj(tmp_path, config, **{"c.cpp": "code", "testlib.h": "header"})
    program = {"kind": "program", "language": "cpp", "protocol": "testlib", "code": "code"}
    assert found.checker == {**program, "files": {"testlib.h": "header"}}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("generator: g.cpp\ntest_cases: [{}]", "the setting generator"),
        ("interactive: {files: i.cpp}\ntest_cases: [{}]", "the setting interactive"),
        ("custom_judge: i.py\ntest_cases: [{}]", "the setting custom_judge"),
        ("test_cases++: node\ntest_cases: [{}]", "the setting test_cases++"),
        ("hints: [nobigmath]\ntest_cases: [{}]", "the setting hints"),
        ("test_cases: [{generator_args: [1]}]", "the setting generator_args"),
        ("test_cases: {input_format: a}", "test_cases other than a list"),
        ("title: x", "the setting title"),
        ("points: 1", "test_cases other than a list, or none with an archive"),
        ("test_cases: [{batched: 1}]", "batched must be a list of cases"),
        ("test_cases: [1]", "a case must be a map"),
        ("test_cases: [{points: x}]", "points needs a number"),
        ("test_cases: [{in: ../secret}]", "there is no file ../secret"),
        ("test_cases: [{in: none}]", "there is no file none"),
        ("archive: none.zip", "there is no file none.zip"),
        ("checker: c.py\ntest_cases: [{}]", "the checker c.py"),
        ("checker: linecount\ntest_cases: [{}]", "the checker linecount"),
        ("checker: {name: sorted, args: {by: x}}\ntest_cases: [{}]", "the setting by"),
        ("checker: {name: bridged, args: {files: 1.in, type: coci}}\ntest_cases: [{}]", "checkers of the type coci"),
        ("checker: {name: bridged, args: {files: 1.in, flags: [-O]}}\ntest_cases: [{}]", "the setting flags"),
        ("checker: {name: bridged, args: {files: 1.in, lang: PY2}}\ntest_cases: [{}]", "the language PY2"),
        ("checker: {name: bridged, args: {files: 1.in}}\ntest_cases: [{}]", "the checker must have one source file"),
    ],
)
def test_a_package_of_dmoj_that_cannot_be_judged_is_refused_by_name(tmp_path: Path, config: str, sentence: str) -> None:
    (tmp_path / "secret").write_text("a private key")
    with pytest.raises(CommandError) as refused:
        dmoj(tmp_path / "problem", config)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("config", ["config.yml", "init.yml"])
def test_a_link_out_of_a_foreign_package_is_not_followed(tmp_path: Path, config: str) -> None:
    (tmp_path / "secret").write_text("a private key")
    folder = package(tmp_path / "problem", {config: "test_cases: [{in: 1.in}]", "in/x": "", "prog/x": ""})
    (folder / "1.in").symlink_to(tmp_path / "secret")
    with pytest.raises(CommandError, match="is a link to a file outside of"):
        read_case_folder(folder)


# Each list has ten names of the list before: as text a hundred billion words.
LAUGHS = "&a0 [x], " + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))
IGNORED = {"config.yml": "sinol_any", "init.yml": "output_prefix_length"}


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ("config.yml", "sinol_task_id: *a11"),
        ("config.yml", "sinol_task_id: sum\nscores: {1: *a11, 2: 1}"),
        ("config.yml", "sinol_task_id: sum\nextra_compilation_files: *a11"),
        ("init.yml", "test_cases: [{in: *a11}]"),
        ("init.yml", "archive: *a11"),
        ("init.yml", "checker: {name: *a11}\ntest_cases: [{}]"),
        ("init.yml", "checker: {name: sorted, args: {split_on: *a11}}\ntest_cases: [{}]"),
        ("init.yml", "test_cases: [{batched: [{}], dependencies: *a11}]"),
    ],
)
def test_lists_that_name_one_another_cost_nothing(tmp_path: Path, config: str, settings: str) -> None:
    folder = package(tmp_path, {**SINOL, config: f"{IGNORED[config]}: [{LAUGHS}]\n{settings}\n"})
    if config == "init.yml":
        (folder / "config.yml").unlink()
    with pytest.raises(CommandError, match=r"is a list or a map where a text or a number belongs|needs a number"):
        read_case_folder(folder)
