"""`python -m bench.compare REVISION`: measure this checkout and an earlier revision in alternating rounds.

The earlier revision gets the packages of this checkout. If it needs others, clone it, run its `make setup`, and name
the folder of the clone instead of a revision.

Each round runs the quick benchmark of the earlier revision and then that of this checkout, each with its own code. A
ratio is the median over all rounds of this checkout's figure divided by the earlier one of the same round, so that a
machine that becomes slower does not count. Exit code 0; 1 if a benchmark failed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import ROOT
from bench.report import Report, read

_SHARED = (".venv", ".toolchains", ".sdk")
"""Folders that `make setup` fills. Both checkouts use the same ones."""
_PYTHON = Path(".venv", "bin", "python")
_ROUND_SECS = 1200

type _Figures = dict[tuple[str, str, str], float]
"""(group, name, kind) to the number; kind is median, p95 or a unit."""


def main(arguments: list[str]) -> int:
    """Measure and print one line for each figure that both revisions have."""
    asked = _arguments(arguments)
    rounds: list[tuple[_Figures, _Figures]] = []
    with checkout(asked.revision) as before, tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            sys.stderr.write(f"compare: round {number + 1} of {asked.rounds}\n")
            reports = (
                _measure(tree, asked.sections, Path(folder) / f"{number}-{index}.json")
                for index, tree in enumerate((before, ROOT))
            )
            first, second = (_figures(report) for report in reports)
            rounds.append((first, second))
    for line in _lines(rounds):
        print(line)  # noqa: T201 - the command's output
    return 0


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Check a revision out beside this one, and remove it again. A folder with a `.venv` is taken as it is."""
    if (Path(revision) / _PYTHON).exists():
        yield Path(revision).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="rustbox-before-") as folder:
        tree = Path(folder) / "checkout"
        _git("worktree", "add", "--detach", str(tree), revision)
        try:
            for name in _SHARED:
                if (ROOT / name).exists():
                    (tree / name).symlink_to((ROOT / name).resolve())
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True)  # noqa: S607


def _measure(tree: Path, sections: str, out: Path) -> Report:
    """Run the quick benchmark of a checkout. Raises CalledProcessError if it fails or an answer is wrong."""
    module = "bench" if (tree / "bench").is_dir() else "tests.bench"  # where it was until December 2026
    command = (str(tree / _PYTHON), "-m", module, "--quick", "--sections", sections, "--out", str(out))
    done = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, timeout=_ROUND_SECS)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return read(out)


def _figures(report: Report) -> _Figures:
    found: _Figures = {}
    for section in report.sections.values():
        for one in section.series:
            found[one.group, one.name, "median"] = one.median
            found[one.group, one.name, "p95"] = one.p95
        for figure in section.figures:
            if figure.value is not None:
                found[figure.group, figure.name, figure.unit] = figure.value
    return found


def _lines(rounds: list[tuple[_Figures, _Figures]]) -> Iterator[str]:
    yield f"{'figure':<88} {'before':>9} {'now':>9} {'ratio':>6}"
    for key in rounds[0][0]:
        pairs = [(before[key], now[key]) for before, now in rounds if key in before and key in now]
        if not pairs:
            continue
        before, now = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratios = [after / earlier for earlier, after in pairs if earlier]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else "-"
        yield f"{' / '.join(key):<88} {before:>9.2f} {now:>9.2f} {ratio:>6}"


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("revision", help="the earlier revision, as git names it, or the folder of a clone")
    parser.add_argument("--sections", default="jail,stack", help="as for bench; both revisions must have them")
    parser.add_argument("--rounds", type=int, default=5, help="how often each revision is measured")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
