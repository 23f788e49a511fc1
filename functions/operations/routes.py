"""Routes of /api/admin. Every action is logged with its ids: these lines are the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.http import parameters
from functions.http.answers import answer
from functions.operations.purge import Purge
from functions.operations.redrive import QUEUE_NAMES, Redrive, dead_letters
from functions.operations.trace import Trace, trace_body
from functions.operations.views import purged_body, redriven_body
from functions.projects.api import NO_SUCH_PROJECT
from functions.projects.requests import project_id
from functions.submissions.results.results import NO_SUCH_RESULT

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.operations.deployment import OperationDeployment


@dataclass(frozen=True, slots=True)
class OperationRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: OperationDeployment

    def trace(self, app: Resolver, id_text: str) -> Response[str]:
        """Show the life of one submission of any project."""
        self.deployment.admin_gate.require(app)
        submission_id, deployment = parameters.uuid(id_text), self.deployment
        row = deployment.submissions.get(submission_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        deliveries = deployment.deliveries.deliveries_of(submission_id)
        attempts = {each.endpoint_id: deployment.delivery_list.last_attempts(each) for each in deliveries}
        has_event = deployment.deliveries.get_event(submission_id) is not None
        deployment.log.info("Submission traced", **row.log_ids, project_id=row.project_id, request_id=app.request_id)
        trace = Trace(row, deliveries, attempts, has_event)
        return answer(trace_body(trace, deployment.settings.log_group_prefix, deployment.clock()))

    def redrive(self, app: Resolver, queue: str) -> Response[str]:
        """Move dead letters back to their queue."""
        self.deployment.admin_gate.require(app)
        if queue not in QUEUE_NAMES:
            raise BadRequestError(f"The queue must be one of {', '.join(QUEUE_NAMES)}.")
        redriven = Redrive(self.deployment.sqs).move(dead_letters(self.deployment.settings, queue))
        self.deployment.log.warning(
            "Dead letters redriven", queue=queue, count=redriven.moved, request_id=app.request_id
        )
        return answer(redriven_body(queue, redriven))

    def purge(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete submissions, endpoints, checks, their history and events of a disabled project.

        Raises ConflictError while it is enabled.
        """
        self.deployment.admin_gate.require(app)
        known = project_id(id_text)
        record = self.deployment.registry.get(known)
        if record is None:
            raise NotFoundError(NO_SUCH_PROJECT)
        if record.disabled_at is None:
            raise ConflictError("The project is enabled. Disable it first, so that nothing new is written meanwhile.")
        purged = Purge(self.deployment).purge(known)
        self.deployment.log.warning(
            "Project purged",
            project_id=known,
            submissions=purged.submissions,
            endpoints=purged.endpoints,
            checks=purged.checks,
            check_runs=purged.check_runs,
            events=purged.events,
            complete=purged.complete,
            request_id=app.request_id,
        )
        return answer(purged_body(known, purged))
