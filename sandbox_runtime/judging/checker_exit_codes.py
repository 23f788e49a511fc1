"""The meaning of a checker program's exit code. Pure functions.

testlib: 0 right, 1 wrong, 2, 4 (extra tokens) and 8 (ends too early) a wrong format, 7 points, which it prints first.
Kattis: 42 right, with the points of its score.txt or the share of its score_multiplier.txt if it writes one, 43 wrong.
Everything else is an error of the judge, never of the program.
"""

import re
from dataclasses import replace

from events import vocabulary
from events.judged import MAX_CHECKER_MESSAGE_CHARACTERS
from events.vocabulary import Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.jail.spec import Outcome
from sandbox_runtime.judging.judgement import Judgement

TESTLIB_POINTS = 7
_TESTLIB = {
    0: vocabulary.Outcome.PASSED,
    1: vocabulary.Outcome.WRONG_ANSWER,
    2: vocabulary.Outcome.PRESENTATION_ERROR,
    4: vocabulary.Outcome.PRESENTATION_ERROR,
    8: vocabulary.Outcome.PRESENTATION_ERROR,
    TESTLIB_POINTS: vocabulary.Outcome.PARTIAL,
}
_KATTIS = {42: vocabulary.Outcome.PASSED, 43: vocabulary.Outcome.WRONG_ANSWER}
_OUTCOMES = {"testlib": _TESTLIB, "kattis": _KATTIS}
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)"
# testlib's quitp and quitpi, whose information must be a number here.
_POINTS = re.compile(rf"points\s+(?:points_info=)?{_NUMBER}(?![0-9.])")
_SCORE = re.compile(rf"\s*\+?{_NUMBER}(?:[eE]([+-]?[0-9]{{1,2}}))?\s*")
_ENDED = frozenset({Verdict.AC, Verdict.RE})


def judgement_of(protocol: str, ran: Outcome, found: Classification, *, name: str = "checker") -> Judgement:
    """Judge by the end of a checker or an interactor (`name`)."""
    text = message_of(ran)
    if found.verdict is Verdict.IE:
        return Judgement(vocabulary.Outcome.JUDGE_ERROR, found.error_message)
    if found.verdict not in _ENDED or ran.exit_code is None:
        return _error(f"the {name} was stopped: {found.verdict}, {found.cause}", text)
    outcome = _OUTCOMES[protocol].get(ran.exit_code)
    # Python ends with 1, the exit code for a wrong answer, when nobody reads the rest of its output.
    is_cut = ran.stdout_cut or ran.stderr_cut
    if is_cut or outcome is None:
        problem = "wrote more than its limit" if is_cut else f"ended with exit code {ran.exit_code}"
        return _error(f"the {name} {problem}", text)
    if outcome is not vocabulary.Outcome.PARTIAL:
        return Judgement(outcome, text or None)
    points = _POINTS.match(text)
    if points is None:
        return _error(f"the {name} gave no points", text)
    return Judgement(outcome, text, float(points[1]))


def with_score(judgement: Judgement, score: bytes, multiplier: bytes) -> Judgement:
    """Add the points of `score.txt`, or the share of `score_multiplier.txt`, to a case that a Kattis validator accepts.

    Empty: there is no such file.
    """
    if judgement.outcome != vocabulary.Outcome.PASSED or not (score or multiplier):
        return judgement
    text = judgement.message or ""
    if score and multiplier:
        return _error("the validator wrote score.txt and score_multiplier.txt; one of them gives points", text)
    found = _SCORE.fullmatch((score or multiplier).decode(errors="replace"))
    if found is None:
        return _error(f"{'score' if score else 'score_multiplier'}.txt needs one number from 0", text)
    if score:
        return replace(judgement, points=float(found[0]))
    if float(found[0]) > 1:
        return _error("score_multiplier.txt needs a number from 0 to 1", text)
    return replace(judgement, share=float(found[0]))


def message_of(ran: Outcome) -> str:
    """Return the output of a checker or an interactor, for the client."""
    return as_text(ran.stderr + ran.stdout)


def as_text(message: bytes) -> str:
    """Return the first characters of a message."""
    text = message[: 4 * MAX_CHECKER_MESSAGE_CHARACTERS].decode(errors="replace")
    return text.strip()[:MAX_CHECKER_MESSAGE_CHARACTERS]


def _error(problem: str, text: str) -> Judgement:
    return Judgement(
        vocabulary.Outcome.JUDGE_ERROR, f"{problem}: {text}"[:MAX_CHECKER_MESSAGE_CHARACTERS] if text else problem
    )
