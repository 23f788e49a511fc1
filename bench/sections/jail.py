"""The jail alone, in this process: what a run costs beside its peers, each language, runs a second."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from bench.answers import Tally, check_cached
from bench.floors.interpreter import interpreter_ways
from bench.floors.kernel import kernel_ways
from bench.floors.tools import ToolWays, tool_ways
from bench.jail_loops import loops
from bench.jail_slots import (
    PREWARMED,
    SERVICES,
    WaitingCommands,
    get_ready,
    languages,
    new_cache,
    new_slot,
    stage_first_step,
    stage_run,
    timed,
    waiting_commands,
)
from bench.report import Section, Series
from bench.rounds import Way, interleave, series
from bench.scale import Scale
from bench.sources import adding_program, new_number, python_program
from sandbox_runtime.executor import CompileCache
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from sandbox_runtime.prewarm import PrewarmedSlot

_FLOOR_EVERY = 5
_NOTES = [
    "Each timing is from the source to the checked result, with the verdict; peers give output and exit code only.",
    "New interpreter: exec of python3. Fresh: a fork of the slot's warm interpreter. Pre-warmed: a pre-warmed process.",
    "Where it goes: set-up until the program's first instruction; the program until init has reaped it; the rest.",
    "First compile: a source never seen, compiled and run. Again: the same source with other input, not compiled.",
    "Languages: the slot is ready for the first step, as it is where most of its last requests were like this one.",
    "Waiting: by a compiler, and for java a JVM, that were started before, as for requests after quiet moments.",
    "Floors are outside the jail: no mount, control group, limit, filter, other user or evidence, and no init.",
    "Floors of Python: a warm interpreter in huge pages forks; that compiles, prints, ends. Until its pipe closes.",
    "Five namespaces: pid, mount, net, ipc, uts. A floor's program is their first process; ours is its init's child.",
    "Floor in C: clone into the five namespaces and a fork there, until the second process has ended; nothing runs.",
    "Floors of languages: the jail's own commands, on tmpfs, from start to end. Again: of these, the program alone.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Raises JailError when no slot can be opened."""
    offered = languages()
    with ExitStack() as stack:
        printed = _print(scale, tally, peer_ways, offered, stack)
    with new_slot(0, offered) as slot, waiting_commands(offered) as waiting, tool_ways(offered) as bare:
        compiled = _languages(scale, tally, offered, slot, waiting, bare)
    return Section(
        title="The jail alone",
        missing=None,
        notes=_NOTES,
        series=[*printed, *compiled],
        figures=loops(scale.jail_loop_runs, tally),
    )


def _print(
    scale: Scale, tally: Tally, peer_ways: Sequence[Way], offered: Mapping[str, Language], stack: ExitStack
) -> list[Series]:
    python = {"python": offered["python"]}

    phases: list[Way] = []

    def way(index: int, service: str) -> Way:
        slot = stack.enter_context(new_slot(index, python, service))
        before, inside, behind = (phase(f"{service}: {part}") for part in ("set-up", "program", "its end, answer"))

        def once() -> float:
            if service == PREWARMED:
                get_ready(slot, python["python"])
            elapsed_ms, completed = timed(slot, python["python"], python_program())
            metrics = completed.metrics
            if metrics is not None and metrics.setup_ms is not None and metrics.run_ms is not None:
                before.append(metrics.setup_ms)
                inside.append(metrics.run_ms)
                behind.append(elapsed_ms - metrics.setup_ms - metrics.run_ms)
            return elapsed_ms

        return Way(service, once)

    def phase(name: str) -> list[float]:
        phases.append(Way(name, lambda: 0.0))
        return phases[-1].times_ms

    ways = [way(index, service) for index, service in enumerate(SERVICES)]
    ways += [Way(peer.name, peer.once, peer.every) for peer in peer_ways]
    ways += stack.enter_context(interpreter_ways(python["python"].warm_imports, _FLOOR_EVERY))
    ways += stack.enter_context(kernel_ways(_FLOOR_EVERY))
    interleave(ways, scale.print_rounds, tally)
    return [*series("Python print", ways), *series("Where it goes", phases)]


def _languages(
    scale: Scale, tally: Tally, offered: Mapping[str, Language], slot: Slot, waiting: WaitingCommands, bare: ToolWays
) -> list[Series]:
    ways = []
    cache = new_cache(offered)

    def pair(language: Language) -> list[Way]:
        numbers: list[int] = []

        def first() -> float:
            number = new_number()
            stage_first_step(slot, language)
            elapsed_ms, completed = timed(slot, language, adding_program(language.name, number), cache)
            if language.compile is not None:
                check_cached(completed, expected=False)
                numbers.append(number)
            return elapsed_ms

        def again() -> float:
            if not numbers:
                first()  # the rounds begin with another way each time
            stage_run(slot, language)
            elapsed_ms, completed = timed(slot, language, adding_program(language.name, numbers.pop()), cache)
            numbers.clear()  # the cache forgets what is ten minutes old
            check_cached(completed, expected=True)
            return elapsed_ms

        if language.compile is None:
            return [Way(language.name, first)]
        return [Way(f"{language.name}, first compile", first), Way(f"{language.name}, again", again)]

    for language in offered.values():
        ways += pair(language)
        ways += bare.first.get(language.name, [])
    ways += _waiting_ways(offered, slot, waiting, cache)
    interleave(ways, scale.language_rounds, tally)
    return series("All languages", [*ways, *bare.again])


def _waiting_ways(
    offered: Mapping[str, Language], slot: Slot, waiting: WaitingCommands, cache: CompileCache
) -> list[Way]:
    def waited(language: Language) -> float:
        waiting.wait()
        program = adding_program(language.name, new_number())
        elapsed_ms, _ = timed(PrewarmedSlot(slot, waiting.pool), language, program, cache)
        waiting.wait()  # the next ones start meanwhile, on the cores of whatever is timed next
        return elapsed_ms

    return [
        Way(f"{language.name}, waiting, first compile", partial(waited, language))
        for language in offered.values()
        if language.compile is not None and language.compile.waiting is not None
    ]
