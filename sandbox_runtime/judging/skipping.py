"""Which cases are skipped after a case that failed. Pure functions."""

from collections.abc import Mapping

from events.requested import Judging
from events.vocabulary import Outcome

FAILURES = frozenset({Outcome.WRONG_ANSWER, Outcome.PRESENTATION_ERROR, Outcome.FAILED})
"""A partial answer is none, and an error of the judge says nothing about the program."""


def is_skipped(judging: Judging, outcomes: Mapping[int, str], index: int) -> bool:
    """Whether a case is skipped. `outcomes`: of the cases so far, by index.

    With `group`, the rest of a group is skipped after its first failure, and so are the groups that require it.
    """
    if judging.stop == "never":
        return False
    failed = [at for at, outcome in outcomes.items() if outcome in FAILURES]
    if judging.stop == "first_failure":
        return bool(failed)
    lost = {judging.cases[at].group for at in failed} - {None}
    while more := {group.id for group in judging.groups if group.id not in lost and lost.intersection(group.requires)}:
        lost |= more
    return judging.cases[index].group in lost
