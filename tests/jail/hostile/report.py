"""Counts of the hostile programs that ran in this session, for the terminal."""

from collections.abc import Iterator

from tests.jail.hostile.catalogue import SUFFIXES, Program
from tests.jail.hostile.trial import Trial

TRIALS: list[tuple[Program, Trial]] = []


def lines() -> Iterator[str]:
    """One line for each language and one for all of them; nothing when no program ran."""
    if not TRIALS:
        return
    yield f"{'language':<12}{'attacks':>8}{'programs':>9}{'proved':>8}{'escapes':>8}"
    for language in (*SUFFIXES, "all"):
        ran = [(program, trial) for program, trial in TRIALS if language in {program.language, "all"}]
        if ran:
            attacks = len({program.attack for program, _ in ran})
            proved = sum(trial.weakened is not None for _, trial in ran)
            escapes = sum(trial.contained.claims_escape for _, trial in ran)
            yield f"{language:<12}{attacks:>8}{len(ran):>9}{proved:>8}{escapes:>8}"
    yield "proved: the attack works once the one control that it is against is off"
    unproven = {program.control or "" for program, trial in TRIALS if program.control and trial.weakened is None}
    if unproven:
        yield "not proved on this host, for it does not let go of the control: " + ", ".join(sorted(unproven))
