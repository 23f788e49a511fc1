"""Find the languages that a runner can offer: their toolchains must compile and run a trial program in the jail."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import product
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime.jail import STRICT_CONTROLS, JailError, Slot, SlotConfig, StopReason, WarmStart, open_slot
from sandbox_runtime.jail.spec import Outcome
from sandbox_runtime.languages.all_languages import binds, present
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.preparation import PreparationError, init_program, prepare, toolchain_digest, warm
from sandbox_runtime.languages.specs import compile_spec, prewarm_spec, run_spec, warm_language, warm_start

# Remember that languages passed a trial since the host booted, so that a runner that starts again tries none.
#
# The note is good for the same toolchains, runner, controls and user namespace only. Without a place to keep it, each
# start tries.

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SOURCES = Path(__file__).parents[1]


class Trials:
    """The trial of these languages in a jail with these controls. `note`: the note's file."""

    def __init__(self, languages: Sequence[Language], toolchains_dir: str, floor: tuple[str, ...], note: Path) -> None:
        self._path = note
        self._digest = hashlib.sha256("\0".join(_trial_facts(languages, toolchains_dir, floor)).encode()).hexdigest()

    def have_passed(self) -> bool:
        try:
            return self._path.read_text(encoding="ascii") == self._digest
        except (OSError, ValueError):
            return False

    def note(self) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with suppress(OSError):  # a read-only folder, as that of the toolchains in an image
            draft.write_text(self._digest, encoding="ascii")
            draft.replace(self._path)


def _trial_facts(languages: Sequence[Language], toolchains_dir: str, floor: tuple[str, ...]) -> Iterator[str]:
    yield _BOOT_ID.read_text(encoding="ascii")
    yield f"{Path('/proc/self/ns/user').readlink()} {' '.join(floor)}"
    for language in languages:
        yield f"{language.name} {toolchain_digest(language, toolchains_dir, '')}"
    for path in sorted(_SOURCES.rglob("*")):
        # No folder: the first import of a module in it changes its time.
        if path.is_file() and "__pycache__" not in path.parts:
            facts = path.stat()
            yield f"{path} {facts.st_size} {facts.st_mtime_ns}"


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


# Find out whether Python programs can run as forks of a warm interpreter. If not, each starts by exec: slower.
#
# `jail/python_fork/` writes into the memory of one version of CPython. So a jail of its own tries it before the first
# request. No language depends on it.

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
