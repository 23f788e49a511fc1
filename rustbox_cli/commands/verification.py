"""Command `problems verify`: a package's own submissions against what is expected of them."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from rustbox_cli.archives import is_zip
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.judge_runs import case_message, case_name, failure_text, side_by_side
from rustbox_cli.options import jobs_option, root_option, service_command
from rustbox_cli.output import JUnitCase, junit_xml, plain, progress, show_json, show_table
from rustbox_cli.package_submissions import outcomes_of, read_submissions, read_time_rules
from rustbox_cli.problem_cases import MAX_STORED_CASES, push, read_case_folder
from rustbox_cli.problem_package import cpu_limits, read_package, refused
from rustbox_cli.program_input import CasesFolder, program_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rustbox_cli.api import Api, Session
    from rustbox_cli.judge_runs import JudgeRun
    from rustbox_cli.package_submissions import Submission, TimeRules

_DIFFERS = 1
_LONGEST_SECS = 10.0
"""The limit of accepted submissions while there is none."""
_CEILING_SECS = 15.0
"""The most CPU time that every service allows."""
_MESSAGE_CHARS = 300
_NAME = re.compile(r"verify-[0-9a-f]{12}", re.ASCII)
"""The id of a problem that is stored while its submissions are judged."""
_ABANDONED_AFTER = timedelta(hours=1)
_MOST_LISTED = 1_000
_WORDS = {
    "differs": "differ",
    "skipped": "skipped",
    "refused": "refused by the service",
    "error": "not judged: the service failed",
}


@dataclass(frozen=True)
class Row:
    """What became of a submission. `secs`: CPU time of its slowest case. `case`: its first failed one."""

    submission: str
    expected: str
    got: str | None
    result: Literal["ok", "differs", "skipped", "refused", "error"]
    score: float | None = None
    secs: float | None = None
    case: str | None = None
    message: str = ""

    @property
    def junit(self) -> JUnitCase:
        kinds: dict[str, Any] = {"ok": None, "differs": "failure", "skipped": "skipped"}
        case = f" (case {self.case})" if self.case else ""
        return JUnitCase(self.submission, self.secs or 0, kinds.get(self.result, "error"), [f"{self.message}{case}"])


@click.command("verify")
@click.argument("package", metavar="DIR|ZIP", type=click.Path(exists=True, path_type=Path))
@click.option("--time-limit", "time_limit_secs", type=click.FloatRange(0, min_open=True), help="In place of its own.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file.")
@jobs_option
@root_option
@service_command
def verify(
    session: Session,
    package: Path,
    root: Path | None,
    time_limit_secs: float | None,
    junit: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Judge the submissions of a problem package, and compare the verdicts with those that are expected.

    Folders (accepted, wrong_answer, time_limit_exceeded, run_time_error, …), @EXPECTED_RESULTS@ and submissions.yaml
    say what is expected. A submission whose language the service does not have is skipped.

    Ends with 0 if all verdicts are as expected, 1 if one differs, 65 if the service refused a program or nothing was
    judged, 121 if it failed.
    """
    folder = CasesFolder().convert(package, None, click.get_current_context())
    with session.api() as api, _Verification(api, folder, root, time_limit_secs, jobs) as verification:
        rows = verification.rows()
    name = package.stem if is_zip(package) else package.resolve().name
    if junit is not None:
        junit.write_bytes(junit_xml(f"rustbox problems verify {name}", name, [row.junit for row in rows]))
    times = verification.times(rows)
    if as_json:
        show_json({"submissions": [asdict(row) for row in rows], **times})
    else:
        _show(rows, times, has_scores=verification.has_scores)
    results = {row.result for row in rows}
    codes = {
        "error": ExitCode.PLATFORM_FAILURE,
        "differs": _DIFFERS,
        "refused": ExitCode.REFUSED,
        "ok": ExitCode.OK,
    }
    code = next((code for result, code in codes.items() if result in results), ExitCode.REFUSED)
    click.get_current_context().exit(int(code))


