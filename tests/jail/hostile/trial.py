"""One hostile program in the real jail, then a canary, then the program again without the control that it attacks."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from events import vocabulary
from events.completed import ExecutionCompleted
from events.message import format_time
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from sandbox_runtime.executor import execute, limits_of
from sandbox_runtime.jail import JailError, Slot, open_slot
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.languages import Language, binds, run_spec, warm_start
from tests.jail.decided import decided
from tests.jail.hostile.catalogue import IN_REQUEST, Program
from tests.jail.hostile.host_state import host_state
from tests.jail.slots import slot_config
from tests.jail.weakened import limits
from tests.jail.weakened.changes import CHANGES, obstacle
from tests.jail.weakened.slots import WeakenedSlot

TOOLCHAINS = str(Path(__file__).parents[3] / ".toolchains")
SECRET = ("AWS_SESSION_TOKEN", "not a real one")
# What the first of two runs leaves must be there in the second one.
_RUN_TWICE = frozenset({"private_mounts"})
# What runs of a weakened slot leave would stand in the way of the next one's.
_SLOT_USED_ONCE = frozenset({"private_mounts", "read_only_root"})
_OPEN_SLOTS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one run."""

    verdict: str
    cause: str
    stdout: bytes
    stderr: bytes
    controls_missing: tuple[str, ...]
    cleanup_verified: bool

    @property
    def claims_escape(self) -> bool:
        """Whether the program says that its attack worked."""
        return any(line.startswith(b"ESCAPED") for line in self.stdout.splitlines())


@dataclass(frozen=True, slots=True)
class Trial:
    """All that a test looks at.

    `weakened` is None for a program that is against no single control, or against one that this host holds on to.
    """

    contained: Seen
    canary: str
    changes_on_host: str
    weakened: Seen | None
    secs: float


def _seen(completed: ExecutionCompleted) -> Seen:
    stdout, stderr, evidence = completed.stdout, completed.stderr, completed.evidence
    return Seen(
        verdict=completed.result.verdict,
        cause=f"{completed.result.phase} {completed.result.cause}",
        stdout=stdout.inline,
        stderr=stderr.inline,
        controls_missing=() if evidence is None else evidence.controls_missing,
        cleanup_verified=evidence is not None and evidence.teardown.cleanup_verified,
    )


class CompiledOnce:
    """A slot that takes the programs that another one has compiled."""

    def __init__(self, slot: Slot, known: dict[tuple[str, ...], Outcome]) -> None:
        self._slot, self._known = slot, known

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As a slot does, but with nothing left behind it."""
        if spec.artifact is None:
            return self._slot.run(spec, cancel_fd=cancel_fd)
        if spec.argv not in self._known:
            self._known[spec.argv] = self._slot.run(spec, cancel_fd=cancel_fd)
        return self._known[spec.argv]


def asked(language: str, code: bytes, stdin: bytes = b"") -> ExecutionRequested:
    """A request of the judge profile without wishes."""
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="tests",
        language=vocabulary.Language(language),
        profile=vocabulary.Profile.JUDGE,
        priority="interactive",
        code=code,
        stdin=stdin,
        limits=RequestedLimits(),
        requested_at=format_time(datetime.now(UTC)),
    )


class Range:
    """The slots for trials: one strict slot, and the weakened slots that were used last."""

    def __init__(self, languages: Mapping[str, Language], stdin: bytes) -> None:
        self._languages, self._stdin = languages, stdin
        self._binds = binds(tuple(languages.values()), TOOLCHAINS)
        self._warm = warm_start(languages.values())
        self._strict = self._open_strict()
        self._weakened: OrderedDict[str, WeakenedSlot] = OrderedDict()
        self._used = 0

    def _open_strict(self) -> Slot:
        return open_slot(slot_config("hostile", 0, self._binds, warm=self._warm))

    def close(self) -> None:
        """Close all slots."""
        for slot in (self._strict, *self._weakened.values()):
            slot.close()

    def try_out(self, program: Program) -> Trial:
        """Raises JailError when the real jail fails."""
        begun = time.monotonic()
        if not self._strict.healthy:  # a failure of the jail is the failure of one program's test
            self._strict.close()
            self._strict = self._open_strict()
        language = limits.tight(
            self._languages[program.language],
            program.control,
            is_compile_attack=program.is_compile_attack,
            is_compiler_bomb=program.is_compiler_bomb,
        )
        compiled: dict[tuple[str, ...], Outcome] = {}
        before = host_state(self._strict)
        contained = self._run(program, language, self._strict, compiled)
        after = host_state(self._strict)
        return Trial(
            contained=contained,
            canary=self._canary(),
            changes_on_host="; ".join(
                f"{key}: {old} -> {after[key]}" for key, old in before.items() if old != after[key]
            ),
            weakened=self._run_weakened(program, language, compiled),
            secs=time.monotonic() - begun,
        )

    def _run(self, program: Program, language: Language, slot: Slot, compiled: dict[tuple[str, ...], Outcome]) -> Seen:
        jail = CompiledOnce(slot, {} if program.is_compile_attack else compiled)
        for _ in range(2 if program.control in _RUN_TWICE else 1):
            completed = decided(partial(self._run_once, program, language, slot, jail))
        return _seen(completed)

    def _run_once(self, program: Program, language: Language, slot: Slot, jail: CompiledOnce) -> ExecutionCompleted:
        request = asked(program.language, program.code, self._stdin)
        if slot is self._strict and language.warm_imports:
            slot.prewarm(run_spec(language, b"", None, limits=limits_of(request, language), stdin=b""))
        return execute(jail, request, language, node_id="tests", started_at=datetime.now(UTC))

    def _run_weakened(
        self, program: Program, language: Language, compiled: dict[tuple[str, ...], Outcome]
    ) -> Seen | None:
        control = program.control
        if control is None or obstacle(control):
            return None
        slot: Slot = self._strict
        if control in CHANGES:
            slot = self._slot_without(control)
        elif control in IN_REQUEST:
            language = replace(language, environment=(*language.environment, SECRET))
        else:
            language = limits.lifted(language, control)
        try:
            seen = self._run(program, language, slot, compiled)
        except JailError as error:
            seen = Seen("JailError", str(error), b"", b"", (), cleanup_verified=False)
        if not slot.healthy or control in _SLOT_USED_ONCE:
            self._weakened.pop(control).close()
        return seen

    def _slot_without(self, control: str) -> Slot:
        if control not in self._weakened:
            if len(self._weakened) >= _OPEN_SLOTS:
                _, oldest = self._weakened.popitem(last=False)
                oldest.close()
            self._used = self._used % 60 + 1
            config = slot_config(f"without-{control}", self._used, self._binds, warm=self._warm)
            self._weakened[control] = WeakenedSlot(config, control)
        self._weakened.move_to_end(control)
        return self._weakened[control]

    def _canary(self) -> str:
        """Run an honest program right after the hostile one; return the problem, "" if there is none."""
        python = self._languages["python"]
        spec = JailSpec(
            argv=(python.tools[0].guest_path, "-c", "import sys; print(sys.stdin.read(), 6 * 7, end='')"),
            limits=python.profiles["judge"].limits,
            environment=python.guest_environment,
            stdin=b"canary",
        )
        outcome = self._strict.run(spec)
        usage = outcome.evidence.cgroup
        right = (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, b"canary 42", b"")
        own = usage is not None and usage.oom_kill_events == 0 and usage.fork_refusals == 0
        return "" if right and own and not outcome.evidence.controls_missing else repr(outcome)
