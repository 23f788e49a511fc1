"""Find out whether Python programs can run as forks of a warm interpreter. If not, each starts by exec: slower.

`jail/python_fork/` writes into the memory of one version of CPython. So a jail of its own tries it before the first
request. No language depends on it.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from sandbox_runtime.jail import STRICT_CONTROLS, JailError, SlotConfig, WarmStart, open_slot
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.init_build import init_program
from sandbox_runtime.languages.offering import SLOT_INDEX, TRIES, try_out
from sandbox_runtime.languages.specs import prewarm_spec, warm_language, warm_start
from sandbox_runtime.languages.trials import Trials

_LOG = logging.getLogger(__name__)
_OTHER_INTERPRETER = "the runner runs on another interpreter than the programs"


def tried_warm_start(
    languages: Iterable[Language],
    toolchains_dir: str,
    floor: tuple[str, ...] = STRICT_CONTROLS,
    trials_dir: str | None = None,
) -> WarmStart | None:
    """Return the command to keep warm in each slot. None: there is none, or forks do not work here, which is logged.

    If it has passed its trial since the host booted, which a file in `trials_dir` says, it is not tried again.
    """
    language = warm_language(languages)
    if language is None:
        return None
    note = Path(trials_dir or toolchains_dir) / "trials-fork"
    trials = Trials((language,), toolchains_dir, floor, note)
    if not trials.have_passed():
        if problem := fork_problem(language, toolchains_dir, floor):
            _LOG.warning("programs start by exec, not by fork", extra={"language": language.name, "reason": problem})
            return None
        trials.note()
    return warm_start((language,))


def fork_problem(language: Language, toolchains_dir: str, floor: tuple[str, ...] = STRICT_CONTROLS) -> str:
    """Return why this language's programs cannot run as forks of a warm interpreter; "" if they can."""
    warm = warm_start((language,))
    if warm is None or not warm.is_possible:
        return _OTHER_INTERPRETER
    config = SlotConfig("trial-fork", SLOT_INDEX, (), floor, warm, init_program(toolchains_dir))
    problem = ""
    for _ in range(TRIES):
        problem = _try_forks(config, language)
        if not problem:
            break
    return problem


def _try_forks(config: SlotConfig, language: Language) -> str:
    """Run the trial program in a fork, then in a pre-warmed one."""
    prewarmed = prewarm_spec((language,))
    try:
        with open_slot(config) as slot:
            problem = try_out(slot, language)
            if not problem and prewarmed is not None:
                slot.prewarm(prewarmed)
                problem = try_out(slot, language)
    except JailError as error:
        return str(error)
    return problem
