"""`make kill-run`: see `python -m tests.system.kill_run --help`."""

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.system.kill_run.file_runs import FilesReport, file_runs
from tests.system.kill_run.grouped_calls import Report as GroupedCallsReport
from tests.system.kill_run.grouped_calls import grouped_calls_run
from tests.system.kill_run.plan import make_plan
from tests.system.kill_run.run import VARIABLES, kill_run
from tests.system.kill_run.signed_calls import Report as SignedCallsReport
from tests.system.kill_run.signed_calls import signed_calls_run
from tests.system.kill_run.watched_runs import WatchedReport, watched_runs
from tests.system.local_stack import LocalStack

_MOST_SHOWN = 20


def main() -> int:
    """Exit code 0 if nothing was lost, wrong or left unexplained."""
    parser = argparse.ArgumentParser(
        prog="make kill-run",
        description="Run submissions through a local stack of its own while its parts get SIGKILL, SIGTERM, SIGINT and "
        "SIGHUP at random, then count what was lost (nothing) and what came twice (and why).",
    )
    parser.add_argument("--secs", type=float, default=120, help="how long parts are killed (default 120)")
    parser.add_argument("--submissions", type=int, default=300, help="how many meanwhile (default 300)")
    parser.add_argument("--seed", type=int, help="repeats the plan of an earlier run (default: a new one)")
    parser.add_argument(
        "--signed-calls", type=int, metavar="N", help="instead: so many events of a check, each sent 3 times"
    )
    parser.add_argument(
        "--grouped-calls", type=int, metavar="N", help="instead: so many calls of checks with groups, over 100 keys"
    )
    parser.add_argument(
        "--files",
        type=int,
        metavar="N",
        help="instead: so many uploads, runs with them, and runs with an artifact of these",
    )
    parser.add_argument(
        "--watched",
        type=int,
        metavar="N",
        help="instead: so many runs whose live output is followed, or that are cancelled",
    )
    parser.add_argument(
        "--kills",
        type=int,
        default=10,
        help="processes to kill meanwhile, with --signed-calls, --grouped-calls, --files or --watched (default 10)",
    )
    parser.add_argument("--log", type=Path, help="keep the stack's log here")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    _tell(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="rustbox-kill-") as folder:
        stack = LocalStack(Path(folder) / "state", **VARIABLES)
        try:
            if arguments.signed_calls is not None:
                return _told(signed_calls_run(stack, arguments.signed_calls, arguments.kills, seed))
            if arguments.grouped_calls is not None:
                return _told(grouped_calls_run(stack, arguments.grouped_calls, 100, arguments.kills, seed))
            if arguments.files is not None:
                return _told(file_runs(stack, arguments.files, arguments.kills, seed))
            if arguments.watched is not None:
                return _told(watched_runs(stack, arguments.watched, arguments.kills, seed))
            report = kill_run(stack, make_plan(seed, arguments.secs, arguments.submissions), seed, _tell)
        finally:
            if arguments.log is not None and stack.log_path.exists():
                arguments.log.write_bytes(stack.log_path.read_bytes())
    for line in report.judgement.lines():
        _tell(line)
    _tell(
        f"seed {seed}; quiet after {report.quiet_secs:.0f} s; {report.lost_answers} answers lost; "
        f"{report.judgement.gave_up} given up as IE; left behind: {report.leftovers}"
    )
    _tell(report.summary)
    return 0 if report.is_good else 1


def _told(report: SignedCallsReport | GroupedCallsReport | FilesReport | WatchedReport) -> int:
    for problem in report.problems[:_MOST_SHOWN]:
        _tell(problem)
    _tell(report.summary)
    return 1 if report.problems else 0


def _leave(number: int, _frame: object) -> None:
    """End by unwinding, so that all that was started is ended."""
    sys.exit(128 + number)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
