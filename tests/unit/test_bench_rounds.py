"""Sources are new each time, rounds are fair, wrong answers are counted and never timed."""

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import page
from bench.answers import Expected, Tally, WrongAnswerError, check_cached, check_completed, check_result, check_text
from bench.jail_slots import request
from bench.mixture import mixed_programs
from bench.report import Section
from bench.rounds import BWRAP, PYTHON, Way, interleave, p95, series
from bench.scale import QUICK, Scale
from bench.sections import runner
from bench.sources import ADDING_LANGUAGES, adding_program, new_number, python_program
from events.completed import ExecutionCompleted
from events.requested import ExecutionRequested
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import CONTROLS, JailError
from sandbox_runtime.languages import LANGUAGES
from tests.runner_doubles import RecordedSlot, outcome

BY_NAME = {language.name: language for language in LANGUAGES}


def test_no_source_comes_twice() -> None:
    programs = [*mixed_programs(600), *(python_program() for _ in range(100))]
    assert len({program.code for program in programs}) == len(programs) == 700
    assert {program.language for program in programs} == set(BY_NAME) == set(ADDING_LANGUAGES)
    assert {program.expected.verdict for program in programs} == {"AC", "RE", "TLE", "MLE", "PLE", "FSE", "SIG"}
    assert not any("NUMBER" in f"{program.code} {program.expected.stdout}" for program in programs)


def test_a_source_that_comes_again_has_other_input_and_another_answer() -> None:
    number = new_number()
    assert number < 2**53
    programs = [adding_program("c", number) for _ in range(20)]
    assert len({program.code for program in programs}) == 1
    assert len({program.expected for program in programs}) > 1
    assert all(program.expected == Expected(f"{number + int(program.stdin)}\n") for program in programs)


def test_rounds_are_interleaved_and_the_slow_take_part_in_some() -> None:
    order: list[str] = []

    def way(name: str, every: int = 1) -> Way:
        def once() -> float:
            order.append(name)
            return 1.0

        return Way(name, once, every)

    ways = [way("a"), way("b"), way("slow", every=2)]
    tally = Tally()
    interleave(ways, 4, tally)
    assert order[3:] == ["a", "b", "slow", "b", "a", "slow", "a", "b", "a", "b"]
    assert [len(found.times_ms) for found in ways] == [4, 4, 2], "the first round is not counted"
    assert (tally.checked, tally.wrong) == (13, 0)


@pytest.mark.parametrize(
    "error", [WrongAnswerError("printed 1"), JailError("fork"), ConnectionResetError(), ValueError("no JSON")]
)
def test_failures_are_counted_and_not_timed(error: Exception) -> None:
    answers: Iterator[float | Exception] = iter([1.0, 2.0, error, 4.0])

    def once() -> float:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tally = Tally()
    way = Way("a", once)
    interleave([way], 3, tally)
    assert way.times_ms == [2.0, 4.0]
    assert (tally.checked, tally.wrong) == (4, 1)
    assert type(error).__name__ in tally.answers().examples[0]


def test_ratios_are_to_the_references_of_the_same_rounds() -> None:
    ways = [Way(PYTHON, float, times_ms=[10, 10, 11]), Way(BWRAP, float, times_ms=[20]), Way("a", float, times_ms=[5])]
    *_, ours = series("g", ways)
    assert (ours.median, ours.to_python, ours.to_bwrap, ours.n) == (5, 0.5, 0.25, 1)
    (alone,) = series("g", [ways[2], Way("never right", float)])
    assert (alone.to_python, alone.to_bwrap) == (None, None)
    assert p95(range(1, 101)) == 95
    assert p95([7]) == 7


def completed(request: ExecutionRequested, printed: str, controls: Sequence[str] = CONTROLS) -> ExecutionCompleted:
    missing = tuple(name for name in CONTROLS if name not in controls)
    evidence = {"controls_applied": tuple(controls), "controls_missing": missing}
    slot = RecordedSlot(outcome(stdout=printed.encode(), evidence=evidence, artifact=b"x"))
    return execute(slot, request, BY_NAME[request.language], node_id="n", started_at=datetime.now(UTC))


