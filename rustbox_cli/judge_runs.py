"""Judge runs: wait for one, or for many side by side, and the verdicts of their cases."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import show_warnings
from rustbox_cli.results import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rustbox_cli.api import Api

JudgeRun: TypeAlias = dict[str, Any]
"""A finished judge run as the API shows it."""
_POLL_SECS = 20  # the longest poll that the service allows
_AFTER_ALL = "999"
"""The highest index of a case, so that a poll ends with the judge run, and not with each case."""
_PLATFORM_FAILED, _REPEATS = "IE", 2
_WRONG = 1


def finish(api: Api, body: Mapping[str, Any], tell: Callable[[int, int], None]) -> JudgeRun:
    """Judge and poll. `tell` gets the finished cases and all. An interrupt cancels the judge run."""
    accepted = _begin(api, body)
    show_warnings(accepted)
    path, after = ("judge", accepted["id"]), 0
    try:
        while True:
            query = {"wait": str(_POLL_SECS), "after": str(after)}
            found: JudgeRun = api.call("GET", path, query=query).body
            if "all_passed" in found:
                return found if not after else dict(api.call("GET", path).body)
            after = max([after, *(case["index"] + 1 for case in found["results"])])
            tell(found["finished"], found["total"])
    except KeyboardInterrupt:
        api.call("POST", ("judge", accepted["id"], "cancel"))
        hint = f"The judge run was stopped. GET /api/judge/{accepted['id']} has its finished cases."
        raise CommandError("Interrupted.", ExitCode.INTERRUPTED, hint) from None


def side_by_side(
    api: Api, bodies: Mapping[str, Callable[[], Mapping[str, Any]]], jobs: int
) -> Iterator[tuple[str, JudgeRun | CommandError]]:
    """Judge what the functions return, `jobs` at a time. Yields each name with its finished judge run, or its refusal.

    Raises the CommandError of the first call that fails otherwise. An error, an interrupt and a closed iterator cancel
    the rest.
    """
    runs = _Runs(api)
    threads = ThreadPoolExecutor(jobs)
    try:
        futures = {threads.submit(runs.finish, body): name for name, body in bodies.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except KeyboardInterrupt:
        raise CommandError("Interrupted.", ExitCode.INTERRUPTED, "The judge runs that went on were stopped.") from None
    finally:
        runs.cancel()
        threads.shutdown(cancel_futures=True)


class _Runs:
    """The judge runs that go on, to cancel them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock, self._is_over, self._open = Lock(), Event(), set[str]()

    def finish(self, make: Callable[[], Mapping[str, Any]]) -> JudgeRun | CommandError:
        """Judge, and again if the platform failed: on a busy host a program may lose its time to others."""
        try:
            body = make()
            run = self._finish_once(body)
            for _ in range(_REPEATS):
                if not any(case["verdict"] == _PLATFORM_FAILED for case in run["results"]):
                    break
                run = self._finish_once(body)
        except click.ClickException as error:
            if error.exit_code not in {ExitCode.REFUSED, ExitCode.USAGE}:
                raise
            return CommandError(error.message, ExitCode.REFUSED)
        return run

    def _finish_once(self, body: Mapping[str, Any]) -> JudgeRun:
        if self._is_over.is_set():
            raise CommandError("Interrupted.", ExitCode.INTERRUPTED)
        judge_id = _begin(self._api, body)["id"]
        with self._lock:
            self._open.add(judge_id)
        if self._is_over.is_set():
            self.cancel()
        query = {"wait": str(_POLL_SECS), "after": _AFTER_ALL}
        while "all_passed" not in self._api.call("GET", ("judge", judge_id), query=query).body:
            if self._is_over.is_set():
                raise CommandError("Interrupted.", ExitCode.INTERRUPTED)
        with self._lock:
            self._open.discard(judge_id)
        return dict(self._api.call("GET", ("judge", judge_id)).body)

    def cancel(self) -> None:
        """Stop what goes on. Nothing begins any more."""
        with self._lock:
            self._is_over.set()
            ids, self._open = self._open, set()
        for judge_id in ids:
            self._api.call("POST", ("judge", judge_id, "cancel"))


def _begin(api: Api, body: Mapping[str, Any]) -> dict[str, Any]:
    key = str(uuid.uuid4())
    answer = api.call("POST", ("judge",), query={"wait": "false"}, body=body, idempotency_key=key)
    return dict(answer.body)


def judge_exit_code(run: JudgeRun) -> int:
    """Return 0 if every case passed, else the exit code of the first failed case, as in `run`."""
    if run["all_passed"]:
        return int(ExitCode.OK)
    if run["status"] == "error":
        return int(ExitCode.PLATFORM_FAILURE)
    if run["first_failed"] is None:
        return int(ExitCode.COMPILE_ERROR)
    case = run["results"][run["first_failed"]]
    if case["outcome"] != "failed":
        return _WRONG
    return exit_code({**case, "result": {"phase": "run"}})


def case_name(case: Mapping[str, Any]) -> str:
    """Return the name of a case on one line, so that no name looks like another row."""
    return str(case["id"] or case["index"]).replace("\n", "\\n")


def case_message(case: Mapping[str, Any]) -> str | None:
    """Return what the judge is told about a case: it may quote the expected output."""
    message: str | None = case["checker_message"] or case.get("team_message") or case["error_message"]
    return message


def failure_text(case: Mapping[str, Any]) -> str:
    """Return what the judge is told about a failed case, else the last line that the program wrote to stderr."""
    lines = (case.get("stderr") or "").strip().splitlines()
    return case_message(case) or (lines[-1] if lines and case["verdict"] != "AC" else "")
