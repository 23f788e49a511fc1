"""Limits of hostile programs: tight ones, and for a control that is a limit, the same with that one lifted.

Lifted limits are bounded: a program needs only to pass the tight one. The two figures of a pair are what the programs
of that control are written for.
"""

import os
from dataclasses import replace

from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.languages import Language

# An emulated machine needs more time for the same work; what a program does on purpose takes the same there.
SLOWNESS = int(os.environ.get("RUSTBOX_TEST_SLOWNESS", "1"))
_MIB = 1 << 20
SMALL = Limits(
    cpu_time_secs=5 * SLOWNESS,
    wall_time_secs=20 * SLOWNESS,
    memory_bytes=64 * _MIB,
    max_processes=4,
    max_open_files=16,
    max_file_bytes=_MIB,
    output_bytes=1000,
)
"""For a program that does little."""
_PROCESSES = 24  # a JVM needs this many threads for itself
_BOMB_SECS = 0.8  # CPU time of a compiler that is given a bomb
_COMPILES = 4  # times the wall time of a compiler, of which no test waits for the end
_PATIENCE_SECS = 30  # no program waits for it; a busy machine needs it for four seconds of CPU time

LIFTABLE = frozenset({"cpu_limit", "wall_limit", "memory_limit", "process_limit", "output_limit"})


def _more_time(limits: Limits) -> Limits:
    return replace(
        limits, cpu_time_secs=limits.cpu_time_secs * SLOWNESS, wall_time_secs=limits.wall_time_secs * SLOWNESS
    )


def patient(language: Language) -> Language:
    """The language with the time that this machine needs for what others do within the limits."""
    profiles = {
        name: replace(profile, limits=_more_time(profile.limits), ceiling=_more_time(profile.ceiling))
        for name, profile in language.profiles.items()
    }
    step = language.compile
    if step is not None:
        # Beside other stages testlib's header takes a compiler a minute.
        wall_secs = step.limits.wall_time_secs * max(_COMPILES, SLOWNESS)
        step = replace(step, limits=replace(_more_time(step.limits), wall_time_secs=wall_secs))
    return replace(language, profiles=profiles, compile=step)


def _tight(limits: Limits, control: str | None) -> Limits:
    """Programs burn 0.7 s, sleep 1.2 s, use 320 MiB, start 60 processes, write 640 KiB."""
    limits = replace(
        limits,
        cpu_time_secs=0.4 if control == "cpu_limit" else 4 * SLOWNESS,
        wall_time_secs=0.8 if control == "wall_limit" else _PATIENCE_SECS * SLOWNESS,
        output_bytes=_MIB // 4,
    )
    if control == "memory_limit":
        limits = replace(limits, memory_bytes=128 * _MIB)
    if control == "process_limit":
        limits = replace(limits, max_processes=min(limits.max_processes, _PROCESSES))
    return limits


def _lifted(limits: Limits, control: str) -> Limits:
    match control:
        case "cpu_limit":
            return replace(limits, cpu_time_secs=15 * SLOWNESS, wall_time_secs=25 * SLOWNESS)
        case "wall_limit":
            return replace(limits, wall_time_secs=25 * SLOWNESS)
        case "memory_limit":
            return replace(limits, memory_bytes=1024 * _MIB)
        case "process_limit":
            return replace(limits, max_processes=1024)
        case "output_limit":
            return replace(limits, output_bytes=2 * _MIB)
        case _:
            raise ValueError(f"{control} is no limit")


def _with_limits(language: Language, run: Limits, compilation: Limits | None) -> Language:
    step = None if language.compile is None or compilation is None else replace(language.compile, limits=compilation)
    profile = replace(language.profiles["judge"], limits=run, ceiling=run)
    return replace(language, profiles={"judge": profile}, compile=step)


def tight(language: Language, control: str | None, *, is_compile_attack: bool, is_compiler_bomb: bool) -> Language:
    """The language with the limits that its programs are run under. The compiler may run out of time at a bomb only."""
    run = _tight(language.profiles["judge"].limits, control)
    if language.compile is None:
        return _with_limits(language, run, None)
    compilation = replace(_more_time(language.compile.limits), max_file_bytes=32 * _MIB)
    if is_compile_attack:
        compilation = replace(
            compilation,
            # All but bombs must get through: a bomb that is against a control, where that is off.
            cpu_time_secs=(_BOMB_SECS if is_compiler_bomb and control is None else 6 * _BOMB_SECS) * SLOWNESS,
            wall_time_secs=_PATIENCE_SECS * SLOWNESS,
            memory_bytes=min(compilation.memory_bytes, 512 * _MIB),
            output_bytes=_MIB // 4,
        )
    return _with_limits(language, run, compilation)


def lifted(language: Language, control: str) -> Language:
    """A tight language with one limit lifted, in both steps."""
    compilation = None if language.compile is None else _lifted(language.compile.limits, control)
    return _with_limits(language, _lifted(language.profiles["judge"].limits, control), compilation)
