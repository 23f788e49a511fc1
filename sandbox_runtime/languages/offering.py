"""Find the languages that a runner can offer: their toolchains must compile and run a trial program in the jail."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime.jail import STRICT_CONTROLS, JailError, Slot, SlotConfig, StopReason, open_slot
from sandbox_runtime.jail.spec import Outcome
from sandbox_runtime.languages.all_languages import binds, present
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.init_build import init_program
from sandbox_runtime.languages.preparation import PreparationError, prepare
from sandbox_runtime.languages.specs import compile_spec, run_spec
from sandbox_runtime.languages.trials import Trials
from sandbox_runtime.languages.warming import warm

_LOG = logging.getLogger(__name__)
_EXPECTED = b"42\n"
SLOT_INDEX = 63  # of trials: above the indexes of workers and commands
_TAIL_BYTES = 300
TRIES = 3  # one killed process must not remove a language until the runner restarts
_UNTRIED = "not tried"


def offered(
    toolchains_dir: str,
    floor: tuple[str, ...] = STRICT_CONTROLS,
    only: tuple[str, ...] | None = None,
    trials_dir: str | None = None,
) -> Mapping[str, Language]:
    """Return the languages that work on this host, by name. Builds missing files in `toolchains_dir` first.

    If all languages have passed their trial since the host booted, none runs again.
    `floor`: controls without which no trial program runs. `only`: names to look at; None: all.
    `trials_dir`: where it is noted that all passed; None: `toolchains_dir`.
    A toolchain that does not work is logged and left out. Raises JailError when no slot can be opened.
    """
    installed = {name: found for name, found in present(toolchains_dir).items() if only is None or name in only}
    note = Path(trials_dir or toolchains_dir) / "trials"
    trials = Trials(tuple(installed.values()), toolchains_dir, floor, note)
    is_ready = not any(_make_ready(language, toolchains_dir) for language in installed.values())
    if is_ready and trials.have_passed():
        return MappingProxyType(dict(installed))
    problems = examine(tuple(installed.values()), toolchains_dir, floor)
    if not any(problems.values()):
        trials.note()
    for name, problem in problems.items():
        if problem:
            _LOG.warning("language not offered", extra={"language": name, "reason": problem})
    return MappingProxyType({name: installed[name] for name, problem in problems.items() if not problem})


def examine(
    languages: Sequence[Language], toolchains_dir: str, floor: tuple[str, ...] = STRICT_CONTROLS
) -> Mapping[str, str]:
    """Return why each of these languages does not work; "" if it does. Raises JailError when no slot can be opened."""
    problems = {language.name: _make_ready(language, toolchains_dir) for language in languages}
    ready = [language for language in languages if not problems[language.name]]
    problems |= {language.name: _UNTRIED for language in ready}
    mounts, init = binds(ready, toolchains_dir), init_program(toolchains_dir)
    config = SlotConfig("trial", SLOT_INDEX, mounts, floor, small_init=init)
    with ExitStack() as stack:
        slot = None
        for language, _ in product(ready, range(TRIES)):
            if slot is None or not slot.healthy:
                stack.close()
                slot = stack.enter_context(open_slot(config))
            if problems[language.name]:
                problems[language.name] = try_out(slot, language)
    return problems


def _make_ready(language: Language, toolchains_dir: str) -> str:
    try:
        prepare(language, toolchains_dir)
    except PreparationError as error:
        return str(error)
    warm(language, toolchains_dir)
    return ""


def try_out(slot: Slot, language: Language) -> str:
    """Compile and run the language's trial program within its own limits. Returns the failure, or ""."""
    code = language.trial.encode()
    artifact = None
    try:
        if language.compile is not None:
            compiled = slot.run(compile_spec(language, language.compile, code))
            artifact = compiled.artifact
            if artifact is None:
                return f"the trial program does not compile: {_end_of(compiled)}"
        ran = slot.run(run_spec(language, code, artifact, limits=language.run_limits("judge"), stdin=b""))
    except JailError as error:
        return str(error)
    if ran.exit_code != 0 or ran.stdout != _EXPECTED:
        return f"the trial program does not run: {_end_of(ran)}"
    return ""


def _end_of(outcome: Outcome) -> str:
    if outcome.stop_reason is not StopReason.NONE:
        return f"stopped by {outcome.stop_reason}"
    said = (outcome.stderr + outcome.stdout)[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
    return f"exit code {outcome.exit_code}, signal {outcome.signal}, {said!r}"
