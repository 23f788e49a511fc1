"""A floor's answers are checked as ours are, and nothing of it is left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from bench.answers import Tally, WrongAnswerError
from bench.floors import calls, interpreter, tools
from bench.floors.child import Child, serve
from bench.floors.interpreter import interpreter_ways
from bench.processes import descendants
from bench.rounds import Way, interleave
from sandbox_runtime.languages import LANGUAGES

BY_NAME = {language.name: language for language in LANGUAGES}


class Answering:
    """Stands for the process of a floor."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def ask(self, *_timeout: float, **question: Any) -> dict[str, Any]:
        self.asked.append(question)
        return self.answer(question)


def child(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Child:
    return cast("Child", Answering(answer))


def test_a_warm_interpreter_runs_programs_and_is_gone_afterwards() -> None:
    before = descendants(os.getpid())
    with interpreter_ways(("json",), every=1) as ways:
        plain = ways[0]
        assert plain.name == interpreter.PLAIN
        assert set(descendants(os.getpid())) - set(before)
        assert min(plain.once() for _ in range(5)) > 0, "beyond the run at which its memory is joined again"
    assert descendants(os.getpid()) == before


@pytest.mark.parametrize(
    ("source", "problem"), [("print(1)\n", "printed b'1"), ("raise ValueError\n", "status"), ("def\n", "status")]
)
def test_a_wrong_program_of_a_floor_is_a_wrong_answer(
    monkeypatch: pytest.MonkeyPatch, source: str, problem: str
) -> None:
    with interpreter_ways(("json",), every=1) as ways:
        monkeypatch.setattr(interpreter, "python_print", lambda: (source, "2\n"))
        tally = Tally()
        interleave([ways[0]], 2, tally)
        assert (tally.checked, tally.wrong, ways[0].times_ms) == (3, 3, [])
        assert problem in tally.answers().examples[0]
        monkeypatch.undo()
        ways[0].once()


def test_languages_run_by_the_jails_own_commands() -> None:
    def answer(question: dict[str, Any]) -> dict[str, Any]:
        ((_, code),) = question["files"].items()
        (number,) = (word.removesuffix("LL);") for word in code.split() if word.endswith("LL);"))
        return {"steps_ms": [30.0, 1.0], "stdout": f"{int(number) + int(question['stdin'])}\n"}

    ways = tools.ToolWays({}, [])
    asked = Answering(answer)
    tools._add(ways, cast("Child", asked), BY_NAME["c"])
    assert [way.name for way in ways.first["c"]] == ["floor: c, first compile, outside the jail"]
    assert ways.first["c"][0].once() == 31
    assert ways.again[0].times_ms == [1]
    compiled, run = asked.asked[0]["steps"]
    step = BY_NAME["c"].compile
    assert step is not None
    assert compiled == BY_NAME["c"].source_names(b"").fill(step.argv)
    assert run == ("/tmp/box/solution",)


def test_another_output_of_a_compiled_program_is_a_wrong_answer() -> None:
    ways = tools.ToolWays({}, [])
    tools._add(ways, child(lambda _: {"steps_ms": [30.0, 1.0], "stdout": "1\n"}), BY_NAME["c"])
    with pytest.raises(WrongAnswerError):
        ways.first["c"][0].once()
    assert ways.again[0].times_ms == []


def test_bare_commands_empty_only_their_own_tmp(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    question: dict[str, Any] = {"files": {}, "steps": [["/bin/true"]], "environment": {}, "stdin": ""}
    with Child("bench.floors.bare_commands") as asked:
        with pytest.raises(WrongAnswerError, match="KeyError"):
            asked.ask(**question)
        with pytest.raises(WrongAnswerError):
            asked.ask(binds=[["/no/such/source", "/opt/x"]])
        with pytest.raises(WrongAnswerError, match="KeyError"):
            asked.ask(**question)
    assert kept.exists()


def test_a_load_is_shown_and_one_with_a_wrong_answer_only_counted() -> None:
    def answer(question: dict[str, Any]) -> dict[str, Any]:
        if question["with_place"]:
            raise WrongAnswerError("printed 1")
        return {"times_ms": [10.0] * question["count"], "elapsed_secs": 0.5}

    tally = Tally()
    timings, figures = calls.load(child(answer), 20, tally)
    assert [(entry.name, entry.median) for entry in timings] == [(calls.load_name(), 10)]
    assert [(entry.group, entry.value) for entry in figures] == [(calls.load_name(), 40)]
    assert (tally.checked, tally.wrong) == (40, 20)


def test_a_child_reports_problems_goes_on_and_ends_with_its_input() -> None:
    with Child(__name__) as asked:
        assert asked.ask(number=1) == {"number": 2}
        with pytest.raises(WrongAnswerError, match="KeyError"):
            asked.ask(other=1)
        assert asked.ask(number=2) == {"number": 3}
        pid = asked.ask(number=0, pid=True)["pid"]
    assert not Path(f"/proc/{pid}").exists()
    with Child("bench.floors.no_such_module") as ended, pytest.raises(OSError, match=r"ended|Broken pipe"):
        ended.ask(number=1)


def test_ways_of_calls_take_their_own_time_from_the_answer() -> None:
    asked = Answering(lambda _: {"elapsed_ms": 2.5})
    ways: list[Way] = calls.call_ways(cast("Child", asked), 2)
    assert [way.once() for way in ways] == [2.5] * 4
    assert {way.every for way in ways} == {2}
    assert [entry["what"] for entry in asked.asked] == ["answer", "answer", "take in", "read"]


if __name__ == "__main__":  # the child of a test above
    serve(lambda question: {"pid": os.getpid()} if "pid" in question else {"number": question["number"] + 1})
