"""A runner that is asked over HTTP by itself: that of a local stack, past the functions, over one kept connection."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.answers import WrongAnswerError
from bench.running_stack import RunningStack, running_stack
from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted
from events.requested import ExecutionRequested, JudgeRequested, Requested
from functions.clock import now_ms, to_rfc3339
from functions.submissions.model import Status, Submission
from functions.submissions.store import SubmissionStore

_TIMEOUT_SECS = 40


@contextmanager
def direct_path() -> Iterator[Callable[[ExecutionRequested], ExecutionCompleted]]:
    """Give what asks the runner. It raises WrongAnswerError, MessageInvalidError or what http.client raises."""
    with requests_path() as ask:

        def ask_for_execution(request: ExecutionRequested) -> ExecutionCompleted:
            completed = ask(request)
            if not isinstance(completed, ExecutionCompleted):
                raise WrongAnswerError("the runner answered with a judge run")
            return completed

        yield ask_for_execution


@contextmanager
def requests_path() -> Iterator[Callable[[Requested], Completed]]:
    """Give what asks the runner for runs and judge runs. It raises as that of `direct_path`."""
    with running_stack() as stack:
        address, headers = runner_access(stack)
        # A run that lasts reports its start. The functions stop it if they do not know its row.
        rows = SubmissionStore("rustbox-local-SubmissionsTable", stack.local.aws("dynamodb"))
        with closing(http.client.HTTPConnection(address, timeout=_TIMEOUT_SECS)) as connection:

            def ask(request: Requested) -> Completed:
                if isinstance(request, JudgeRequested):
                    rows.create(_row(request), None)
                connection.request("POST", "/v1/execute", request.serialise().encode(), headers)
                response = connection.getresponse()
                content = response.read()
                if response.status != http.client.OK:
                    raise WrongAnswerError(f"the runner answered {response.status}: {content[:200]!r}")
                if isinstance(request, JudgeRequested):
                    return JudgeCompleted.parse(content)
                return ExecutionCompleted.parse(content)

            yield ask


def _row(request: Requested) -> Submission:
    now = now_ms()
    return Submission(
        submission_id=request.submission_id,
        project_id=request.project_id,
        status=Status.PENDING,
        language=request.language,
        profile=request.profile,
        priority=request.priority,
        created_at=to_rfc3339(now),
        ttl=now // 1000 + 3_600,
        execution_id=request.execution_id,
        wall_budget_secs=25,
        due_at_ms=now + 3_600_000,
    )


def runner_access(stack: RunningStack) -> tuple[str, dict[str, str]]:
    """(host and port, headers of each request) of a stack's runner."""
    told = Path(f"/proc/{stack.local.runner_pid()}/environ").read_text(encoding="utf-8").split("\0")
    variables = dict(line.split("=", 1) for line in told if "=" in line)
    headers = {"Authorization": f"Bearer {variables['RUNNER_TOKEN']}", "Content-Type": "application/json"}
    return variables["LISTEN_ADDRESS"], headers
