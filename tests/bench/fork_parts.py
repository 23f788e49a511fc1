"""`python -m tests.bench.fork_parts`: what each part of `jail/python_fork` is worth, in CPU time and in wall time.

A slot for each variant: all parts, each part switched off alone, and no fork at all. They run the same small program
in alternating rounds, fresh and pre-warmed. CPU time is that of the template and of the guest's groups, and holds on a
busy machine too. Where forks do not work on this interpreter, all but the last variant are missing.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from sandbox_runtime.jail import STRICT_CONTROLS, JailError, JailSpec, Slot, SlotConfig, open_slot
from sandbox_runtime.jail.python_fork import START_CODE
from sandbox_runtime.jail.supervisor import slot as slot_module
from sandbox_runtime.languages import init_program, prewarm_spec, run_spec, warm_start
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.settings import toolchains_dir

_IMPORT = "from sandbox_runtime.jail.inside.template import main\n"
_FORK = "from sandbox_runtime.jail.python_fork import fork, main_script, script_end, shared_pages\n"
_REAL_END = "script_end.end = lambda _stack, code, *_, **__: ctypes.pythonapi.Py_Exit(code)\n"
VARIANTS = {
    "all parts": "",
    "without script_end": f"import ctypes\n{_REAL_END}",
    "without shared_pages": "fork.keep_shared = lambda: None\n",
    "without immortal objects": "shared_pages._make_immortal = lambda: None\n",
    "without huge pages": "arenas.collapse = lambda: 0\n",
    "without early writes": "main_script.MainScript._write_ahead = lambda _self: None\n",
    "no fork": None,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=150)
    asked = parser.parse_args()
    spec = run_spec(PYTHON, b"print(6 * 7)\n", None, limits=PYTHON.run_limits("judge"), stdin=b"")
    with ExitStack() as stack:
        slots = dict(_opened(stack))
        cpu_ms: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        wall_ms: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for _ in range(asked.rounds):
            for name, slot in slots.items():
                for kind in ("fresh", "pre-warmed"):
                    measured = _measure(slot, spec, is_prewarmed=kind == "pre-warmed")
                    if measured is not None:
                        cpu_ms[name, kind].append(measured[0])
                        wall_ms[name, kind].append(measured[1])
    sys.stdout.write(f"Python {sys.version.split()[0]}, {asked.rounds} rounds, medians; ratio: to all parts\n")
    for (name, kind), times in cpu_ms.items():
        cpu, wall = statistics.median(times), statistics.median(wall_ms[name, kind])
        whole = cpu_ms.get(("all parts", kind))
        ratio = f", ratio {cpu / statistics.median(whole):.2f}" if whole else ""
        sys.stdout.write(f"{name:<26} {kind:<10} CPU {cpu:6.2f} ms{ratio}; wall {wall:6.2f} ms\n")


def _opened(stack: ExitStack) -> list[tuple[str, Slot]]:
    opened = []
    for index, (name, change) in enumerate(VARIANTS.items()):
        warm = None if change is None else warm_start((PYTHON,))
        code = START_CODE if change is None else START_CODE.replace(_IMPORT, _FORK + change + _IMPORT)
        config = SlotConfig(f"parts-{index}", index, (), STRICT_CONTROLS, warm, init_program(toolchains_dir({})))
        with mock.patch.object(slot_module, "START_CODE", code):
            try:
                opened.append((name, stack.enter_context(open_slot(config))))
            except JailError as error:
                sys.stdout.write(f"{name}: {error}\n")
    return opened


def _measure(slot: Slot, spec: JailSpec, *, is_prewarmed: bool) -> tuple[float, float] | None:
    """Run once; return CPU and wall time in milliseconds. None: this slot has no such run."""
    began_ns = _on_cpu_ns(slot.template_pid)
    ready = prewarm_spec((PYTHON,))
    if is_prewarmed:
        if ready is None:
            return None
        slot.prewarm(ready)
    outcome = slot.run(spec)
    if outcome.stdout != b"42\n":
        raise AssertionError(outcome)
    template_ns = _on_cpu_ns(slot.template_pid) - began_ns
    return template_ns / 1e6 + outcome.cpu_usec / 1e3, outcome.wall_usec / 1e3


def _on_cpu_ns(pid: int) -> int:
    """The time that a process with one thread has spent on a CPU: more exact than its user and system time."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


if __name__ == "__main__":
    main()
