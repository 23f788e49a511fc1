"""The command line: every wrong use is one line and a distinct exit code."""

import io
import json
import os
import re
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events.completed import ExecutionCompleted
from events.message import parse_time
from sandbox_runtime import commands
from sandbox_runtime.commands import exit_codes, main, work, worker_slots
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.commands.run_file import as_json, summary
from sandbox_runtime.commands.work import check_host
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import (
    NEEDS_ROOT,
    SETUP_TIMEOUT,
    HostSupport,
    JailError,
    Slot,
    SlotConfig,
    TransientJailError,
    open_slot,
)
from sandbox_runtime.jail.spec import Outcome, StopReason
from sandbox_runtime.languages import LANGUAGES, PreparationError
from sandbox_runtime.languages.entry import Prepared
from sandbox_runtime.settings import worker_settings
from sandbox_runtime.worker import RunnerFacts
from tests.commands import run_to_end
from tests.runner_doubles import RecordedSlot, outcome, requested

BY_NAME = {language.name: language for language in LANGUAGES}
ROOT = Path(__file__).parents[2]
STARTED_AT = parse_time("2026-11-24T12:00:00.000Z")


def completed(*answers: Outcome, language: str = "python") -> ExecutionCompleted:
    slot = RecordedSlot(*answers)
    return execute(slot, requested(language), BY_NAME[language], node_id="n", started_at=STARTED_AT)


def stopped(reason: StopReason) -> Outcome:
    return outcome(exit_code=None, stop_reason=reason)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (outcome(), 0),
        (outcome(exit_code=7), 7),
        (outcome(exit_code=None, signal=11), 139),
        (stopped(StopReason.WALL_LIMIT), 124),
        (stopped(StopReason.CPU_LIMIT), 124),
        (outcome(exit_code=None, signal=24), 124),
        (outcome(usage={"oom_kill_events": 1}), 125),
        (outcome(exit_code=1, usage={"fork_refusals": 1}), 122),
        (outcome(exit_code=None, signal=25), 123),
        (outcome(evidence={"cgroup": None}), 121),
    ],
)
def test_the_exit_code_shows_the_verdict(given: Outcome, code: int) -> None:
    assert exit_codes.of_result(completed(given).result) == code


def test_a_program_that_does_not_compile_has_an_exit_code_of_its_own() -> None:
    assert exit_codes.of_result(completed(outcome(exit_code=1), language="c").result) == 120


def test_the_summary_is_one_line_with_verdict_times_and_memory() -> None:
    text = summary(completed(outcome()))
    assert text == "AC normal_exit, exit code 0, wall 0.011 s, CPU 0.009 s, memory 4.0 MiB"
    assert "signal 9" in summary(completed(stopped(StopReason.WALL_LIMIT)))
    assert "NOT IN FORCE: seccomp" in summary(completed(outcome(evidence={"controls_missing": ("seccomp",)})))


def test_json_has_the_nested_form_of_the_api() -> None:
    shown = json.loads(json.dumps(as_json(completed(outcome(stdout=b"\xffok")))))
    assert shown.keys() == {"language", "result", "metrics", "evidence", "output"}
    assert shown["output"] == {"stdout": "\ufffdok", "stderr": "", "integrity": "complete"}
    assert shown["result"]["verdict"] == "AC"


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "hello.py"
    path.write_text("print(42)")
    return str(path)


def failure(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(argv)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return code, captured.err


def test_a_missing_file_is_a_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, text = failure(capsys, "run", str(tmp_path / "none.py"))
    assert (code, "No such file" in text) == (2, True)


def test_an_unknown_extension_asks_for_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = failure(capsys, "run", "program.txt")
    assert (code, "--language" in text, "python, c, cpp, java" in text) == (2, True, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--memory-mb", "4097"), ("--memory-mb", "0"), ("--cpu-time-secs", "nan")]
)
def test_a_limit_out_of_range_names_the_option_and_the_ceiling(
    capsys: pytest.CaptureFixture[str], program: str, option: str, value: str
) -> None:
    code, text = failure(capsys, "run", program, option, value)
    assert (code, option in text) == (2, True)
    assert ("4096" in text) or ("60" in text)


def test_a_source_over_the_limit_is_a_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("#" * 65_537)
    assert failure(capsys, "run", str(path))[0] == 2


@pytest.fixture
def worker_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL", "PAYLOADS_BUCKET"):
        monkeypatch.setenv(name, "x")
    for name in ("ALLOW_PERMISSIVE", "REQUIRED_CONTROLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return monkeypatch


def test_a_worker_without_root_says_so_to_the_user_and_to_the_service(
    capsys: pytest.CaptureFixture[str], worker_environment: pytest.MonkeyPatch
) -> None:
    worker_environment.setattr(os, "geteuid", lambda: 1000)
    worker_environment.setenv("ALLOW_PERMISSIVE", "true")
    told: list[str] = []
    worker_environment.setattr(work, "report_unable", lambda _settings, problem: told.append(problem))
    code, text = failure(capsys, "worker")
    assert (code, told) == (121, [NEEDS_ROOT])
    assert text.strip().endswith(NEEDS_ROOT)


def test_run_without_root_builds_nothing_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path / "toolchains"))
    program = tmp_path / "hello.py"
    program.write_text("print(6 * 7)")
    code, text = failure(capsys, "run", str(program))
    assert (code, text.strip().endswith(NEEDS_ROOT)) == (121, True)
    assert "sudo" in text
    assert not (tmp_path / "toolchains").exists()


