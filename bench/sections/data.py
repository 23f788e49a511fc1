"""Programs that import data packages: in the data slot, beside plain programs and bare Python."""

import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.answers import Tally
from bench.report import Figure, Section
from bench.rounds import Way
from bench.scale import Scale
from sandbox_runtime.jail import JailSpec, Slot, WarmStart, open_slot
from sandbox_runtime.languages import Language, binds, data_start, present, run_spec, warm, warm_start
from sandbox_runtime.languages.python import INTERPRETER
from tests.jail.installed_data_packages import INSTALLED, toolchains_with_packages
from tests.jail.slots import slot_config

_PLAIN = "print(1)\n"
_IMPORT = "import numpy, pandas\nprint(1)\n"
_PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [3, 1, 2])\nplt.savefig('/tmp/plot.png')\nprint(1)\n"
# Forks a program from an interpreter with the packages, as often as told, and prints the CPU milliseconds of each.
_BARE = """
import os, sys
import numpy, pandas, matplotlib.pyplot, matplotlib.backends.backend_agg
for _ in range(int(sys.argv[1])):
    if (pid := os.fork()) == 0:
        exec(compile(sys.argv[2].replace("/tmp/plot.png", "plot.png"), "program", "exec"), {"__name__": "__main__"})
        os._exit(0)
    used = os.wait4(pid, 0)[2]
    print("ms", (used.ru_utime + used.ru_stime) * 1000, flush=True)
"""
_NOTES = [
    "CPU time of one run behind a pre-warmed fork, median and least: a busy machine changes the time that passes.",
    "Bare Python has imported the packages and forks each program, outside of the jail.",
]


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Measure three programs."""
    if not Path(INSTALLED, "numpy").is_dir():
        return Section(
            title="Data packages", missing="they are not installed: make jail", notes=[], series=[], figures=[]
        )
    with tempfile.TemporaryDirectory() as folder:
        toolchains = toolchains_with_packages(Path(folder))
        python = present(toolchains)["python"]
        warm(python, toolchains)

        def slot(index: int, start: WarmStart | None) -> Slot:
            return open_slot(slot_config(f"bench-data-{index}", index, binds((python,), toolchains), warm=start))

        with slot(40, warm_start((python,))) as plain, slot(41, data_start((python,))) as data:
            ways: dict[str, Callable[[], float]] = {
                "print": lambda: _cpu_ms(plain, python, _PLAIN, tally),
                "import numpy, pandas": lambda: _cpu_ms(data, python, _IMPORT, tally),
                "plot": lambda: _cpu_ms(data, python, _PLOT, tally),
            }
            measured = {name: [way() for _ in range(scale.language_rounds)] for name, way in ways.items()}
        measured["floor: plot, bare Python"] = _bare_ms(scale.language_rounds, python, folder)
    figures = [
        Figure(group=name, name=column, value=round(figure(values), 2), unit="ms")
        for name, values in measured.items()
        for column, figure in (("median", statistics.median), ("least", min))
    ]
    return Section(title="Data packages", missing=None, notes=_NOTES, series=[], figures=figures)


def _spec(python: Language, code: str) -> JailSpec:
    limits = python.run_limits("judge", cpu_time_secs=15, wall_time_secs=60)
    return run_spec(python, code.encode(), None, limits=limits, stdin=b"")


def _cpu_ms(slot: Slot, python: Language, code: str, tally: Tally) -> float:
    slot.prewarm(_spec(python, ""))
    outcome = slot.run(_spec(python, code))
    if outcome.stdout != b"1\n":
        tally.fail(f"data: {outcome.stderr[-200:]!r}")
    else:
        tally.right()
    return outcome.cpu_usec / 1000


def _bare_ms(rounds: int, python: Language, folder: str) -> list[float]:
    environment = dict(python.guest_environment) | {"PYTHONPATH": INSTALLED, "MPLCONFIGDIR": folder, "HOME": folder}
    command = (INTERPRETER, "-c", _BARE, str(rounds), _PLOT)
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("ms ")]
