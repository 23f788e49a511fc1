"""The outcome of a case: from the verdict of its run, then from its checker."""

from dataclasses import dataclass

from events.requested import Checker
from events.vocabulary import Outcome, Verdict
from sandbox_runtime.classify import OUTPUT_TOO_LONG, Classification
from sandbox_runtime.judging.comparison import compare_exact, compare_lines, compare_tokens


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome`: a word of the message. `points`: from a checker, for a partial answer or an accepted one.

    `share`: from a checker, of the points of an accepted case, in place of `points`.

    `team_message`: of a checker for the contestant; `message` is for the judge.
    """

    outcome: Outcome
    message: str | None = None
    points: float | None = None
    team_message: str | None = None
    share: float | None = None


PASSED = Judgement(Outcome.PASSED)
SKIPPED = Judgement(Outcome.SKIPPED)
CUT = Judgement(Outcome.WRONG_ANSWER, OUTPUT_TOO_LONG)


def of_run(found: Classification) -> Judgement | None:
    """Judge by the verdict alone. None: the program ended normally, and its output decides."""
    if found.verdict is Verdict.AC:
        return None
    if found.verdict is Verdict.IE:  # the platform's failure, never the program's
        return Judgement(Outcome.JUDGE_ERROR, found.error_message)
    return Judgement(Outcome.FAILED)


def of_output(checker: Checker, expected: bytes | None, output: bytes) -> Judgement:
    """Compare an output without a program. A case without expected output passes when the program ended normally."""
    if expected is None:
        return PASSED
    if checker.kind == "exact":
        difference = compare_exact(expected, output)
    elif checker.kind == "tokens":
        difference = compare_tokens(
            expected,
            output,
            case_sensitive=checker.case_sensitive is not False,
            float_abs=checker.float_abs,
            float_rel=checker.float_rel,
        )
    else:
        difference = compare_lines(expected, output)
    return PASSED if difference is None else Judgement(Outcome.WRONG_ANSWER, difference)