def test_a_slot_does_not_open_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(JailError, match="needs root: use sudo"):
        open_slot(SlotConfig("user", 0, required_controls=()))


@pytest.mark.parametrize(
    ("error", "expected_code", "told_times"),
    [(JailError("clone", errno=1), 121, 1), (TransientJailError("receive message"), 75, 0)],
    ids=["refused", "too late"],
)
def test_only_a_slot_that_was_refused_makes_the_host_unfit(
    capsys: pytest.CaptureFixture[str],
    worker_environment: pytest.MonkeyPatch,
    error: JailError,
    expected_code: int,
    told_times: int,
) -> None:
    def open_nothing(_config: object) -> Slot:
        raise error

    told: list[str] = []
    worker_environment.setenv("PYTHON_FORK", "false")
    worker_environment.setattr(work, "required_floor", lambda _settings: ())
    worker_environment.setattr(work, "_remove_stale_groups", lambda: None)
    worker_environment.setattr(work, "_runner_facts", lambda *_: RunnerFacts({}, {}, HostSupport(None, ())))
    worker_environment.setattr(worker_slots, "open_slot", open_nothing)
    worker_environment.setattr(work, "report_unable", lambda _settings, problem: told.append(problem))
    code, text = failure(capsys, "worker")
    assert (code, str(error) in text, len(told)) == (expected_code, True, told_times)


def test_a_host_that_was_not_checked_in_time_is_not_called_unfit() -> None:
    with pytest.raises(CommandError) as raised:
        check_host(HostSupport(None, (), TransientJailError("receive message")), ("seccomp",))
    assert raised.value.exit_code == 75


@pytest.mark.parametrize(
    ("controls", "words"), [("seccomp,teleport", "teleport"), ("seccomp,memory_limit", "ALLOW_PERMISSIVE=true")]
)
def test_a_floor_with_an_unknown_name_or_with_gaps_is_a_wrong_setting(
    capsys: pytest.CaptureFixture[str], worker_environment: pytest.MonkeyPatch, controls: str, words: str
) -> None:
    worker_environment.setenv("REQUIRED_CONTROLS", controls)
    code, text = failure(capsys, "worker")
    assert (code, words in text) == (2, True)


def test_the_summary_of_a_permissive_run_names_the_missing_controls() -> None:
    missing = ("memory_limit", "dedicated_user")
    text = summary(completed(outcome(evidence={"controls_missing": missing, "cgroup": None, "cgroup_backend": None})))
    assert text.startswith("AC ")
    assert text.endswith("isolation permissive, NOT IN FORCE: memory_limit, dedicated_user")


def test_a_missing_toolchain_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path))
    path = tmp_path / "x.js"
    path.write_text("1")
    code, text = failure(capsys, "run", str(path))
    assert (code, "TOOLCHAINS_DIR" in text) == (121, True)


def test_a_worker_without_settings_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INTERACTIVE_QUEUE_URL", raising=False)
    code, text = failure(capsys, "worker")
    assert (code, "INTERACTIVE_QUEUE_URL is not set" in text) == (2, True)


def test_a_worker_refuses_languages_that_it_does_not_know(
    capsys: pytest.CaptureFixture[str], worker_environment: pytest.MonkeyPatch
) -> None:
    worker_environment.setenv("LANGUAGES", "python,cobol")
    worker_environment.setattr(work, "_remove_stale_groups", lambda: None)
    code, text = failure(capsys, "worker")
    assert (code, "LANGUAGES must be among" in text and "got cobol" in text) == (2, True)


@pytest.mark.parametrize("argv", [[], ["jump"], ["run"], ["run", "x.py", "--memory-mb", "much"], ["run", "x", "-j"]])
def test_wrong_arguments_exit_with_2(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert (caught.value.code, capsys.readouterr().out) == (2, "")


def test_the_help_of_worker_names_every_variable_that_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    class Environment(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            read.add(name)
            return super().get(name, default)

    read: set[str] = set()
    needed = ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL", "PAYLOADS_BUCKET")
    listens = {"LISTEN_ADDRESS": "127.0.0.1:8080", "RUNNER_TOKEN": "t" * 32, "ALLOW_HTTP": "true"}
    worker_settings(Environment(dict.fromkeys(needed, "x") | listens))
    with pytest.raises(SystemExit):
        main(["worker", "--help"])
    named = set(re.findall(r"\b[A-Z][A-Z_]+\b", capsys.readouterr().out))
    assert len(read) > 20
    assert read - named == set()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run", ["examples:", "124", "125"]),
        ("worker", ["SLOTS", "DRAIN_SECS", "COMPILE_CACHE_MB", "COMPILE_CACHE_MAX_AGE_SECS"]),
    ],
)
def test_help_shows_examples_exit_codes_and_variables(
    capsys: pytest.CaptureFixture[str], command: str, words: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in words)