def answer(request: ExecutionRequested) -> ExecutionCompleted:
    """Return the output of a runner: the number of the source plus 42, or plus the input."""
    (number,) = re.findall(rb"\d{4,}", request.code)
    return completed(request, f"{int(number) + int(request.stdin or b'42')}\n")


def test_answers_are_compared_with_output_verdict_and_controls() -> None:
    asked = request(python_program())
    check_completed(completed(asked, "1\n"), Expected("1\n"))
    for wrong, expected in (
        (completed(asked, "2\n"), Expected("1\n")),
        (completed(asked, "1\n"), Expected("1\n", "RE", "re_nonzero_exit")),
        (completed(asked, "1\n", CONTROLS[1:]), Expected("1\n")),
        (completed(asked, "1\n").changed(evidence=None), Expected("1\n")),
    ):
        with pytest.raises(WrongAnswerError):
            check_completed(wrong, expected)
    with pytest.raises(WrongAnswerError):
        check_text(b"2\n", "1\n")


def test_a_program_that_was_or_was_not_compiled_before_is_a_wrong_answer_too() -> None:
    compiled, interpreted = (
        completed(request(adding_program("c", 1)), "1\n"),
        completed(request(python_program()), "1\n"),
    )
    check_cached(compiled, expected=False)
    for found, expected in ((compiled, True), (interpreted, True), (interpreted, False)):
        with pytest.raises(WrongAnswerError):
            check_cached(found, expected=expected)


def test_results_of_the_api_are_compared_too() -> None:
    evidence = {"controls_applied": list(CONTROLS), "controls_missing": []}
    right = {"verdict": "AC", "result": {"cause": "normal_exit"}, "stdout": "1\n", "evidence": evidence}
    check_result(right, Expected("1\n"))
    missing = {"controls_applied": list(CONTROLS[1:]), "controls_missing": [CONTROLS[0]]}
    for change in ({"stdout": "2\n"}, {"verdict": "IE"}, {"evidence": None}, {"evidence": missing}):
        with pytest.raises(WrongAnswerError):
            check_result(right | change, Expected("1\n"))
    with pytest.raises(WrongAnswerError, match="no verdict"):
        check_result({"status": "pending"}, Expected("1\n"))


def test_the_runner_over_http_is_measured() -> None:
    @contextmanager
    def direct_path() -> Iterator[Callable[[ExecutionRequested], ExecutionCompleted]]:
        yield answer

    tally = Tally()
    peer = Way(PYTHON, lambda: 1.0)
    found = runner.run(QUICK, tally, [peer, Way("docker run", lambda: 1.0)], direct_path=direct_path)
    names = ["runner, python", "the same, beyond set-up and run", "runner, c", PYTHON]
    assert [entry.name for entry in found.series] == names
    assert (tally.wrong, tally.checked) == (0, 4 * (QUICK.stack_rounds + 1))


@pytest.mark.parametrize(("printed", "code"), [("right", 0), ("wrong", 1)])
def test_one_wrong_answer_fails_the_command_and_is_not_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], printed: str, code: int
) -> None:
    def section(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
        tally.right()
        if printed == "wrong":
            tally.fail("printed 1")
        return Section(title="A", missing=None, notes=[], series=[], figures=[])

    results = tmp_path / "benchmarks"
    monkeypatch.setattr(command, "SECTIONS", {"a": section})
    monkeypatch.setattr(command, "_UNPUBLISHED", tmp_path / "unpublished")
    monkeypatch.setattr(page, "RESULTS", results)
    monkeypatch.setattr(page, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main([]) == code
    assert (tmp_path / "benchmarks.md").exists() == results.exists() == (code == 0)
    assert len(list((tmp_path / "unpublished").glob("*.json"))) == code
    assert ("1 of 2 answers are wrong" in capsys.readouterr().err) == (code == 1)
