"""`python -m bench`: measure everything on this machine, beside its peers.

Exit code 0; 1 if any answer was wrong; 2 for bad usage; 128 + n after a signal, when everything has been ended.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import page
from bench.answers import Tally
from bench.machine import ROOT, machine_facts, versions
from bench.peers import peers
from bench.report import LAYOUT, Report, Section, read
from bench.rounds import Way
from bench.scale import FULL, QUICK, Scale
from bench.sections import (
    calls,
    cold_start,
    data,
    inbound,
    jail,
    judge,
    memory,
    network,
    ratios,
    rows,
    runner,
    soak,
    stack,
    throughput,
    transforms,
    webhooks,
)

SECTIONS: dict[str, Callable[[Scale, Tally, Sequence[Way]], Section]] = {
    "jail": jail.run,
    "runner": runner.run,
    "judge": judge.run,
    "stack": stack.run,
    "throughput": throughput.run,
    "ratios": ratios.run,
    "memory": memory.run,
    "soak": soak.run,
    "transforms": transforms.run,
    "webhooks": webhooks.run,
    "inbound": inbound.run,
    "network": network.run,
    "data": data.run,
    "calls": calls.run,
    "cold-start": cold_start.run,
    "rows": rows.run,
}
_UNPUBLISHED = ROOT / ".state" / "bench"


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    asked = _arguments(arguments)
    if asked.render:
        print(page.tables(read(page.newest())))  # noqa: T201 - the command's output
        return _publish()
    # An ordinary end, so that everything that was started is ended; Ctrl-C does so by itself.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    scale = QUICK if asked.quick else FULL
    if asked.soak_runs is not None:
        scale = replace(scale, soak_runs=asked.soak_runs, soak_secs=FULL.soak_secs)
    report = measure(asked.sections, scale, is_quick=asked.quick)
    print(page.tables(report))  # noqa: T201 - the command's output
    path = _destination(asked, is_right=report.answers.wrong == 0)
    report.write(path)
    print(f"written: {path}")  # noqa: T201
    if report.answers.wrong:
        sys.stderr.write(f"bench: {report.answers.wrong} of {report.answers.checked} answers are wrong\n")
        return 1
    return _publish() if path.parent == page.RESULTS else 0


def _publish() -> int:
    """Render the newest results."""
    page.PAGE.write_text(page.page(page.newest()), encoding="utf-8")
    print(f"written: {page.PAGE}")  # noqa: T201 - the command's output
    return 0


def measure(names: Sequence[str], scale: Scale, *, is_quick: bool) -> Report:
    """Run these sections one after the other."""
    started_at = _now()
    tally = Tally()
    sections = {}
    machine, found_versions = machine_facts(), versions()
    with peers() as (peer_ways, found_peers):
        for name in names:
            sys.stderr.write(f"bench: {name}\n")
            sections[name] = SECTIONS[name](scale, tally, peer_ways)
    return Report(
        layout=LAYOUT,
        started_at=started_at,
        finished_at=_now(),
        quick=is_quick,
        machine=machine,
        versions=found_versions,
        peers=found_peers,
        answers=tally.answers(),
        sections=sections,
    )


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure this machine.")
    parser.add_argument(
        "--sections", type=_sections, default=list(SECTIONS), help=f"of {','.join(SECTIONS)}; default all"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it works")
    parser.add_argument("--soak-runs", type=int, help="runs of the section soak, which ends after an hour at most")
    parser.add_argument("--out", type=Path, help="JSON file; default docs/benchmarks/<date>.json for a whole run")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, print the newest results and render docs/benchmarks.md"
    )
    return parser.parse_args(arguments)


def _sections(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(SECTIONS)):
        raise argparse.ArgumentTypeError(f"no such section: {', '.join(unknown)}")
    return [name for name in SECTIONS if name in names]


def _destination(asked: argparse.Namespace, *, is_right: bool) -> Path:
    """Only a whole run with right answers is published without being asked for."""
    now = datetime.now(UTC)
    is_whole = not asked.quick and asked.soak_runs is None and asked.sections == list(SECTIONS)
    out: Path | None = None if asked.out is None else asked.out.resolve()
    if out is not None and (is_right or out.parent != page.RESULTS):
        return out
    if is_whole and is_right:
        return page.RESULTS / f"{now:%Y-%m-%d}.json"
    return _UNPUBLISHED / f"{now:%Y-%m-%dT%H%M%S}.json"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