def test_languages_lists_all_and_says_which_are_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # root would try each toolchain in the sandbox
    assert main(["languages"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(BY_NAME)
    assert dict(line.split(maxsplit=1) for line in lines)["javascript"] == "toolchain missing"
    assert main(["languages", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "python" in shown["languages"]
    assert "javascript" not in shown["languages"]
    assert shown["toolchains"].keys() == set(shown["languages"])


def test_preparation_creates_missing_files_and_is_silent_otherwise(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(directory: Path) -> None:
        (directory / "made").touch()

    given = replace(BY_NAME["python"], prepared=Prepared("/opt/rustbox/x", make, (), "recipe"))
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path))
    monkeypatch.setattr(sys.modules["sandbox_runtime.commands.list_languages"], "present", lambda _: {"python": given})
    assert (main(["languages", "--prepare"]), capsys.readouterr().out) == (0, "python: building its files\n")
    assert (main(["languages", "--prepare"]), capsys.readouterr().out) == (0, "")
    assert [path.name for path in (tmp_path / "prepared").glob("python-*/*")] == ["made"]


def test_a_long_preparation_counts_its_files_and_may_be_of_one_language(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = sys.modules["sandbox_runtime.commands.list_languages"]
    told = threading.Event()

    def make(directory: Path) -> None:
        for number in range(3):
            (directory / str(number)).touch()
        assert told.wait(20)

    class Output(io.StringIO):
        def write(self, text: str) -> int:
            if "3 files built" in text:
                told.set()
            return super().write(text)

    given = replace(BY_NAME["python"], prepared=Prepared("/opt/rustbox/x", make, (), "recipe"))
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path))
    monkeypatch.setattr(command, "present", lambda _: {"python": given})
    assert (main(["languages", "--prepare", "c"]), capsys.readouterr().out) == (0, "")
    monkeypatch.setattr(sys, "stdout", Output())
    assert command.prepare_languages("python", progress_secs=0.05) == 0
    assert told.is_set()


def test_a_preparation_that_fails_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_directory: Path) -> None:
        raise PreparationError("go list", "no room")

    given = replace(BY_NAME["python"], prepared=Prepared("/opt/rustbox/x", fail, (), "recipe"))
    monkeypatch.setenv("TOOLCHAINS_DIR", str(tmp_path))
    monkeypatch.setattr(sys.modules["sandbox_runtime.commands.list_languages"], "present", lambda _: {"python": given})
    assert main(["languages", "--prepare"]) == exit_codes.PLATFORM_FAILURE
    assert capsys.readouterr().err.endswith("python: go list: no room\n")


def test_an_ie_without_a_run_has_no_numbers_to_show() -> None:
    bare = completed(outcome(evidence={"cleanup_verified": False})).changed(metrics=None, evidence=None)
    assert summary(bare) == "IE ie_cleanup_failure, the sandbox could not be cleaned up"


def test_each_command_with_a_slot_takes_the_timeout_of_the_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETUP_TIMEOUT, "secs", 10.0)
    monkeypatch.setenv("SETUP_TIMEOUT_SECS", "120")
    monkeypatch.setattr(commands, "doctor", lambda *, is_json: int(SETUP_TIMEOUT.secs) + is_json)
    assert main(["doctor"]) == 120


def test_a_wrong_timeout_of_the_set_up_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SETUP_TIMEOUT_SECS", "1")
    assert main(["languages"]) == exit_codes.USAGE
    assert capsys.readouterr().err == (
        "python -m sandbox_runtime: SETUP_TIMEOUT_SECS must be an integer from 10 to 600\n"
    )


# `healthy` is in `commands` itself.
_WITHOUT_PACKAGES = ("jail", "languages", "classify", "artifacts", "prewarm", "commands.doctor")
_IMPORT = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
parts = [importlib.import_module(f"sandbox_runtime.{name}") for name in sys.argv[2:]]
for part in parts:
    for found in pkgutil.walk_packages(getattr(part, "__path__", ()), f"{part.__name__}."):
        importlib.import_module(found.name)
unwanted = {"msgspec", "sandbox_runtime.executor"}
print(len(sys.modules), *sorted(unwanted & sys.modules.keys()))
"""


def test_the_jail_its_languages_and_most_commands_need_no_packages() -> None:
    """`languages --prepare` runs on the system's Python, and a template loads only what it needs."""
    done = run_to_end(
        [sys.executable, "-I", "-S", "-c", _IMPORT, str(ROOT), *_WITHOUT_PACKAGES, "commands.list_languages"]
    )
    assert done.returncode == 0, done.stderr
    count, *unwanted = done.stdout.split()
    assert (int(count) > 200, unwanted) == (True, [])
