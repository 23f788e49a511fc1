"""Sorts of programs for one slot, honest and hostile ones, each with its expected result.

Every one first shows whatever an earlier run could have left, then leaves the same for the next one. A run's marker
comes to it by standard input (and the environment, where that may differ); in no program's text is there one.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sandbox_runtime.jail import Slot, StopReason
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome
from sandbox_runtime.languages import compile_spec, run_spec
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.worker.slots import RUNS_PER_TEMPLATE
from tests.choice import IS_QUICK
from tests.guest_files import guest
from tests.jail.weakened.limits import SLOWNESS, SMALL, patient

MIB = 1 << 20
LIMITS = replace(
    SMALL,
    cpu_time_secs=4 * SLOWNESS,
    wall_time_secs=10 * SLOWNESS,
    memory_bytes=48 * MIB,
    max_processes=6,
    max_open_files=32,
    max_file_bytes=2 * MIB,
    output_bytes=8192,
)
MARKER = re.compile(rb"marker-[ab]-\d+")
SHELL, PYTHON_SCRIPT, C_PROGRAM = "sh", "python", "c"
_C = patient(C)


@dataclass(frozen=True)
class Kind:
    """A sort of program and its expected result. `ends`: exit code, negative for a signal."""

    script: str
    ends: int | StopReason
    limits: Limits = LIMITS
    language: str = SHELL
    is_honest: bool = False
    kills: bool = False
    refusals: bool = False
    cut: bool = False
    least_cpu_secs: float = 0.0


_BURN = replace(LIMITS, cpu_time_secs=0.05)
_WAIT = replace(LIMITS, wall_time_secs=0.05 * SLOWNESS)
HONEST = Kind('read line; echo "$line"', 0, is_honest=True)
# A new program in each run, from a template that is no interpreter.
FRESH = (
    HONEST,
    Kind("tail /dev/zero", StopReason.OOM_KILL, kills=True),
    HONEST,
    Kind("for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; exit 9", 2, refusals=True),
    HONEST,
    Kind("while :; do :; done", StopReason.CPU_LIMIT, _BURN, least_cpu_secs=0.05),
    Kind("yes", 141, cut=True),
    Kind("setsid sleep 100 & exit 0", 0),
    HONEST,
    Kind("sleep 100", StopReason.WALL_LIMIT, _WAIT),
    Kind("kill -SEGV $$", -11),
    Kind("for i in 1 2 3 4; do head -c 2M /dev/zero >/tmp/$i; done; kill -9 -1; kill -9 1; exit 7", 7),
    Kind("head -c 3M /dev/zero >big", 153),
    Kind("mkfifo /tmp/pipe; mkdir -p a/b/c; rm -rf /box; exec 0<&- 1>&- 2>&-; exit 5", 5),
)
_LOOK_AND_LEAVE_SHELL = """
cat /tmp/* /dev/shm/* ./* /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null
ls -A /tmp /dev/shm .
for place in /tmp /dev/shm .; do echo $MARKER >$place/$MARKER; ln -s /etc/passwd $place/link; done
chmod 0 /tmp/$MARKER
"""


def _python(script: str, ends: int | StopReason, limits: Limits = LIMITS, **others: bool | float) -> Kind:
    return Kind(script, ends, limits, PYTHON_SCRIPT, **others)  # type: ignore[arg-type] # passed through


_HONEST_PYTHON = _python("print(marker)", 0, is_honest=True)
# As the service runs them: forks of a warm interpreter, one prewarmed behind each run, with compile steps among them.
SERVED = (
    _HONEST_PYTHON,
    _python("x = []\nwhile True: x.append(bytearray(1 << 20))", StopReason.OOM_KILL, kills=True),
    _HONEST_PYTHON,
    _python("for _ in range(9): os.fork() or time.sleep(100)", 1, refusals=True),
    Kind("", 0, language=C_PROGRAM, is_honest=True),
    _python("while True: pass", StopReason.CPU_LIMIT, _BURN, least_cpu_secs=0.05),
    _python("while True: sys.stdout.write('y' * 1000)", 1, cut=True),
    _python("if os.fork() == 0: os.setsid(); time.sleep(100)", 0),
    _HONEST_PYTHON,
    _python("time.sleep(100)", StopReason.WALL_LIMIT, _WAIT),
    _python("os.kill(os.getpid(), 11)", -11),
    _python("import builtins; builtins.print = builtins.open = None; os.environ.clear(); sys.modules.clear()", 0),
    _python(
        "for n in range(4): open(f'/tmp/{n}', 'wb').write(bytes(2 << 20))\n"
        "for who in (-1, 1):\n    try: os.kill(who, 9)\n    except OSError: pass\nsys.exit(7)",
        7,
    ),
    _python("open('big', 'wb').write(bytes(3 << 20))", 1),
    _python(
        "os.mkfifo('/tmp/pipe'); os.makedirs('a/b/c'); os.unlink('solution.py'); os.closerange(0, 3); os._exit(5)", 5
    ),
)
_LOOK_AND_LEAVE_PYTHON = guest("reuse/look_and_leave.py")
_C_SOURCE = b"""
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    char line[100], path[200];
    if (system("cat /tmp/* /dev/shm/* 2>/dev/null; ls -A /tmp /dev/shm .")) return 1;
    if (!fgets(line, sizeof line, stdin)) return 2;
    fputs(line, stdout);
    snprintf(path, sizeof path, "/tmp/%.50s", line);
    fclose(fopen(path, "w"));
    return 0;
}
"""


def prewarmed() -> JailSpec:
    """The specs for which a slot gets ready after each run."""
    return run_spec(PYTHON, b"", None, limits=LIMITS, stdin=b"")


def play(slot: Slot, kind: Kind, marker: str) -> Outcome:
    """Run it, its compile step first."""
    stdin = f"{marker}\n".encode()
    if kind.language == PYTHON_SCRIPT:
        source = (_LOOK_AND_LEAVE_PYTHON + kind.script).encode()
        return slot.run(run_spec(PYTHON, source, None, limits=kind.limits, stdin=stdin))
    if kind.language == C_PROGRAM:
        assert _C.compile is not None
        compiled = slot.run(compile_spec(_C, _C.compile, _C_SOURCE))
        assert (compiled.exit_code, compiled.stdout, compiled.stderr) == (0, b"", b""), compiled
        assert not compiled.evidence.controls_missing
        assert compiled.artifact is not None
        assert not MARKER.findall(compiled.artifact)
        return slot.run(run_spec(_C, _C_SOURCE, compiled.artifact, limits=kind.limits, stdin=stdin))
    return slot.run(
        JailSpec(
            argv=("/bin/sh", "-c", _LOOK_AND_LEAVE_SHELL + kind.script),
            limits=kind.limits,
            environment=(("PATH", "/usr/bin:/bin"), ("MARKER", marker)),
            stdin=stdin,
        )
    )


def check(kind: Kind, outcome: Outcome, marker: str) -> None:
    """The outcome is the kind's, and nothing in it is another run's."""
    ended = outcome.exit_code if outcome.signal is None else -outcome.signal
    assert (outcome.stop_reason if ended is None else ended) == kind.ends, (kind, outcome)
    assert set(MARKER.findall(outcome.stdout + outcome.stderr)) <= {marker.encode()}
    if kind.is_honest:
        assert outcome.stdout.endswith(f"\n{marker}\n".encode()), outcome
        assert outcome.stderr == b""
    usage = outcome.evidence.cgroup
    assert usage is not None
    assert (usage.oom_kill_events > 0) == kind.kills, (kind, usage)
    assert (usage.fork_refusals > 0) == kind.refusals, (kind, usage)
    assert outcome.stdout_cut == kind.cut
    assert usage.process_count == 0
    assert usage.process_limit == kind.limits.max_processes
    assert kind.least_cpu_secs <= outcome.cpu_usec / 1e6 < kind.limits.cpu_time_secs + 0.5 * SLOWNESS, (kind, outcome)
    if kind.is_honest:
        assert outcome.cpu_usec < 500_000 * SLOWNESS, "its own time, not the slot's"
        assert usage.memory_peak_bytes < 24 * MIB, "its own memory, not the slot's"
    assert not outcome.evidence.controls_missing
    assert outcome.evidence.cleanup_verified


def followed(kinds: Sequence[Kind], number: int) -> tuple[Kind, str]:
    """The kind and the marker of run `number`: tenants take turns; the kinds shift against them."""
    return kinds[(number + number // len(kinds)) % len(kinds)], f"marker-{'ab'[number % 2]}-{number}"


def runs(kinds: Sequence[Kind]) -> int:
    """How many runs: a third for the slower fresh programs, and never so few that the kinds did not follow often.

    RUSTBOX_TEST_REUSES=1000 runs as many as one template serves.
    """
    count = int(os.environ.get("RUSTBOX_TEST_REUSES", "150" if IS_QUICK else "300"))
    return max(100, count if kinds is SERVED else count // 3)


def most_growth_bytes(count: int) -> float:
    """How much a process may grow in `count` runs: 1 MiB in the life of a template."""
    return MIB * count / RUNS_PER_TEMPLATE
