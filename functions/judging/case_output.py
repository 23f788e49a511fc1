"""Answer with the whole output of one case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.payloads import PayloadMissingError
from functions.errors import ConflictError, NotFoundError
from functions.judging.case_view import shows_output
from functions.judging.model import Plan
from functions.submissions.results.outputs import RawOutput, output_answer
from functions.submissions.results.results import NO_SUCH_RESULT

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.judging.deployment import JudgeDeployment
    from functions.submissions.model import Submission


def case_output(deployment: JudgeDeployment, row: Submission, index: int) -> Response[Any]:
    """Answer with the exact output of one case, or a link to it. Raises NotFoundError and ConflictError."""
    plan = Plan.of_json(row.plan or {})
    if index >= len(plan.cases) or not shows_output(plan.cases[index]):
        raise NotFoundError("There is no such case, or its visibility does not show its output.")
    if not row.is_final:
        raise ConflictError("The judge run is not finished, so its outputs are not complete yet.")
    run = next((case.run for case in deployment.judge_runs.results(row) if case.index == index), None)
    if run is None:
        raise NotFoundError("The program did not run on this case.")
    output = RawOutput(row.submission_id, run.stdout.head, run.stdout.object_key, run.stdout.size_bytes)
    try:
        return output_answer(deployment.settings, deployment.clock(), deployment.payloads, output)
    except PayloadMissingError:  # deleted since the row was read
        raise NotFoundError(NO_SUCH_RESULT) from None
