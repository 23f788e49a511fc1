"""`rustbox checks validate` and `schema`, without a service."""

import json
import re
from pathlib import Path

import pytest

from rustbox_cli.project.file import read_checks, read_project
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Reply, Service

EXAMPLE = Path(__file__).parents[3] / "examples" / "checks" / "checks.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("print(1)\n")
    (tmp_path / "binary.py").write_bytes(b"\xff")
    (tmp_path / "program").write_text("x")
    (tmp_path / "empty.py").write_text("")
    return tmp_path


def test_the_example_is_valid_and_asks_nobody(rustbox: Rustbox, service: Service) -> None:
    ended = rustbox("checks", "validate", str(EXAMPLE))
    assert (ended.exit_code, ended.stdout) == (0, f"{EXAMPLE}: 2 checks are valid.\n")
    assert service.asked == []


def test_defaults_the_suffix_and_the_slug_fill_a_check(folder: Path) -> None:
    (folder / "checks.yaml").write_text(
        "defaults: {retries: 2, tags: [x]}\n"
        "checks:\n"
        "  - {slug: a, file: a.py, tags: [y], fail_after: {of: 3}, muted_until: 2027-01-31T12:00:00Z, env: {K: $V}}\n"
    )
    (check,) = read_checks(folder / "checks.yaml")
    expected = {
        "name": "a",
        "slug": "a",
        "language": "python",
        "code": "print(1)\n",
        "retries": 2,
        "tags": ["y"],
        "fail_after": {"needed": 1, "of": 3},
        "muted_until": "2027-01-31T12:00:00Z",
        "timezone": "UTC",
        "schedule": None,
    }
    assert {name: check.settings[name] for name in expected} == expected
    assert check.variables == {"K": "$V"}
    assert "env" not in check.settings