class _Verification:
    """A package that is stored while its submissions are judged."""

    def __init__(self, api: Api, folder: Path, root: Path | None, time_limit_secs: float | None, jobs: int) -> None:
        package = read_package(folder, root=root)
        if package is None:
            raise refused(f"{folder} is no problem package: it has no problem.yaml.")
        is_legacy = package.is_legacy
        self._api, self._jobs = api, jobs
        self.submissions = read_submissions(folder, is_legacy=is_legacy)
        if not self.submissions:
            raise refused(f"{folder} has no submissions.")
        self._time_rules: TimeRules = read_time_rules(folder, is_legacy=is_legacy)
        self._folder = read_case_folder(folder, read=lambda path: path, most_cases=MAX_STORED_CASES, root=root)
        self.limit_secs = time_limit_secs or self._folder.limits.get("cpu_time_secs")
        self.is_proposed, self.has_scores = False, package.is_scoring and not self._folder.has_score_files
        needs_all_cases = any(rule.needs_all_cases for one in self.submissions for rule in one.rules)
        self._stop = None if package.is_scoring or needs_all_cases else "first_failure"
        self._problem_id = f"verify-{uuid.uuid4().hex[:12]}"
        self._rows: dict[str, Row] = {}

    def __enter__(self) -> _Verification:  # noqa: PYI034 - Self needs Python 3.11
        self._delete_abandoned()
        try:
            with progress("storing files: {} of {}") as tell:
                # Files of the package go with each submission: a problem with files takes no others.
                push(self._api, self._problem_id, replace(self._folder, includes={}), tell, stop=self._stop)
        except KeyboardInterrupt:
            self._delete(self._problem_id, may_fail=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._delete(self._problem_id, may_fail=kind is not None)  # the first error says more

    def _delete_abandoned(self) -> None:
        """Delete what commands have left that were killed more than an hour ago."""
        latest = datetime.now(timezone.utc) - _ABANDONED_AFTER
        for problem in list(self._api.items(("problems",), _MOST_LISTED, {})):
            if not _NAME.fullmatch(problem["id"]):
                continue
            created = datetime.fromisoformat(problem["created_at"].replace("Z", "+00:00"))  # Python 3.10 knows no Z
            if created < latest:
                self._delete(problem["id"], may_fail=True)

    def _delete(self, problem_id: str, *, may_fail: bool) -> None:
        try:
            self._api.call("DELETE", ("problems", problem_id))
        except CommandError:
            if not may_fail:
                raise

    def rows(self) -> list[Row]:
        """Judge all submissions. Accepted ones come first if the package has no time limit."""
        for one in self.submissions:
            if one.reason:
                self._add(Row(one.path, one.expected, None, "skipped", message=one.reason))
        left = [one for one in self.submissions if not one.reason]
        with progress("judging: {} of {} submissions") as tell:
            if self.limit_secs is None:
                first = [one for one in left if one.is_accepted]
                left = [one for one in left if not one.is_accepted]
                self._judge(first, _LONGEST_SECS, tell)
                slowest = self._slowest_accepted()
                self.limit_secs = self._time_rules.limit_secs(slowest[0] if slowest else 0)
                self.is_proposed = bool(slowest)
            # A proposed limit may be above the ceiling.
            self._judge(left, min(self.limit_secs, _CEILING_SECS) if self.is_proposed else self.limit_secs, tell)
        return [self._rows[one.path] for one in self.submissions]

    def times(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return the time limit, the slowest accepted submission, and the fastest one that is too slow."""
        slow = {one.path for one in self.submissions if one.is_too_slow}
        late = ((row.secs or 0, row.submission) for row in rows if row.submission in slow and row.got == "TLE")
        # One that waited for its wall limit has used less CPU time than the limit, which says nothing of the limit.
        too_slow = [each for each in late if each[0] and each[0] >= (self.limit_secs or 0)]
        slowest = self._slowest_accepted()
        return {
            "time_limit_secs": self.limit_secs,
            "is_proposed": self.is_proposed,
            "wanted_time_limit_secs": self._time_rules.limit_secs(slowest[0]) if slowest else None,
            "slowest_accepted": slowest,
            "fastest_too_slow": min(too_slow, default=None),
        }

    def _slowest_accepted(self) -> tuple[float, str] | None:
        accepted = {one.path for one in self.submissions if one.is_accepted}
        rows = [row for row in self._rows.values() if row.submission in accepted and row.result == "ok"]
        return max(((row.secs or 0, row.submission) for row in rows), default=None)

    def _judge(self, submissions: Sequence[Submission], limit_secs: float, tell: Callable[[int, int], None]) -> None:
        by_path = {one.path: one for one in submissions}
        bodies = {path: partial(self._body, one, limit_secs) for path, one in by_path.items()}
        for path, run in side_by_side(self._api, bodies, self._jobs):
            self._add(_row(by_path[path], run, limit_secs))
            tell(len(self._rows), len(self.submissions))

    def _body(self, one: Submission, limit_secs: float) -> dict[str, Any]:
        """Return the request. A submission that must be too slow gets more time, so that its own is known."""
        secs = limit_secs
        if one.is_too_slow:
            secs = max(secs, min(secs * self._time_rules.margin, _CEILING_SECS))
        main = one.main.relative_to(one.place).as_posix() if one.main and one.place.is_dir() else None
        options = {"main": main, "files": (), "compile_args": (), "language": None}
        program = program_fields(self._api, one.place, options)
        files = [*program.get("files", ()), *self._folder.files(self._api, program["language"])]
        program |= {"files": files} if files else {}
        return {**program, "problem": self._problem_id, "limits": cpu_limits(secs)}

    def _add(self, row: Row) -> None:
        self._rows[row.submission] = row


def _row(one: Submission, run: JudgeRun | CommandError, limit_secs: float) -> Row:
    if isinstance(run, CommandError):
        return Row(one.path, one.expected, None, "refused", message=run.message)
    if run["status"] == "error":
        broken = next((case for case in run["results"] if case["outcome"] == "judge_error"), None)
        message = case_message(broken) if broken else run["error_message"]
        return Row(
            one.path, one.expected, None, "error", case=case_name(broken) if broken else None, message=message or ""
        )
    outcomes = outcomes_of(run, limit_secs)
    differences = one.differences(outcomes)
    failed = next((case for case in run["results"] if outcomes.of_case.get(case["id"], "AC") != "AC"), None)
    said = (failure_text(failed) if failed else "") or (run["compile"] or {}).get("stderr") or ""
    return Row(
        one.path,
        one.expected,
        outcomes.final,
        "differs" if differences else "ok",
        run["score"],
        max((case["cpu_time_secs"] or 0 for case in run["results"]), default=None),
        case_name(failed) if failed else None,
        "; ".join(differences) + (f" ({said.strip()})" if differences and said.strip() else ""),
    )


def _show(rows: Sequence[Row], times: dict[str, Any], *, has_scores: bool) -> None:
    columns = (
        "SUBMISSION",
        "EXPECTED",
        "GOT",
        "RESULT",
        *(("SCORE",) if has_scores else ()),
        "CPU S",
        "CASE",
        "MESSAGE",
    )
    table = []
    for row in rows:
        score = (None if row.score is None else f"{row.score:g}",) if has_scores else ()
        secs = None if row.secs is None else f"{row.secs:.3f}"
        message = row.message.replace("\n", " ")[:_MESSAGE_CHARS]
        table.append((row.submission, row.expected, row.got, row.result, *score, secs, row.case, message))
    show_table(columns, table, "There are no submissions.")
    counts = {name: sum(row.result == name for row in rows) for name in ("ok", *_WORDS)}
    click.echo(
        f"{counts['ok']} of {len(rows)} submissions as expected"
        + "".join(f", {count} {_WORDS[name]}" for name, count in counts.items() if count and name != "ok")
    )
    for name, words in (("slowest_accepted", "slowest accepted"), ("fastest_too_slow", "fastest too slow")):
        if times[name]:
            secs, submission = times[name]
            click.echo(f"{words}: {secs:.3f} s ({plain(submission)})")
    limit, wanted = times["time_limit_secs"], times["wanted_time_limit_secs"]
    if times["is_proposed"]:
        click.echo(f"The package has no time limit. Proposed: {limit:g} s. Write it to problem.yaml or .timelimit.")
    elif wanted is not None and wanted > limit:
        click.echo(f"time limit: {limit:g} s. The slowest accepted submission asks for {wanted:g} s.")
    else:
        click.echo(f"time limit: {limit:g} s")
