"""Memory of the whole local stack at rest: shared pages divided among those that share them (PSS)."""

import time
from collections.abc import Sequence

from bench.answers import Tally, check_result
from bench.api_client import ApiClient, body_of, parsed
from bench.processes import pss_bytes
from bench.report import Figure, Section
from bench.rounds import FAILURES, Way
from bench.running_stack import RunningStack, running_stack
from bench.scale import Scale
from bench.sources import ADDING_LANGUAGES, adding_program, new_number

_REST_SECS = 8  # pre-warmed runs and waiting commands are there again
_NOTES = [
    "After one run in each language, at rest. PSS from /proc/<pid>/smaps_rollup.",
    "Per slot: the processes that a slot keeps alive between runs, those of waiting commands among the slots.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Starts a stack of its own."""
    with running_stack() as stack:
        _one_of_each(stack, tally)
        time.sleep(_REST_SECS)
        parts = {part: [pss_bytes(pid) for pid in pids] for part, pids in stack.parts().items()}
        everything = sum(pss_bytes(pid) for pid in stack.pids())
    slots = len(parts["templates"])
    figures = [
        number
        for part, sizes in parts.items()
        for number in (
            Figure(group=part, name="processes", value=len(sizes), unit=""),
            Figure(group=part, name="PSS", value=_mib(sum(sizes)), unit="MiB"),
        )
    ]
    at_rest = sum(parts["templates"]) + sum(parts["guests"])
    figures += [
        Figure(group="whole stack", name="processes", value=sum(map(len, parts.values())), unit=""),
        Figure(group="whole stack", name="PSS", value=_mib(everything), unit="MiB"),
        Figure(group="per idle slot", name="PSS", value=_mib(at_rest / slots) if slots else None, unit="MiB"),
    ]
    return Section(title="Memory", missing=None, notes=_NOTES, series=[], figures=figures)


def _one_of_each(stack: RunningStack, tally: Tally) -> None:
    with ApiClient(stack.endpoint) as client:
        for language in ADDING_LANGUAGES:
            program = adding_program(language, new_number())
            try:
                check_result(parsed(client.submit(body_of(program), wait=True)), program.expected)
            except FAILURES as error:
                tally.fail(f"{language}: {error}")
            else:
                tally.right()


def _mib(size_bytes: float) -> float:
    return round(size_bytes / (1 << 20), 1)