def test_a_check_with_network_has_the_agent_profile_as_in_the_service(folder: Path) -> None:
    (folder / "checks.yaml").write_text(
        "checks:\n"
        "  - {slug: a, file: a.py, network: {allow: [api.example.com]}}\n"
        "  - {slug: b, file: a.py}\n"
        "  - {slug: c, file: a.py, network: null}\n"
    )
    checks = read_checks(folder / "checks.yaml")
    assert [check.settings["profile"] for check in checks] == ["agent", "judge", "judge"]
    assert [check.settings["network"] for check in checks] == [{"allow": ["api.example.com"]}, None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("checks: [", "is not valid YAML"),
        ("- a", "the file: ['a'] is not of type 'object'"),
        ("checks: [{file: a.py}]", "line 1: checks[0]: slug is missing"),
        ("checks: [{slug: a}]", "line 1: checks[0]: file is missing"),
        (
            "checks:\n- slug: a\n  file: a.py\n  shedule: x",
            "line 4: checks[0].shedule: there is no such setting; did you mean schedule?",
        ),
        ("checks:\n- slug: a\n  file: a.py\n  1: x", "line 4: checks[0].1: there is no such setting\n"),
        ("checks: [{slug: a, file: a.py, on: x}]", "line 1: checks[0].True: there is no such setting\n"),
        ("checks: [{slug: a, file: a.py, match: {ref: main}}]", "checks[0].match: 'ref' does not match"),
        ('checks: [{slug: a, file: a.py, events: ["push,pull"]}]', "checks[0].events[0]: 'push,pull' does not match"),
        ("checks: {0: {slug: a}}", "line 1: checks: {0: {'slug': 'a'}} is not of type 'array'"),
        ("checks: [{slug: a, file: a.py, x1: x}]", "checks[0].x1: there is no such setting\n"),
        (
            "checks:\n- slug: a\n  file: a.py\n  schedule: every day\n",
            "line 4: checks[0].schedule: A cron expression has six fields (or five, as in Unix); this one has 2.",
        ),
        (
            "defaults: {\n timezone: Europe/Berlln}\nchecks: [{slug: a, file: a.py}]",
            "line 2: defaults.timezone: Europe/Berlln is no IANA time zone.",
        ),
        ("checks: [{slug: a, file: a.py, language: pyhton}]", "did you mean python?"),
        ("checks: [{slug: a, file: a.py, profile: jugde}]", "did you mean judge?"),
        ("checks: [{slug: a, file: empty.py}]", "empty.py is empty"),
        ("checks: [{slug: a, kind: heartbeat}]", "checks[0]: schedule is missing"),
        (
            "checks: [{slug: a, kind: heartbeat, schedule: rate(1 day), file: a.py}]",
            "checks[0].file: a heartbeat has no program, so it has no such setting",
        ),
        ("checks: [{slug: A b, file: a.py}]", "checks[0].slug: 'A b' does not match"),
        ("checks: [{slug: a, file: a.py, retries: 9}]", "checks[0].retries: 9 is greater than the maximum of 3"),
        ("checks: [{slug: a, file: a.py, schedule: no}]", "checks[0].schedule: False is not"),
        ("checks: [{slug: a, file: a.py, slug: b}]", "the key 'slug' is there twice"),
        ("checks: [{slug: a, file: a.py}, {slug: a, file: a.py}]", "the slug a is there twice"),
        (
            "checks:\n- slug: a\n  file: a.py\n  assertions:\n  - {type: jsn, equals: 4950}",
            (
                "line 5: checks[0].assertions[0].type: 'jsn' is none of exit_code, json, memory, network, "
                "same_as_last_good, stderr_empty, stdout, verdict, wall_time; did you mean json?\n"
            ),
        ),
        ("checks: [{slug: a, file: a.py, assertions: [{path: $}]}]", "checks[0].assertions[0]: type is missing\n"),
        ("checks: [{slug: a, file: a.py, assertions: [x]}]", "checks[0].assertions[0]: 'x' is not valid under"),
        (
            "checks: [{slug: a, file: a.py, assertions: [{type: json, path: $, equal: 4950, equals: 1}]}]",
            "checks[0].assertions[0].equal: there is no such setting; did you mean equals?\n",
        ),
        ("checks: [{slug: a, file: a.py, assertions: [{type: json, path: a, equals: 1}]}]", ".path: 'a' does not"),
        ("checks: [{slug: a, file: none.py}]", "none.py cannot be read: No such file or directory"),
        ("checks: [{slug: a, file: a.py, stdin_file: none.csv}]", "checks[0].stdin_file: "),
        ("checks: [{slug: a, file: a.py, stdin_file: a.py, stdin: x}]", "give stdin or stdin_file, not both"),
        ("checks: [{slug: a, file: binary.py}]", "binary.py is not UTF-8 text"),
        ("checks: [{slug: a, file: program}]", "the language of program is unknown: give `language`"),
        ("defaults: {name: x}\nchecks: []", "line 1: defaults.name: there is no such setting"),
        ("", "line 1: the file: None is not of type 'object'"),
        ("!!python/object/apply:os.system [id]", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_every_problem(folder: Path, rustbox: Rustbox, text: str, message: str) -> None:
    path = folder / "checks.yaml"
    path.write_text(text)
    ended = rustbox("checks", "validate", str(path))
    assert ended.exit_code == 65
    assert message in ended.stderr


def test_a_heartbeat_takes_the_defaults_that_fit_it(folder: Path) -> None:
    (folder / "checks.yaml").write_text(
        "defaults: {retries: 2, tags: [x], timezone: Europe/Berlin}\n"
        "checks: [{slug: a, kind: heartbeat, schedule: rate(1 day), quiet: [{schedule: 0 2 * * *, minutes: 5}]}]\n"
    )
    (check,) = read_checks(folder / "checks.yaml")
    assert "retries" not in check.settings
    expected = {"kind": "heartbeat", "tags": ["x"], "grace_minutes": 60, "timezone": "Europe/Berlin"}
    assert {name: check.settings[name] for name in expected} == expected
    assert check.settings["quiet"] == [{"schedule": "0 2 * * *", "minutes": 5, "timezone": "UTC"}]


def test_all_problems_are_listed(folder: Path, rustbox: Rustbox) -> None:
    (folder / "checks.yaml").write_text("checks: [{slug: A, file: a.py, retries: 9}, {file: a.py}]")
    ended = rustbox("checks", "validate", str(folder / "checks.yaml"))
    assert [line.split(":")[1].strip() for line in ended.stderr.splitlines()[1:]] == [
        "checks[0].retries",
        "checks[0].slug",
        "checks[1]",
    ]


def test_a_missing_file_is_not_found(folder: Path, rustbox: Rustbox) -> None:
    ended = rustbox("checks", "validate", str(folder / "none.yaml"))
    assert (ended.exit_code, ended.stderr.count("cannot be read")) == (66, 1)


def test_the_schema_is_printed_for_editors(rustbox: Rustbox) -> None:
    assert json.loads(rustbox("checks", "schema").stdout)["title"] == "project.yaml"


def test_a_plan_needs_a_service_that_compares(folder: Path, rustbox: Rustbox, service: Service) -> None:
    (folder / "checks.yaml").write_text("checks: [{slug: a, file: a.py}, {slug: b, file: a.py}]")
    unknown = Reply(404, {"error": "not_found", "message": "There is nothing at this path."})
    service.will(Reply(200, {"items": [], "next_cursor": None}), unknown)
    ended = rustbox("checks", "plan", str(folder / "checks.yaml"))
    assert (ended.exit_code, "Is it older than this command?" in ended.stderr) == (65, True)


def test_the_project_files_of_the_page_and_of_the_example_are_valid(folder: Path) -> None:
    example = read_project(EXAMPLE.parents[1] / "project" / "project.yaml")
    assert [*(example.problems or {})] == ["sum"]
    page = (EXAMPLE.parents[2] / "docs" / "cli.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (folder / "project.yaml").write_text(text)
    (folder / "totals.py").write_text("print(1)")
    (folder / "problems").mkdir()
    project = read_project(folder / "project.yaml")
    assert all(part is not None for part in (project.project, project.quiet_times, project.endpoints, project.checks))
    assert project.status_page == {"title": "Example", "checks": ["totals"], "shows_output": False}
